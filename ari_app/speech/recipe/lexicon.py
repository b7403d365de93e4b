"""Pure. How each word sounds, as espeak-ng was heard to say it, in Kaldi's phone numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ari_app.speech.recipe.ngram import UNKNOWN
from ari_app.speech.recipe.tongue import GARBAGE, Tongue

_RARE = 0.06  # share of a word's occurrences below which a way to say it is left out
_RARE_BUT_SEEN, _SEEN = 0.03, 5  # unless it was heard so often
_WEAK_FORM = 0.5
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to say a word."""

    word: str
    phones: tuple[int, ...]
    cost: float  # -ln of its probability over that of the likeliest way
    mark: int  # Kaldi's #1, #2, …: tells it from others that begin the same; 0 is none


def unheard(words: Iterable[str], heard: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Words that no voice has said on their own: the model cannot know them."""
    return [word for word in words if not heard.get(word)]


def entries(
    words: Iterable[str], heard: Mapping[str, Mapping[str, int]], tongue: Tongue
) -> list[Entry]:
    """The lexicon of the words that were heard, and of the unknown one."""
    ways: list[tuple[str, tuple[int, ...], float]] = []
    for word in words:
        for phones, share in _ways(heard.get(word, {}), tongue.weak.get(word)).items():
            ways.append((word, _numbers(phones.split(), tongue), -math.log(max(share, _LEAST))))
    ways.append((UNKNOWN, (tongue.table.index(GARBAGE),), 0.0))
    return _marked(ways)


def _ways(heard: Mapping[str, int], weak: str | None) -> dict[str, float]:
    if not heard:
        return {}
    total, most = sum(heard.values()), max(heard.values())
    ways = {
        phones: count / most
        for phones, count in heard.items()
        if count / total >= _RARE or (count >= _SEEN and count / total >= _RARE_BUT_SEEN)
    }
    if weak is not None:
        ways.setdefault(weak, _WEAK_FORM)
    return ways


def _numbers(phones: list[str], tongue: Tongue) -> tuple[int, ...]:
    """Position-dependent phones."""
    if len(phones) == 1:
        return (tongue.table.index(f"{phones[0]}_S"),)
    positions = "B" + "I" * (len(phones) - 2) + "E"
    return tuple(
        tongue.table.index(f"{phone}_{position}")
        for phone, position in zip(phones, positions, strict=True)
    )


def _marked(ways: list[tuple[str, tuple[int, ...], float]]) -> list[Entry]:
    """Kaldi's rule: a mark behind phones that are shared or begin others (add_lex_disambig.pl)."""
    shared = Counter(phones for _, phones, _ in ways)
    beginnings = {phones[:i] for _, phones, _ in ways for i in range(1, len(phones))}
    used: Counter[tuple[int, ...]] = Counter()
    found = []
    for word, phones, cost in ways:
        mark = 0
        if shared[phones] > 1 or phones in beginnings:
            used[phones] += 1
            mark = used[phones]
        found.append(Entry(word, phones, cost, mark))
    return found
