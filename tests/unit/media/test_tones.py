"""The tones of keys in the audio, and what is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media.g711 import Samples, ulaw_decode, ulaw_encode
from ari_app.media.tones import KeyTones

ROWS = (697, 770, 852, 941)
COLUMNS = (1209, 1336, 1477, 1633)
RATES = pytest.mark.parametrize("rate", [8000, 16000])

keys = st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS))


def tone(
    rate: int, *parts: tuple[float, float], seconds: float = 0.1, phase: float = 0.0
) -> Samples:
    """Sines of (Hz, amplitude)."""
    at = 2 * np.pi * np.arange(round(rate * seconds)) / rate
    both = sum(
        amplitude * np.sin(at * hz + phase * (n + 1)) for n, (hz, amplitude) in enumerate(parts)
    )
    return np.asarray(both).astype(np.int16)


def heard(rate: int, samples: Samples) -> Samples:
    """What is left of it."""
    keys = KeyTones(rate)
    frames = np.asarray(samples, np.int16).reshape(-1, rate // 50)
    left = [np.frombuffer(keys.muted(frame.tobytes()), np.int16) for frame in frames]
    return np.concatenate(left)


@RATES
@given(
    key=keys,
    phase=st.floats(0, 6.28),
    off=st.floats(-0.007, 0.007),
    loud=st.floats(400, 10_000),
    twist=st.floats(-6, 6),
)
def test_every_key_is_silenced(
    rate: int, key: tuple[int, int], phase: float, off: float, loud: float, twist: float
) -> None:
    row, column = key
    pressed = tone(
        rate, (row * (1 + off), loud), (column * (1 + off), loud * 10 ** (twist / 20)), phase=phase
    )
    assert not heard(rate, ulaw_decode(ulaw_encode(pressed))).any()


@given(key=keys, begins=st.integers(0, 159), length=st.integers(400, 1200))
def test_of_a_key_that_begins_and_ends_anywhere_only_edges_are_left(
    key: tuple[int, int], begins: int, length: int
) -> None:
    pressed = tone(8000, (key[0], 5000), (key[1], 5000), seconds=length / 8000)
    line = np.concatenate([np.zeros(320 + begins, np.int16), pressed])
    line = np.pad(line, (0, -len(line) % 160 + 320))
    loud = np.flatnonzero(np.abs(heard(8000, line)) > 100)
    ends = 320 + begins + length
    assert all(at < 480 or at >= ends - ends % 160 for at in loud)


@RATES
@pytest.mark.parametrize(
    "sound",
    [
        [(697, 5000)],  # one tone
        [(440, 5000), (480, 5000)],  # ringing
        [(350, 5000), (440, 5000)],  # dial tone
        [(770, 5000), (852, 5000)],  # two rows
        [(697, 5000), (1209, 1200)],  # 12 dB apart
        [(697, 4000), (1209, 4000), (350, 4000), (2600, 4000)],  # a chord
        [(697, 60), (1209, 60)],  # far below any telephone's key
    ],
)
def test_other_sounds_are_left_as_they_are(rate: int, sound: list[tuple[float, float]]) -> None:
    line = tone(rate, *sound)
    assert (heard(rate, line) == line).all()


@given(seed=st.integers(0, 2**32 - 1))
def test_noise_is_left_as_it_is(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 3000, 8000).astype(np.int16)
    assert (heard(8000, noise) == noise).all()


def test_silence_and_an_odd_length_are_left_as_they_are() -> None:
    keys = KeyTones(8000)
    assert keys.muted(bytes(320)) == bytes(320)
    assert keys.muted(b"\x10\x27" * 40) == b"\x10\x27" * 40
