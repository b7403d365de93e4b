"""What the answer to a question may be, as phrases to listen for and as the value that is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from ari_app.understanding.dates import read_date, say_date
from ari_app.understanding.languages import Language
from ari_app.understanding.spelling import read_spelling
from ari_app.understanding.words import choice, digits, plain

#: What a recogniser hears instead of anything that is not expected.
UNKNOWN = "[unk]"
_MOST_PHRASES = 500  # that a recogniser takes
_NO_YEAR = date(2024, 1, 1)  # any day of a leap year: whether words are a date is no matter of when


class Kind(Enum):
    """What kind of thing is asked for."""

    YES_NO = "yes_no"
    DIGITS = "digits"
    DATE = "date"
    CHOICES = "choices"
    SPELLING = "spelling"
    PHRASES = "phrases"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a question expects; the rest of the language may be said all the same.

    `count` (fewest, most) is of digits or letters. `named` are the phrases of CHOICES and PHRASES,
    by the value that each stands for; a CHOICES also takes its values as numbers: "the second one".
    """

    kind: Kind
    count: tuple[int, int] = (1, 64)
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    past: bool = False  # a date without a year is the last such day, not the next


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `value` is `yes`, `no`, digits, letters, an ISO date, or what is named."""

    kind: Kind
    value: str
    complete: bool  # whether as much was said as is expected


def read_answer(expected: Expected, text: str, language: Language, today: date) -> Answer | None:
    """The answer in these words; None if they are none, or more than one."""
    match expected.kind:
        case Kind.YES_NO:
            value = _yes_no(text, language)
        case Kind.DIGITS:
            value = _digits(text, language)
        case Kind.DATE:
            day = read_date(text, language, today, past=expected.past)
            value = day.isoformat() if day else None
        case Kind.SPELLING:
            value = read_spelling(text, language)
        case Kind.CHOICES | Kind.PHRASES:
            value = _named(expected, text, language)
    if value is None:
        return None
    fewest, most = expected.count
    counted = expected.kind in (Kind.DIGITS, Kind.SPELLING)
    return Answer(expected.kind, value, not counted or fewest <= len(value) <= most)


def phrases(expected: Expected, language: Language) -> tuple[str, ...]:
    """What a recogniser should listen for; it may put the words of several phrases together."""
    match expected.kind:
        case Kind.YES_NO:
            found: Sequence[str] = (*language.yes, *language.no)
        case Kind.DIGITS:
            found = _digit_words(language)
        case Kind.DATE:
            found = _date_words(language)
        case Kind.SPELLING:
            found = (*language.letters, *_digit_words(language), *language.as_in)
        case Kind.CHOICES | Kind.PHRASES:
            found = [phrase for named in expected.named.values() for phrase in named]
            if expected.kind is Kind.CHOICES:
                found += _numbered(expected, language)
    return tuple(dict.fromkeys(p for p in found if p))[:_MOST_PHRASES]


def guided_answer(expected: Expected, text: str, language: Language, today: date) -> Answer | None:
    """The answer that a recogniser heard which listened for `phrases`; None if it heard another.

    Only whole answers count: who expects digits hears digits in anything that is said.
    """
    if not text or UNKNOWN in text.split():
        return None
    if expected.kind in (Kind.YES_NO, Kind.CHOICES, Kind.PHRASES):
        known = {plain(phrase) for phrase in phrases(expected, language)}
        if plain(text) not in known:
            return None
    answer = read_answer(expected, text, language, today)
    return answer if answer and answer.complete else None


def is_complete(expected: Expected, text: str, language: Language) -> bool:
    """Whether nothing has to follow these words."""
    answer = read_answer(expected, text, language, _NO_YEAR)
    return answer is not None and answer.complete


def say_answer(kind: Kind, value: str, language: Language) -> str:
    """The value as it is read back: digits and letters one by one, a date in words."""
    if kind in (Kind.DIGITS, Kind.SPELLING):
        return " ".join(value)
    if kind is Kind.DATE:
        return say_date(date.fromisoformat(value), language)
    return value


def _yes_no(text: str, language: Language) -> str | None:
    said = plain(text)
    if said in map(plain, language.yes):
        return "yes"
    return "no" if said in map(plain, language.no) else None


def _digits(text: str, language: Language) -> str | None:
    """Digits, and no word that is none of them."""
    for word in plain(text).split():
        if not digits(word, language.tag) and word not in language.times:
            return None
    return digits(text, language.tag) or None


def _named(expected: Expected, text: str, language: Language) -> str | None:
    said = plain(text)
    for value, names in expected.named.items():
        if said in map(plain, names):
            return value
    if expected.kind is Kind.CHOICES:
        return choice(text, frozenset(expected.named), language.tag)
    return None


def _digit_words(language: Language) -> tuple[str, ...]:
    units = [word for word, number in language.numbers.items() if number < 10]
    return (*units, *sorted(language.nought), *language.times)


def _date_words(language: Language) -> tuple[str, ...]:
    numbers = (*language.ordinals.items(), *language.numbers.items())
    days = [word for word, number in numbers if number > 0]
    return (
        *language.days,
        *language.weekdays,
        *language.months,
        *days,
        *language.scales,
        *sorted(language.date_glue),
    )


def _numbered(expected: Expected, language: Language) -> list[str]:
    """The numbers of the choices, alone and as ordinals."""
    wanted = {int(value) for value in expected.named if value.isascii() and value.isdecimal()}
    words = [w for w, n in (*language.numbers.items(), *language.ordinals.items()) if n in wanted]
    ordinals = [w for w, n in language.ordinals.items() if n in wanted and language.pronoun]
    return [*words, *(f"the {word} {language.pronoun}" for word in ordinals)]
