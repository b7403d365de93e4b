"""Watches the event loop: how late it is, and how many tasks it has."""

from __future__ import annotations

import asyncio
import time

from ari_app.ports import Meter

_BEAT = 0.1


class LoopWatch:
    """`run` until it is cancelled. A loop that is late is late for every live call."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def run(self) -> None:
        """Look ten times a second; each lateness is a figure, and so are the tasks."""
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            late = max(time.monotonic() - due, 0.0)
            self._meter.observe("segue_loop_lag_seconds", late)
            self._meter.gauge("segue_tasks", len(asyncio.all_tasks()))
