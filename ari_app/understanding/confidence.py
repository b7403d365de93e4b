"""How sure it is that the words are the ones that were said: a logistic model over evidence.

The coefficients are fitted by `python -m tests.bench.confidence` on clips that no figure uses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ari_app.understanding.confidence_model import INTERCEPT, WEIGHTS

#: Where nothing was measured: an ordinary line.
USUAL_SNR = 25.0  # dB
_SNR = (0.0, 40.0)  # beyond these nothing changes
_LONG = 12.0  # words, likewise


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a result and against it; all shares from 0 to 1."""

    lowest: float  # confidence of the least sure word
    mean: float  # of all words, by duration
    unknown: float  # share of words that were none
    stable: float  # 1 if the last words while it was spoken are those of the result
    agrees: float  # 1 if both recognisers mean the same, -1 if not, 0 if only one was asked
    guided: float  # 1 if the result is one that was expected
    snr: float  # dB, estimated
    clipped: float  # share of samples at full scale
    lost: float  # share of the audio that never came
    length: float  # words

    def plain(self) -> dict[str, float]:
        """By name, rounded, for the log."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def features(evidence: Evidence) -> tuple[float, ...]:
    """What the model sees, in the order of WEIGHTS; each about -1 to 1."""
    snr = min(max(evidence.snr, _SNR[0]), _SNR[1])
    length = min(max(evidence.length, 1.0), _LONG)
    return (
        _logit(evidence.lowest) / 4,
        _logit(evidence.mean) / 4,
        evidence.unknown,
        evidence.stable,
        max(evidence.agrees, 0.0),
        max(-evidence.agrees, 0.0),
        evidence.guided,
        snr / 20 - 1,
        math.sqrt(min(max(evidence.clipped, 0.0), 1.0)),
        math.sqrt(min(max(evidence.lost, 0.0), 1.0)),
        math.log(length) / 2,
    )


def calibrated(
    evidence: Evidence,
    intercept: float = INTERCEPT,
    weights: Sequence[float] = tuple(WEIGHTS.values()),
) -> float:
    """The probability, 0 to 1, that the words are right; 0 if there is no word."""
    if evidence.length < 1:
        return 0.0
    score = intercept + sum(w * x for w, x in zip(weights, features(evidence), strict=True))
    return 1.0 / (1.0 + math.exp(-min(max(score, -30.0), 30.0)))


def _logit(confidence: float) -> float:
    bounded = min(max(confidence, 0.01), 0.995)
    return math.log(bounded / (1.0 - bounded))
