"""Pure. What a telephone line does to a voice: noise, band, level, mu-law. All from one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_app.media.g711 import ulaw_decode, ulaw_encode

RATE = 8000
Signal = NDArray[np.floating[Any]]
Samples = NDArray[np.int16]
Shape = Callable[[Signal], Signal]  # a gain for each frequency in Hz

FULL = 32768.0


def rms(signal: Signal) -> float:
    """Root of the mean square; never zero."""
    return float(np.sqrt(np.mean(np.square(signal)) + 1e-12)) if signal.size else 1e-6


def at_level(signal: Signal, dbfs: float) -> Signal:
    """The same sound at this root mean square."""
    return signal * (10 ** (dbfs / 20) * FULL / rms(signal))


def speech_level(signal: Signal) -> float:
    """Of what is loud in it: pauses do not count."""
    loud = signal[np.abs(signal) > 0.02 * np.abs(signal).max(initial=1e-9)]
    return rms(loud)


def shaped(signal: Signal, gain: Shape) -> Signal:
    """Filtered without delay."""
    if not signal.size:
        return signal
    frequencies = np.fft.rfftfreq(signal.size, 1 / RATE)
    return np.asarray(np.fft.irfft(np.fft.rfft(signal) * gain(frequencies), signal.size))


def band(low: float, high: float) -> Shape:
    """Second order at either end, as a Butterworth's magnitude."""

    def gain(f: Signal) -> Signal:
        safe = np.maximum(f, 1.0)
        return np.asarray(1 / np.sqrt((1 + (low / safe) ** 4) * (1 + (safe / high) ** 4)))

    return gain


def noise(rng: np.random.Generator, size: int, kind: str) -> Signal:
    """Steady noise of a line, at no particular level; KeyError for a kind that there is not."""
    white = rng.standard_normal(size)
    gains: dict[str, Shape] = {
        "white": np.ones_like,
        "pink": lambda f: np.asarray(1 / np.sqrt(np.maximum(f, 20.0))),
        "rumble": lambda f: np.asarray(1 / np.maximum(f, 40.0)),
        "fan": lambda f: np.asarray(1 / np.maximum(f, 60.0) + 0.02 * (np.abs(f - 480) < 12)),
    }
    if kind != "hum":
        return shaped(white, gains[kind])
    time = np.arange(size) / RATE
    mains = rng.choice([50.0, 60.0])
    tones = sum(np.sin(2 * np.pi * mains * n * time) / n for n in (1, 3, 5))
    return np.asarray(tones + 0.3 * white)


def babble(voices: Sequence[Signal], size: int, rng: np.random.Generator) -> Signal:
    """Several people who talk in the same room."""
    total = np.zeros(size)
    for voice in voices:
        long = np.resize(voice / speech_level(voice), size + voice.size)
        begin = int(rng.integers(voice.size))
        total += long[begin : begin + size]
    return total


def sent(signal: Signal, *, narrow: bool = True) -> Samples:
    """As it leaves the far end of the line: band, clipping, mu-law."""
    if narrow:
        signal = shaped(signal, band(250.0, 3400.0))
    whole = np.clip(np.round(signal), -32768, 32767).astype(np.int16)
    return ulaw_decode(ulaw_encode(whole))
