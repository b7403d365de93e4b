"""What a pause is worth, feature by feature."""

from dataclasses import replace

import pytest

from ari_app.speech.melody import Cadence
from ari_app.speech.patience import WEIGHTS, Rest, features, odds, wait
from ari_app.understanding.completeness import Standing

FALLS = Cadence(-1.0, -0.2, -0.3, 0.0, 0.1)
HELD = Cadence(0.5, 0.05, -0.05, 0.2, 0.1)
PLAIN = Rest("open", Standing.POSSIBLE, False, False, 0, 1.5, None)


def test_every_feature_has_a_weight_and_every_weight_a_feature() -> None:
    assert set(features(PLAIN)) == set(WEIGHTS)
    assert set(features(replace(PLAIN, cadence=FALLS))) == set(WEIGHTS)


def test_a_voice_that_falls_is_waited_for_less_than_one_that_is_held_up() -> None:
    assert wait(replace(PLAIN, cadence=FALLS)) < wait(replace(PLAIN, cadence=HELD)) - 0.3


def test_half_a_sentence_is_waited_for_longer_than_a_whole_answer() -> None:
    half = replace(PLAIN, standing=Standing.UNFINISHED)
    whole = replace(PLAIN, standing=Standing.COMPLETE)
    assert wait(half) > wait(PLAIN) > wait(whole)


def test_a_last_word_that_the_recogniser_doubts_does_not_ask_for_more() -> None:
    half = replace(PLAIN, standing=Standing.UNFINISHED)
    assert wait(replace(half, doubted=True)) < wait(half)
    assert features(replace(half, doubted=True))["unfinished"] == 0.0


def test_digits_that_are_missing_are_waited_for() -> None:
    digits = replace(PLAIN, profile="digits", standing=Standing.UNFINISHED)
    assert wait(replace(digits, missing=3)) > wait(digits)


def test_the_odds_are_a_sum_that_can_be_read() -> None:
    rest = replace(PLAIN, standing=Standing.WHOLE)
    assert odds(rest, {"always": 2.0, "whole": 0.5}) == pytest.approx(2.5)


@pytest.mark.parametrize("cadence", [None, FALLS, HELD, Cadence(1e6, 1e6, 1e6, 1e6, 1e6)])
@pytest.mark.parametrize("voiced", [0.0, 0.02, 1e6])
@pytest.mark.parametrize("missing", [0, 1, 1000])
def test_no_pause_is_beyond_measure(cadence: Cadence | None, voiced: float, missing: int) -> None:
    rest = replace(PLAIN, cadence=cadence, voiced=voiced, missing=missing, profile="digits")
    assert all(-2.0 <= value <= 2.0 for value in features(rest).values())
