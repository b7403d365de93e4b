"""Pure. Keys that come as tones in the audio: Asterisk hears them, the recogniser must not."""

from __future__ import annotations

import numpy as np

# ITU-T Q.23, Hz: rows, then columns.
_TONES = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
_ROWS = 4

_QUIETEST = 100.0**2  # mean square: ITU-T Q.24 lets a receiver ignore what is below -35 dBm0
_TWIST = 8.0  # one tone's power over the other's: ITU-T Q.24 knows 6 dB, G.711 and trunks add some

# The share of a frame's energy that is in one row and one column: where a key begins, and where
# one that was there goes on; its last frame may be mostly silence.
_BEGINS = 0.7
_GOES_ON = 0.3


class KeyTones:
    """One call's audio without the tones of keys; `rate` is 8000 or 16000.

    The first frame of a key may be let through when a good part of it is silence.
    """

    def __init__(self, rate: int) -> None:
        size = rate // 50
        angles = 2 * np.pi * np.outer(np.arange(size) / rate, _TONES)
        # Scaled so that a sum of squares is the share of a mean square.
        waves = np.hstack([np.cos(angles), np.sin(angles)]) * (np.sqrt(2) / size)
        self._waves = waves.astype(np.float32)
        self._silence = bytes(2 * size)
        self._key = False

    def muted(self, pcm: bytes) -> bytes:
        """The next 20 ms (16-bit PCM in native order), or silence if they are of a key."""
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        power = float(samples @ samples) / max(len(samples), 1)
        if power < _QUIETEST or len(pcm) != len(self._silence):
            self._key = False
            return pcm
        parts = samples @ self._waves
        tones = parts[: len(_TONES)] ** 2 + parts[len(_TONES) :] ** 2
        row, column = float(tones[:_ROWS].max()), float(tones[_ROWS:].max())
        least = _GOES_ON if self._key else _BEGINS
        even = row < _TWIST * column and column < _TWIST * row
        self._key = even and row + column >= least * power
        return self._silence if self._key else pcm
