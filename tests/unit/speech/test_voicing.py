"""A voice is periodic and its pitch moves; what is on a line besides is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_app.speech.voicing import Voicing, window

RATE, FRAME = 8000, 160
Signal = NDArray[np.float64]


def pulses(pitch: Signal) -> Signal:
    """A throat's buzz whose pitch in Hz is given for each sample."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return np.asarray(sum(np.sin(n * phase) / n**0.5 for n in range(1, 9)))


def glide(low: float, high: float, seconds: float = 0.4) -> Signal:
    return np.linspace(low, high, int(seconds * RATE))


def found(signal: Signal) -> list[bool]:
    """After each 20 ms, whether a voice was among the last."""
    voicing = Voicing()
    padded = np.concatenate([np.zeros(window()), 3000 * signal]).astype(np.float32)
    answers = []
    for end in range(window() + FRAME, padded.size + 1, FRAME):
        voicing.hear(padded[end - window() : end])
        answers.append(voicing.found)
    return answers


@pytest.mark.parametrize(("low", "high"), [(85, 110), (130, 110), (180, 240), (340, 270)])
def test_a_voice_of_any_pitch_is_found_within_its_first_tenth_of_a_second(
    low: float, high: float
) -> None:
    assert any(found(pulses(glide(low, high)))[:6])


def test_noise_is_no_voice() -> None:
    assert not any(found(np.random.default_rng(7).standard_normal(2 * RATE)))


@pytest.mark.parametrize("tones", [(697, 1209), (941, 1477), (425,), (440, 480), (1100,)])
def test_keys_and_signal_tones_are_no_voice(tones: tuple[int, ...]) -> None:
    time = np.arange(RATE) / RATE
    assert not any(found(np.asarray(sum(np.sin(2 * np.pi * f * time) for f in tones))))


def test_a_whistle_is_no_voice_though_its_pitch_moves() -> None:
    phase = 2 * np.pi * np.cumsum(glide(300, 360)) / RATE
    assert not any(found(np.sin(phase)))


def test_a_string_that_rings_is_no_voice_for_its_pitch_stands_still() -> None:
    assert not any(found(pulses(np.full(RATE, 196.0)))[3:])


def test_a_voice_is_forgotten_in_a_silence() -> None:
    voicing = Voicing()
    padded = 3000 * pulses(glide(110, 130)).astype(np.float32)
    for end in range(window(), padded.size, FRAME):
        voicing.hear(padded[end - window() : end])
    assert voicing.found
    for _ in range(8):
        voicing.silent()
    assert not voicing.found
