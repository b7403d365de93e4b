"""Pure. The caller, as against people who talk behind them: nearer to the phone, so louder."""

from __future__ import annotations

import numpy as np

_BELOW = 10 ** (-15 / 20)  # of the loudest 20 ms of the turn: somebody else, or the end of a word
_FADES = 10 ** (-0.06 / 20)  # a frame: so a cough counts for a few seconds only
_END = 10  # frames: a word does not end more slowly


class Foreground:
    """One turn's loudness, frame by frame."""

    def __init__(self) -> None:
        self._loudest = 0.0
        self._faint = 0  # frames since the last that was loud

    def is_near(self, pcm: bytes) -> bool:
        """Whether these 20 ms, if they are speech, can be of who has been speaking."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        level = float(np.sqrt(samples @ samples / max(samples.size, 1)))
        self._loudest = max(self._loudest * _FADES, level)
        self._faint = 0 if level >= self._loudest * _BELOW else self._faint + 1
        return self._faint <= _END

    def forget(self) -> None:
        """The turn is over."""
        self._loudest, self._faint = 0.0, 0
