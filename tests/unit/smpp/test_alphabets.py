"""How octets are read by the alphabet of the carrier."""

import pytest

from smpp.alphabets import read_text
from smpp.national import Language, Shift
from smpp.style import DefaultAlphabet, TextStyle


@pytest.mark.parametrize(
    ("octets", "coding", "alphabet", "text"),
    [
        (b"\x00\x1be", 0, DefaultAlphabet.GSM7, "@€"),
        (b"\xe9@", 0, DefaultAlphabet.LATIN1, "é@"),
        (b"\xa4", 0, DefaultAlphabet.LATIN1, "¤"),
        (b"\xa4", 0, DefaultAlphabet.LATIN9, "€"),
        (b"\xa4", 3, DefaultAlphabet.LATIN9, "€"),
        (b"\xa4", 3, DefaultAlphabet.LATIN1, "¤"),
        (b"@\xe9", 0, DefaultAlphabet.ASCII, "@\ufffd"),
        (bytes.fromhex("e8329bfd4697d9ec37"), 0, DefaultAlphabet.PACKED, "hellohello"),
        (bytes.fromhex("e8329bfd4697d9ec37"), 0xF1, DefaultAlphabet.PACKED, "hellohello"),
        (b"\x00A", 8, DefaultAlphabet.PACKED, "A"),
        (b"\x00", 0x10, DefaultAlphabet.LATIN1, "@"),  # says GSM, and not "the default"
    ],
)
def test_zero_is_read_as_the_carrier_means_it(
    octets: bytes, coding: int, alphabet: DefaultAlphabet, text: str
) -> None:
    assert read_text(octets, coding, TextStyle(default_alphabet=alphabet)) == text


def test_septets_are_read_with_the_tables_of_their_header() -> None:
    assert read_text(b"\x60\x1b\x53", 0, shift=Shift(Language.TURKISH, Language.TURKISH)) == "çŞ"
