"""How a voice ends: tones that glide, as voices do."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.speech.melody import Cadence, Pitch


def voice(begins: float, ends: float, rate: int = 8000, seconds: float = 0.8) -> bytes:
    """A buzz whose pitch glides in its last 200 ms, in Hz."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = np.interp(time, [0.0, seconds - 0.2, seconds], [begins, begins, ends])
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    buzz = sum(np.sin(n * phase) / n for n in range(1, 8))
    return (3000 * np.asarray(buzz)).astype("<i2").tobytes()


def heard(pcm: bytes, rate: int = 8000, quiet: float = 0.12) -> Cadence | None:
    pitch = Pitch(rate)
    whole = pcm + bytes(round(quiet * rate) * 2)
    size = rate // 50 * 2
    for at in range(0, len(whole), size):
        pitch.heard(whole[at : at + size])
    return pitch.cadence(quiet)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("pitch", [100.0, 180.0, 250.0])
@pytest.mark.parametrize("change", [0.75, 1.25])
def test_a_voice_falls_or_rises_at_its_end(pitch: float, rate: int, change: float) -> None:
    cadence = heard(voice(pitch, pitch * change, rate), rate)
    assert cadence is not None
    octaves = np.log2(change)
    assert cadence.slope == pytest.approx(octaves / 0.2, rel=0.4)
    assert cadence.above_middle == pytest.approx(octaves, abs=0.12)
    assert cadence.tail == pytest.approx(0.04, abs=0.03)


def test_a_voice_that_stays_is_where_it_was() -> None:
    cadence = heard(voice(150.0, 150.0))
    assert cadence is not None
    assert cadence.slope == pytest.approx(0.0, abs=0.2)
    assert cadence.above_middle == pytest.approx(0.0, abs=0.02)
    assert cadence.above_top == pytest.approx(0.0, abs=0.02)


def test_how_low_a_voice_ends_is_measured_by_all_that_was_heard_of_it() -> None:
    pitch = Pitch(8000)
    cadences = []
    for ends in (90.0, 150.0):
        whole = voice(150.0, ends) + bytes(1920)
        for at in range(0, len(whole), 320):
            pitch.heard(whole[at : at + 320])
        cadences.append(pitch.cadence(0.12))
    first, second = cadences
    assert first is not None
    assert second is not None
    assert first.above_low < 0.1
    assert second.above_low > 0.1


def test_what_follows_the_last_pitch_is_its_tail() -> None:
    hiss = (2000 * np.random.default_rng(2).standard_normal(1600)).astype("<i2").tobytes()
    cadence = heard(voice(150.0, 120.0) + hiss)
    assert cadence is not None
    assert cadence.tail == pytest.approx(0.24, abs=0.04)


@pytest.mark.parametrize("quiet", [0.0, 0.02, 0.12, 0.2])
def test_a_pause_of_any_length_has_an_answer(quiet: float) -> None:
    cadence = heard(voice(150, 110), quiet=quiet)
    assert cadence is not None
    assert cadence.above_middle < -0.2


def test_noise_silence_and_too_little_of_a_voice_have_no_cadence() -> None:
    rng = np.random.default_rng(6)
    noise = (1000 * rng.standard_normal(8000)).astype("<i2").tobytes()
    assert heard(noise) is None
    assert heard(bytes(16000)) is None
    assert heard(voice(150, 100)[:640]) is None
    assert heard(voice(150, 100), quiet=2.0) is None
    assert Pitch(8000).cadence(0.1) is None


def test_the_loudest_square_wave_is_no_error() -> None:
    square = np.where(np.arange(8000) // 40 % 2, 32767, -32768).astype("<i2").tobytes()
    cadence = heard(square)
    assert cadence is None or cadence.above_middle > -0.2
