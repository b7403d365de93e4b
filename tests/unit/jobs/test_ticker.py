"""Ticks come again whatever became of the last one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from ari_app.jobs.ticker import Ticker
from ari_app.telemetry.meter import PrometheusMeter

PATIENCE = 5.0
OFTEN = 0.01


@pytest.fixture
def meter() -> PrometheusMeter:
    return PrometheusMeter(strict=True)


@pytest.fixture
async def ticker(meter: PrometheusMeter) -> AsyncIterator[Ticker]:
    ticker = Ticker(meter)
    yield ticker
    await ticker.aclose()


async def test_a_job_runs_again_and_again(ticker: Ticker, meter: PrometheusMeter) -> None:
    runs, thrice = 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            thrice.set()

    ticker.every(OFTEN, "count", job)
    ticker.start()

    await asyncio.wait_for(thrice.wait(), PATIENCE)
    assert 'segue_job_runs_total{job="count",result="done"}' in meter.text()


async def test_a_job_that_fails_is_told_and_comes_again(
    ticker: Ticker, meter: PrometheusMeter, caplog: pytest.LogCaptureFixture
) -> None:
    runs, again = 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs > 1:
            again.set()
        raise RuntimeError("a bad day")

    ticker.every(OFTEN, "unlucky", job)
    ticker.start()

    await asyncio.wait_for(again.wait(), PATIENCE)
    assert 'segue_job_runs_total{job="unlucky",result="failed"}' in meter.text()
    assert "unlucky failed" in caplog.text
    assert "a bad day" in caplog.text


async def test_a_slow_job_never_runs_beside_itself(
    ticker: Ticker, meter: PrometheusMeter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "apscheduler")
    together, most, passed = 0, 0, asyncio.Event()
    other = 0

    async def slow() -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await passed.wait()
        together -= 1

    async def watch() -> None:
        nonlocal other
        other += 1
        if 'job="slow",result="passed over"' in meter.text() and other > 5:
            passed.set()

    ticker.every(OFTEN, "slow", slow)
    ticker.every(OFTEN, "watch", watch)
    ticker.start()

    await asyncio.wait_for(passed.wait(), PATIENCE)
    assert most == 1


async def test_closing_ends_what_is_running_without_calling_it_a_failure(
    ticker: Ticker, caplog: pytest.LogCaptureFixture
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    ticker.every(OFTEN, "endless", endless)
    ticker.start()
    await asyncio.wait_for(began.wait(), PATIENCE)

    await ticker.aclose()

    assert ended.is_set()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


async def test_a_clock_that_is_set_back_does_not_stop_the_ticks(
    meter: PrometheusMeter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran = asyncio.Event()

    async def job() -> None:
        ran.set()

    monkeypatch.setattr("ari_app.jobs.ticker._LOOK", OFTEN)
    monkeypatch.setattr("ari_app.jobs.ticker._wall_ahead", lambda: 7200.0)
    ticker = Ticker(meter)
    ticker.every(3600, "hourly", job)
    ticker.start()
    monkeypatch.setattr("ari_app.jobs.ticker._wall_ahead", lambda: 3600.0)

    await asyncio.wait_for(ran.wait(), PATIENCE)
    await ticker.aclose()
    assert "the clock went back by 3600 s" in caplog.text


async def test_closing_what_never_started_is_fine(meter: PrometheusMeter) -> None:
    await Ticker(meter).aclose()


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_interval_is_longer_than_nothing(seconds: float, meter: PrometheusMeter) -> None:
    async def job() -> None: ...

    with pytest.raises(ValueError, match="interval"):
        Ticker(meter).every(seconds, "x", job)
