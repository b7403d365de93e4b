"""Spoken and written dates: "the third of march", "el tres de marzo", "next friday"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from ari_app.understanding.languages import Language
from ari_app.understanding.numbers import cardinal, ordinal
from ari_app.understanding.words import plain

_ISO = re.compile(r"\s*([0-9]{4})-([0-9]{2})-([0-9]{2})\s*")
_SHORT_ORDINAL = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)")
_YEARS = range(1900, 2101)
_MOST_WORDS = 20


@dataclass(slots=True)
class _Parts:
    """What the words have named so far."""

    day: int | None = None
    month: int | None = None
    year: int | None = None
    weekday: int | None = None
    run: list[str] = field(default_factory=list)  # words of a number that is not over


def read_date(text: str, language: Language, today: date, *, past: bool = False) -> date | None:
    """The one day that is named, or None; without a year the next such day (`past`: the last).

    A day of the week alone is the next one, never today. One that does not fit the date beside it
    makes both doubtful: that is no date.
    """
    written = _ISO.fullmatch(text)
    if written is not None:
        return _day(*map(int, written.groups()))
    said = plain(text)
    if said in language.days:
        return _from(today, language.days[said])
    words = said.split()
    named = _name(words, language) if len(words) <= _MOST_WORDS else None
    return _resolve(named, today, past) if named else None


def say_date(day: date, language: Language) -> str:
    """The date as the language writes it, to be spoken."""
    month = language.month_names[day.month - 1]
    return language.date.format(day=day.day, month=month, year=day.year)


def _name(words: Sequence[str], language: Language) -> _Parts | None:
    parts = _Parts()
    for word in words:
        if word in language.months:
            if not _close(parts, language) or parts.month is not None:
                return None
            parts.month = language.months[word]
        elif word in language.weekdays:
            if not _close(parts, language) or parts.weekday is not None:
                return None
            parts.weekday = language.weekdays[word]
        elif _is_number(word, language) or (word == "y" and parts.run):
            parts.run.append(word)
        elif word not in language.date_glue:
            return None
    return parts if _close(parts, language) else None


def _is_number(word: str, language: Language) -> bool:
    known = (language.numbers, language.hundreds, language.scales, language.ordinals)
    return word[0].isdecimal() or any(word in words for words in known)


def _close(parts: _Parts, language: Language) -> bool:
    """Take the number that has been said: a day, a day and a year, or a year."""
    words, parts.run = parts.run, []
    if not words:
        return True
    if parts.day is not None:
        return _take_year(parts, words, language)
    # "Twenty third" before "twenty", if what is left is a year: "twenty, two thousand".
    for length in range(min(len(words), 3), 0, -1):
        day = _day_of_month(words[:length], language)
        if day is not None and _take_year(parts, words[length:], language):
            parts.day = day
            return True
    return False


def _take_year(parts: _Parts, words: Sequence[str], language: Language) -> bool:
    if words:
        year = _year(words, language)
        if year is None or parts.year is not None:
            return False
        parts.year = year
    return True


def _day_of_month(words: Sequence[str], language: Language) -> int | None:
    short = _SHORT_ORDINAL.fullmatch(words[0]) if len(words) == 1 else None
    number = int(short[1]) if short else ordinal(words, language)
    if number is None:
        number = cardinal(words, language)
    return number if number is not None and 1 <= number <= 31 else None


def _year(words: Sequence[str], language: Language) -> int | None:
    number = cardinal(words, language)
    if number is not None:
        return number if number in _YEARS else 2000 + number if number < 100 else None
    for at in range(1, len(words)):  # "twenty twenty six", "nineteen eighty"
        century, rest = cardinal(words[:at], language), cardinal(words[at:], language)
        if century in (19, 20) and rest is not None and 10 <= rest < 100:
            return century * 100 + rest
    return None


def _resolve(parts: _Parts, today: date, past: bool) -> date | None:
    if parts.month is None or parts.day is None:
        alone = parts.day is None and parts.month is None and parts.year is None
        if parts.weekday is None or not alone:
            return None
        if past:
            return _from(today, -((today.weekday() - parts.weekday - 1) % 7 + 1))
        return _from(today, (parts.weekday - today.weekday() - 1) % 7 + 1)
    if parts.year is not None:
        found = _day(parts.year, parts.month, parts.day)
    else:
        # 29 February is up to eight years away.
        years = range(today.year, today.year + (-9 if past else 9), -1 if past else 1)
        days = (_day(year, parts.month, parts.day) for year in years)
        found = next((d for d in days if d and (d <= today if past else d >= today)), None)
    if found is not None and parts.weekday not in (None, found.weekday()):
        return None
    return found


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _from(today: date, days: int) -> date | None:
    try:
        return today + timedelta(days=days)
    except OverflowError:
        return None
