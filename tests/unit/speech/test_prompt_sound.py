"""The shape of prompts: level, ends, gaps between words, pace and loudness."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.ports import Delivery, Prompt
from ari_app.speech.prompts.sound import (
    RATE,
    Samples,
    delivered,
    gaps,
    quietest,
    shape,
    soft_tone,
    stretched,
)


def tone(seconds: float, hertz: float = 200.0, amplitude: float = 6000.0) -> Samples:
    at = np.arange(round(seconds * RATE)) / RATE
    return np.round(amplitude * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def loudest_step(samples: Samples) -> int:
    return int(np.abs(np.diff(samples.astype(np.int32))).max())


def hertz_of(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64)))
    return float(np.argmax(spectrum)) * RATE / samples.size


def test_the_cut_of_the_beginning_is_told() -> None:
    shaped, start = shape(np.concatenate([silence(0.5), tone(1.0), silence(0.5)]))
    assert start == pytest.approx(0.5 * RATE, abs=0.01 * RATE)
    assert shaped.size == pytest.approx(RATE, abs=0.02 * RATE)


def test_both_ends_fade_in_five_milliseconds() -> None:
    shaped, _ = shape(tone(0.5, amplitude=3000))
    assert shaped[0] == shaped[-1] == 0
    assert np.abs(shaped[:20]).max() < np.abs(shaped).max() / 1.5


def test_words_begin_after_the_gaps() -> None:
    spoken = np.concatenate([tone(0.4), silence(0.08), tone(0.4), silence(0.08), tone(0.4)])
    found = gaps(spoken)
    assert len(found) == 2
    assert found[0] == pytest.approx(440, abs=50)
    assert found[1] == pytest.approx(920, abs=50)


@pytest.mark.parametrize("samples", [silence(0.0), silence(2.0), tone(2.0), tone(0.05)])
def test_what_has_no_gap_has_no_boundary(samples: Samples) -> None:
    assert gaps(samples) == ()


def test_a_cut_is_moved_to_where_it_is_heard_least() -> None:
    spoken = np.concatenate([tone(0.4), silence(0.02), tone(0.4)])
    assert quietest(spoken, 420) in (400, 410)
    assert quietest(silence(0.0), 420) == 420


@pytest.mark.parametrize(("pace", "times"), [(-1, 1.25), (1, 0.8)])
def test_slower_and_faster_keep_the_pitch(pace: int, times: float) -> None:
    usual = tone(2.0, hertz=220)
    said = delivered(usual, Delivery(pace=pace))
    assert said.size == pytest.approx(usual.size * times, rel=0.05)
    assert hertz_of(said) == pytest.approx(220, abs=4)
    assert loudest_step(said) < 1.3 * loudest_step(usual)  # no clicks where pieces meet
    middle = said[RATE // 4 : -RATE // 4].astype(np.float64)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(6000 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.09, 0.11, 0.2])
def test_a_very_short_sound_survives_any_pace(seconds: float) -> None:
    for pace in (0.8, 1.25):
        assert abs(stretched(tone(seconds), pace).size - seconds * RATE) <= 0.1 * RATE


def test_louder_is_six_decibels_and_never_clips() -> None:
    quiet, loud = tone(1.0, amplitude=6000), tone(1.0, amplitude=30000)
    assert np.abs(delivered(quiet, Delivery(gain=1))).max() == pytest.approx(12000, rel=0.01)
    assert np.abs(delivered(quiet, Delivery(gain=-1))).max() == pytest.approx(3000, rel=0.01)
    limited = delivered(loud, Delivery(gain=1))
    assert 30000 < np.abs(limited.astype(np.int32)).max() <= 32000
    assert np.array_equal(np.sign(limited), np.sign(loud))  # nothing has wrapped around


def test_as_usual_nothing_is_touched() -> None:
    usual = tone(0.3)
    assert delivered(usual, Delivery()) is usual


def test_the_last_step_stays_the_last() -> None:
    slower = Delivery().step(pace=-1)
    assert slower.step(pace=-1) == slower == Delivery(pace=-1)
    assert slower.step(pace=1, gain=1) == Delivery(gain=1)


@pytest.mark.parametrize(("pace", "gain"), [(2, 0), (0, -2)])
def test_there_are_three_steps(pace: int, gain: int) -> None:
    with pytest.raises(ValueError, match="there is no step"):
        Delivery(pace, gain)


def test_a_prompt_goes_on_from_the_word_that_was_cut() -> None:
    prompt = Prompt(b"\xff" * 16000, (300, 900))
    assert [prompt.word_before(ms) for ms in (0, 299, 300, 899, 5000)] == [0, 0, 300, 300, 900]


def test_the_tone_is_soft_and_has_no_edges() -> None:
    samples = soft_tone()
    assert abs(int(samples[0])) < 5
    assert abs(int(samples[-1])) < 5
    assert 500 < np.abs(samples).max() < 2000
