"""Pure. How much of what is claimed one carrier may have, and when the rest is to come again."""

from __future__ import annotations

import math

_HALF_LIFE = 10.0  # seconds after which an answer counts half
_LONGEST = 60.0  # seconds, also for the last of a long queue


class Share:
    """The texts that one carrier has in hand, and how fast it answers them.

    What is beyond its share is turned away, each for as long as the carrier needs for those before
    it: so a carrier that is slow, or says nothing, costs the others neither claims nor writes.
    `now` is in seconds of any steady clock.
    """

    def __init__(self, most: int, *, slowest: float = 1.0) -> None:
        """`most` is how many texts it may have in hand; `slowest`, in answers a second, is what is
        hoped for while it gives none.
        """
        self._most = most
        self._slowest = slowest
        self._inside = 0
        self._answers = 0.0  # faded
        self._at = 0.0
        self._next = 0.0  # when the next one that is turned away is to come

    @property
    def room(self) -> int:
        """How many more it may be given."""
        return max(0, self._most - self._inside)

    def give(self, texts: int) -> None:
        """It has so many more."""
        self._inside += texts

    def answered(self, texts: int, now: float) -> None:
        """It has said what became of so many."""
        self._inside -= texts
        self._fade(now)
        self._answers += texts

    def turned_away(self, now: float) -> float:
        """In how many seconds one more text is to come again."""
        self._fade(now)
        rate = max(self._slowest, self._answers * math.log(2) / _HALF_LIFE)
        # Before its hands are empty.
        soonest = now + self._inside / rate / 2
        self._next = min(max(self._next, soonest) + 1 / rate, now + _LONGEST)
        return self._next - now

    def _fade(self, now: float) -> None:
        self._answers *= 0.5 ** (max(0.0, now - self._at) / _HALF_LIFE)
        self._at = max(self._at, now)
