"""The RTP packets of a phone that speaks, presses keys and is silent, one per 20 ms."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ari_app.media.g711 import SILENCE, ulaw_encode
from ari_app.media.rtp import PCMU, RtpPacket

FRAME = 160  # samples of 8 kHz in 20 ms

_KEYS = "0123456789*#ABCD"  # RFC 4733 §3.2: the position is the event code
_VOLUME = 10  # -10 dBm0
# ITU-T Q.23, Hz: a row and a column of the keypad.
_ROWS = (697, 770, 852, 941)
_COLUMNS = (1209, 1336, 1477, 1633)
_PAD = "123A456B789C*0#D"
_LOUD = 5000  # each of the two tones, of 32767: -16 dBFS
_LAST = 3  # RFC 4733 §2.5.1.4: the end is sent three times

T = TypeVar("T")


@dataclass(slots=True)
class _Utterance(Generic[T]):
    done: T
    frames: deque[bytes]


@dataclass(slots=True)
class _Key(Generic[T]):
    done: T | None  # None once it has been given back
    event: int
    length: int  # in frames
    gap: int  # silent frames behind it
    sent: int = 0
    began: int = 0  # the RTP timestamp of all its packets


class Mouth(Generic[T]):
    """What is sent next. `T` is what the owner wants back when a thing has been sent."""

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._queue: deque[_Utterance[T] | _Key[T]] = deque()
        self._talking = False
        self.telephone_event: int | None = None

    def say(self, ulaw: bytes, done: T) -> None:
        """Queue speech; the last frame is filled up with silence. Nothing to say is refused."""
        if not ulaw:
            raise ValueError("there is nothing to say")
        frames = deque(
            ulaw[i : i + FRAME].ljust(FRAME, SILENCE) for i in range(0, len(ulaw), FRAME)
        )
        self._queue.append(_Utterance(done, frames))

    def press(self, key: str, done: T, *, length: int = 5, gap: int = 4) -> None:
        """Queue one key; `length` and `gap` in frames of 20 ms.

        Two tones in the audio (ITU-T Q.23) where the far side takes no telephone-event.
        """
        if len(key) != 1 or key.upper() not in _KEYS:
            raise ValueError(f"there is no key {key!r}")
        if self.telephone_event is None:
            self.say(_tones(key.upper(), length) + SILENCE * FRAME * gap, done)
            return
        self._queue.append(_Key(done, _KEYS.index(key.upper()), length, gap))

    def drop(self) -> list[T]:
        """Forget what has not been sent; returns what was asked back for it."""
        dropped = [item.done for item in self._queue if item.done is not None]
        self._queue.clear()
        return dropped

    def next(self) -> tuple[RtpPacket, T | None]:
        """The packet of this 20 ms, and what has been completed by it."""
        item = self._queue[0] if self._queue else None
        done: T | None = None
        over = False
        match item:
            case None:
                packet = self._audio(SILENCE * FRAME, talking=False)
            case _Utterance():
                packet = self._audio(item.frames.popleft(), talking=True)
                over = not item.frames
                done = item.done if over else None
            case _Key():
                packet = self._event(item)
                over = item.sent >= item.length + _LAST - 1 + item.gap
                if item.sent == item.length:
                    # Released: what follows is for a far side that has missed it.
                    done, item.done = item.done, None
        if over:
            self._queue.popleft()
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        return packet, done

    def _audio(self, payload: bytes, *, talking: bool) -> RtpPacket:
        # RFC 3551 §4.1: the marker is for the first packet of a talkspurt.
        marker, self._talking = talking and not self._talking, talking
        return RtpPacket(PCMU, self._sequence, self._timestamp, self._ssrc, payload, marker)

    def _event(self, key: _Key[T]) -> RtpPacket:
        if key.sent == 0:
            key.began = self._timestamp
        key.sent += 1
        if key.sent > key.length + _LAST - 1:
            return self._audio(SILENCE * FRAME, talking=False)
        # RFC 4733 §2.5.1: one timestamp for all, the duration grows, the end is said thrice.
        end = key.sent >= key.length
        duration = min(key.sent, key.length) * FRAME
        payload = struct.pack("!BBH", key.event, (0x80 if end else 0) | _VOLUME, duration)
        assert self.telephone_event is not None  # press() has looked
        return RtpPacket(
            self.telephone_event, self._sequence, key.began, self._ssrc, payload, key.sent == 1
        )


def _tones(key: str, frames: int) -> bytes:
    row, column = divmod(_PAD.index(key), len(_COLUMNS))
    at = 2 * np.pi * np.arange(frames * FRAME) / 8000
    both = np.sin(at * _ROWS[row]) + np.sin(at * _COLUMNS[column])
    return ulaw_encode((both * _LOUD).astype(np.int16))
