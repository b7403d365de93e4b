"""What Vosk says is believed only if it makes sense: it may come from another machine."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.ports import Word
from ari_app.speech.results import MOST_WORDS, Unreadable, later, newest, read


def answer(**word: object) -> str:
    whole = {"word": "yes", "start": 0.5, "end": 0.9, "conf": 0.8} | word
    return json.dumps({"text": "yes", "result": [whole]})


def test_a_partial_result_is_its_words_in_lower_case() -> None:
    assert read('{"partial" : "Yes  please"}') == "yes please"


def test_a_result_is_its_words_with_times_and_confidence() -> None:
    assert read(answer()) == (Word("yes", 0.5, 0.9, 0.8),)


def test_a_result_of_silence_has_no_words() -> None:
    assert read('{"text": ""}') == ()


def test_a_confidence_that_was_rounded_upwards_is_one() -> None:
    assert read(answer(conf=1.000001)) == (Word("yes", 0.5, 0.9, 1.0),)


@pytest.mark.parametrize(
    "lie",
    [
        "",
        "yes",
        "[]",
        "7",
        "{}",
        '{"partial": 7}',
        '{"text": 7}',
        '{"text": "yes"}',
        '{"text": "yes", "result": {}}',
        '{"text": "yes", "result": ["yes"]}',
        '{"text": "yes", "result": [{}]}',
        '{"alternatives": [{"text": "yes", "confidence": 106.07}]}',
        answer(word=""),
        answer(word="x" * 201),
        answer(start=-1),
        answer(start=1.0, end=0.5),
        answer(start="0"),
        answer(end=True),
        answer(end=float("inf")),
        answer(conf=float("nan")),
        answer(conf=106.07),
        answer(conf=-1),
        answer(start=10**400, end=10**400),
        "[" * 100_000,
        '{"partial": "' + "x" * (1 << 20) + '"}',
    ],
)
def test_what_makes_no_sense_is_refused(lie: str) -> None:
    with pytest.raises(Unreadable):
        read(lie)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["text", "partial", "result", "word", "start", "end", "conf"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        said = read(json.dumps(value))
    except Unreadable:
        return
    if not isinstance(said, str):
        assert all(0 <= word.start <= word.end and 0 <= word.confidence <= 1 for word in said)


def test_words_of_a_later_turn_count_on_from_the_earlier_ones() -> None:
    assert later((Word("yes", 0.5, 0.9, 0.8),), 10.0) == (Word("yes", 10.5, 10.9, 0.8),)


def test_of_an_endless_turn_the_newest_words_are_kept() -> None:
    words = [Word(str(n), n, n, 1.0) for n in range(MOST_WORDS + 5)]
    assert newest(words) == words[5:]
    assert newest(words[:3]) == words[:3]
