"""How a voice ends: tones that glide, as voices do."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.speech.melody import Melody, Pitch


def voice(begins: float, ends: float, rate: int = 8000, seconds: float = 0.8) -> bytes:
    """A buzz whose pitch glides in its last 200 ms, in Hz."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = np.interp(time, [0.0, seconds - 0.2, seconds], [begins, begins, ends])
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    buzz = sum(np.sin(n * phase) / n for n in range(1, 8))
    return (3000 * np.asarray(buzz)).astype("<i2").tobytes()


def heard(pcm: bytes, rate: int = 8000, quiet: float = 0.12) -> Melody:
    pitch = Pitch(rate)
    whole = pcm + bytes(round(quiet * rate) * 2)
    size = rate // 50 * 2
    for at in range(0, len(whole), size):
        pitch.heard(whole[at : at + size])
    return pitch.melody(quiet)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("pitch", [100.0, 180.0, 250.0])
def test_a_voice_falls_or_rises_at_its_end(pitch: float, rate: int) -> None:
    assert heard(voice(pitch, pitch * 0.75, rate), rate) is Melody.FALLS
    assert heard(voice(pitch, pitch * 1.25, rate), rate) is Melody.RISES
    assert heard(voice(pitch, pitch, rate), rate) is not Melody.FALLS
    assert heard(voice(pitch, pitch * 0.92, rate), rate) is Melody.UNKNOWN


@pytest.mark.parametrize("quiet", [0.0, 0.02, 0.12, 0.2, 2.0])
def test_a_pause_of_any_length_has_an_answer(quiet: float) -> None:
    assert heard(voice(150, 110), quiet=quiet) in (Melody.FALLS, Melody.UNKNOWN)


def test_noise_silence_and_too_little_of_a_voice_have_no_melody() -> None:
    rng = np.random.default_rng(6)
    noise = (1000 * rng.standard_normal(8000)).astype("<i2").tobytes()
    assert heard(noise) is Melody.UNKNOWN
    assert heard(bytes(16000)) is Melody.UNKNOWN
    assert heard(voice(150, 100)[:640]) is Melody.UNKNOWN
    assert Pitch(8000).melody(0.1) is Melody.UNKNOWN


def test_the_loudest_square_wave_is_no_error() -> None:
    square = np.where(np.arange(8000) // 40 % 2, 32767, -32768).astype("<i2").tobytes()
    assert heard(square) is not Melody.FALLS
