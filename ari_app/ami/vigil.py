"""Whether the application is dead, from one sign after the other; no I/O, time as an argument."""

from __future__ import annotations

from enum import Enum

#: Signs in a row that are needed: one alone may be a moment's trouble of the network.
_LEAST = 3


class Sign(Enum):
    """What one look at the application has shown."""

    ALIVE = "alive"  # it answered
    SILENT = "silent"  # something is there, but does not answer
    GONE = "gone"  # nobody listens


class Vigil:
    """Dead is what was GONE for `grace` seconds, or has not been ALIVE for `hang` seconds.

    Times are monotonic seconds.
    """

    def __init__(self, grace: float, hang: float) -> None:
        self._grace = grace
        self._hang = hang
        self._gone = _Run()
        self._quiet = _Run()

    def saw(self, sign: Sign, now: float) -> bool:
        """Take one more sign; whether the application is dead."""
        self._gone.take(sign is Sign.GONE, now)
        self._quiet.take(sign is not Sign.ALIVE, now)
        return self._gone.lasts(self._grace, now) or self._quiet.lasts(self._hang, now)

    def begin_anew(self) -> None:
        """Forget all signs: a pause of whoever watches says nothing about the application."""
        self._gone.end()
        self._quiet.end()


class _Run:
    """The same thing time after time."""

    def __init__(self) -> None:
        self._since = 0.0
        self._times = 0

    def take(self, again: bool, now: float) -> None:
        if not again:
            self.end()
            return
        if not self._times:
            self._since = now
        self._times += 1

    def end(self) -> None:
        self._times = 0

    def lasts(self, seconds: float, now: float) -> bool:
        return self._times >= _LEAST and now - self._since >= seconds
