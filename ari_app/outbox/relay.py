"""Claims durably, then acts; what became of an effect is always an event, never a guess."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ari_app.conversation.events import Event
from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.ports import Clock, Job, Meter, Store, failpoint

logger = logging.getLogger(__name__)

# A change in this process wakes the relay at once; this finds retries that have become due.
_POLL = 0.5
_BATCH = 20
# What is claimed has an open fate if we die, so claim no more than can be in hand.
_MOST = 50
# A settlement is known to nobody else: it outlasts a store that is away for a while.
_SETTLE_TRIES = 60


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a job: the events, and when to try again if it is not over."""

    events: Sequence[Event]
    retry_in: float | None = None  # seconds
    wire: tuple[str, Sequence[str]] | None = None  # (carrier, the carrier's message ids)


class Executor(Protocol):
    """Does one kind of effect."""

    async def perform(self, job: Job) -> Settlement:
        """Do it; failures of the outside are settlements, not exceptions."""


@runtime_checkable
class Claimer(Protocol):
    """Does one kind of effect, and claims and settles it itself: many at a time."""

    async def claim(self) -> int:
        """Claim what there is room for, and begin; how much moved. StoreUnavailable."""

    async def wait(self, timeout: float) -> None:
        """Return when there may be room again, after so many seconds at the latest."""

    async def drain(self) -> None:
        """Wait until all that was claimed is settled."""


class Relay:
    """One claimer for each kind of effect."""

    def __init__(
        self, store: Store, clock: Clock, meter: Meter, executors: Mapping[str, Executor | Claimer]
    ) -> None:
        self._store = store
        self._clock = clock
        self._meter = meter
        self._claimers = [e for e in executors.values() if isinstance(e, Claimer)]
        self._executors = {k: e for k, e in executors.items() if not isinstance(e, Claimer)}
        self._stopping = False
        self._busy: dict[str, set[asyncio.Task[None]]] = {kind: set() for kind in self._executors}

    async def run(self) -> None:
        """Until stopped: claim what is due, and perform it side by side; then settle the rest."""
        await asyncio.gather(self._run_jobs(), *map(self._run_claimer, self._claimers))
        await self.drain()

    async def _run_claimer(self, claimer: Claimer) -> None:
        seen = 0
        while not self._stopping:
            try:
                if await claimer.claim():
                    continue
            except StoreUnavailable as error:
                logger.error("outbox waits: %s", error)
                await asyncio.sleep(_POLL)
            seen = await self._news(claimer, seen)

    async def _news(self, claimer: Claimer, seen: int) -> int:
        """Wait for a change of the store, or for room; the number of changes so far."""
        room = asyncio.create_task(claimer.wait(_POLL))
        change = asyncio.create_task(self._store.changed(seen, _POLL))
        await asyncio.wait((room, change), return_when=asyncio.FIRST_COMPLETED)
        room.cancel()
        if not change.done():
            change.cancel()
            await asyncio.gather(room, change, return_exceptions=True)
            return seen
        return change.result()

    async def _run_jobs(self) -> None:
        seen = 0
        while not self._stopping:
            claimed = 0
            try:
                for kind in self._executors:
                    claimed += await self._claim(kind)
            except StoreUnavailable as error:
                logger.error("outbox waits: %s", error)
                await asyncio.sleep(_POLL)
            if not claimed:
                seen = await self._store.changed(seen, _POLL)

    async def run_once(self) -> None:
        """Claim and perform what is due now, and wait until it is settled."""
        for kind in self._executors:
            await self._claim(kind)
        for claimer in self._claimers:
            while await claimer.claim():
                pass
        await self.drain()

    async def drain(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(
            *(task for tasks in self._busy.values() for task in tasks),
            *(claimer.drain() for claimer in self._claimers),
        )

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True

    async def _claim(self, kind: str) -> int:
        busy = self._busy[kind]
        if len(busy) >= _MOST:
            return 0
        jobs = await self._store.claim(kind, self._clock.now(), min(_BATCH, _MOST - len(busy)))
        if jobs:
            failpoint("outbox.after_claim")
        for job in jobs:
            task = asyncio.create_task(self._perform(job), name=f"outbox {job.id}")
            busy.add(task)
            task.add_done_callback(busy.discard)
        return len(jobs)

    async def _perform(self, job: Job) -> None:
        try:
            settlement = await self._executors[job.kind].perform(job)
        except LeaseLost as error:
            logger.warning("effect %s is not ours any more: %s", job.id, error)
            return
        except Exception:  # outermost of a task: the claim stays, and is open at the next start
            logger.exception("effect %s of kind %s failed unexpectedly", job.id, job.kind)
            self._meter.count("segue_outbox_failures_total", kind=job.kind)
            return
        failpoint("outbox.before_settle")
        retry_at = None
        if settlement.retry_in is not None:
            retry_at = self._clock.now() + int(settlement.retry_in * 1_000_000)
        for _ in range(_SETTLE_TRIES):
            try:
                await self._store.settle(
                    job, settlement.events, retry_at=retry_at, wire=settlement.wire
                )
                return
            except LeaseLost as error:
                # We were taken for dead: whoever has it now says what is known of it.
                logger.error("effect %s is done but not ours any more: %s", job.id, error)
                return
            except StoreUnavailable as error:
                logger.error("effect %s is done but not settled yet: %s", job.id, error)
            await asyncio.sleep(_POLL)
