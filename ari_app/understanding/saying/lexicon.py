"""Words that a voice says wrongly, and how to write them so that it says them right."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

_MOST = 5000  # entries
_LONGEST = 200  # characters of a word, and of what is said for it


class Lexicon:
    """Whole words or phrases of one language, in any case; the longest one counts."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._said = {word.casefold(): said for word, said in entries.items()}
        longest_first = sorted(self._said, key=len, reverse=True)
        words = "|".join(map(re.escape, longest_first))
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None

    def apply(self, text: str) -> str:
        """The text with its words as they are to be said; what was put in is not looked up."""
        if self._words is None:
            return text
        return self._words.sub(lambda word: self._said.get(word[0].casefold(), word[0]), text)


def read_lexicons(text: str) -> dict[str, Lexicon]:
    """A TOML text with a table for each language, `word = "as it is said"`; ValueError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"it is not TOML: {error}") from None
    return {language.lower(): Lexicon(_entries(language, t)) for language, t in document.items()}


def _entries(language: str, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ValueError(f"{language!r} is no table: begin with [en]")
    if len(table) > _MOST:
        raise ValueError(f"[{language}] has {len(table)} words, more than {_MOST}")
    for word, said in table.items():
        if not isinstance(said, str):
            raise ValueError(f"[{language}] {word!r} must be a text, not {said!r}")
        if not word.strip() or max(len(word), len(said)) > _LONGEST:
            raise ValueError(
                f"[{language}] {word!r} is empty, or longer than {_LONGEST} characters"
            )
    return table
