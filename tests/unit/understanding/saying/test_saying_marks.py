"""Marks in prompts, text without marks, and the lexicon."""

from __future__ import annotations

import pytest

from ari_app.understanding.saying.lexicon import Lexicon, read_lexicons
from ari_app.understanding.saying.marks import as_template
from ari_app.understanding.saying.plain import read_aloud


def test_a_mark_becomes_an_expression_of_the_template() -> None:
    assert as_template("Owe {values.due:money eur}.", "en") == (
        "Owe {{ values['due']|say('money', 'en', 'EUR') }}."
    )


@pytest.mark.parametrize(
    "text", ["{{ values.a }}", "{% if x %}{% endif %}", "{not a mark}", "{a:}", "10:30", "{}"]
)
def test_what_is_no_mark_stays(text: str) -> None:
    assert as_template(text, "en") == text


def test_a_kind_that_nobody_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="no way to say 'monney'; known are"):
        as_template("{due:monney}", "en")


def test_a_language_without_numbers_is_refused_and_told_what_to_do() -> None:
    with pytest.raises(ValueError, match="a money cannot be said in 'fr', only in en, es: write"):
        as_template("{due:money}", "fr")


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("en", "You owe $86.40.", "You owe eighty-six dollars and forty cents."),
        ("en", "That is 20 €, or 5 GBP", "That is twenty euros, or five pounds"),
        (
            "en",
            "On 2026-11-30 at 9:00.",
            "On Monday, November thirtieth, twenty twenty-six at nine a.m..",
        ),
        (
            "en",
            "Call +12025550100 now",
            "Call plus one, two zero two, five five five, zero one zero zero now",
        ),
        ("en", "at 2:30 pm", "at 2:30 pm"),
        (
            "en",
            "100 SMS, 12:30:10, 2026-02-31, version 1.2.3",
            "100 SMS, 12:30:10, 2026-02-31, version 1.2.3",
        ),
        (
            "es",
            "A las 9:00 o a la 13:15",
            "A las nueve de la mañana o a la una y cuarto de la tarde",
        ),
        ("es", "Son 20 €", "Son veinte euros"),
        ("fr", "Vous devez 20 €", "Vous devez 20 €"),
    ],
)
def test_what_would_be_read_out_wrongly_becomes_words(language: str, text: str, said: str) -> None:
    assert read_aloud(text, language) == said


def test_the_lexicon_replaces_whole_words_in_any_case_the_longest_first() -> None:
    lexicon = Lexicon({"Siobhan": "Shivawn", "St": "Saint", "St James": "Saint Jaymes"})
    assert lexicon.apply("siobhan of ST JAMES, St Ives, stop") == (
        "Shivawn of Saint Jaymes, Saint Ives, stop"
    )


def test_what_the_lexicon_put_in_is_not_looked_up_again() -> None:
    assert Lexicon({"a": "b", "b": "c"}).apply("a b") == "b c"


def test_an_empty_lexicon_changes_nothing() -> None:
    assert Lexicon({}).apply("as it is") == "as it is"


def test_lexicons_are_read_by_language() -> None:
    lexicons = read_lexicons('[EN]\n"SQL" = "sequel"\n[es]\nWeb = "ueb"\n')
    assert lexicons["en"].apply("SQL") == "sequel"
    assert lexicons["es"].apply("la web") == "la ueb"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[en", "it is not TOML"),
        ("en = 3", "'en' is no table: begin with"),
        ("[en]\na = 3", "'a' must be a text"),
        ('[en]\n" " = "x"', "is empty, or longer"),
        (f'[en]\na = "{"x" * 201}"', "is empty, or longer"),
        ("[en]\n" + "\n".join(f'w{i} = "x"' for i in range(5001)), "more than 5000"),
    ],
)
def test_a_lexicon_that_is_none_is_refused_in_a_sentence(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_lexicons(text)
