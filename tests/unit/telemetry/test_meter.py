"""Figures are in the table or they are told."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

from ari_app.telemetry.meter import PrometheusMeter, UnknownMetric
from ari_app.telemetry.metrics import METRICS, Kind


def test_every_metric_of_the_table_can_be_given() -> None:
    meter = PrometheusMeter(strict=True)
    for name, metric in METRICS.items():
        labels: dict[str, Any] = dict.fromkeys(metric.labels, "some")
        match metric.kind:
            case Kind.COUNTER:
                meter.count(name, **labels)
            case Kind.GAUGE:
                meter.gauge(name, 1.0, **labels)
            case Kind.HISTOGRAM:
                meter.observe(name, 0.1, **labels)

    assert all(f"# TYPE {name} " in meter.text() for name in METRICS)


def test_counters_add_and_gauges_replace() -> None:
    meter = PrometheusMeter(strict=True)
    meter.count("segue_calls_total", outcome="done")
    meter.count("segue_calls_total", 2, outcome="done")
    meter.gauge("segue_calls_active", 5)
    meter.gauge("segue_calls_active", 4)
    meter.observe("segue_turn_response_seconds", 0.45)

    text = meter.text()

    assert 'segue_calls_total{outcome="done"} 3.0' in text
    assert "segue_calls_active 4.0" in text
    assert 'segue_turn_response_seconds_bucket{le="0.5"} 1.0' in text


def test_two_meters_do_not_share_figures() -> None:
    one, other = PrometheusMeter(strict=True), PrometheusMeter(strict=True)
    one.count("segue_barge_in_total")
    assert "segue_barge_in_total" not in other.text()


def test_an_unknown_name_is_an_error_in_tests() -> None:
    meter = PrometheusMeter(strict=True)
    with pytest.raises(UnknownMetric, match="segue_colls_total"):
        meter.count("segue_colls_total", outcome="done")
    with pytest.raises(UnknownMetric, match="counter segue_calls_total"):
        meter.count("segue_calls_total", number="+33123456789")
    with pytest.raises(UnknownMetric, match="gauge segue_calls_total"):
        meter.gauge("segue_calls_total", 1, outcome="done")


def test_an_unknown_name_is_counted_and_told_once_in_production(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = PrometheusMeter()
    meter.observe("segue_nonsense_seconds", 1)
    meter.observe("segue_nonsense_seconds", 1)

    assert "segue_unknown_metric_total 2.0" in meter.text()
    assert caplog.text.count("segue_nonsense_seconds") == 1


def test_a_label_without_bounds_is_cut_off() -> None:
    meter = PrometheusMeter()
    for i in range(600):
        meter.count("segue_calls_total", outcome=str(i))

    assert meter.text().count("segue_calls_total{") == 500
    assert "segue_unknown_metric_total 100.0" in meter.text()


async def test_the_figures_are_served_until_the_meter_is_closed() -> None:
    meter = PrometheusMeter(strict=True)
    meter.count("segue_barge_in_total")
    port = meter.serve("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port}/metrics"
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    with no_proxy.open(url, timeout=5) as answer:
        assert b"segue_barge_in_total 1.0" in answer.read()

    await meter.aclose()
    with pytest.raises(urllib.error.URLError):
        no_proxy.open(url, timeout=5)
    await meter.aclose()
