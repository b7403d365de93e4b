"""A metrics page is read as a stranger would: by its text."""

from __future__ import annotations

import math

from ari_app.cli.metrics_page import MetricsPage
from ari_app.telemetry.meter import PrometheusMeter


def test_series_of_one_name_are_added_up() -> None:
    meter = PrometheusMeter(strict=True)
    meter.count("segue_calls_total", 2, outcome="done")
    meter.count("segue_calls_total", 3, outcome="hangup")
    meter.gauge("segue_tasks", 17)
    page = MetricsPage(meter.text())
    assert page.value("segue_calls_total") == 5
    assert page.value("segue_tasks") == 17
    assert page.value("segue_nothing") is None


def test_a_quantile_lies_between_two_bounds() -> None:
    meter = PrometheusMeter(strict=True)
    for _ in range(98):
        meter.observe("segue_ari_request_seconds", 0.00012, operation="answer")
    meter.observe("segue_ari_request_seconds", 0.0004, operation="hangup")
    meter.observe("segue_ari_request_seconds", 7.0, operation="hangup")
    page = MetricsPage(meter.text())
    assert page.quantile("segue_ari_request_seconds", 0.5) == (0.0001, 0.00015)
    assert page.quantile("segue_ari_request_seconds", 0.99) == (0.0003, 0.0005)
    assert page.quantile("segue_ari_request_seconds", 1.0) == (1.0, math.inf)


def test_a_page_that_is_not_there_tells_nothing() -> None:
    assert MetricsPage("").value("segue_tasks") is None
    assert MetricsPage("").quantile("segue_ari_request_seconds", 0.5) is None


async def test_a_page_is_fetched_from_its_port_and_nobody_there_is_no_error() -> None:
    meter = PrometheusMeter(strict=True)
    meter.gauge("segue_tasks", 3)
    port = meter.serve("127.0.0.1", 0)
    assert (await MetricsPage.of(port)).value("segue_tasks") == 3
    await meter.aclose()
    assert (await MetricsPage.of(port)).value("segue_tasks") is None
