"""Scores that several benchmarks give: wrong words, and how far confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Turns of about the same confidence."""

    begins: float
    turns: int
    said: float  # mean confidence
    right: float  # share of the turns


def reliability(pairs: Sequence[tuple[float, bool]]) -> list[Bin]:
    """(confidence, right) in ten bins of equal width, those without a turn left out."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in pairs:
        bins.setdefault(min(int(confidence * _BINS), _BINS - 1), []).append((confidence, right))
    return [
        Bin(
            number / _BINS,
            len(some),
            sum(confidence for confidence, _ in some) / len(some),
            sum(right for _, right in some) / len(some),
        )
        for number, some in sorted(bins.items())
    ]


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """The expected calibration error, bins weighted by their size; ValueError without a pair."""
    if not pairs:
        raise ValueError("nothing to calibrate")
    return sum(bin.turns * abs(bin.said - bin.right) for bin in reliability(pairs)) / len(pairs)


def words_wrong(said: Sequence[str], heard: Sequence[str]) -> int:
    """Wrong, missing and invented words: Levenshtein's distance."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row[0] = row[0], number
        for at, other in enumerate(heard, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]
