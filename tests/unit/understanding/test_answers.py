"""Answers in English and in Spanish: what they mean, and what is no answer."""

from __future__ import annotations

from datetime import date

import pytest

from ari_app.understanding.answers import (
    Expected,
    Kind,
    guided_answer,
    is_complete,
    phrases,
    read_answer,
    say_answer,
)
from ari_app.understanding.commands import COMMANDS, Command, read_command
from ari_app.understanding.dates import read_date
from ari_app.understanding.languages import LANGUAGES, language
from ari_app.understanding.numbers import cardinal, ordinal
from ari_app.understanding.spelling import read_spelling
from ari_app.understanding.tongue import identify
from ari_app.understanding.words import choice, digits, plain

EN, ES = language("en-GB"), language("es_MX")
TODAY = date(2026, 11, 21)  # a Saturday

PARTS = Expected(Kind.CHOICES, named={"1": ("in the morning",), "2": ("afternoon",)})


def value(expected: Expected, text: str, spoken: str = "en") -> str | None:
    answer = read_answer(expected, text, language(spoken), TODAY)
    return answer.value if answer else None


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("the third of march", "2027-03-03"),
        ("march 3rd", "2027-03-03"),
        ("march twenty third twenty twenty eight", "2028-03-23"),
        ("march twenty two thousand", "2000-03-20"),
        ("the thirty first of december two thousand and twenty six", "2026-12-31"),
        ("friday the twenty seventh of november", "2026-11-27"),
        ("november twenty first", "2026-11-21"),
        ("the twenty ninth of february", "2028-02-29"),
        ("tomorrow", "2026-11-22"),
        ("the day after tomorrow", "2026-11-23"),
        ("next saturday", "2026-11-28"),
        ("2026-12-01", "2026-12-01"),
        ("december fifth nineteen eighty four", "1984-12-05"),
    ],
)
def test_a_date_in_english_is_one_day(text: str, day: str) -> None:
    assert value(Expected(Kind.DATE), text) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("el tres de marzo", "2027-03-03"),
        ("primero de mayo de dos mil veintisiete", "2027-05-01"),
        ("el treinta y uno de diciembre", "2026-12-31"),
        ("pasado mañana", "2026-11-23"),
        ("el próximo viernes", "2026-11-27"),
        ("el lunes veintitrés de noviembre", "2026-11-23"),
    ],
)
def test_a_date_in_spanish_is_one_day(text: str, day: str) -> None:
    assert value(Expected(Kind.DATE), text, "es") == day


@pytest.mark.parametrize(
    "text",
    [
        "march",
        "the third",
        "february thirtieth",
        "monday the third of march",
        "march april third",
        "monday tuesday",
        "two thousand and six",
        "the third of march or so",
        "2026-13-01",
        "",
        "march " * 50,
    ],
)
def test_what_is_not_one_day_is_no_date(text: str) -> None:
    assert value(Expected(Kind.DATE), text) is None


def test_a_past_date_is_the_last_such_day() -> None:
    assert read_date("march third", EN, TODAY, past=True) == date(2026, 3, 3)
    assert read_date("saturday", EN, TODAY, past=True) == date(2026, 11, 14)
    assert read_date("december first", EN, TODAY, past=True) == date(2025, 12, 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("zero", 0),
        ("two thousand and six", 2006),
        ("one hundred twenty three", 123),
        ("nine hundred ninety nine thousand nine hundred ninety nine", 999_999),
        ("26", 26),
        ("one twenty", None),
        ("twenty zero", None),
        ("twenty twenty", None),
        ("hundred", None),
        ("thousand thousand", None),
        ("", None),
        ("and", None),
    ],
)
def test_numbers_in_english(text: str, number: int | None) -> None:
    assert cardinal(text.split(), EN) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("mil", 1000),
        ("cien", 100),
        ("treinta y uno", 31),
        ("dos mil veintiseis", 2026),
        ("doscientos tres mil cuarenta y cinco", 203_045),
        ("veinte uno", 21),
        ("uno dos", None),
        ("mil mil", None),
    ],
)
def test_numbers_in_spanish(text: str, number: int | None) -> None:
    assert cardinal(text.split(), ES) == number


def test_ordinals_have_two_words_at_most() -> None:
    assert ordinal(["twenty", "first"], EN) == 21
    assert ordinal(["primero"], ES) == 1
    assert ordinal(["twenty", "twelfth"], EN) is None
    assert ordinal(["the", "twenty", "first"], EN) is None


@pytest.mark.parametrize(
    ("text", "spoken", "letters"),
    [
        ("s m i t h", "en", "SMITH"),
        ("b as in bravo double t seven", "en", "BTT7"),
        ("november four", "en", "N4"),
        ("a for apple", "en", "A"),
        ("be de burro i griega ve corta siete", "es", "BYV7"),
        ("be de", "es", "BD"),
        ("doble ve doble u", "es", "WW"),
        ("doble be", "es", "BB"),
        ("smith", "en", None),
        ("double", "en", None),
        ("", "en", None),
        ("a " * 70, "en", None),
    ],
)
def test_letters_one_by_one(text: str, spoken: str, letters: str | None) -> None:
    assert read_spelling(text, language(spoken)) == letters


def test_digits_count_or_are_not_complete() -> None:
    four = Expected(Kind.DIGITS, (4, 4))
    for text, whole in (("four oh double two", True), ("4711", True), ("four oh", False)):
        answer = read_answer(four, text, EN, TODAY)
        assert answer is not None
        assert answer.complete is whole
    assert read_answer(four, "four people", EN, TODAY) is None
    assert read_answer(four, "double", EN, TODAY) is None
    assert value(four, "cuatro siete uno uno", "es") == "4711"


@pytest.mark.parametrize(
    ("text", "spoken", "meant"),
    [
        ("yes please", "en", "yes"),
        ("that's wrong", "en", "no"),
        ("sí, por favor", "es", "yes"),
        ("no gracias", "es", "no"),
        ("yes and no", "en", None),
        ("si", "en", None),
    ],
)
def test_yes_and_no(text: str, spoken: str, meant: str | None) -> None:
    assert value(Expected(Kind.YES_NO), text, spoken) == meant


def test_choices_are_named_or_numbered() -> None:
    assert value(PARTS, "in the morning") == "1"
    assert value(PARTS, "the second one please") == "2"
    assert value(PARTS, "three") is None
    assert choice("la segunda por favor", frozenset("123"), "es") == "2"
    assert choice("opción dos", frozenset("123"), "es") == "2"
    assert choice("la 3ª", frozenset("123"), "es") == "3"
    assert choice("dos o tres", frozenset("123"), "es") is None


# -- run-time grammars ------------------------------------------------------------------------


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_listened_for_fits_a_recogniser(tag: str, kind: Kind) -> None:
    wanted = phrases(Expected(kind, named={"1": ("a", "b")}), language(tag))
    assert 0 < len(wanted) <= 500
    assert len(set(wanted)) == len(wanted)
    assert all(phrase == phrase.strip() and phrase for phrase in wanted)


def test_only_a_whole_answer_of_a_grammar_counts() -> None:
    four = Expected(Kind.DIGITS, (4, 4))
    assert guided_answer(four, "one two three four", EN, TODAY) is not None
    for text in ("one two three", "one [unk] three four", "[unk]", "", "one two three four five"):
        assert guided_answer(four, text, EN, TODAY) is None
    assert guided_answer(Expected(Kind.YES_NO), "yes [unk]", EN, TODAY) is None
    assert guided_answer(Expected(Kind.YES_NO), "yes no", EN, TODAY) is None
    unknown = Expected(Kind.PHRASES, named={"x": ("[unk]",)})
    assert guided_answer(unknown, "[unk]", EN, TODAY) is None
    # A grammar puts words together in ways that nobody expects.
    assert guided_answer(PARTS, "the second", EN, TODAY) is None
    assert guided_answer(PARTS, "the second one", EN, TODAY) is not None


def test_an_answer_is_complete_when_nothing_has_to_follow() -> None:
    assert is_complete(Expected(Kind.DIGITS, (4, 4)), "4711", EN)
    assert not is_complete(Expected(Kind.DIGITS, (4, 4)), "471", EN)
    assert not is_complete(Expected(Kind.DATE), "the third of", EN)


def test_answers_are_read_back_one_by_one() -> None:
    assert say_answer(Kind.DIGITS, "4711", EN) == "4 7 1 1"
    assert say_answer(Kind.SPELLING, "BOT", EN) == "B O T"
    assert say_answer(Kind.DATE, "2027-03-03", EN) == "3 March 2027"
    assert say_answer(Kind.DATE, "2027-03-03", ES) == "3 de marzo de 2027"


# -- at every question ------------------------------------------------------------------------


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_every_language_has_words_for_every_command(tag: str) -> None:
    spoken = language(tag)
    assert set(spoken.commands) == set(COMMANDS)
    for name, said in spoken.commands.items():
        for phrase in said:
            assert read_command(phrase, spoken) == Command(name), phrase


@pytest.mark.parametrize(
    ("text", "spoken", "name"),
    [
        ("could you please repeat that", "en", "repeat"),
        ("okay hold on please", "en", "wait"),
        ("can I talk to a person please", "en", "operator"),
        ("¿Puede hablar más alto, por favor?", "es", None),
        ("más alto por favor", "es", "louder"),
        ("espere por favor", "es", "wait"),
    ],
)
def test_politeness_changes_no_command(text: str, spoken: str, name: str | None) -> None:
    command = read_command(text, language(spoken))
    assert (command.name if command else None) == name


@pytest.mark.parametrize(
    "text", ["", "please", "i can wait until monday", "help me move my appointment", "x" * 500]
)
def test_what_says_more_is_no_command(text: str) -> None:
    assert read_command(text, EN) is None


def test_another_language_is_asked_for_by_its_name_only_if_there_is_one() -> None:
    assert read_command("spanish please", EN, ("en", "es")) == Command("language", "es")
    assert read_command("¿Habla inglés?", ES, ("en", "es")) == Command("language", "en")
    assert read_command("spanish please", EN) is None
    assert read_command("english", EN, ("en", "es")) is None
    assert read_command("spanish omelette", EN, ("en", "es")) is None


# -- which language ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("hola quiero cambiar mi cita", "es"),
        ("¿Cuándo están abiertos?", "es"),
        ("i would like to change my appointment", "en"),
        ("no", None),
        ("gracias", None),
        ("pizza pasta", None),
        ("my cita de the", None),
        ("the casa of my amigo de la playa", None),
        ("", None),
    ],
)
def test_a_language_is_known_by_its_frequent_words(text: str, spoken: str | None) -> None:
    found = identify(text, ["en", "es"])
    assert (found.language if found else None) == spoken


def test_the_words_that_told_are_told() -> None:
    found = identify("hola quiero una cita", ["en", "es"])
    assert found is not None
    assert found.words == ("hola", "quiero", "una", "cita")


def test_no_frequent_word_is_of_two_languages() -> None:
    assert not EN.markers & ES.markers


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_words_of_a_language_are_in_plain_form(tag: str) -> None:
    spoken = language(tag)
    tables = (spoken.numbers, spoken.ordinals, spoken.months, spoken.weekdays, spoken.letters)
    said = [word for table in tables for word in table]
    said += [*spoken.markers, *spoken.courtesy, *spoken.choice_glue, *spoken.yes, *spoken.no]
    said += [phrase for each in spoken.commands.values() for phrase in each]
    assert [word for word in said if plain(word) != word] == []


def test_a_language_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="'fr-CA' is not understood; known are en, es"):
        language("fr-CA")


def test_digits_have_other_words_in_spanish() -> None:
    assert digits("cuatro doble siete cero", "es") == "4770"
    assert digits("four", "es") == ""
