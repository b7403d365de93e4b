"""Words in one form, however they came: spoken, typed, with marks or without."""

from __future__ import annotations

import re

_NUMBERS = {
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "first": "1",
    "second": "2",
    "third": "3",
    "fourth": "4",
    "fifth": "5",
    "sixth": "6",
    "seventh": "7",
    "eighth": "8",
    "ninth": "9",
}
_CHOICE_GLUE = frozenset(
    "the number option please i want would like to take choose pick choice one yes ok okay "
    "and thanks thank you let me have i'll i'd id".split()
)
_ORDINALS = frozenset(word for word in _NUMBERS if word.endswith(("st", "nd", "rd", "th")))
_DIGITS = {w: d for w, d in _NUMBERS.items() if w not in _ORDINALS} | {"oh": "0", "o": "0"}
_TIMES = {"double": 2, "triple": 3}
_SHORT_ORDINAL = re.compile(r"([0-9]+)(?:st|nd|rd|th)")


def normalise(text: str) -> str:
    """Lower case, apostrophes kept, every other mark a space, single spaces."""
    return " ".join(
        re.findall(r"[\w']+", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    )


def choice(text: str, offered: frozenset[str]) -> str | None:
    """Which of the offered single digits the words name; None unless it is exactly one.

    "2", "two", "number 2 please", "the 2nd" and "the second one" all are choice 2; "two or three"
    is none.
    """
    named: set[str] = set()
    before = ""
    for word in normalise(text).split():
        short = _SHORT_ORDINAL.fullmatch(word)
        digit = short[1] if short else word if word.isdecimal() else _NUMBERS.get(word)
        pronoun = word == "one" and (before in _ORDINALS or _SHORT_ORDINAL.fullmatch(before))
        before = word
        if pronoun:  # "the second one"
            continue
        if digit is not None:
            named.add(digit)
        elif word not in _CHOICE_GLUE:
            return None
    return named.pop() if len(named) == 1 and named <= offered else None


def digits(text: str) -> str:
    """All digits that the words name, in order: "4 0 2", "four oh two", "double four", "40-21"."""
    found = []
    times = 1
    for word in normalise(text).split():
        if word in _TIMES:
            times = _TIMES[word]
            continue
        digit = word if word.isdecimal() and word.isascii() else _DIGITS.get(word, "")
        found.append(digit * times if len(digit) == 1 else digit)
        times = 1
    return "".join(found)
