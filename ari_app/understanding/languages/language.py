"""What must be known of a language to understand numbers, dates, letters and commands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """Words are in plain form: lower case, no accents. `tag` is a primary subtag of BCP 47."""

    tag: str
    numbers: Mapping[str, int]  # 0 to 29 and the tens, each one word
    hundreds: Mapping[str, int]  # words that say a whole number of hundreds
    scales: Mapping[str, int]  # words that multiply what is before them: hundred, thousand
    ordinals: Mapping[str, int]  # first to thirty-first, as far as each is one word
    nought: frozenset[str]  # other words for the digit 0
    times: Mapping[str, int]  # double, triple
    months: Mapping[str, int]
    weekdays: Mapping[str, int]  # Monday is 0
    days: Mapping[str, int]  # phrases for a day from today: tomorrow is 1
    month_names: tuple[str, ...]  # as they are written
    date: str  # with {day}, {month} and {year}
    date_glue: frozenset[str]  # words in a date that change nothing
    letters: Mapping[str, str]  # names of letters and words of the phonetic alphabet
    as_in: tuple[str, ...]  # "b as in bravo"
    choice_glue: frozenset[str]  # words around a choice that change nothing
    pronoun: str  # "the second one": no number
    yes: tuple[str, ...]  # phrases that can be nothing else
    no: tuple[str, ...]
    commands: Mapping[str, tuple[str, ...]]  # by command: whole phrases
    courtesy: frozenset[str]  # words around a command that change nothing
    names: tuple[str, ...]  # what people call this language, in any language
    asks: tuple[str, ...]  # "in {language}": how another language is asked for
    markers: frozenset[str]  # frequent words that no other language of ours has
