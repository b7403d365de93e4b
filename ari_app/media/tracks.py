"""Pure. Two directions of a call side by side: aligned by time, gaps filled with silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ari_app.media.g711 import SILENCE, ulaw_encode

RATE = 8000  # Hz of what is written, whatever the line's rate is
_PIECE = RATE  # samples that are written at once
# The jitter buffer gives frames a little early and late: within this they are one sound.
_SLACK = RATE // 10
# Whoever sends more than time allows is cut off, or a flood would fill memory.
_AHEAD = RATE // 2

# A low-pass for every second sample of 16 kHz.
_TAPS = 31
_LOW = np.sinc((np.arange(_TAPS) - _TAPS // 2) / 2) * np.hamming(_TAPS)
_LOW = (_LOW / _LOW.sum()).astype(np.float32)


class _Narrow:
    """16 kHz to 8 kHz, frame by frame without a seam; half a millisecond late."""

    def __init__(self) -> None:
        self._before = np.zeros(_TAPS - 1, np.float32)

    def __call__(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        joined = np.concatenate((self._before, samples))
        self._before = joined[len(samples) :]
        low = np.convolve(joined, _LOW, "valid")[::2]
        narrow: bytes = np.clip(np.rint(low), -32768, 32767).astype("<i2").tobytes()
        return narrow


class _Track:
    """One direction: the mu-law that is not written yet."""

    def __init__(self) -> None:
        self.audio = bytearray()
        self.begun = False


class Tracks:
    """Writes one stretch of a call down, a second at a time; `at` is monotonic seconds.

    The left channel is the caller as received, the right one is what we send: 8 kHz mu-law, an
    octet of each in turn.
    """

    def __init__(
        self, write: Callable[[int, bytes], None], rate: int, began: float, now: float
    ) -> None:
        """`rate` is that of the caller's PCM, 8000 or 16000.

        `write` takes audio and its first sample, counted since the recording `began`.
        """
        self._to = write
        self._began = now
        self._first = max(round((now - began) * RATE), 0)
        self._written = 0  # samples of this stretch
        self._caller, self._ours = _Track(), _Track()
        self._narrow = _Narrow() if rate == 2 * RATE else None

    def caller(self, pcm: bytes, at: float) -> None:
        """Some of the caller, 16-bit little-endian, the last sample of which has just come."""
        if not pcm:
            return
        if self._narrow is not None:
            pcm = self._narrow(pcm)
        self._put(self._caller, ulaw_encode(np.frombuffer(pcm, "<i2")), at)

    def ours(self, ulaw: bytes, at: float) -> None:
        """What we have sent, and when its last sample left."""
        self._put(self._ours, ulaw, at)

    def finish(self, now: float) -> None:
        """Write what is left; nothing may come afterwards."""
        self._write_due(self._due(now))
        left = max(len(self._caller.audio), len(self._ours.audio))
        while left > 0:
            size = min(left, _PIECE)
            self._write(size)
            left -= size

    def _due(self, at: float) -> int:
        """Samples that the stretch is long at this time."""
        return round((at - self._began) * RATE)

    def _put(self, track: _Track, audio: bytes, at: float) -> None:
        due, end = self._due(at), self._written + len(track.audio)
        if end > due + _AHEAD:
            return
        hole = due - len(audio) - end
        if hole > (_SLACK if track.begun else 0):
            track.audio += SILENCE * hole
        track.begun = True
        track.audio += audio
        self._write_due(due)

    def _write_due(self, due: int) -> None:
        while due - self._written >= _PIECE + _SLACK:
            self._write(_PIECE)

    def _write(self, size: int) -> None:
        both = np.full((size, 2), SILENCE[0], np.uint8)
        for channel, track in enumerate((self._caller, self._ours)):
            audio = np.frombuffer(bytes(track.audio[:size]), np.uint8)
            both[: len(audio), channel] = audio
            del track.audio[:size]
        self._to(self._first + self._written, both.tobytes())
        self._written += size
