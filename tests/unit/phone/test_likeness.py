"""A prompt is known by the shape of its sound, whatever the trunk has done to its samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.phone.likeness import RATE, find

Pcm = npt.NDArray[np.int16]


def voice(seed: int, seconds: float = 1.5) -> Pcm:
    """Something like speech: tones that change every 80 ms, with pauses."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(int(seconds / 0.08)):
        t = np.arange(int(0.08 * RATE)) / RATE
        first, second = rng.uniform(200, 900), rng.uniform(1000, 3200)
        size = rng.choice([0.0, 1500.0, 4000.0, 7000.0])
        pieces.append(
            size * (np.sin(2 * np.pi * first * t) + rng.random() * np.sin(2 * np.pi * second * t))
        )
    return np.concatenate(pieces).astype(np.int16)


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * RATE), np.int16)


PROMPT = voice(1)


def test_a_prompt_is_found_where_it_is() -> None:
    found = find(PROMPT, np.concatenate([silence(0.7), PROMPT, silence(0.5)]))
    assert found.heard
    assert found.began == pytest.approx(0.7, abs=0.02)
    assert found.ended == pytest.approx(0.7 + PROMPT.size / RATE, abs=0.02)


def test_another_prompt_is_not_it() -> None:
    for seed in range(2, 12):
        heard = np.concatenate([silence(0.3), voice(seed, 3.0), silence(0.3)])
        assert not find(PROMPT, heard).heard


@pytest.mark.parametrize("gain", [0.25, 2.0])
def test_a_trunk_that_is_quieter_or_louder_changes_nothing(gain: float) -> None:
    heard = np.clip(PROMPT * gain, -32000, 32000).astype(np.int16)
    assert find(PROMPT, np.concatenate([silence(0.2), heard, silence(0.2)])).heard


def test_mu_law_and_a_few_lost_packets_change_little() -> None:
    heard = ulaw_decode(ulaw_encode(PROMPT)).copy()
    for packet in range(5, 60, 15):
        heard[packet * 160 : (packet + 1) * 160] = 0
    assert find(PROMPT, np.concatenate([silence(0.2), heard, silence(0.2)])).heard


def test_half_a_prompt_is_not_the_prompt() -> None:
    half = PROMPT[: PROMPT.size // 2]
    assert not find(PROMPT, np.concatenate([silence(0.2), half, silence(2.0)])).heard


def test_silence_and_hiss_are_no_prompt() -> None:
    hiss = np.random.default_rng(3).normal(0, 800, 4 * RATE).astype(np.int16)
    assert not find(PROMPT, silence(4.0)).heard
    assert not find(PROMPT, hiss).heard


def test_a_sound_that_is_too_short_does_not_hold_it() -> None:
    assert find(PROMPT, PROMPT[:-400]).alike == -1.0


def test_the_second_of_two_is_looked_for_behind_the_first() -> None:
    heard = np.concatenate([PROMPT, silence(0.3), PROMPT])
    second = find(PROMPT, heard, after=1.0)
    assert second.heard
    assert second.began == pytest.approx(PROMPT.size / RATE + 0.3, abs=0.02)
    assert not find(PROMPT, heard, after=2.5).heard


@given(
    arrays.arrays(np.int16, st.integers(0, 4000)),
    arrays.arrays(np.int16, st.integers(0, 8000)),
    st.floats(-1, 3),
)
def test_any_two_sounds_can_be_compared(prompt: Pcm, heard: Pcm, after: float) -> None:
    assert -1.01 <= find(prompt, heard, after).alike <= 1.01
