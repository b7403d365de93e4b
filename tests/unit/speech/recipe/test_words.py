"""Which word follows which, and how each sounds."""

import math

import pytest

from ari_app.speech.recipe.evaluation import word_errors
from ari_app.speech.recipe.lexicon import entries, unheard
from ari_app.speech.recipe.ngram import BEGIN, END, UNKNOWN, NGram
from ari_app.speech.recipe.tongue import ENGLISH

TEXT = [["call", "me", "back"]] * 8 + [["call", "me"]] * 4 + [["back"]] * 2


def number(phone: str) -> int:
    return ENGLISH.table.index(phone)


def test_the_words_after_any_history_share_all_of_the_probability() -> None:
    ngram = NGram(TEXT, ["never"])
    words = ngram.following(())
    for history in ngram.histories:
        assert sum(ngram.probability(history, word) for word in words) == pytest.approx(1)


def test_what_was_read_more_often_is_likelier() -> None:
    ngram = NGram(TEXT, [])
    assert ngram.probability(("call", "me"), "back") > ngram.probability(("call", "me"), END)
    assert ngram.probability((BEGIN,), "call") > ngram.probability((BEGIN,), "back")


def test_every_word_of_the_vocabulary_can_be_said_and_so_can_an_unknown_one() -> None:
    ngram = NGram(TEXT, ["never"])
    assert 0 < ngram.probability((), "never") < ngram.probability((), "back")
    assert ngram.probability((), UNKNOWN) == pytest.approx(0.004)


def test_what_was_seen_too_rarely_is_no_history() -> None:
    assert ("rare", "pair") not in NGram([*TEXT, ["rare", "pair", "back"]], []).histories


def test_the_next_history_is_the_longest_that_is_known() -> None:
    ngram = NGram(TEXT, [])
    assert ngram.after(("call",), "me") == ("call", "me")
    assert ngram.after(("back",), "call") == ("call",)
    assert ngram.after((), END) == ()


def test_a_word_s_likeliest_way_costs_nothing_and_a_rare_one_is_left_out() -> None:
    found = entries(["no"], {"no": {"n oU": 90, "n @": 9, "n 0": 1}}, ENGLISH)
    assert [(e.phones, round(math.exp(-e.cost), 2)) for e in found if e.word == "no"] == [
        ((number("n_B"), number("oU_E")), 1.0),
        ((number("n_B"), number("@_E")), 0.1),
    ]


def test_phones_know_where_in_the_word_they_are() -> None:
    found = entries(["i", "nine"], {"i": {"aI": 1}, "nine": {"n aI n": 1}}, ENGLISH)
    assert found[0].phones == (number("aI_S"),)
    assert found[1].phones == (number("n_B"), number("aI_I"), number("n_E"))


def test_words_that_sound_alike_are_told_apart_by_marks() -> None:
    heard = {"two": {"t u:": 1}, "too": {"t u:": 1}, "tooth": {"t u: T": 1}, "t": {"t i": 1}}
    marks = {e.word: e.mark for e in entries(sorted(heard), heard, ENGLISH)}
    assert sorted((marks["two"], marks["too"])) == [1, 2]
    assert marks["tooth"] == marks["t"] == 0


def test_a_word_that_only_begins_another_has_a_mark_too() -> None:
    # With positions that takes phones of equal position: an inner one is never last.
    heard = {"a": {"aI": 1}, "b": {"aI": 1}}
    assert {e.mark for e in entries(["a", "b"], heard, ENGLISH)} == {0, 1, 2}


def test_a_weak_form_is_known_though_no_voice_says_it() -> None:
    found = entries(["and"], {"and": {"a n d": 5}}, ENGLISH)
    assert (number("@_B"), number("n_I"), number("d_E")) in {e.phones for e in found}


def test_a_word_that_nobody_said_is_told_and_left_out() -> None:
    assert unheard(["yes", "no"], {"yes": {"j E s": 1}}) == ["no"]
    assert {e.word for e in entries(["no"], {}, ENGLISH)} == {UNKNOWN}


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("call me back", "call me back", 0),
        ("call me back", "call back", 1),
        ("call me back", "call me right back", 1),
        ("call me back", "fall me back", 1),
        ("call me back", "", 3),
        ("", "call", 1),
        ("one two three", "two three four", 2),
    ],
)
def test_word_errors_are_the_fewest_that_explain_what_was_heard(
    said: str, heard: str, errors: int
) -> None:
    assert word_errors(said.split(), heard.split()) == errors
