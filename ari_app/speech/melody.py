"""Pure. Whether a voice falls at its end, as of somebody who has finished, or is held up.

Pitch by autocorrelation, of the last 600 ms before a pause and only then: half a millisecond of
computing. Who goes on keeps the pitch level or lets it rise; at the end of a turn it falls below
what it was (Gravano and Hirschberg 2011: among the cues of a turn's end, with its words).
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


class Melody(Enum):
    """How a voice ends before a pause."""

    FALLS = "falls"
    UNKNOWN = "unknown"
    RISES = "rises"  # or stays


_KEPT = 42  # frames of 20 ms
_LOOKED_AT = 30  # of them, before the pause
_FINAL = 0.16  # seconds at the end whose slope counts
_LOWEST, _HIGHEST = 60, 400  # Hz
_PERIODIC = 0.6  # of the energy: less is no vowel
_FAINT = 25.0  # dB below the loudest: no vowel either
_ASTRAY = 0.6  # octaves from the median: another voice, or a mistake by an octave
_AS_GOOD = 0.9  # of the highest peak
_PEAK = 8  # samples from where a peak is that high to its top
_FEWEST = 4  # frames with a pitch

# Slope in octaves a second, and how far the end is below the middle of the voice, in octaves:
# weighed and bounded on synthesized voices, of which no published figure is made.
_MOST_SLOPE, _MOST_DROP = 4.0, 0.5
_DROP = 8.0
_FALLS, _RISES = 2.0, 0.0


class Pitch:
    """One call's voice, frame by frame."""

    def __init__(self, rate: int) -> None:
        self._every = rate // 8000
        self._frames: deque[bytes] = deque(maxlen=_KEPT)

    def heard(self, pcm: bytes) -> None:
        """The next 20 ms."""
        self._frames.append(pcm)

    def melody(self, quiet: float) -> Melody:
        """How the voice ended that has been quiet for so many seconds."""
        frames = list(self._frames)
        last = len(frames) - round(quiet / 0.02)
        frames = frames[max(last - _LOOKED_AT, 0) : max(last, 0)]
        if len(frames) <= _FEWEST:
            return Melody.UNKNOWN
        fall = _fall(np.frombuffer(b"".join(frames), "<i2")[:: self._every].astype(np.float64))
        if fall is None:
            return Melody.UNKNOWN
        if fall >= _FALLS:
            return Melody.FALLS
        return Melody.RISES if fall <= _RISES else Melody.UNKNOWN


def _fall(samples: Curve) -> float | None:
    """More for a voice that falls; None without enough of a pitch. Samples at 8 kHz."""
    octaves, times = _pitches(samples)
    near = np.abs(octaves - np.median(octaves)) < _ASTRAY if octaves.size else octaves > 0
    octaves, times = octaves[near], times[near]
    if octaves.size < _FEWEST:
        return None
    final = times > times[-1] - _FINAL
    if np.count_nonzero(final) < _FEWEST - 1:
        return None
    slope = float(np.polyfit(times[final], octaves[final], 1)[0])
    drop = float(octaves[-2:].mean() - np.median(octaves))
    bounded = float(np.clip(slope, -_MOST_SLOPE, _MOST_SLOPE))
    return -bounded - _DROP * float(np.clip(drop, -_MOST_DROP, _MOST_DROP))


def _pitches(samples: Curve) -> tuple[Curve, Curve]:
    """Octaves, and seconds, of the 40 ms windows that have a pitch."""
    halves = samples.reshape(-1, 160)
    windows = np.hstack([halves[:-1], halves[1:]])
    windows = windows - windows.mean(axis=1, keepdims=True)
    size = windows.shape[1]
    spectrum = np.fft.rfft(windows, 2 * size, axis=1)
    product = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]
    energy = product[:, 0] + 1e-9
    # Of fewer samples the further they are shifted.
    alike = product / energy[:, None] * (size / np.arange(size, 0, -1))
    first, last = 8000 // _HIGHEST, 8000 // _LOWEST
    sought = alike[:, first:last]
    # Two periods are as much alike as one: of the peaks that are high enough, the first.
    high = np.argmax(sought >= _AS_GOOD * sought.max(axis=1, keepdims=True), axis=1)
    near = np.minimum(high[:, None] + np.arange(_PEAK), sought.shape[1] - 1)
    lags = first + near[np.arange(len(high)), np.argmax(np.take_along_axis(sought, near, 1), 1)]
    strength = alike[np.arange(len(lags)), lags]
    level = 10 * np.log10(energy + 1.0)
    voiced = (strength > _PERIODIC) & (level > level.max() - _FAINT)
    times = np.arange(len(lags)) * 0.02
    return np.log2(8000 / lags[voiced]), times[voiced]
