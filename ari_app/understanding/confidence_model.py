"""Written by `python -m tests.bench.confidence fit`; change nothing by hand."""

from __future__ import annotations

INTERCEPT = -2.9376
#: By feature, in the order of `confidence.features`.
WEIGHTS = {
    "lowest": 1.2855,
    "mean": 1.3812,
    "unknown": -0.0771,
    "stable": 0.5366,
    "agrees": 2.2421,
    "disagrees": 0.3064,
    "guided": 2.5485,
    "snr": 0.6323,
    "clipped": -2.3267,
    "lost": -1.7831,
    "length": 0.5727,
}
