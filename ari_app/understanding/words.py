"""Words in one form, however they came: spoken, typed, with marks or without."""

from __future__ import annotations

import re
import unicodedata

from ari_app.understanding.languages import language as _language

_SHORT_ORDINAL = re.compile(r"([0-9]+)(?:st|nd|rd|th|[ºª])")


def normalise(text: str) -> str:
    """Lower case, apostrophes kept, every other mark a space, single spaces."""
    return " ".join(
        re.findall(r"[\w']+", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    )


def plain(text: str) -> str:
    """The normal form without accents, as the words of languages.py are written."""
    marked = unicodedata.normalize("NFD", normalise(text))
    return "".join(mark for mark in marked if not unicodedata.combining(mark))


def choice(text: str, offered: frozenset[str], language: str = "en") -> str | None:
    """Which of the offered single digits the words name; None unless it is exactly one.

    "2", "two", "number 2 please", "the 2nd" and "the second one" all are choice 2; "two or three"
    is none.
    """
    spoken = _language(language)
    named: set[str] = set()
    before = ""
    for word in normalise(text).split():
        short = _SHORT_ORDINAL.fullmatch(word)
        word = plain(word)
        number = spoken.ordinals.get(word, spoken.numbers.get(word))
        digit = short[1] if short else word if word.isdecimal() else None
        if digit is None and number is not None and number < 10:
            digit = str(number)
        pronoun = word == spoken.pronoun and (
            before in spoken.ordinals or _SHORT_ORDINAL.fullmatch(before)
        )
        before = word
        if pronoun:  # "the second one"
            continue
        if digit is not None:
            named.add(digit)
        elif word not in spoken.choice_glue:
            return None
    return named.pop() if len(named) == 1 and named <= offered else None


def digits(text: str, language: str = "en") -> str:
    """All digits that the words name, in order: "4 0 2", "four oh two", "double four", "40-21"."""
    spoken = _language(language)
    found = []
    times = 1
    for word in plain(text).split():
        if word in spoken.times:
            times = spoken.times[word]
            continue
        digit = word if word.isdecimal() and word.isascii() else _digit(word, language)
        found.append(digit * times if len(digit) == 1 else digit)
        times = 1
    return "".join(found)


def _digit(word: str, language: str) -> str:
    spoken = _language(language)
    if word in spoken.nought:
        return "0"
    number = spoken.numbers.get(word, 10)
    return str(number) if number < 10 else ""
