"""Clips of callers who answer: espeak-ng's held-out voices, over a line of a given quality."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.speech.espeak_process import Library
from tests.bench.confidence.sentences import Spoken, sentences

RATE = 8000
_ACCENTS = ("gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-US-nyc")
_VARIANTS = {
    "tune": ("f4", "m4", "linda", "Michael", "Andy", "belinda"),
    "figures": ("steph3", "victor", "ed", "klatt3", "robert", "miguel"),
}
_COLOURS = {"tune": (0.0, 0.6), "figures": (0.3, 0.9)}  # one-pole low-pass of the noise: two kinds
_SEEDS = {"tune": 20_001, "figures": 90_001}
_FRAME = RATE // 50


@dataclass(frozen=True, slots=True)
class Clip:
    """What the line brings, what was said, and how much of it never came."""

    spoken: Spoken
    pcm: bytes
    lost: float


def clips(which: str, count: int) -> list[Clip]:
    """So many clips of the set `tune` or `figures`; always the same."""
    rng = np.random.default_rng(_SEEDS[which])
    said = sentences(which, count, rng)
    voices = [f"{rng.choice(_ACCENTS)}+{rng.choice(_VARIANTS[which])}" for _ in range(len(said))]
    rates = [int(rng.integers(120, 210)) for _ in said]
    requests = [(s.text, v, r) for s, v, r in zip(said, voices, rates, strict=True)]
    # A process of its own: espeak-ng is another licence's, and keeps state.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        sounds = pool.submit(_speak, requests).result()
    return [_line(s, x, rng, which) for s, x in zip(said, sounds, strict=True)]


def digest(made: Sequence[Clip]) -> str:
    """The same for the same clips."""
    return hashlib.sha256(b"".join(clip.pcm for clip in made)).hexdigest()[:16]


def _speak(requests: Sequence[tuple[str, str, int]]) -> list[bytes]:
    library = Library()
    spoken = []
    for text, voice, rate in requests:
        sound, _ = library.speak(text, voice, rate, 50)
        samples = np.frombuffer(sound, "<i2")
        narrow = soxr.resample(samples.astype(np.float64), library.rate, RATE)
        spoken.append(np.asarray(narrow, np.float32).tobytes())
    return spoken


def _line(spoken: Spoken, sound: bytes, rng: np.random.Generator, which: str) -> Clip:
    speech = np.frombuffer(sound, np.float32).astype(np.float64)
    active = _rms(speech[np.abs(speech) > 0.02 * np.abs(speech).max()])
    around = int(rng.integers(RATE // 5, RATE // 2))
    signal = np.concatenate([np.zeros(around), speech, np.zeros(around)])
    if not spoken.audible:
        signal *= 0.0
    snr = float(rng.uniform(-3, 40))
    noise = _noise(rng, signal.size, float(rng.uniform(*_COLOURS[which])))
    signal = signal + noise * active / _rms(noise) * 10 ** (-snr / 20)
    level = float(rng.uniform(-38, 0))
    signal = signal * 10 ** (level / 20) * 32768 / active
    lost = float(rng.choice([0.0, 0.0, 0.02, 0.05, 0.15]))
    frames = np.flatnonzero(rng.random(signal.size // _FRAME) < lost)
    for frame in frames:
        signal[frame * _FRAME : (frame + 1) * _FRAME] = 0.0
    samples = np.clip(np.round(signal), -32768, 32767).astype(np.int16)
    heard = ulaw_decode(ulaw_encode(samples)).astype("<i2").tobytes()
    return Clip(spoken, heard, len(frames) * _FRAME / signal.size)


def _noise(rng: np.random.Generator, size: int, pole: float) -> NDArray[np.float64]:
    """Noise of a colour; a third of the time it swells and fades like a room full of people."""
    white = rng.standard_normal(size)
    taps = pole ** np.arange(64)
    coloured = np.convolve(white, taps, "same")
    if rng.random() < 0.33:
        knots = np.arange(0, size + 800, 800)
        swell = np.interp(np.arange(size), knots, rng.uniform(0.1, 1.0, knots.size))
        coloured = coloured * swell
    return np.asarray(coloured)


def _rms(signal: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(signal)) + 1e-9)) if signal.size else 1.0
