"""A loop that is late is late for every live call: it is a figure."""

from __future__ import annotations

import asyncio
import time

from ari_app.telemetry.loop_watch import LoopWatch
from tests.support.meter import RecordingMeter


class Waiting(RecordingMeter):
    """Tells when it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def gauge(self, name: str, value: float, **labels: str) -> None:
        super().gauge(name, value, **labels)
        self.told.set()


async def test_a_loop_that_was_blocked_shows_it_and_its_tasks_are_counted() -> None:
    meter = Waiting()
    watching = asyncio.create_task(LoopWatch(meter).run())
    idle = [asyncio.create_task(asyncio.Event().wait()) for _ in range(3)]
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251  the very fault that is to be seen
    await meter.told.wait()
    assert meter.observed["segue_loop_lag_seconds"][0] > 0.15
    assert meter.gauges["segue_tasks",] == 5  # this test, the watch, and three more
    for task in (watching, *idle):
        task.cancel()
    await asyncio.gather(watching, *idle, return_exceptions=True)
