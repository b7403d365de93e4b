"""Hands the log on, in order: taken after a checkpoint, put, and only then checked off."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import Protocol

from ari_app.errors import LeaseLost, Unavailable
from ari_app.ports import Fence, Meter, Record, failpoint

logger = logging.getLogger(__name__)

# A change in this process wakes the feed at once; this finds what other processes appended.
_POLL = 0.5
# Seconds until the first retry; each further one waits twice as long, up to the longest.
_FIRST = 0.5
_LONGEST = 30.0
# So many different sentences of one outage are logged: one that changes tells what to do next.
_MOST_SAID = 5


class Destination(Protocol):
    """A place outside that takes events as they are stored."""

    async def put(self, records: Sequence[Record]) -> None:
        """Return once all of them are safe there; Unavailable if that is not certain.

        The same records come again after a failure or a crash: a reader knows them by their ids.
        Ends within a deadline of its own.
        """


class Log(Protocol):
    """What a feed needs of the port `Store`; see there."""

    async def committed(self, consumer: str, limit: int = 100) -> list[Record]:
        """What this consumer has not seen yet, as it is stored."""

    async def advance(self, consumer: str, position: int, fence: Fence | None = None) -> None:
        """Remember that all up to this position is done."""

    async def lag(self, consumer: str) -> int:
        """How many events the consumer has not seen yet."""

    async def changed(self, seen: int, timeout: float) -> int:
        """The number of changes so far; a hint."""


class Feed:
    """One consumer of the log; every event reaches the destination at least once, in log order."""

    def __init__(
        self, log: Log, destination: Destination, meter: Meter, consumer: str, *, batch: int = 200
    ) -> None:
        """`consumer` names the checkpoint, and labels the figures; `batch` is in events."""
        self._log = log
        self._destination = destination
        self._meter = meter
        self._consumer = consumer
        self._batch = batch
        self._stopped = asyncio.Event()
        self._failures = 0  # in a row
        self._said: set[str] = set()

    async def run(self, fence: Fence | None = None) -> None:
        """Until stopped, or until the lease of the fence is lost; what is away is waited for."""
        seen = 0
        while not self._stopped.is_set():
            try:
                if not await self.run_once(fence):
                    seen = await self._log.changed(seen, _POLL)
            except LeaseLost as error:
                logger.warning("feed %s ends its turn: %s", self._consumer, error)
                return
            except Unavailable as error:
                self._say(error)
                await self._back_off()
            except Exception:  # outermost of the loop: a feed takes no live call with it
                if not self._failures:
                    logger.exception("feed %s failed unexpectedly", self._consumer)
                await self._back_off()
            else:
                self._all_is_well()

    async def run_once(self, fence: Fence | None = None) -> int:
        """Hand on one batch; how many events it had.

        Unavailable if destination or store is away; LeaseLost if somebody else feeds by now. In
        both cases the batch comes again, here or there.
        """
        records = await self._log.committed(self._consumer, self._batch)
        if not records:
            self._meter.gauge("segue_feed_lag_events", 0, consumer=self._consumer)
            return 0
        try:
            await self._destination.put(records)
        except Unavailable:
            await self._show_lag()  # it grows from now on, and that is what an alarm looks at
            raise
        failpoint("feed.before_advance")
        await self._log.advance(self._consumer, records[-1].position, fence)
        self._meter.count("segue_feed_events_total", len(records), consumer=self._consumer)
        await self._show_lag()
        return len(records)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End after the batch in hand; a feed that waits ends at once."""
        self._stopped.set()

    async def _show_lag(self) -> None:
        lag = await self._log.lag(self._consumer)
        self._meter.gauge("segue_feed_lag_events", lag, consumer=self._consumer)

    def _say(self, error: Unavailable) -> None:
        sentence = str(error)
        if sentence not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(sentence)
            logger.error("feed %s waits: %s", self._consumer, sentence)

    def _all_is_well(self) -> None:
        if self._failures:
            logger.info("feed %s goes on", self._consumer)
        self._failures = 0
        self._said.clear()

    async def _back_off(self) -> None:
        longest = min(_LONGEST, _FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        # Jitter: several feeds must not knock at one server in step.
        await _wait(self._stopped, longest * random.uniform(0.5, 1))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
