"""Signs of frustration, each by its name: what the decision may use, and can explain."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ari_app.conversation.manner import Manner

# How much each sign weighs, and where it is full. Chosen, not learned: there are no recordings of
# people here. One sign alone never reaches what two together do.
_MISSES = 0.22  # for each turn that was not understood, up to three in a row
_EARLIER = 0.06  # for each one before those, up to three
_LOUDER = (4.0, 12.0, 0.30)  # dB over the caller's own level: from, full at, weight
_FASTER = (1.25, 1.8, 0.15)  # times the caller's own words a second
_INTERRUPTED = 0.08  # for each prompt that was talked over after the first, up to four more
_MASHED = 0.12  # for each key that nobody asked for, up to four
_SILENT = 0.05  # for each question met by silence, up to two


@dataclass(frozen=True, slots=True)
class Frustration:
    """From 0 (none) to 1; `because` has what each sign contributed, in order of weight."""

    score: float
    because: tuple[tuple[str, float], ...]


def frustration(misses: int, silences: int, manner: Manner) -> Frustration:
    """How the caller seems to be, from what they did; every step in one sign only adds."""
    signs = {
        "misses": _MISSES * min(misses, 3),
        "earlier_misses": _EARLIER * min(max(manner.misses - misses, 0), 3),
        "louder": _rise(manner.louder_db, *_LOUDER),
        "faster": _rise(manner.faster, *_FASTER),
        "interruptions": _INTERRUPTED * min(max(manner.interruptions - 1, 0), 4),
        "keys": _MASHED * min(manner.odd_keys, 4),
        "silences": _SILENT * min(silences, 2),
    }
    because = sorted(((n, round(s, 3)) for n, s in signs.items() if s > 0), key=lambda s: -s[1])
    # Bounded by 1 without a step: what adds to much adds less.
    return Frustration(round(1.0 - math.exp(-1.2 * sum(signs.values())), 3), tuple(because))


def _rise(value: float | None, start: float, full: float, weight: float) -> float:
    if value is None:
        return 0.0
    return weight * min(max((value - start) / (full - start), 0.0), 1.0)
