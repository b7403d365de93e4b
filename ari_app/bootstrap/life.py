"""What lives as long as the service does, and ends with it in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ari_app.config import Settings
from ari_app.errors import SegueError
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

logger = logging.getLogger(__name__)


class Life:
    """One service's settings, clock and figures, and what must be ended."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.meter = PrometheusMeter()
        #: Why it cannot go on, as soon as it cannot.
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._stack = contextlib.AsyncExitStack()

    def at_end(self, close: Callable[[], Awaitable[object]]) -> None:
        """Do this when all that comes later has ended."""
        self._stack.push_async_callback(close)

    async def aclose(self) -> None:
        """End everything, what came last first."""
        await self._stack.aclose()

    def run(self, run: Callable[[], Awaitable[None]], stop: Callable[[], None], name: str) -> None:
        """A loop for as long as the service lives; one that fails ends the service."""
        task = asyncio.create_task(self._live(run, name), name=name)

        async def end() -> None:
            stop()
            await task

        self.at_end(end)

    def spawn(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        """Something that ends by itself, or with the service."""
        task = asyncio.create_task(self._live(run, name), name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.at_end(end)

    def fail(self, reason: str) -> None:
        """The service must end; the first reason counts."""
        if not self.failed.done():
            self.failed.set_result(reason)

    async def _live(self, run: Callable[[], Awaitable[None]], name: str) -> None:
        try:
            await run()
        except SegueError as error:
            self.fail(f"{name} failed: {error}")
        except Exception as error:
            logger.exception("%s failed", name)
            self.fail(f"{name} failed: {error}")
