"""Pure. Whether a prompt is in what was heard: by the shape of its sound, not by its samples.

Trunks change samples (gain, alaw, a lost packet), and espeak-ng never says the same twice. What
stays is which band of the voice is loud when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pcm = npt.NDArray[np.int16]

RATE = 8000  # Hz of every sound here
STEP = 0.01  # seconds between two looks at the sound
#: A prompt that is alike so much was heard. The same text spoken anew is at 0.99, with a tenth of
#: its packets lost at 0.8; another text of the same voice is below 0.7, unless they share most of
#: their words: which one it was, the log must say.
ALIKE = 0.75

_HOP = int(RATE * STEP)
_FRAME = 256
_BANDS = (150, 400, 700, 1100, 1600, 2300, 3400)  # Hz, where one band ends and the next begins
_FLOOR = 50.0  # amplitude: below it all is silence alike
_SHORTEST = 20  # steps: less sound than this is like anything


@dataclass(frozen=True, slots=True)
class Found:
    """Where a prompt fits best in what was heard, in seconds, and how well, -1 to 1."""

    alike: float
    began: float
    ended: float

    @property
    def heard(self) -> bool:
        """Whether it was the prompt."""
        return self.alike >= ALIKE


def find(prompt: Pcm, heard: Pcm, after: float = 0.0) -> Found:
    """The best place of a whole prompt in a sound, from `after` seconds of it on.

    A prompt that is longer than what is left of the sound is not in it: alike is -1.
    """
    wanted, sound = _shape(prompt), _shape(heard)
    first = max(int(after / STEP), 0)
    places = len(sound) - len(wanted) + 1
    if len(wanted) < _SHORTEST or places <= first:
        return Found(-1.0, after, after)
    scores = _correlations(wanted, sound)[first:places]
    best = int(np.argmax(scores))
    began = (first + best) * STEP
    return Found(float(scores[best]), began, began + prompt.size / RATE)


def _shape(pcm: Pcm) -> npt.NDArray[np.float64]:
    """Loudness (log) of each band in each step: steps × bands."""
    if pcm.size < _FRAME:
        return np.zeros((0, len(_BANDS) - 1))
    windows = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), _FRAME)[::_HOP]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(_FRAME), axis=1)) / _FRAME
    edges = [round(f * _FRAME / RATE) for f in _BANDS]
    bands = np.add.reduceat(spectrum[:, : edges[-1]], edges[:-1], axis=1)
    loud: npt.NDArray[np.float64] = np.log(bands + _FLOOR / len(bands.T))
    return loud


def _correlations(
    wanted: npt.NDArray[np.float64], sound: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Pearson's r of `wanted` with each stretch of `sound` of its length."""
    length, size = len(wanted), wanted.size
    centred = wanted - wanted.mean()
    width = 1 << (len(sound) + length).bit_length()
    product = np.fft.rfft(sound, width, axis=0) * np.conj(np.fft.rfft(centred, width, axis=0))
    cross = np.fft.irfft(product.sum(axis=1), width)[: len(sound) - length + 1]
    sums = _windowed(sound.sum(axis=1), length)
    squares = _windowed((sound * sound).sum(axis=1), length)
    spread = np.sqrt(np.maximum(squares - sums * sums / size, 1e-9)) * np.sqrt((centred**2).sum())
    scores: npt.NDArray[np.float64] = cross / np.maximum(spread, 1e-9)
    return scores


def _windowed(values: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum(values)])
    windowed: npt.NDArray[np.float64] = total[length:] - total[:-length]
    return windowed
