"""The national shift tables of TS 23.038, annex A."""

import unicodedata

import pytest

from smpp.gsm0338 import decode, encode, septets_of
from smpp.national import DEFAULT, HOLE, LOCKING, SINGLE, Language, Shift

SCRIPTS = {
    Language.BENGALI: "BENGALI",
    Language.GUJARATI: "GUJARATI",
    Language.HINDI: "DEVANAGARI",
    Language.KANNADA: "KANNADA",
    Language.MALAYALAM: "MALAYALAM",
    Language.ORIYA: "ORIYA",
    Language.PUNJABI: "GURMUKHI",
    Language.TAMIL: "TAMIL",
    Language.TELUGU: "TELUGU",
    Language.URDU: "ARABIC",
}
LETTERS_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def locking(language: Language) -> Shift:
    return Shift(language, None)


def single(language: Language) -> Shift:
    return Shift(None, language)


@pytest.mark.parametrize("language", LOCKING)
def test_a_locking_shift_has_a_place_for_each_septet_and_a_septet_for_each_character(
    language: Language,
) -> None:
    table = LOCKING[language]
    characters = [char for char in table if char != HOLE]
    assert len(table) == 128
    assert len(set(characters)) == len(characters)
    assert (table[0x0A], table[0x0D], table[0x1B], table[0x20]) == ("\n", "\r", "\x1b", " ")
    assert set(LETTERS_AND_DIGITS) <= set(table)


@pytest.mark.parametrize("language", Language)
def test_a_single_shift_has_what_the_extension_table_has(language: Language) -> None:
    table = SINGLE[language]
    assert set("\f^{}\\[~]|€") <= set(table.values())
    assert (table[0x0A], table[0x65]) == ("\f", "€")
    assert not {0x0D, 0x1B} & set(table)


def test_spanish_alone_has_no_locking_shift() -> None:
    assert set(Language) - set(LOCKING) == {Language.SPANISH}


@pytest.mark.parametrize(("language", "script"), SCRIPTS.items())
def test_the_letters_of_a_table_are_of_its_script(language: Language, script: str) -> None:
    everywhere = set(LOCKING[Language.HINDI]) & set(LOCKING[Language.URDU])
    letters = [char for char in LOCKING[language] if char not in everywhere and char != HOLE]
    assert len(letters) > 50
    assert {unicodedata.name(char).split()[0] for char in letters} == {script}


@pytest.mark.parametrize("language", SCRIPTS)
def test_the_digits_of_a_script_stand_in_order_in_its_single_shift(language: Language) -> None:
    digits = [
        unicodedata.digit(char)
        for _, char in sorted(SINGLE[language].items())
        if char > "\xff" and unicodedata.category(char) == "Nd"
    ]
    assert digits == list(range(10))


@pytest.mark.parametrize(
    ("language", "code", "char"),
    [
        (Language.TURKISH, 0x07, "ı"),
        (Language.TURKISH, 0x40, "İ"),
        (Language.TURKISH, 0x60, "ç"),
        (Language.PORTUGUESE, 0x15, "∞"),
        (Language.PORTUGUESE, 0x7D, "`"),
        (Language.BENGALI, 0x60, "\u09ce"),
        (Language.BENGALI, 0x7F, "\u09f1"),
        (Language.GUJARATI, 0x0C, "\u0a8d"),
        (Language.GUJARATI, 0x7F, "\u0af1"),
        (Language.HINDI, 0x15, "\u0915"),
        (Language.HINDI, 0x3C, "\u0929"),
        (Language.HINDI, 0x5F, "\u094d"),
        (Language.KANNADA, 0x24, "\u0ca1"),
        (Language.KANNADA, 0x3D, "\u0caa"),
        (Language.MALAYALAM, 0x7F, "\u0d79"),
        (Language.ORIYA, 0x60, "\u0b56"),
        (Language.PUNJABI, 0x4C, "\u0a38"),
        (Language.TAMIL, 0x2F, "\u0ba8"),
        (Language.TAMIL, 0x7F, "\u0bf9"),
        (Language.TELUGU, 0x4F, "\u0c3d"),
        (Language.URDU, 0x00, "\u0627"),
        (Language.URDU, 0x2F, "\u0698"),
        (Language.URDU, 0x7F, "\u0670"),
    ],
)
def test_a_letter_has_the_septet_that_the_locking_shift_gives_it(
    language: Language, code: int, char: str
) -> None:
    assert encode(char, locking(language)) == bytes((code,))
    assert decode(bytes((code,)), locking(language)) == char


@pytest.mark.parametrize(
    ("language", "code", "char"),
    [
        (Language.TURKISH, 0x53, "Ş"),
        (Language.SPANISH, 0x09, "ç"),
        (Language.SPANISH, 0x75, "ú"),
        (Language.PORTUGUESE, 0x05, "ê"),
        (Language.PORTUGUESE, 0x61, "Â"),
        (Language.BENGALI, 0x19, "\u09e6"),
        (Language.BENGALI, 0x34, "\u09fa"),
        (Language.GUJARATI, 0x1C, "\u0ae6"),
        (Language.HINDI, 0x19, "\u0964"),
        (Language.HINDI, 0x3A, "\u0971"),
        (Language.KANNADA, 0x2A, "\u0cf2"),
        (Language.MALAYALAM, 0x34, "\u0d7f"),
        (Language.ORIYA, 0x2C, "\u0b71"),
        (Language.PUNJABI, 0x2D, "\u0a75"),
        (Language.TAMIL, 0x24, "\u0bee"),
        (Language.TELUGU, 0x1C, "\u0c66"),
        (Language.TELUGU, 0x32, "\u0c7f"),
        (Language.URDU, 0x3F, "\u06d4"),
    ],
)
def test_a_letter_has_the_septet_that_the_single_shift_gives_it(
    language: Language, code: int, char: str
) -> None:
    assert encode(char, single(language)) == bytes((0x1B, code))
    assert decode(bytes((0x1B, code)), single(language)) == char


@pytest.mark.parametrize("language", Language)
def test_all_that_both_tables_of_a_language_can_say_comes_back(language: Language) -> None:
    shift = Shift(language if language in LOCKING else None, language)
    everything = "".join(septets_of(shift))
    octets = encode(everything, shift)
    assert octets is not None
    assert decode(octets, shift) == everything


def test_a_character_of_both_tables_costs_no_escape() -> None:
    assert encode("ç", Shift(Language.TURKISH, Language.TURKISH)) == b"\x60"


def test_an_escape_to_nothing_shows_the_character_of_the_locking_shift() -> None:
    assert decode(b"\x1b\x07", Shift(Language.TURKISH, Language.TURKISH)) == "ı"


def test_a_hole_of_a_table_is_read_as_a_replacement_character() -> None:
    assert LOCKING[Language.TAMIL][0x11] == HOLE
    assert decode(b"\x11", locking(Language.TAMIL)) == "\ufffd"


def test_without_a_shift_the_default_alphabet_holds() -> None:
    assert decode(bytes(range(0x1B))) == DEFAULT[:0x1B]
    assert decode(b"\x09", Shift(Language.SPANISH, None)) == "Ç"
