"""How much may leave: counters of sliding windows, and what they say of one more text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_SECOND = 1_000_000
HOUR = 3600 * _SECOND
DAY = 24 * HOUR
# A window moves on in so many steps: what is counted leaves it up to a twelfth too late.
_STEPS = 12


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of each; 0: no limit. Digits are those of the number, country code first."""

    recipient_hour: int = 20
    recipient_day: int = 60
    conversation_day: int = 100
    prefix_hour: int = 1000
    prefix_digits: int = 6
    near_hour: int = 40  # different numbers with the same first digits
    near_digits: int = 9
    failure_share: float = 0.6
    failure_least: int = 30  # texts to a prefix in an hour, before their share means anything
    money_day: int = 0  # millionths of the currency of the prices
    help_hour: int = 3  # answers to HELP that one number gets

    def prefix(self, number: str) -> str:
        """The beginning of an E.164 number that is watched as one."""
        return number[1 : 1 + self.prefix_digits]

    def near(self, number: str) -> str:
        """What near numbers have in common; never so much that it is one number alone."""
        return number[1 : 1 + min(self.near_digits, len(number) - 2)]


#: A key, until when (µs UTC) it is counted under it, and how much.
Count: TypeAlias = tuple[str, int, int]


def leaves(now: int, span: int) -> int:
    """When what is counted now leaves a window of HOUR or DAY; many leave it together."""
    step = span // _STEPS
    return (now // step + 1) * step + span


class Counts:
    """What was counted and has not left its window, and what one transaction adds to that."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._windows: dict[str, dict[int, int]] = {}  # by key: what leaves when
        self._totals: dict[str, int] = {}
        self._added: dict[tuple[str, int], int] = {}
        self._leaves = {span: leaves(now, span) for span in (HOUR, DAY)}

    def learn(self, rows: Iterable[tuple[str, int, int]]) -> None:
        """What is in the table, each (key, until) once."""
        for key, until, value in rows:
            if until > self.now:
                self._windows.setdefault(key, {})[until] = value
                self._totals[key] = self._totals.get(key, 0) + value

    def total(self, key: str) -> int:
        """All that is in the window of the key."""
        return self._totals.get(key, 0)

    def last(self, key: str) -> int:
        """When the last of what is in the table leaves; 0 if there is nothing."""
        return max(self._windows.get(key, ()), default=0)

    def add(self, key: str, span: int, value: int = 1) -> None:
        """Count it for the `span` (HOUR or DAY) that begins now."""
        self._totals[key] = self._totals.get(key, 0) + value
        place = key, self._leaves[span]
        self._added[place] = self._added.get(place, 0) + value

    def room(self, key: str, most: int, value: int = 1) -> int | None:
        """None if `value` more fit under `most`; else when they will (µs UTC), 0: never."""
        over = self._totals.get(key, 0) + value - most
        if over <= 0:
            return None
        window = dict(self._windows.get(key, {}))
        for until in self._leaves.values():
            added = self._added.get((key, until), 0)
            if added:
                window[until] = window.get(until, 0) + added
        for until, leaving in sorted(window.items()):
            over -= leaving
            if over <= 0:
                return until
        return 0

    def rows(self) -> list[Count]:
        """What was added, in an order that is the same for everybody."""
        return [(key, until, value) for (key, until), value in sorted(self._added.items())]


def room_among(times: Iterable[int], now: int, span: int, most: int) -> int | None:
    """As `Counts.room` for one more beside these moments, each counted by itself."""
    within = sorted(at for at in times if at > now - span)
    if len(within) < most:
        return None
    return within[len(within) - most] + span
