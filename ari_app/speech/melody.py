"""Pure. Whether a voice falls at its end, as of somebody who has finished, or is held up.

Pitch by autocorrelation, of the last 600 ms before a pause and only then: half a millisecond of
computing. Who goes on keeps the pitch level or lets it rise; at the end of a turn it falls below
what it was (Gravano and Hirschberg 2011: among the cues of a turn's end, with its words).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cadence:
    """How a voice ends before a pause: where its pitch is in the end, in octaves."""

    slope: float  # octaves a second, over the last 100 ms that have a pitch
    above_middle: float  # of the last 600 ms
    above_top: float  # of those: never more than a little above 0
    above_low: float  # of this caller so far
    tail: float  # seconds of voice after the last pitch


_KEPT = 42  # frames of 20 ms
_LOOKED_AT = 30  # of them, before the pause
_REMEMBERED = 500  # pitches of a caller
_FINAL = 0.1  # seconds at the end whose slope counts
_LOWEST, _HIGHEST = 60, 400  # Hz
_PERIODIC = 0.6  # of the energy: less is no vowel
_FAINT = 25.0  # dB below the loudest: no vowel either
_ASTRAY = 0.6  # octaves from the median: another voice, or a mistake by an octave
_AS_GOOD = 0.9  # of the highest peak
_PEAK = 8  # samples from where a peak is that high to its top
_FEWEST = 4  # frames with a pitch


class Pitch:
    """One call's voice, frame by frame."""

    def __init__(self, rate: int) -> None:
        self._every = rate // 8000
        self._frames: deque[bytes] = deque(maxlen=_KEPT)
        self._pitches: deque[float] = deque(maxlen=_REMEMBERED)  # in octaves

    def heard(self, pcm: bytes) -> None:
        """The next 20 ms."""
        self._frames.append(pcm)

    def cadence(self, quiet: float) -> Cadence | None:
        """How the voice ended that has been quiet for so many seconds; None: it has no pitch.

        Ask once in each pause: what it hears then is what it knows of the caller's pitch.
        """
        frames = list(self._frames)
        last = len(frames) - round(quiet / 0.02)
        frames = frames[max(last - _LOOKED_AT, 0) : max(last, 0)]
        if len(frames) <= _FEWEST:
            return None
        samples = np.frombuffer(b"".join(frames), "<i2")[:: self._every].astype(np.float64)
        octaves, times = _pitches(samples)
        near = np.abs(octaves - np.median(octaves)) < _ASTRAY if octaves.size else octaves > 0
        octaves, times = octaves[near], times[near]
        if octaves.size < _FEWEST:
            return None
        self._pitches.extend(octaves)
        end = float(octaves[-2:].mean())
        return Cadence(
            _slope(octaves, times),
            end - float(np.median(octaves)),
            end - float(np.percentile(octaves, 90)),
            end - float(np.percentile(self._pitches, 10)),
            len(frames) * 0.02 - float(times[-1]),
        )


def _slope(octaves: Curve, times: Curve) -> float:
    final = times > times[-1] - _FINAL
    if np.count_nonzero(final) < _FEWEST - 1:
        return 0.0
    return float(np.polyfit(times[final], octaves[final], 1)[0])


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
