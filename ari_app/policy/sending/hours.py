"""When a text may reach a handset: an hour that is allowed wherever its owner may be."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY_MINUTES = 24 * 60
_SECOND = 1_000_000
#: Nobody is asked to wait for longer: there is no common hour, then.
LONGEST_WAIT_DAYS = 14
# Every offset from UTC that is in use is a multiple of it.
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Opening:
    """From minute `start` to minute `end` of a local day, the end not included."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= _DAY_MINUTES:
            raise ValueError("hours begin before they end, between 0:00 and 24:00")


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a country: by weekday (Monday first), and on holidays; None: none that day."""

    week: tuple[Opening | None, ...]
    holiday: Opening | None = None
    fixed: frozenset[tuple[int, int]] = frozenset()  # (month, day) of every year
    easter: frozenset[int] = frozenset()  # days after Easter Sunday

    def of(self, day: date) -> Opening | None:
        """The hours of a local day."""
        if self.is_holiday(day):
            return self.holiday
        return self.week[day.weekday()]

    def is_holiday(self, day: date) -> bool:
        """Whether it is a holiday of the country."""
        return (day.month, day.day) in self.fixed or (
            bool(self.easter) and (day - easter_sunday(day.year)).days in self.easter
        )


def first_allowed(hours: Hours, zones: Sequence[ZoneInfo], now: int) -> int | None:
    """The first moment from `now` on (µs UTC) that is allowed in every zone; `now` if it is.

    None if there is no zone, or no such moment within LONGEST_WAIT_DAYS. In the hour that a clock
    repeats, hours that ended in its first turn stay ended.
    """
    moment = begin = datetime.fromtimestamp(now // _SECOND, UTC)
    end = begin + timedelta(days=LONGEST_WAIT_DAYS)
    while zones and moment <= end:
        latest = max(_next(hours, zone, moment, end) for zone in zones)
        if latest == moment:
            return now if moment == begin else int(moment.timestamp()) * _SECOND
        moment = latest
    return None


def _next(hours: Hours, zone: ZoneInfo, moment: datetime, end: datetime) -> datetime:
    """The first moment from this one on that is allowed in one zone; later than `end` if none."""
    local = moment.astimezone(zone)
    day, minute = local.date(), local.hour * 60 + local.minute
    while True:
        opening = hours.of(day)
        if opening is not None and minute < opening.end:
            if minute >= opening.start:
                return moment
            opens = _instant(day, opening, zone)
            if opens > moment:
                return opens
        if datetime.combine(day, time(), UTC) > end + timedelta(days=2):
            return end + timedelta(days=1)
        day, minute = day + timedelta(days=1), -1


def _instant(day: date, opening: Opening, zone: ZoneInfo) -> datetime:
    """When the hours of a local day begin."""
    local = datetime.combine(day, time(opening.start // 60, opening.start % 60), zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    # The clock is put forward over it: they begin with what follows the gap.
    before = found - _QUARTER
    while (at := before.astimezone(zone)).date() == day and (
        opening.start <= at.hour * 60 + at.minute < opening.end
    ):
        found, before = before, before - _QUARTER
    return found


@functools.lru_cache(maxsize=64)
def easter_sunday(year: int) -> date:
    """Of the Gregorian calendar (Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    l = (32 + 2 * e + 2 * i - h - k) % 7  # noqa: E741  as in the book
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)
