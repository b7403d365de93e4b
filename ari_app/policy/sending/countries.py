"""Which hours each country has for texts that are not asked for, read from one TOML text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from ari_app.errors import SettingsError
from ari_app.policy.sending.hours import Hours, Opening

#: The country of those that the file does not name.
DEFAULT = "default"
_COUNTRY = re.compile(r"[A-Z]{2}|001|default")
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_DATE = re.compile(r"(0[1-9]|1[0-2])-([0-2][0-9]|3[01])")
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_KEYS = frozenset({"open", "holiday", "holidays", "easter", *_DAYS})


def read_countries(text: str, where: str) -> Mapping[str, Hours]:
    """Hours by ISO 3166 country, `default` for all others; SettingsError names the place."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where} is not TOML: {error}") from None
    found = {}
    for country, table in document.items():
        if not _COUNTRY.fullmatch(country) or not isinstance(table, dict):
            raise SettingsError(f"{where}: {country!r} is no table of a country, such as [FR]")
        found[country] = _hours(table, f"{where}: [{country}]")
    if DEFAULT not in found:
        raise SettingsError(f"{where}: [default] is missing: the hours of all other countries")
    return found


def _hours(table: Mapping[str, Any], where: str) -> Hours:
    unknown = sorted(table.keys() - _KEYS)
    if unknown:
        raise SettingsError(f"{where} has {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    if "open" not in table:
        raise SettingsError(f'{where}: open is missing, such as open = "8:00-20:00"')
    every_day = table["open"]
    return Hours(
        week=tuple(_opening(table.get(day, every_day), where) for day in _DAYS),
        # Where nothing is said of holidays they are days like others.
        holiday=_opening(table.get("holiday", "closed"), where),
        fixed=frozenset(_date(day, where) for day in _list(table, "holidays", where)),
        easter=frozenset(_after_easter(days, where) for days in _list(table, "easter", where)),
    )


def _list(table: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = table.get(key, [])
    if not isinstance(found, list):
        raise SettingsError(f"{where} {key} is not a list")
    return found


def _opening(text: Any, where: str) -> Opening | None:
    if text == "closed":
        return None
    match = _TIMES.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[2]) > 59 or int(match[4]) > 59:
        raise SettingsError(f'{where}: {text!r} are no hours: write "8:00-20:00" or "closed"')
    try:
        return Opening(int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4]))
    except ValueError as error:
        raise SettingsError(f"{where}: {text!r}: {error}") from None


def _date(text: Any, where: str) -> tuple[int, int]:
    match = _DATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise SettingsError(f'{where}: {text!r} is no day of the year: write "12-25"')
    return int(match[1]), int(match[2])


def _after_easter(days: Any, where: str) -> int:
    if type(days) is not int or not -60 <= days <= 90:
        raise SettingsError(f"{where}: {days!r} is not how many days after Easter Sunday")
    return days
