"""Time that moves only when a test says so."""

from __future__ import annotations

#: 2026-11-20 12:00 UTC in microseconds.
NOON = 1_795_176_000_000_000
SECOND = 1_000_000
DAY = 24 * 3600.0


class FakeClock:
    """The port Clock; both kinds of time move together."""

    def __init__(self, now: int = NOON) -> None:
        self._now = now
        self._start = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return 1000.0 + (self._now - self._start) / SECOND

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * SECOND)
