"""Pure. How a turn came over the line: level, noise and clipping, in bounded memory."""

from __future__ import annotations

import numpy as np

from ari_app.ports import Signal

_FLOOR = -90  # dBFS: what is quieter counts as this
_FULL = 32000  # a sample from here on is at full scale: mu-law ends at 32124
_QUIET = 0.1  # this share of the frames, the quietest, are the noise of the line
_OVER = 6  # dB over the noise from which a frame is speech
_SCALE = 32768.0


class SignalMeter:
    """Told of every frame of a turn; keeps a histogram of their levels in steps of 1 dB."""

    def __init__(self) -> None:
        self._frames = np.zeros(-_FLOOR + 1, np.int64)
        self._samples = 0
        self._clipped = 0

    def feed(self, pcm: bytes) -> None:
        """16-bit little-endian samples, some 20 ms; an odd byte at the end is dropped."""
        samples = np.frombuffer(pcm, "<i2", len(pcm) // 2)
        if not len(samples):
            return
        power = float(np.mean(np.square(samples, dtype=np.float64))) / _SCALE**2
        level = 10.0 * np.log10(max(power, 1e-9))
        self._frames[int(min(max(round(level), _FLOOR), 0)) - _FLOOR] += 1
        self._samples += len(samples)
        self._clipped += int(np.count_nonzero(np.abs(samples.astype(np.int32)) >= _FULL))

    def take(self) -> Signal | None:
        """The turn so far, and begin anew; None if nothing came."""
        frames, samples, clipped = self._frames, self._samples, self._clipped
        self.__init__()  # type: ignore[misc]  # all that it holds is of one turn
        if not samples:
            return None
        levels = np.arange(_FLOOR, 1)
        noise = int(levels[np.searchsorted(np.cumsum(frames), _QUIET * frames.sum())])
        speech = np.where(levels >= noise + _OVER, frames, 0)
        if not speech.any():
            return Signal(float(noise), 0.0, clipped / samples)
        powers = 10.0 ** (levels / 10.0)
        level = 10.0 * np.log10(float(np.dot(speech, powers)) / float(speech.sum()))
        return Signal(float(level), float(level - noise), clipped / samples)
