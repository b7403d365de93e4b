"""What can be preferred, and whether now is an hour that somebody prefers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from ari_app.conversation.preferences import PREFERABLE

CHANNELS = ("voice", "sms")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")
_HOURS = re.compile(
    rf"(?:(?P<first>{'|'.join(_DAYS)})(?:-(?P<last>{'|'.join(_DAYS)}))? )?"
    r"(?P<start>[0-2][0-9]:[0-5][0-9])-(?P<end>[0-2][0-9]:[0-5][0-9]) (?P<zone>[A-Za-z0-9_+/-]+)"
)


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of day to another, on some days of the week; past midnight if it ends first."""

    days: frozenset[int]  # 0 is Monday: the day that it begins on
    start: time
    end: time
    zone: ZoneInfo

    def has(self, now: int) -> bool:
        """Whether this moment (UTC microseconds) is one of them."""
        local = datetime.fromtimestamp(now / 1_000_000, UTC).astimezone(self.zone)
        day, clock = local.weekday(), local.time()
        if self.start < self.end:
            return day in self.days and self.start <= clock < self.end
        yesterday = (day - 1) % 7
        return (day in self.days and clock >= self.start) or (
            yesterday in self.days and clock < self.end
        )


def read_hours(written: str) -> Hours:
    """The hours of `mon-fri 09:00-17:00 Europe/Paris`; ValueError says what they must be like."""
    found = _HOURS.fullmatch(written)
    if found is None:
        raise ValueError(f"hours are written like 'mon-fri 09:00-17:00 Europe/Paris': {written!r}")
    try:
        start, end = (time.fromisoformat(found[name]) for name in ("start", "end"))
        zone = ZoneInfo(found["zone"])
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"there is no such time of day, or no such zone: {written!r}") from None
    first = _DAYS.index(found["first"]) if found["first"] else 0
    last = _DAYS.index(found["last"]) if found["last"] else first if found["first"] else 6
    days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    return Hours(days, start, end, zone)


def good_hours(written: str | None, now: int) -> bool:
    """Whether now is an hour that is preferred; any is, if nothing is known, or it was erased."""
    try:
        return written is None or read_hours(written).has(now)
    except ValueError:
        return True


def check_preference(what: str, value: str) -> None:
    """ValueError unless this can be preferred."""
    if what not in PREFERABLE:
        raise ValueError(f"one can prefer {', '.join(PREFERABLE)}, but no {what!r}")
    if what == "hours":
        read_hours(value)
    elif what == "channel" and value not in CHANNELS:
        raise ValueError(f"a channel is {' or '.join(CHANNELS)}, not {value!r}")
    elif what == "language" and not _LANGUAGE.fullmatch(value):
        raise ValueError(f"a language is written like 'en' or 'pt-BR', not {value!r}")
