"""What a text says about texts: STOP, START, YES or HELP, or in words of one's own."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ari_app.errors import SettingsError

# Longer than any word with its marks; what is longer is not looked at as one.
_LONGEST_WORD = 120
# A pattern looks at so many characters, however long a text of many parts is.
_LONGEST_LOOKED_AT = 1000
_MOST_WORDS = 10
# Letters that have no decomposition into a plain one and a mark.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"}
)
# The number that the word is to be sent to, written behind it: "STOP au 36111".
_SHORT_CODE = re.compile(r"(?:au )?[0-9]{5,6}")
_APOSTROPHES = "'`\N{RIGHT SINGLE QUOTATION MARK}"
_MARKS = frozenset({"Mn", "Mc", "Me", "Cf"})
_KEYS = frozenset("stop start yes help revokes answers".split())


class Says(Enum):
    """What a whole message says."""

    STOP = "stop"
    START = "start"
    YES = "yes"  #: start, if the person has opted out; else an answer like any other
    HELP = "help"
    REVOKES = "revokes"  #: no word of a list, but it reads as if no more texts were wanted


class Answer(Enum):
    """The fixed answers; each language has all of them, or none."""

    STOPPED = "stopped"
    STARTED = "started"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Said:
    """Which word or pattern of which language it was."""

    says: Says
    word: str
    language: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of all languages; `answers` by language and kind, with {brand} and {contact}."""

    words: Mapping[str, Said]
    patterns: tuple[tuple[re.Pattern[str], Said], ...]
    answers: Mapping[tuple[str, Answer], str]

    def read(self, body: str) -> Said | None:
        """What the whole message says, or None: it is a text like any other."""
        if len(body) <= _LONGEST_WORD:
            said = self._word(normalise(body))
            if said is not None:
                return said
        plain = normalise(body[:_LONGEST_LOOKED_AT])
        return next((said for pattern, said in self.patterns if pattern.search(plain)), None)

    def answer(self, kind: Answer, language: str, brand: str, contact: str) -> str:
        """The wording in that language, else in English."""
        template = self.answers.get((language, kind)) or self.answers["en", kind]
        text = template.replace("{brand}", brand).replace("{contact}", contact)
        return " ".join(text.split())

    def _word(self, plain: str) -> Said | None:
        found = self.words.get(plain.replace(" ", ""))
        if found is not None or " " not in plain:
            return found
        first, rest = plain.split(" ", 1)
        said = self.words.get(first)
        if said is None:
            return None
        if said.says is Says.STOP and _SHORT_CODE.fullmatch(rest):
            return said
        others = rest.split(" ")
        same = len(others) < _MOST_WORDS and all(
            (other := self.words.get(word)) is not None and other.says is said.says
            for word in others
        )
        return said if same else None


def normalise(text: str) -> str:
    """No case, accents, marks or emoji; single spaces. Apostrophes go without a space."""
    # Full-width capitals have no lower case before they are taken apart.
    folded = _without_marks(_without_marks(text).casefold())
    kept = [c if c.isalnum() else "" if c in _APOSTROPHES else " " for c in folded]
    return " ".join("".join(kept).split())


def _without_marks(text: str) -> str:
    # Also without what is not seen at all: joiners, direction marks, soft hyphens.
    apart = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    return "".join([c for c in apart if unicodedata.category(c) not in _MARKS])


def read_vocabulary(text: str, where: str, extra: Iterable[str] = ()) -> Vocabulary:
    """From TOML, a table for each language; `extra` are further words for STOP.

    SettingsError names the place in `where`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where} is not TOML: {error}") from None
    words: dict[str, Said] = {}
    patterns: list[tuple[re.Pattern[str], Said]] = []
    answers: dict[tuple[str, Answer], str] = {}
    for language, table in document.items():
        _check(language, table, where)
        for says in (Says.STOP, Says.START, Says.YES, Says.HELP):
            _add(words, says, language, table.get(says.value, []), where)
        patterns += _patterns(language, table.get("revokes", []), where)
        answers |= _answers(language, table.get("answers", {}), where)
    _add(words, Says.STOP, "site", extra, "[sending] stop_words")
    if ("en", Answer.STOPPED) not in answers:
        raise SettingsError(f"{where}: [en.answers] is missing: it is what other languages fall to")
    return Vocabulary(words, tuple(patterns), answers)


def _check(language: str, table: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise SettingsError(f"{where}: {language} is not a language's table: write [{language}]")
    unknown = sorted(table.keys() - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise SettingsError(f"{where}: [{language}] has {unknown[0]!r}; known are {known}")
    for key in _KEYS - {"answers"}:
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            raise SettingsError(f"{where}: [{language}] {key} is not a list of words")


def _add(
    words: dict[str, Said], says: Says, language: str, written: Iterable[str], where: str
) -> None:
    for word in written:
        plain = normalise(word).replace(" ", "")
        if not plain or len(word) > _LONGEST_WORD:
            raise SettingsError(f"{where}: {word!r} is not a word")
        before = words.setdefault(plain, Said(says, word, language))
        if before.says is not says:
            raise SettingsError(
                f"{where}: {word!r} is in two lists, {before.says.value} and {says.value}"
            )


def _patterns(
    language: str, written: list[str], where: str
) -> Iterable[tuple[re.Pattern[str], Said]]:
    for number, text in enumerate(written, start=1):
        try:
            pattern = re.compile(rf"\b(?:{_without_marks(text)})\b")
        except re.error as error:
            raise SettingsError(f"{where}: [{language}] revokes: {text!r}: {error}") from None
        yield pattern, Said(Says.REVOKES, f"pattern {number}", language)


def _answers(language: str, table: Any, where: str) -> dict[tuple[str, Answer], str]:
    if not table:
        return {}
    wanted = {answer.value for answer in Answer}
    if not isinstance(table, dict) or table.keys() != wanted:
        raise SettingsError(f"{where}: [{language}.answers] needs {', '.join(sorted(wanted))}")
    if not all(isinstance(text, str) and text for text in table.values()):
        raise SettingsError(f"{where}: [{language}.answers] holds what is not a text")
    return {(language, answer): table[answer.value] for answer in Answer}
