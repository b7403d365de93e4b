"""Which language the words are in, by the frequent words of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ari_app.understanding.languages import LANGUAGES
from ari_app.understanding.words import plain

# Fewer words than these may be a name, or one word that was heard wrong.
_FEWEST = 2
_SHARE = 0.3  # of all words


@dataclass(frozen=True, slots=True)
class Identified:
    """The language, and the words that told."""

    language: str
    words: tuple[str, ...]


def identify(text: str, among: Iterable[str]) -> Identified | None:
    """The language that the words are in; None if they do not tell, or tell of two.

    It needs two frequent words of the language, three in ten of all, and twice those of any other.
    """
    words = plain(text).split()
    found = []
    for tag in dict.fromkeys(among):
        known = LANGUAGES.get(tag)
        if known is not None:
            found.append(Identified(tag, tuple(w for w in words if w in known.markers)))
    found.sort(key=lambda each: -len(each.words))
    if not found:
        return None
    best, others = found[0], found[1:]
    if len(best.words) < max(_FEWEST, _SHARE * len(words)):
        return None
    if others and 2 * len(others[0].words) > len(best.words):
        return None
    return best
