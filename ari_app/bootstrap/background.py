"""What a worker does beside its calls: promised effects, replies, read models, retention."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from ari_app.agent.turn import Agent
from ari_app.backends.file_drop import FileDrop
from ari_app.bootstrap.joining import Worker
from ari_app.bootstrap.life import Life
from ari_app.bootstrap.outside import destination
from ari_app.bootstrap.premises import sealer
from ari_app.bootstrap.texting import Texting
from ari_app.bus.jetstream import JetStream
from ari_app.calls.orphans import Orphans
from ari_app.errors import StoreUnavailable
from ari_app.handoff.delivery import HandoffDelivery
from ari_app.jobs.leases import Leaseholder
from ari_app.outbox.overdue import Overdue
from ari_app.outbox.recordings import RecordingEraser
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Fence
from ari_app.privacy.erasure import Erasure
from ari_app.projections.feed import Feed
from ari_app.recordings.folder import RecordingFolder
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.store.wal_watch import watch
from ari_app.threads.replies import Replies

logger = logging.getLogger(__name__)

# Once a day, found by looking every quarter of an hour: whoever is up then does it.
_RETENTION = 900.0
_WAL = 10.0


def work(
    life: Life,
    worker: Worker,
    texting: Texting,
    agent: Agent,
    erasure: Erasure,
    tapes: RecordingFolder,
) -> None:
    """Begin with all of it; it ends with the service, what was claimed is waited for."""
    _ticks(life, worker, texting, agent)
    _outbox(life, worker.store, texting, erasure, tapes)
    _replies(life, worker, agent)
    _look_at_the_wal(life, worker)
    _read_models(worker)
    _feed(life, worker.store, worker.leases)
    _retention(life, worker, erasure, tapes)


def _ticks(life: Life, worker: Worker, texting: Texting, agent: Agent) -> None:
    store, leases, every = worker.store, worker.leases, worker.ticker.every
    settings, clock, meter = life.settings, life.clock, life.meter
    overdue = Overdue(store, clock, meter, texting.inquiries)
    orphans = Orphans(store.bury, store, agent, meter, clock, settings.calls.adoption)
    seals = sealer(settings, store, clock)
    pruning = store.pruning(settings.sms.ids_days * 86_400)

    async def seal(fence: Fence) -> None:
        await seals.run_once(fence)

    async def count_failures(fence: Fence) -> None:
        await store.count_failures(clock.now())

    every(settings.store.lease / 3, "orphans", orphans.run_once)
    every(1.0, "timers", leases.only("timers", overdue.run_once))
    every(1.0, "reconcile", texting.only(overdue.reconcile, leases))
    every(10.0, "failures", leases.only("failures", count_failures))
    every(1.0, "pruning", leases.only("pruning", pruning.run_once))
    every(1.0, "seal", leases.only("sealer", seal))


def _outbox(
    life: Life, store: EventStore, texting: Texting, erasure: Erasure, tapes: RecordingFolder
) -> None:
    settings, clock, meter = life.settings, life.clock, life.meter
    sms = settings.sms
    retry = RetryPolicy(sms.retry_first, sms.retry_longest, sms.retry_attempts)
    patience = sms.reconcile_patience
    texts = TextSender(texting.gateway, store, clock, meter, retry, patience=patience)
    folder = settings.handoff.folder or settings.store.path.parent / "handoffs"
    relay = Relay(
        store,
        clock,
        meter,
        {
            "sms": texts,
            "handoff": HandoffDelivery([FileDrop(folder)], meter, RetryPolicy()),
            "recording": RecordingEraser(tapes, erasure.holds),
        },
    )
    # Taken down in reverse: what was claimed last is waited for as well.
    life.at_end(relay.drain)
    life.run(relay.run, relay.stop, "outbox")


def _replies(life: Life, worker: Worker, agent: Agent) -> None:
    leases = worker.leases
    replies = Replies(worker.store, agent, life.clock, life.meter, lambda: leases.fence("replies"))
    life.run(replies.run, replies.stop, "replies")


def _look_at_the_wal(life: Life, worker: Worker) -> None:
    if not isinstance(worker.store.engine, SqliteEngine):
        return
    path = worker.store.engine.path

    async def look() -> None:
        await asyncio.to_thread(watch, path, life.meter)

    worker.ticker.every(_WAL, "wal", look)


def _read_models(worker: Worker) -> None:
    models = worker.store.read_models()

    async def project(fence: Fence) -> None:
        while await models.run_once(fence):
            pass

    worker.ticker.every(1.0, "projections", worker.leases.only("projections", project))


def _feed(life: Life, store: EventStore, leases: Leaseholder) -> None:
    to = destination(life.settings)
    if to is None:
        return
    feed = Feed(store, to, life.meter, "relay")
    if isinstance(to, JetStream):
        life.at_end(to.aclose)

    async def turns() -> None:
        while not feed.stopped:
            try:
                fence = await leases.fence("relay")
            except StoreUnavailable as error:
                logger.error("the relay of events waits: %s", error)
                fence = None
            if fence is None:
                await asyncio.sleep(1.0)
            else:
                await feed.run(fence)
                if not feed.stopped:
                    leases.lost(fence)

    life.run(turns, feed.stop, "relay")


def _retention(life: Life, worker: Worker, erasure: Erasure, tapes: RecordingFolder) -> None:
    async def expire(fence: Fence) -> None:
        today = datetime.fromtimestamp(life.clock.now() / 1e6, UTC).date().isoformat()
        if await worker.store.once("retention", today, fence):
            await asyncio.to_thread(erasure.expire)
        await asyncio.to_thread(tapes.sweep)

    worker.ticker.every(_RETENTION, "retention", worker.leases.only("retention", expire))
