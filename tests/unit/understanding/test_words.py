"""Words in one form, and the choice that they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.understanding.words import choice, digits, normalise

OFFERED = frozenset("123")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Yes, PLEASE!", "yes please"),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t  know", "i don't know"),
        ("8:30-9:00", "8 30 9 00"),
        ("Où est-ce ?", "où est ce"),
        ("\ttwo\nlines\r\n", "two lines"),
        ("\N{THUMBS UP SIGN}", ""),
    ],
)
def test_words_come_in_one_form(written: str, plain: str) -> None:
    assert normalise(written) == plain


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("2", "2"),
        (" 2. ", "2"),
        ("#2", "2"),
        ("two", "2"),
        ("Two!", "2"),
        ("number 2 please", "2"),
        ("option three", "3"),
        ("the second one", "2"),
        ("the first", "1"),
        ("1st", "1"),
        ("the 2nd one please", "2"),
        ("one", "1"),
        ("number one", "1"),
        ("i'd like two please", "2"),
        ("I\N{RIGHT SINGLE QUOTATION MARK}ll take the third, thanks", "3"),
        ("yes 2", "2"),
        ("2 2", "2"),
        ("two, the second one", "2"),
    ],
)
def test_a_choice_is_named_in_many_ways(text: str, chosen: str) -> None:
    assert choice(text, OFFERED) == chosen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please",
        "yes",
        "two or three",
        "1 2",
        "two one",  # two choices; only after an ordinal is `one` a pronoun
        "the first or the second one",
        "4",
        "the ninth",
        "22",
        "0",
        "not 2",
        "2 people are coming",
        "i have two cats",
        "tuesday",
        "at 2:30",
        "\N{SUPERSCRIPT TWO}",
    ],
)
def test_anything_else_is_no_choice(text: str) -> None:
    assert choice(text, OFFERED) is None


def test_what_is_not_offered_cannot_be_chosen() -> None:
    assert choice("two", frozenset()) is None
    assert choice("two", frozenset("1")) is None


WORDS = st.lists(
    st.sampled_from("one two first second 1 2 3 4 2nd the please number yes or not tuesday".split())
    | st.text(max_size=4),
    max_size=6,
).map(" ".join)


@given(WORDS, st.frozensets(st.sampled_from("0123456789"), max_size=4))
def test_a_choice_is_always_one_that_was_offered(text: str, offered: frozenset[str]) -> None:
    assert choice(text, offered) in offered | {None}


@given(WORDS, st.sampled_from("123"), st.sampled_from("123"))
def test_naming_two_choices_is_naming_none(text: str, first: str, second: str) -> None:
    if first != second:
        assert choice(f"{text} {first} {second}", OFFERED) is None


@given(st.text(max_size=30))
def test_what_is_normal_stays_so(text: str) -> None:
    plain = normalise(text)
    assert normalise(plain) == plain
    assert plain == " ".join(plain.split())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("402 117", "402117"),
        ("402-117.", "402117"),
        ("four zero two one one seven", "402117"),
        ("it is four oh two, double one, seven thank you", "402117"),
        ("triple 9 12", "99912"),
        ("the fourth", ""),
        ("double trouble 7", "7"),
        ("four0", ""),
        ("", ""),
        ("٤٠٢", ""),
    ],
)
def test_digits_are_read_however_they_are_said(text: str, named: str) -> None:
    assert digits(text) == named
