"""The times of schedule_delivery_time, validity_period and final_date (§7.1.1), both ways.

`YYMMDDhhmmsstnnp`: sixteen digits and a sign. With `+` or `-` it is local time, tenths of a second
and how many quarter hours that is ahead of or behind UTC; with `R` it is how much later than the
SMSC's clock.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from smpp.errors import LocalProtocolError

_FORMAT = re.compile(r"[0-9]{15}[+\-R]")
_QUARTER = timedelta(minutes=15)
_MOST_QUARTERS = 48  # §7.1.1: 00 to 48, so +13:00 and +14:00 have no place
_FARTHEST_QUARTERS = 56  # ...and are seen nevertheless
_LONGEST = timedelta(days=32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """How much later than the SMSC's clock; months are calendar months."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0

    def after(self, now: datetime) -> datetime:
        """The moment meant, if it is `now` at the SMSC; the 31st becomes the month's last day.

        OverflowError or ValueError only where `now` is at the end of all calendars.
        """
        months = now.month - 1 + self.months
        year, month = now.year + self.years + months // 12, months % 12 + 1
        day = min(now.day, monthrange(year, month)[1])
        return now.replace(year=year, month=month, day=day) + timedelta(
            days=self.days, hours=self.hours, minutes=self.minutes, seconds=self.seconds
        )

    def __str__(self) -> str:
        """The octets of it."""
        fields = (self.years, self.months, self.days, self.hours, self.minutes, self.seconds)
        if not all(0 <= field <= 99 for field in fields):
            raise LocalProtocolError("each field of a relative time has two digits")
        return "".join(f"{field:02}" for field in fields) + "000R"


def absolute(at: datetime) -> str:
    """The octets of a moment; LocalProtocolError unless it has a zone and a year from 2000 to 2099.

    Tenths are cut. The offset is kept where it has whole quarter hours up to 12 hours; any other
    moment is told in UTC.
    """
    offset = at.utcoffset()
    if offset is None:
        raise LocalProtocolError("a time without a zone is no moment")
    _check_year(at)
    if offset % _QUARTER or abs(offset) > _MOST_QUARTERS * _QUARTER:
        at, offset = at.astimezone(UTC), timedelta(0)
        _check_year(at)
    sign = "-" if offset < timedelta(0) else "+"
    tenths, quarters = at.microsecond // 100_000, abs(offset) // _QUARTER
    return f"{at:%y%m%d%H%M%S}{tenths}{quarters:02}{sign}"


def _check_year(at: datetime) -> None:
    if not 2000 <= at.year <= 2099:
        raise LocalProtocolError("a year has two digits: 2000 to 2099")


def relative(span: timedelta) -> str:
    """The octets of a span, rounded up to a second; LocalProtocolError unless above 0, below 32 d.

    A longer one would need months, which are not all equally long: say `absolute` then, or a
    `Relative`.
    """
    seconds = -(-span // timedelta(seconds=1))
    if not timedelta(0) < timedelta(seconds=seconds) < _LONGEST:
        raise LocalProtocolError("a relative time is above 0 and below 32 days")
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return str(Relative(days=days, hours=hours, minutes=minutes, seconds=seconds))


def read(written: str) -> datetime | Relative | None:
    """What a peer wrote; None for "", ValueError for what is no time."""
    if not written:
        return None
    if not _FORMAT.fullmatch(written):
        raise ValueError("a time has 15 digits and +, - or R")
    year, month, day, hour, minute, second = (int(written[i : i + 2]) for i in range(0, 12, 2))
    if written[-1] == "R":
        return Relative(
            years=year, months=month, days=day, hours=hour, minutes=minute, seconds=second
        )
    quarters = int(written[13:15])
    if quarters > _FARTHEST_QUARTERS:
        raise ValueError("no clock is more than 14 hours from UTC")
    offset = quarters * _QUARTER * (-1 if written[-1] == "-" else 1)
    tenths = int(written[12])
    zone = timezone(offset)
    return datetime(2000 + year, month, day, hour, minute, second, tenths * 100_000, zone)


def due(written: str, now: datetime) -> datetime | None:
    """The moment that a peer meant, if it is `now` at the SMSC; None for "".

    ValueError for what is no time.
    """
    time = read(written)
    return time.after(now) if isinstance(time, Relative) else time
