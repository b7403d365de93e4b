"""Pure. How loud the caller is, and what is too quiet to be the caller: a room, or our own echo."""

from __future__ import annotations

import math
from collections import deque

_UNKNOWN = -32.0  # dBFS of a caller who has not spoken
_QUIETEST, _LOUDEST = -38.0, -8.0
_RISE, _MOST = 0.25, 6.0  # of the difference, dB a frame
_FALL = 0.02  # dB a frame of voice that is quieter
_PATIENCE = 150  # frames without the caller: the next to speak may be somebody softer...
_FORGET = 0.04  # ...dB a frame

_RANGE = 26.0  # dB from the caller's loud sounds to the softest that count
_SURELY = 12.0  # dB below the loud ones: what is above is the caller, not the room
_PAUSE = 5  # frames below that, then the room is heard
_FOLLOW = 0.1  # the step to the room's level, per frame
_ABOVE_ROOM = 8.0  # dB: people in a room are louder and softer than their mean
_BELOW_CALLER = 8.0  # dB: a loud room leaves the caller at least this

_DELAY = 13  # frames until our own voice is back: a handset's, and a network's
_SILENT = -60.0  # dBFS: what we play is silence
_FIRST_LOSS = 16.0  # dB that an echo is quieter than what we play, until we know
_LEAST_LOSS, _MOST_LOSS = 6.0, 50.0
_LEARN, _UNLEARN = 0.2, 1.0  # dB a frame
_ABOVE_ECHO = 3.0  # dB


class CallerLevel:
    """Levels in dBFS, frame by frame of 20 ms."""

    def __init__(self) -> None:
        self._caller = _UNKNOWN
        self._room = -70.0
        self._quiet = _PAUSE  # frames since what was surely the caller
        self._played: deque[float] = deque(maxlen=_DELAY)
        self._loss = _FIRST_LOSS

    def played(self, level: float) -> None:
        """What leaves our side in these 20 ms."""
        self._played.append(level)

    def enough(self, level: float) -> bool:
        """Whether a frame of this level may be the caller."""
        surely = self._caller - _SURELY
        self._quiet = 0 if level > surely else self._quiet + 1
        if self._quiet > _PAUSE:
            self._room += _FOLLOW * (level - self._room)
        if self._quiet > _PATIENCE and self._caller > _UNKNOWN:
            self._caller -= _FORGET
        room = min(self._room + _ABOVE_ROOM, self._caller - _BELOW_CALLER)
        return level > max(self._caller - _RANGE, room, self._echo(level))

    def spoke(self, level: float) -> None:
        """A frame of the caller's voice."""
        louder = level - self._caller
        change = _RISE * min(louder, _MOST) if louder > 0 else -_FALL
        self._caller = min(max(self._caller + change, _QUIETEST), _LOUDEST)

    def _echo(self, level: float) -> float:
        """The loudest that our own voice may come back as."""
        loudest = max(self._played, default=_SILENT)
        if loudest <= _SILENT:
            return -math.inf
        loss = loudest - level
        if loss > self._loss:
            self._loss = min(self._loss + _LEARN, _MOST_LOSS)
        elif loss > _LEAST_LOSS:
            self._loss -= min(_UNLEARN, self._loss - loss)
        return loudest - self._loss + _ABOVE_ECHO
