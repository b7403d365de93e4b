"""Level, noise and clipping of a turn, from its frames alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ari_app.ports import Signal
from ari_app.speech.signal import SignalMeter

RATE = 8000
FRAME = RATE // 50


def tone(seconds: float, dbfs: float) -> NDArray[np.float64]:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(10 ** (dbfs / 20) * 32768 * np.sqrt(2) * np.sin(2 * np.pi * 440 * time))


def noise(seconds: float, dbfs: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(7)
    return np.asarray(10 ** (dbfs / 20) * 32768 * rng.standard_normal(int(seconds * RATE)))


def measured(samples: NDArray[np.float64]) -> Signal:
    meter = SignalMeter()
    pcm = np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()
    for at in range(0, len(pcm), 2 * FRAME):
        meter.feed(pcm[at : at + 2 * FRAME])
    found = meter.take()
    assert found is not None
    return found


@pytest.mark.parametrize(("speech", "line"), [(-20.0, -60.0), (-30.0, -45.0), (-10.0, -50.0)])
def test_speech_over_a_noise_has_its_level_and_distance(speech: float, line: float) -> None:
    found = measured(np.concatenate([noise(1.0, line), tone(1.0, speech), noise(0.5, line)]))
    assert found.level_db == pytest.approx(speech, abs=1.0)
    assert found.snr_db == pytest.approx(speech - line, abs=2.5)
    assert found.clipped == 0.0


def test_a_line_without_speech_has_no_distance() -> None:
    assert measured(noise(2.0, -40.0)).snr_db == 0.0


def test_digital_silence_is_measured_too() -> None:
    assert measured(np.zeros(RATE)) == Signal(-90.0, 0.0)


def test_samples_at_full_scale_are_counted() -> None:
    found = measured(np.concatenate([noise(1.0, -60.0), tone(1.0, 3.0)]))
    assert 0.2 < found.clipped < 0.5


def test_a_turn_begins_anew_after_the_last() -> None:
    meter = SignalMeter()
    meter.feed(tone(0.5, -10.0).astype("<i2").tobytes())
    assert meter.take() is not None
    assert meter.take() is None


@pytest.mark.parametrize("pcm", [b"", b"\x01"])
def test_nothing_is_no_frame(pcm: bytes) -> None:
    meter = SignalMeter()
    meter.feed(pcm)
    assert meter.take() is None


def test_half_a_sample_is_dropped() -> None:
    meter = SignalMeter()
    meter.feed(b"\x00\x10\x00\x10\x07")
    assert meter.take() is not None
