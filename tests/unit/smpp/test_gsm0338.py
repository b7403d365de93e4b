"""The GSM alphabet and every other data_coding."""

import pytest

from smpp.gsm0338 import decode, decode_text, encode, encode_text


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@", b"\x00"),
        ("abc", b"abc"),
        ("$_", b"\x02\x11"),
        ("€", b"\x1be"),
        ("[~]", b"\x1b<\x1b=\x1b>"),
        ("\f", b"\x1b\x0a"),
        ("Ñ§à", b"\x5d\x5f\x7f"),
    ],
)
def test_the_tables_are_those_of_the_specification(text: str, octets: bytes) -> None:
    assert encode(text) == octets
    assert decode(octets) == text


@pytest.mark.parametrize("text", ["`", "ç", "\x1b", "ж", "😀"])
def test_what_the_alphabet_has_not_is_not_encoded(text: str) -> None:
    assert encode(text) is None


def test_an_escape_to_nothing_shows_the_basic_character() -> None:
    assert decode(b"\x1bA") == "A"
    assert decode(b"\x1b\x1bA") == " A"
    assert decode(b"A\x1b") == "A"
    assert decode(b"A\xff") == "A\ufffd"


def test_a_text_goes_in_the_shorter_alphabet_that_can_say_it() -> None:
    assert encode_text("hello") == (0, b"hello")
    assert encode_text("ж") == (8, b"\x04\x36")


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"\x00", 0x00, "@"),
        (b"\x00", 0x10, "@"),  # flash
        (b"\x00A", 0x18, "A"),  # flash UCS-2
        (b"\x00", 0xF0, "@"),
        (b"\xe9", 0xF5, "é"),
        (b"\xe9", 3, "é"),
        (b"\xd0", 6, "а"),
        (b"\xd8\x3d\xde\x00", 8, "😀"),
        (b"\xd8\x3d\xde", 8, "\ufffd"),
        (b"A", 0x0F, "A"),
    ],
)
def test_any_data_coding_is_read(octets: bytes, coding: int, text: str) -> None:
    assert decode_text(octets, coding)[: len(text)] == text
