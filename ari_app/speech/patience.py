"""Pure. How long a silence is waited for before a turn is taken to be over.

A logistic model of the pause: each of a dozen features adds to, or takes from, the log-odds that
the caller has finished; the surer it is, the shorter the wait. The weights were fitted by
`python -m tests.bench.turn.fit` on synthesized turns of which no published figure is made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ari_app.speech.melody import Cadence
from ari_app.understanding.completeness import Standing


@dataclass(frozen=True, slots=True)
class Rest:
    """What is known about a pause once the recogniser has told its words."""

    profile: str  # of the question
    standing: Standing  # of the words that the recogniser is sure of
    doubted: bool  # it is not sure of the last word
    wordless: bool  # since the pause before
    missing: int  # digits of those that were asked for; 0 if nobody knows
    voiced: float  # seconds of voice in the turn
    cadence: Cadence | None  # None: too little pitch


#: The log-odds that a feature adds, times its value.
WEIGHTS: Mapping[str, float] = {
    "always": -2.83,
    "nothing": -0.10,
    "unfinished": -0.54,
    "whole": 0.96,
    "complete": 0.82,
    "doubted": 0.52,
    "wordless": 2.50,
    "one digit missing": -0.78,
    "digits missing": -2.05,
    "yes or no": 3.69,
    "digits": 0.95,
    "date": -0.01,
    "long": 3.42,
    "long yes or no": -1.92,
    "toneless": 0.59,
    "above the low": -1.48,
    "astray": 1.40,
    "above the middle": -0.50,
    "above the top": -1.37,
    "falls": -0.13,
    "rises": -1.06,
    "tail": 0.84,
}

# Seconds of silence at even odds, and how much less for each unit of the log-odds.
_EVEN, _LESS = 0.7, 0.25


def wait(rest: Rest) -> float:
    """Seconds of silence that end the turn; of any size, for the profile to bound."""
    return _EVEN - _LESS * odds(rest, WEIGHTS)


def odds(rest: Rest, weights: Mapping[str, float]) -> float:
    """The logarithm of the odds that the caller has finished."""
    told = features(rest)
    return sum(weight * told[name] for name, weight in weights.items())


def features(rest: Rest) -> dict[str, float]:
    """What the model looks at, each between -2 and 2."""
    standing = rest.standing
    long = math.log(_within(rest.voiced, 0.37, 2.0))
    return {
        "always": 1.0,
        "nothing": float(standing is Standing.NOTHING),
        # A doubted last word may be any: then more seems to come by mistake only.
        "unfinished": float(standing is Standing.UNFINISHED and not rest.doubted),
        "whole": float(standing is Standing.WHOLE),
        "complete": float(standing is Standing.COMPLETE),
        "doubted": float(rest.doubted),
        "wordless": float(rest.wordless),
        "one digit missing": float(rest.missing == 1),
        "digits missing": min(rest.missing, 4) / 4 if rest.missing > 1 else 0.0,
        "yes or no": float(rest.profile == "yes_no"),
        "digits": float(rest.profile == "digits"),
        "date": float(rest.profile == "date"),
        "long": long,
        "long yes or no": long if rest.profile == "yes_no" else 0.0,
        **_of_the_voice(rest.cadence),
    }


def _of_the_voice(cadence: Cadence | None) -> dict[str, float]:
    if cadence is None:
        return {
            "toneless": 1.0,
            "above the low": 0.0,
            "astray": 0.0,
            "above the middle": 0.0,
            "above the top": 0.0,
            "falls": 0.0,
            "rises": 0.0,
            "tail": 0.0,
        }
    return {
        "toneless": 0.0,
        "above the low": _within(cadence.above_low, -0.1, 0.12) * 10,
        "astray": float(cadence.above_low > 0.35),
        "above the middle": _within(cadence.above_middle, -0.25, 0.1) * 4,
        "above the top": _within(cadence.above_top, -0.4, 0.0) * 4,
        "falls": _within(cadence.slope, -2.0, 0.0),
        "rises": _within(cadence.slope, 0.0, 1.5),
        "tail": min(cadence.tail, 0.4) * 4,
    }


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
