"""A meter that remembers, and knows the table of metrics."""

from __future__ import annotations

from collections import Counter

from ari_app.telemetry.metrics import METRICS, Kind


class RecordingMeter:
    """The port Meter; a figure that is not in METRICS fails the test."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.observed: dict[str, list[float]] = {}
        self.gauges: dict[tuple[str, ...], float] = {}

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        self._check(Kind.COUNTER, name, labels)
        self.counts[name, *labels.values()] += n

    def observe(self, name: str, value: float, **labels: str) -> None:
        self._check(Kind.HISTOGRAM, name, labels)
        self.observed.setdefault(name, []).append(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._check(Kind.GAUGE, name, labels)
        self.gauges[name, *labels.values()] = value

    def _check(self, kind: Kind, name: str, labels: dict[str, str]) -> None:
        metric = METRICS[name]
        assert metric.kind is kind
        assert set(metric.labels) == set(labels)
