"""The GSM alphabet, packed or not, and every other data_coding."""

import pytest

from smpp.gsm0338 import (
    decode,
    decode_text,
    encode,
    encode_text,
    fill_bits,
    pack,
    packs,
    unpack,
)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@", b"\x00"),
        ("abc", b"abc"),
        ("$_", b"\x02\x11"),
        ("€", b"\x1be"),
        ("[~]", b"\x1b<\x1b=\x1b>"),
        ("a\\b", b"a\x1b/b"),
        ("\f", b"\x1b\x0a"),
        ("\r\n", b"\x0d\x0a"),
        ("Ñ§à", b"\x5d\x5f\x7f"),
    ],
)
def test_the_tables_are_those_of_the_specification(text: str, octets: bytes) -> None:
    assert encode(text) == octets
    assert decode(octets) == text


@pytest.mark.parametrize("text", ["`", "a`", "ç", "\x1b", "é\x1b", "\t", "ж", "😀", "\x7f"])
def test_what_the_alphabet_has_not_is_not_encoded(text: str) -> None:
    assert encode(text) is None


def test_an_escape_to_nothing_shows_the_basic_character() -> None:
    assert decode(b"\x1bA") == "A"
    assert decode(b"\x1b\x1bA") == " A"
    assert decode(b"\x1b\x1b\x1be") == " €"
    assert decode(b"\x1b\x1b\x1b\x1b") == "  "
    assert decode(b"A\x1b") == "A"
    assert decode(b"A\xff") == "A\ufffd"
    assert decode(b"\x1b\xff\x1be") == "\ufffd€"


def test_a_text_goes_in_the_shorter_alphabet_that_can_say_it() -> None:
    assert encode_text("hello") == (0, b"hello")
    assert encode_text("ж") == (8, b"\x04\x36")
    assert encode_text("\ud83d") == (8, b"\x00?")


# -- packed -----------------------------------------------------------------------------------


def test_eight_septets_take_seven_octets() -> None:
    packed = bytes.fromhex("e8329bfd4697d9ec37")
    assert pack(b"hellohello") == packed
    assert unpack(packed) == b"hellohello"


def test_septets_behind_a_header_begin_where_a_septet_would() -> None:
    # 3GPP TS 23.040 §9.2.3.24: one fill bit behind the six octets of a concatenation element.
    assert [fill_bits(length) for length in (0, 4, 6, 7)] == [0, 3, 1, 0]
    assert pack(b"\x7f", fill_bits(6)) == b"\xfe"
    assert unpack(b"\xfe", fill_bits(6), final=False) == b"\x7f"


def test_seven_bits_too_many_are_no_character() -> None:
    assert pack(b"1234567") == bytes.fromhex("31d98c56b3dd1a")
    assert unpack(bytes.fromhex("31d98c56b3dd1a")) == b"1234567"
    assert unpack(bytes.fromhex("31d98c56b3dd00")) == b"1234567"  # filled with zeros
    assert unpack(bytes.fromhex("31d98c56b3dd00"), final=False) == b"1234567\x00"


@pytest.mark.parametrize(
    ("septets", "final", "comes_back"),
    [
        (b"1234567\r", True, False),
        (b"1234567\r", False, False),
        (b"1234567\x00", True, False),
        (b"1234567\x00", False, True),
        (b"12345678", True, True),
        (b"123456\r", True, True),
        (b"", True, True),
    ],
)
def test_a_last_character_that_looks_like_filling_is_told_beforehand(
    septets: bytes, final: bool, comes_back: bool
) -> None:
    assert packs(septets, final=final) is comes_back
    assert (unpack(pack(septets), final=final) == septets) is comes_back


def test_no_octets_are_no_septets() -> None:
    assert unpack(b"") == unpack(b"", 6) == b""


# -- data_coding ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"\x00", 0x00, "@"),
        (b"A", 1, "A"),
        (b"\xe9", 3, "é"),
        (b"\xe9", 4, "é"),  # whoever reads octets as a text finds all of them
        (b"\xd0", 6, "а"),
        (b"\xd8\x3d\xde\x00", 8, "😀"),
        (b"\x00A\xd8\x3d\xde", 8, "A\ufffd"),
        (b"A", 0x0F, "A"),
        (b"\x00", 0x10, "@"),  # flash
        (b"\xe9", 0x15, "é"),  # 8-bit, to the handset
        (b"\x00A", 0x18, "A"),  # flash UCS-2
        (b"\x00", 0x1C, "@"),  # a reserved alphabet
        (b"\x00\x01", 0x20, "\ufffd\ufffd"),  # compressed
        (b"\x00A", 0x48, "A"),  # UCS-2 that deletes itself
        (b"\x00", 0x8A, "@"),  # a reserved group
        (b"\x00", 0xC8, "@"),  # a message waits; discard this one
        (b"\x00", 0xD8, "@"),  # a message waits; keep this one
        (b"\x00A", 0xE0, "A"),  # likewise, in UCS-2
        (b"\x00", 0xF0, "@"),
        (b"\x00", 0xF8, "@"),
        (b"\xe9", 0xF5, "é"),
    ],
)
def test_any_data_coding_is_read(octets: bytes, coding: int, text: str) -> None:
    assert decode_text(octets, coding) == text
