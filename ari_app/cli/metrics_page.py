"""What a service's own metrics page says, read as a stranger would."""

from __future__ import annotations

import asyncio
import math
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

_HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class MetricsPage:
    """One look at the page; empty where there is none."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    async def of(cls, port: int) -> MetricsPage:
        """The page on this machine's `port`; an empty one if nobody answers."""
        return cls(await asyncio.to_thread(_fetch, port))

    def value(self, name: str) -> float | None:
        """The sum of all series of a counter or gauge; None if there is none."""
        found = [value for value, _ in self._samples(name)]
        return sum(found) if found else None

    def quantile(self, name: str, share: float) -> tuple[float, float] | None:
        """Between which two values (seconds, mostly) the quantile of a histogram lies."""
        counts: dict[float, float] = defaultdict(float)
        for value, labels in self._samples(f"{name}_bucket"):
            counts[float(labels["le"])] += value
        bounds = sorted(counts)
        if not bounds or not counts[bounds[-1]]:
            return None
        wanted = share * counts[math.inf]
        below = 0.0
        for bound in bounds:
            if counts[bound] >= wanted:
                return below, bound
            below = bound
        return below, math.inf

    def _samples(self, name: str) -> Iterator[tuple[float, dict[str, str]]]:
        for family in text_string_to_metric_families(self._text):
            for sample in family.samples:
                if sample.name == name:
                    yield sample.value, sample.labels


def _fetch(port: int) -> str:
    try:
        with _HERE.open(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page: bytes = answer.read()
            return page.decode()
    except (OSError, urllib.error.URLError):
        return ""
