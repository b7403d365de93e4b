"""Pure. Whether the event stream still brings events, from what it brought and `now`.

A link can die without a word: a cable is cut, Asterisk is frozen, or it lives and sends its events
elsewhere. So a sign of life, which must come back as an event, is asked for twice in each
`patience`; without any event for that long, the stream is dead.
"""

from __future__ import annotations

from enum import Enum

#: Seconds between two looks after which it was we who were away, not Asterisk: whatever came
#: meanwhile has not been read yet.
_WE_WERE_AWAY = 1.0


class Beat(Enum):
    """What to do now."""

    WAIT = "wait"
    ASK = "ask"  #: ask for a sign of life
    DEAD = "dead"  #: link anew


class Pulse:
    """One connection's; `now` is monotonic, in seconds."""

    def __init__(self, patience: float, now: float) -> None:
        """`patience`: seconds without any event after which the stream is dead."""
        self._patience = patience
        self._heard = self._asked = self._looked = now

    def heard(self, now: float) -> None:
        """An event came."""
        self._heard = now

    def look(self, now: float) -> Beat:
        """Look several times in each `patience`, and do what it says."""
        away, self._looked = now - self._looked, now
        if away > _WE_WERE_AWAY:
            self._heard += away
            self._asked += away
        if now - self._heard >= self._patience:
            return Beat.DEAD
        if now - self._asked >= self._patience / 2:
            self._asked = now
            return Beat.ASK
        return Beat.WAIT
