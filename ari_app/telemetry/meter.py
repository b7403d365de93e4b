"""Figures for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)

from ari_app.telemetry.metrics import METRICS, Kind, Metric

logger = logging.getLogger(__name__)

# More label sets than this for one name means that something unbounded became a label.
_MOST_SERIES = 500

_UNKNOWN = "segue_unknown_metric_total"


class UnknownMetric(ValueError):
    """A name or a label is not in the table METRICS: a bug in the calling code."""


class PrometheusMeter:
    """The port Meter; every instance has its own registry.

    A name or label set outside METRICS raises UnknownMetric if `strict` (tests), else it is
    counted as segue_unknown_metric_total and logged once: a figure must never end a call.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._registry = CollectorRegistry()
        self._declared: dict[str, Counter | Gauge | Histogram] = {}
        self._series: dict[str, set[tuple[str, ...]]] = {}
        # What was found before, by name, kind and labels as they were given.
        self._known: dict[tuple[object, ...], Counter | Gauge | Histogram] = {}
        self._complained: set[str] = set()
        self._server: tuple[WSGIServer, threading.Thread] | None = None

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Add to a counter."""
        found = self._find(name, Kind.COUNTER, labels)
        if isinstance(found, Counter):
            found.inc(n)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One value of a histogram."""
        found = self._find(name, Kind.HISTOGRAM, labels)
        if isinstance(found, Histogram):
            found.observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        found = self._find(name, Kind.GAUGE, labels)
        if isinstance(found, Gauge):
            found.set(value)

    def text(self) -> str:
        """All figures in the Prometheus text format."""
        return generate_latest(self._registry).decode()

    def serve(self, host: str, port: int) -> int:
        """Answer GET on host:port from a thread until aclose(); returns the port (0: any)."""
        if self._server is not None:
            raise RuntimeError("the meter is being served already")
        self._server = start_http_server(port, host, self._registry)
        return self._server[0].server_port

    async def aclose(self) -> None:
        """Stop serving; without effect if it is not."""
        served, self._server = self._server, None
        if served is not None:
            server, thread = served
            await asyncio.to_thread(server.shutdown)  # it waits for the thread to notice
            server.server_close()
            await asyncio.to_thread(thread.join)

    def _find(
        self, name: str, kind: Kind, labels: dict[str, str]
    ) -> Counter | Gauge | Histogram | None:
        key = (name, kind, *labels.items())
        known = self._known.get(key)
        if known is None and (found := self._declared_as(name, kind, labels)) is not None:
            known = self._known[key] = found
        return known

    def _declared_as(
        self, name: str, kind: Kind, labels: dict[str, str]
    ) -> Counter | Gauge | Histogram | None:
        metric = METRICS.get(name)
        if metric is None or metric.kind is not kind or set(labels) != set(metric.labels):
            wanted = f"{kind.value} {name}({', '.join(sorted(labels))})"
            self._unknown(name, f"{wanted} is not in the table of metrics")
            return None
        series = self._series.setdefault(name, set())
        values = tuple(labels[label] for label in metric.labels)
        if values not in series:
            if len(series) >= _MOST_SERIES:
                self._unknown(name, f"{name} has more than {_MOST_SERIES} label sets")
                return None
            series.add(values)
        if name not in self._declared:
            self._declared[name] = self._declare(name, metric)
        declared = self._declared[name]
        return declared.labels(*values) if values else declared

    def _declare(self, name: str, metric: Metric) -> Counter | Gauge | Histogram:
        match metric.kind:
            case Kind.COUNTER:
                return Counter(name, metric.help, metric.labels, registry=self._registry)
            case Kind.GAUGE:
                return Gauge(name, metric.help, metric.labels, registry=self._registry)
            case Kind.HISTOGRAM:
                return Histogram(
                    name,
                    metric.help,
                    metric.labels,
                    registry=self._registry,
                    buckets=metric.buckets,
                )

    def _unknown(self, name: str, why: str) -> None:
        if self._strict:
            raise UnknownMetric(why)
        if name not in self._complained and len(self._complained) < _MOST_SERIES:
            self._complained.add(name)
            logger.error("a figure was dropped: %s", why)
        self.count(_UNKNOWN)
