"""Pure. How long callers pause inside a turn, and how that compares with people.

People's pauses are log-normal (Kirsner, Dunn and Hird: the durations of spontaneous speech are sums
of log-normal distributions; Demol, Verhelst and Verhoeve, Interspeech 2007: the logarithm is close
to Gaussian). Campione and Veronis (Speech Prosody 2002; about 6000 pauses, five languages) find
brief ones below 200 ms, medium ones of 200 to 1000 ms, and long ones above 1000 ms, these in
spontaneous speech only; Lundholm Fors (Gothenburg 2015) a typical pause of a quarter to half a
second. Ours have their median at the upper end of that and a tail above a second: a harder corpus.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MEDIAN = 0.45  # seconds
SPREAD = 0.6  # of the natural logarithm
SHORTEST, LONGEST = 0.1, 2.2  # seconds: less is no pause, more would be two turns

# A pause below 0.1 s is a closure of a consonant, which the synthesized words have already.
BRIEF, LONG = 0.2, 1.0  # Campione and Veronis
TYPICAL = (0.25, 0.5)  # Lundholm Fors


def draw(rng: np.random.Generator) -> float:
    """The seconds of one pause."""
    while True:
        pause = float(rng.lognormal(math.log(MEDIAN), SPREAD))
        if SHORTEST <= pause <= LONGEST:
            return pause


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of pauses: seconds, and shares of 1."""

    count: int
    p10: float
    median: float
    p90: float
    spread: float  # standard deviation of the natural logarithm
    skew: float  # of the logarithm: 0 if log-normal
    brief: float
    medium: float
    long: float


def spread(pauses: Sequence[float]) -> Spread:
    """ValueError without a pause."""
    if not pauses:
        raise ValueError("a corpus without a pause")
    logs = np.log(pauses)
    deviation = float(logs.std())
    skew = float(np.mean((logs - logs.mean()) ** 3) / deviation**3) if deviation else 0.0
    p10, median, p90 = (float(value) for value in np.percentile(pauses, (10, 50, 90)))
    brief = float(np.mean(np.asarray(pauses) < BRIEF))
    long = float(np.mean(np.asarray(pauses) > LONG))
    return Spread(len(pauses), p10, median, p90, deviation, skew, brief, 1.0 - brief - long, long)
