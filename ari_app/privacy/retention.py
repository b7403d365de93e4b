"""
How long what is kept: pure decisions about keys by their period.

A key is for one owner, one data class and one period. In the next period the same owner gets
another key, although the first is still there to read with: so the past can be shredded while
the present goes on. A period is `period_days` long (90 by default), or as long as the window of
its class if that is shorter, counted from 1970 so that every process has the same ones.

A key is due when its window has passed since its period ended. Nothing is shredded before its
window has passed, and nothing is kept longer than window + period.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ari_app.privacy.ports import KeyFacts, Period

DAY = 24 * 3600 * 1_000_000

#: The class of what is made of all others: kept no longer than the shortest of them, and gone as
#: soon as any key of its owner goes, since it may hold what that key has sealed.
SNAPSHOTS = "snapshots"
#: The class of the keys of recordings. No snapshot holds any sound.
RECORDINGS = "recordings"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The windows in days by data class, and the longest period."""

    windows: Mapping[str, int]
    period_days: int = 90
    _lengths: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, days in {**self.windows, "a period": self.period_days}.items():
            if days < 1:
                raise ValueError(f"{name} must be kept for one day or more, not {days}")
        others = [days for name, days in self.windows.items() if name != RECORDINGS]
        shortest = min(others, default=self.period_days)
        object.__setattr__(self, "windows", {SNAPSHOTS: shortest, **self.windows})
        lengths = {c: min(days, self.period_days) * DAY for c, days in self.windows.items()}
        object.__setattr__(self, "_lengths", lengths)

    def period(self, data_class: str, at: int) -> Period:
        """The period that a text sealed at this time belongs to."""
        length = self._lengths.get(data_class)
        if length is None:
            raise ValueError(f"no retention window is set for {data_class!r}")
        begins = at - at % length
        return Period(begins, begins + length)

    def due_at(self, key: KeyFacts) -> int | None:
        """When the key is to be shredded; None: its class has no window, so a person decides."""
        days = self.windows.get(key.data_class)
        return None if days is None else key.ends + days * DAY


def due(
    keys: Iterable[KeyFacts], schedule: Schedule, now: int, held: Collection[str]
) -> list[KeyFacts]:
    """The keys to shred now."""
    keys = list(keys)
    late = [key for key in keys if _is_due(key, schedule, now) and key.owner not in held]
    owners = {key.owner for key in late}
    also = [key for key in keys if key.data_class == SNAPSHOTS and key.owner in owners]
    return list(dict.fromkeys(late + also))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run would do to one data class, in keys."""

    due: int = 0
    held: int = 0  # due, but under legal hold
    kept: int = 0


def tally(
    keys: Iterable[KeyFacts], schedule: Schedule, now: int, held: Collection[str]
) -> dict[str, Tally]:
    """The dry run: by data class, how many keys `due` would name."""
    counts: dict[str, list[int]] = {}
    keys = list(keys)
    going = set(due(keys, schedule, now, held))
    for key in keys:
        column = 0 if key in going else 1 if _is_due(key, schedule, now) else 2
        counts.setdefault(key.data_class, [0, 0, 0])[column] += 1
    return {data_class: Tally(*row) for data_class, row in sorted(counts.items())}


def _is_due(key: KeyFacts, schedule: Schedule, now: int) -> bool:
    at = schedule.due_at(key)
    return at is not None and at <= now
