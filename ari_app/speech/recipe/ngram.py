"""Pure. Which word follows which: a back-off n-gram with absolute discounting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BEGIN, END, UNKNOWN = "<s>", "</s>", "[unk]"

_CUTS = (1, 2, 6)  # counts below which a word, pair or triple is left out
_DISCOUNT = 0.6
_EVERY_WORD = 3.0  # added to the count of each word of the vocabulary
_UNKNOWN_SHARE = 0.004
_LEAST_BACK_OFF = 1e-4

History = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Follow:
    counts: Mapping[str, int]
    total: int  # with those that were cut off


class NGram:
    """Probabilities of words after up to two others."""

    def __init__(self, sentences: Iterable[Sequence[str]], vocabulary: Iterable[str]) -> None:
        counts = _counts(sentences)
        single = counts[0][()]
        words = sorted({*single, *vocabulary} - {BEGIN})
        total = sum(single.values()) + _EVERY_WORD * len(words)
        known = 1 - _UNKNOWN_SHARE
        self._single = {w: known * (single[w] + _EVERY_WORD) / total for w in words}
        self._single[UNKNOWN] = _UNKNOWN_SHARE
        kept = _kept(counts)
        # Only a history whose own end is one too can back off.
        self._follow = {
            h: follow for h, follow in kept.items() if all(h[i:] in kept for i in range(1, len(h)))
        }

    @property
    def histories(self) -> list[History]:
        """The words before which make a difference, the empty one first."""
        return [(), *sorted(self._follow)]

    def following(self, history: History) -> list[str]:
        """The words with a probability of their own after this history."""
        return list(self._follow[history].counts) if history else list(self._single)

    def probability(self, history: History, word: str) -> float:
        """How likely the word is after the history."""
        if not history:
            return self._single[word]
        follow = self._follow.get(history)
        if follow is None:
            return self.probability(history[1:], word)
        lower = self.back_off(history) * self.probability(history[1:], word)
        count = follow.counts.get(word)
        return lower if count is None else (count - _DISCOUNT) / follow.total + lower

    def back_off(self, history: History) -> float:
        """What is left for the shorter history."""
        follow = self._follow[history]
        taken = sum(count - _DISCOUNT for count in follow.counts.values())
        return max(_LEAST_BACK_OFF, 1 - taken / follow.total)

    def after(self, history: History, word: str) -> History:
        """The history that the next word sees."""
        longer = (*history, word)[-(len(_CUTS) - 1) :]
        while longer and longer not in self._follow:
            longer = longer[1:]
        return longer


def _counts(sentences: Iterable[Sequence[str]]) -> list[defaultdict[History, Counter[str]]]:
    counts: list[defaultdict[History, Counter[str]]] = [defaultdict(Counter) for _ in _CUTS]
    for sentence in sentences:
        words = (BEGIN, *sentence, END)
        for at in range(1, len(words)):
            for length in range(min(len(_CUTS), at + 1)):
                counts[length][words[at - length : at]][words[at]] += 1
    return counts


def _kept(counts: Sequence[Mapping[History, Counter[str]]]) -> dict[History, _Follow]:
    kept = {}
    for length in range(1, len(_CUTS)):
        for history, following in counts[length].items():
            often = {w: count for w, count in following.items() if count >= _CUTS[length]}
            if often:
                kept[history] = _Follow(often, sum(following.values()))
    return kept
