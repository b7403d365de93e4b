"""What a language must know to be spoken: one class each, registered in `languages.py`."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import ClassVar

#: Numbers from here on are said digit by digit.
MOST = 10**15
_GROUP = 3  # characters of a code before a breath


@dataclass(frozen=True, slots=True)
class Currency:
    """How money is called: the unit and its hundredth, one of them and several."""

    one: str
    many: str
    cent: str
    cents: str
    feminine: bool = False


class Language(ABC):
    """Values of the right type come in, words come out; none of it raises for a valid value."""

    tag: ClassVar[str]
    one_moment: ClassVar[str]  # to somebody who waits for an answer
    currency: ClassVar[str]  # ISO 4217, of an amount that names none
    currencies: ClassVar[Mapping[str, Currency]]
    point: ClassVar[str]  # between whole and decimals
    minus: ClassVar[str]
    #: What a character is called: digits, letters in lower case, marks.
    names: ClassVar[Mapping[str, str]]
    #: A word for each letter, and how it is told: "{letter} as in {word}".
    words: ClassVar[Mapping[str, str]]
    as_in: ClassVar[str]
    accented: ClassVar[str]  # "{letter} with an accent"
    #: Words that may stand before a time of day and are part of what `clock` says.
    time_articles: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def whole(self, value: int) -> str:
        """A whole number below MOST, not negative, as it is counted."""

    @abstractmethod
    def ordinal(self, value: int) -> str:
        """The place in a row, from 1 on."""

    @abstractmethod
    def day(self, day: date) -> str:
        """Weekday, day and month."""

    @abstractmethod
    def year(self, year: int) -> str:
        """A year, as people say it."""

    @abstractmethod
    def full_date(self, day: date) -> str:
        """`day` with its year."""

    @abstractmethod
    def clock(self, at: time) -> str:
        """A time of day; seconds are left out."""

    @abstractmethod
    def moment(self, day: date, at: time) -> str:
        """A day and a time of it."""

    @abstractmethod
    def money(self, amount: Decimal, currency: str) -> str:
        """An amount of a currency (ISO 4217), rounded to its hundredth."""

    def number(self, value: Decimal) -> str:
        """Any number; decimals one by one."""
        sign = f"{self.minus} " if value < 0 else ""
        whole, _, decimals = f"{abs(value):f}".partition(".")
        said = self.whole(int(whole)) if int(whole) < MOST else self.digits(whole)
        tail = f" {self.point} {self._one_by_one(decimals)}" if decimals else ""
        return sign + said + tail

    def digits(self, text: str) -> str:
        """Digits one by one, a breath after every third if there are more than four."""
        return self._in_groups([self.names[c] for c in text if c in "0123456789"])

    def spell(self, text: str) -> str:
        """Letter by letter; nothing but spaces is left out."""
        return self._in_groups([self.character(c) for c in text if not c.isspace()])

    def phonetic(self, text: str) -> str:
        """Letter by letter, each with a word that begins with it."""
        return ", ".join(self._with_word(c) for c in text if not c.isspace())

    def phone(self, grouped: str) -> str:
        """A number that is written in groups, such as +1 202-555-0100."""
        plus = f"{self.names['+']} " if grouped.startswith("+") else ""
        groups = "".join(c if c.isdigit() else " " for c in grouped).split()
        return plus + ", ".join(self._one_by_one(group) for group in groups)

    def character(self, character: str) -> str:
        """What one character is called; its Unicode name if the language has no word for it."""
        lower = character.lower()
        if lower in self.names:
            return self.names[lower]
        plain = unicodedata.normalize("NFKD", lower)[:1]
        if plain != lower and plain in self.names:
            called = self.names[plain]
            return self.accented.format(letter=called) if plain.isalpha() else called
        return unicodedata.name(character, "").lower()

    def _with_word(self, character: str) -> str:
        word = self.words.get(character.lower())
        if word is None:
            return self.character(character)
        return self.as_in.format(letter=self.character(character), word=word)

    def _one_by_one(self, digits: str) -> str:
        return " ".join(self.names[d] for d in digits)

    @staticmethod
    def _in_groups(words: list[str]) -> str:
        if len(words) <= _GROUP + 1:
            return " ".join(words)
        groups = (words[i : i + _GROUP] for i in range(0, len(words), _GROUP))
        return ", ".join(" ".join(group) for group in groups)
