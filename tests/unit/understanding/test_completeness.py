"""What is half a sentence, what may be one, and what is all that was asked for."""

from __future__ import annotations

import pytest

from ari_app.understanding.completeness import Standing, is_back_channel, standing

NOTHING, UNFINISHED, POSSIBLE, WHOLE, COMPLETE = (
    Standing.NOTHING,
    Standing.UNFINISHED,
    Standing.POSSIBLE,
    Standing.WHOLE,
    Standing.COMPLETE,
)


@pytest.mark.parametrize(
    ("text", "profile", "expected"),
    [
        ("", "open", NOTHING),
        ("...", "yes_no", NOTHING),
        ("i want to", "open", UNFINISHED),
        ("I would like to change my", "open", UNFINISHED),
        ("when are you open and um", "open", UNFINISHED),
        ("can you", "open", UNFINISHED),
        ("uh", "yes_no", UNFINISHED),
        ("when are you open", "open", POSSIBLE),
        ("i want to cancel it please", "open", WHOLE),
        ("yes", "yes_no", WHOLE),
        ("no thank you", "yes_no", WHOLE),
        ("yes I do", "yes_no", WHOLE),
        ("no it isn't", "yes_no", WHOLE),
        ("well yes", "yes_no", WHOLE),
        ("yes i", "yes_no", UNFINISHED),
        ("yes but", "yes_no", UNFINISHED),
        ("i think", "yes_no", POSSIBLE),
        ("no i want the other one", "yes_no", POSSIBLE),
        ("june", "date", UNFINISHED),
        ("the fifth", "date", POSSIBLE),
        ("the fifth of", "date", UNFINISHED),
        ("the fifth of june", "date", WHOLE),
        ("tomorrow", "date", WHOLE),
        ("next", "date", UNFINISHED),
        ("on monday", "date", WHOLE),
        ("i do not know", "digits", UNFINISHED),
        ("four oh two", "digits", POSSIBLE),
    ],
)
def test_an_answer_stands_so(text: str, profile: str, expected: Standing) -> None:
    assert standing(text, profile=profile) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("four oh", UNFINISHED),
        ("it is 4 0 2", UNFINISHED),
        ("four oh two one", COMPLETE),
        ("double four double two", COMPLETE),
        ("four oh two one um", COMPLETE),
        ("four oh two one nine", POSSIBLE),
        ("i want an agent please", WHOLE),
    ],
)
def test_digits_are_counted(text: str, expected: Standing) -> None:
    assert standing(text, profile="digits", count=4) is expected


def test_a_phrase_that_is_known_is_whole() -> None:
    offered = frozenset({"opening hours", "talk to"})
    assert standing("Opening hours", phrases=offered) is WHOLE
    assert standing("talk to", phrases=offered) is WHOLE
    assert standing("opening", phrases=offered) is POSSIBLE


@pytest.mark.parametrize(
    ("text", "profile", "expected"),
    [
        ("sí", "yes_no", WHOLE),
        ("no gracias", "yes_no", WHOLE),
        ("quiero", "open", UNFINISHED),
        ("quiero cambiar mi", "open", UNFINISHED),
        ("eh", "open", UNFINISHED),
        ("el cinco de mayo", "date", WHOLE),
        ("mayo", "date", UNFINISHED),
        ("mañana", "date", WHOLE),
    ],
)
def test_spanish_has_words_of_its_own(text: str, profile: str, expected: Standing) -> None:
    assert standing(text, profile=profile, language="es-MX") is expected


def test_an_unknown_language_has_digits_and_phrases_only() -> None:
    assert standing("ja", profile="yes_no", language="de") is POSSIBLE
    assert standing("1 2 3 4", profile="digits", count=4, language="de") is COMPLETE


@pytest.mark.parametrize("text", ["", "mm-hm", "Okay", "uh huh", "I see"])
def test_some_words_only_say_that_one_listens(text: str) -> None:
    assert is_back_channel(text, "en")


@pytest.mark.parametrize("text", ["okay but", "stop", "no", "yes please", "okay i want something"])
def test_others_mean_more(text: str) -> None:
    assert not is_back_channel(text, "en")


def test_listening_sounds_otherwise_elsewhere() -> None:
    assert is_back_channel("vale", "es")
    assert not is_back_channel("vale", "en")
    assert not is_back_channel("okay", "de")
