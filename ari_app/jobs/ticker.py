"""Calls things at intervals: apscheduler as a ticker, nothing durable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from ari_app.ports import Meter

logger = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between two looks at the clock
_JUMP = 1.0  # a clock that has gone back further was set, not slewed


class Ticker:
    """Every tick of a name runs alone: one that is still running lets the next one pass.

    A run that fails is logged and counted, and the next one comes all the same. What must survive
    a restart is a row in the store, not a job here (two apschedulers must never share a store).
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._running: set[asyncio.Task[object]] = set()
        self._closing = False
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            job_defaults={
                "coalesce": True,  # after a stall one run, not all that were missed
                "max_instances": 1,
                "misfire_grace_time": None,  # late is better than never
            },
            timezone=UTC,
        )
        self._wall_ahead = _wall_ahead()
        self._look: asyncio.TimerHandle | None = None
        self._scheduler.add_listener(self._passed_over, EVENT_JOB_MAX_INSTANCES)

    def every(self, seconds: float, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run it each `seconds`, first after that time; a name stands for one thing only."""
        if seconds <= 0:
            raise ValueError("an interval is longer than nothing")

        async def tick() -> None:
            await self._run(name, run)

        # IntervalTrigger counts in whole and broken seconds through a timedelta.
        self._scheduler.add_job(tick, IntervalTrigger(seconds=seconds, timezone=UTC), id=name)

    def start(self) -> None:
        """Begin to tick, in the running loop."""
        self._scheduler.start()
        self._look_at_clock()

    async def aclose(self) -> None:
        """Tick no more; what is running is cancelled and waited for."""
        self._closing = True
        if self._look is not None:
            self._look.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        # shutdown() only asks the loop to do it.
        await asyncio.sleep(0)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None  # apscheduler's executor makes one of each run
        self._running.add(task)
        began = time.monotonic()
        try:
            await run()
        except asyncio.CancelledError:
            # By aclose: it is no failure, and apscheduler would log it as one.
            if not self._closing:
                raise
        except Exception:  # noqa: BLE001 - the outermost loop: a bad tick must not end the schedule
            logger.exception("the job %s failed; it will be tried again", name)
            self._meter.count("segue_job_runs_total", job=name, result="failed")
        else:
            self._meter.count("segue_job_runs_total", job=name, result="done")
        finally:
            self._running.discard(task)
            self._meter.observe("segue_job_seconds", time.monotonic() - began, job=name)

    def _look_at_clock(self) -> None:
        """Run everything now if the clock was set back.

        apscheduler waits for a wall-clock time: set back by an hour it would not tick for one.
        """
        ahead = _wall_ahead()
        if ahead < self._wall_ahead - _JUMP:
            logger.warning(
                "the clock went back by %.0f s: every job runs now", self._wall_ahead - ahead
            )
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        self._wall_ahead = ahead
        self._look = asyncio.get_running_loop().call_later(_LOOK, self._look_at_clock)

    def _passed_over(self, event: JobExecutionEvent) -> None:
        self._meter.count("segue_job_runs_total", job=event.job_id, result="passed over")


def _wall_ahead() -> float:
    """How far the wall clock is ahead of the one that never goes back."""
    return time.time() - time.monotonic()
