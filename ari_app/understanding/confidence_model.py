"""Written by `python -m tests.bench.confidence fit`; change nothing by hand."""

from __future__ import annotations

INTERCEPT = -2.9162
#: By feature, in the order of `confidence.features`.
WEIGHTS = {
    "lowest": 1.4615,
    "mean": 1.1873,
    "unknown": -0.0669,
    "stable": 0.7833,
    "agrees": 2.6296,
    "disagrees": 0.0988,
    "guided": 2.7284,
    "snr": 0.4093,
    "clipped": 0.0,
    "lost": -1.488,
    "length": 0.5501,
}
