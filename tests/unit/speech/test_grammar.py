"""Expected phrases are checked before libvosk sees them: a bad list would end its process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.speech.grammar import LONGEST_PHRASE, MOST_PHRASES, check, heard_by


def test_phrases_are_brought_into_the_form_of_the_model() -> None:
    assert check(["Yes  Please", "no", " yes please "]) == ("yes please", "no")


def test_no_phrases_are_allowed_and_mean_all_words() -> None:
    assert check([]) == ()


@pytest.mark.parametrize(
    ("phrases", "fault"),
    [
        ("yes", "list of texts"),
        (b"yes", "list of texts"),
        (7, "list of texts"),
        (["yes", 7], "not a text"),
        (["yes", " "], "no word"),
        (["x" * (LONGEST_PHRASE + 1)], "longer than"),
        (["yes\x00no"], "cannot be spoken"),
        (["yes"] * (MOST_PHRASES + 1), "more than"),
    ],
)
def test_what_is_no_list_of_phrases_is_refused(phrases: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check(phrases)


def test_a_line_break_cannot_make_two_phrases_of_one() -> None:
    assert check(["yes\nno"]) == ("yes no",)


def test_a_model_hears_only_phrases_whose_every_word_it_knows() -> None:
    words = {"yes", "no", "please"}
    assert heard_by(("yes please", "no"), words)
    assert not heard_by(("yes please", "no way"), words)


@given(st.one_of(st.lists(st.text()), st.lists(st.integers() | st.text()), st.text(), st.none()))
def test_anything_is_phrases_or_refused(given_phrases: object) -> None:
    try:
        phrases = check(given_phrases)
    except ValueError:
        return
    assert all(phrase and "\n" not in phrase for phrase in phrases)
