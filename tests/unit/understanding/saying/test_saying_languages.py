"""Numbers, dates, the clock and money as people of a language say them."""

from __future__ import annotations

import pytest

from ari_app.understanding.saying.languages import LANGUAGES, language_of
from ari_app.understanding.saying.values import KINDS, say

ENGLISH, SPANISH = LANGUAGES["en"], LANGUAGES["es"]


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        ("0", "zero", "cero"),
        ("16", "sixteen", "dieciséis"),
        ("21", "twenty-one", "veintiuno"),
        ("100", "one hundred", "cien"),
        ("101", "one hundred and one", "ciento uno"),
        ("1000", "one thousand", "mil"),
        ("1,005", "one thousand and five", "mil cinco"),
        ("21000", "twenty-one thousand", "veintiún mil"),
        (
            "91134",
            "ninety-one thousand one hundred and thirty-four",
            "noventa y un mil ciento treinta y cuatro",
        ),
        ("1000000", "one million", "un millón"),
        ("2000000000", "two billion", "dos mil millones"),
        ("-3.05", "minus three point zero five", "menos tres coma cero cinco"),
    ],
)
def test_a_number_is_counted(value: str, english: str, spanish: str) -> None:
    assert say(value, "number", ENGLISH) == english
    assert say(value, "number", SPANISH) == spanish


def test_a_number_too_large_to_count_is_said_digit_by_digit() -> None:
    assert say("1" + "0" * 15, "number", ENGLISH).startswith("one zero zero, zero zero zero")


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        ("1", "first", "primero"),
        ("12", "twelfth", "duodécimo"),
        ("20", "twentieth", "vigésimo"),
        ("42", "forty-second", "cuadragésimo segundo"),
        ("103", "one hundred and third", "ciento tres"),
    ],
)
def test_a_place_in_a_row(value: str, english: str, spanish: str) -> None:
    assert say(value, "ordinal", ENGLISH) == english
    assert say(value, "ordinal", SPANISH) == spanish


@pytest.mark.parametrize(
    ("value", "english", "spanish"),
    [
        (
            "86.40",
            "eighty-six dollars and forty cents",
            "ochenta y seis euros con cuarenta céntimos",
        ),
        ("$1", "one dollar", "un dólar"),
        ("0.01 GBP", "one penny", "un penique"),
        ("21 GBP", "twenty-one pounds", "veintiuna libras"),
        ("200 GBP", "two hundred pounds", "doscientas libras"),
        ("1000000 EUR", "one million euros", "un millón de euros"),
        ("-5 USD", "minus five dollars", "menos cinco dólares"),
        ("0", "zero dollars", "cero euros"),
        ("0.005 EUR", "one cent", "un céntimo"),
        ("1.999 EUR", "two euros", "dos euros"),
        ("501 GBP", "five hundred and one pounds", "quinientas una libras"),
    ],
)
def test_money_is_named_and_agrees_with_its_number(value: str, english: str, spanish: str) -> None:
    assert say(value, "money", ENGLISH) == english
    assert say(value, "money", SPANISH) == spanish


def test_the_option_is_the_currency_of_an_amount_that_names_none() -> None:
    assert say("3", "money", ENGLISH, "EUR") == "three euros"
    assert say("3 USD", "money", ENGLISH, "EUR") == "three dollars"


@pytest.mark.parametrize(
    ("value", "kind", "english", "spanish"),
    [
        (
            "2026-11-30",
            "date",
            "Monday, November thirtieth, twenty twenty-six",
            "lunes, treinta de noviembre de dos mil veintiséis",
        ),
        (
            "2005-03-01",
            "date",
            "Tuesday, March first, two thousand and five",
            "martes, primero de marzo de dos mil cinco",
        ),
        (
            "1905-03-01",
            "date",
            "Wednesday, March first, nineteen oh five",
            "miércoles, primero de marzo de mil novecientos cinco",
        ),
        (
            "1900-01-01",
            "date",
            "Monday, January first, nineteen hundred",
            "lunes, primero de enero de mil novecientos",
        ),
        ("2026-12-01", "day", "Tuesday, December first", "martes, primero de diciembre"),
        (
            "2026-12-01T14:30",
            "datetime",
            "Tuesday, December first, at two thirty p.m.",
            "martes, primero de diciembre, a las dos y media de la tarde",
        ),
        ("9:05", "time", "nine oh five a.m.", "las nueve y cinco de la mañana"),
        ("00:00", "time", "midnight", "las doce de la noche"),
        ("12:00", "time", "noon", "las doce del mediodía"),
        ("12:15", "time", "twelve fifteen p.m.", "las doce y cuarto del mediodía"),
        ("13:00", "time", "one p.m.", "la una de la tarde"),
        ("05:59", "time", "five fifty-nine a.m.", "las cinco y cincuenta y nueve de la madrugada"),
        ("23:10", "time", "eleven ten p.m.", "las once y diez de la noche"),
    ],
)
def test_days_and_the_clock(value: str, kind: str, english: str, spanish: str) -> None:
    assert say(value, kind, ENGLISH) == english
    assert say(value, kind, SPANISH) == spanish


@pytest.mark.parametrize(
    ("value", "kind", "english", "spanish"),
    [
        ("4711", "digits", "four seven one one", "cuatro siete uno uno"),
        ("471-100", "digits", "four seven one, one zero zero", "cuatro siete uno, uno cero cero"),
        (
            "+12025550100",
            "phone",
            "plus one, two zero two, five five five, zero one zero zero",
            "más uno, dos cero dos, cinco cinco cinco, cero uno cero cero",
        ),
        ("4636", "phone", "four six three six", "cuatro seis tres seis"),
        ("aB 7", "spell", "ay bee seven", "a be siete"),
        ("é", "spell", "ee with an accent", "e con acento"),
        ("ñ@", "spell", "en with an accent at", "eñe arroba"),
        ("☃", "spell", "snowman", "snowman"),
        ("B7", "phonetic", "bee as in Bravo, seven", "be de Barcelona, siete"),
        ("ANNE McDONALD", "name", "Anne McDONALD", "Anne McDONALD"),
    ],
)
def test_codes_and_names(value: str, kind: str, english: str, spanish: str) -> None:
    assert say(value, kind, ENGLISH) == english
    assert say(value, kind, SPANISH) == spanish


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_as_nothing(kind: str) -> None:
    assert say("  ", kind, ENGLISH) == ""


@pytest.mark.parametrize(
    ("value", "kind", "option", "complaint"),
    [
        ("soon", "date", "", "'soon' is no date: write it like 2026-11-30"),
        ("25:00", "time", "", "'25:00' is no time of day"),
        ("much", "money", "", "'much' is no amount of money"),
        ("5 XAU", "money", "", "en has no words for the currency 'XAU'"),
        ("5", "money", "XAU", "no words for the currency 'XAU'"),
        ("5", "digits", "EUR", "digits takes no option"),
        ("many", "number", "", "'many' is no number"),
        ("nan", "number", "", "'nan' is no number"),
        ("1e999", "number", "", "'1e999' is no number"),
        ("0", "ordinal", "", "'0' is no place in a row"),
        ("none", "digits", "", "'none' has no digits"),
        ("1", "roman", "", "there is no way to say 'roman'; known are number"),
        ("x" * 201, "spell", "", "longer than 200"),
    ],
)
def test_what_is_not_that_is_refused_in_a_sentence(
    value: str, kind: str, option: str, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        say(value, kind, ENGLISH, option)


def test_a_language_is_found_by_its_tag_whatever_its_country() -> None:
    assert language_of("en_GB") is ENGLISH
    assert language_of("ES-mx") is SPANISH
    assert language_of("tlh") is None


def test_both_languages_can_say_the_same_currencies() -> None:
    assert ENGLISH.currencies.keys() == SPANISH.currencies.keys()
