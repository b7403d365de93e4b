"""Pure. When to try again what has failed: alone, or on behalf of many."""

from __future__ import annotations

from enum import Enum


class BackOff:
    """Pauses between the lives of one thing; every figure is in seconds.

    The pause doubles from `first` to `longest` with each short life; a life of `steady` or more
    is a new start.
    """

    def __init__(self, first: float, longest: float, steady: float) -> None:
        if not 0 < first <= longest or steady <= 0:
            raise ValueError(f"pauses from {first} to {longest} s, steady after {steady} s")
        self._first = first
        self._longest = longest
        self._steady = steady
        self._next = first

    def ended(self, lived: float) -> float:
        """How long to pause after a life of so many seconds."""
        if lived >= self._steady:
            self._next = self._first
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause


class Circuit(Enum):
    """Whether a remote part is asked."""

    CLOSED = "closed"  # everybody may ask
    OPEN = "open"  # nobody may: it has failed too often
    HALF_OPEN = "half_open"  # one probe is on its way


class Breaker:
    """Spares a remote part that fails, and those who would wait for it.

    `failures` in a row open it. After a pause one probe may go; its success closes the circuit,
    its failure opens it for a pause twice as long. Times are monotonic seconds.
    """

    def __init__(self, failures: int, first: float, longest: float) -> None:
        if failures < 1 or not 0 < first <= longest:
            raise ValueError(f"{failures} failures, pauses from {first} to {longest} s")
        self._most = failures
        self._first = first
        self._longest = longest
        self._failures = 0
        self._pause = first
        self.state = Circuit.CLOSED
        self.probe_at = 0.0  # when the next probe may go, while it is open

    def failed(self, now: float) -> bool:
        """Something failed that had been let through; whether that has opened the circuit."""
        if self.state is not Circuit.CLOSED:
            return False  # it was on its way when the circuit opened
        self._failures += 1
        if self._failures < self._most:
            return False
        self._open(now)
        return True

    def succeeded(self) -> None:
        """Something worked; while the circuit is not closed, only the probe's word counts."""
        if self.state is Circuit.CLOSED:
            self._failures = 0

    def take_probe(self, now: float) -> bool:
        """Whether the caller may probe now, and nobody else does."""
        if self.state is not Circuit.OPEN or now < self.probe_at:
            return False
        self.state = Circuit.HALF_OPEN
        return True

    def probed(self, worked: bool, now: float) -> None:
        """What became of the probe."""
        if self.state is not Circuit.HALF_OPEN:
            return
        if worked:
            self.state = Circuit.CLOSED
            self._failures = 0
            self._pause = self._first
        else:
            self._open(now)

    def trip(self, now: float) -> None:
        """Open it now, whatever came before."""
        if self.state is Circuit.CLOSED:
            self._open(now)

    def _open(self, now: float) -> None:
        self.state = Circuit.OPEN
        self.probe_at = now + self._pause
        self._pause = min(self._pause * 2, self._longest)
