"""The store: one interface over both engines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ari_app.conversation.events import Envelope, Event
from ari_app.conversation.state import Conversation
from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.ports import (
    Arrival,
    Claim,
    Clock,
    Effect,
    Fence,
    Job,
    Late,
    Meter,
    Position,
    Receipt,
    Record,
    Settled,
    Timer,
)
from ari_app.privacy.payloads import Payloads
from ari_app.privacy.vault import Vault
from ari_app.store.appending import Appender, Write
from ari_app.store.arrivals import Arrivals
from ari_app.store.claiming import Texts
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.gating import Gate, Open
from ari_app.store.late import LateAnswers
from ari_app.store.leases import LeaseTable
from ari_app.store.migration import prepare
from ari_app.store.outbox import Outbox
from ari_app.store.projecting import ReadModels
from ari_app.store.pruning import Pruning
from ari_app.store.queries import Queries
from ari_app.store.queue_desk import QueueDesk
from ari_app.store.receipts import Receipts
from ari_app.store.seals import Seals
from ari_app.store.sending_counts import count_failures
from ari_app.store.snapshots import Snapshots
from ari_app.store.suppressions import Following, Suppressions
from ari_app.store.tombstones import Tombstones
from ari_app.store.writer import GroupWriter
from smpp.ids import IdRule

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_READERS = 4

_EVENT = "id, stream, sequence, at, actor, cause, name, version, payload"
_READ = f"SELECT {_EVENT} FROM event WHERE stream = ? AND sequence > ? ORDER BY sequence"
_LATEST = (
    "SELECT stream, turned FROM stream WHERE subject = ? ORDER BY turned DESC, stream DESC LIMIT ?"
)
_STREAMS = "SELECT stream FROM stream WHERE subject = ? ORDER BY stream"
_RECENT = """
    SELECT stream, touched FROM stream WHERE stream LIKE ? ESCAPE '!'
    ORDER BY touched DESC LIMIT ?"""
_CHECKPOINT = "SELECT position FROM checkpoint WHERE consumer = ?"
_ADVANCE = """
    INSERT INTO checkpoint (consumer, position) VALUES (?, ?)
    ON CONFLICT (consumer) DO UPDATE SET position = excluded.position"""
_MARK = "SELECT value FROM meta WHERE key = 'installation'"
_SET_MARK = "INSERT INTO meta (key, value) VALUES ('installation', ?) ON CONFLICT DO NOTHING"
_DUE = "SELECT id, stream, kind, due FROM timer WHERE due <= ? ORDER BY due, id LIMIT ?"
_DUE_KIND = """
    SELECT id, stream, kind, due FROM timer WHERE due <= ? AND kind = ?
    ORDER BY due, id LIMIT ?"""


class EventStore:
    """Implements the ports `Store` and `Leases`; an append that has returned survives a power cut.

    With a vault what belongs to persons is sealed; without it that is stored in the clear.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        meter: Meter,
        *,
        actor: str = "segue",
        worker: str = "worker",
        vault: Vault | None = None,
        recipients: bytes | None = None,
        gate: Gate | None = None,
    ) -> None:
        """`worker` must be another one at each start, if there are several at a time.

        `recipients` keys the hash that stands for a number in the queue of texts, and must be the
        same for all workers and at each start; see `Queues`. `gate` judges texts at their claim.
        """
        self.engine = engine
        self._clock = clock
        self._meter = meter
        self._worker = worker
        self._payloads = Payloads(vault)
        self._appender = Appender(engine, self._payloads, clock, actor, worker, recipients)
        self._outbox = Outbox(engine, self._payloads, worker)
        gate = gate or Open()
        self._texts = Texts(engine, self._appender, self._payloads, gate, worker)
        self._receipts = Receipts(engine, self._appender, clock)
        self._arrivals = Arrivals(engine, self._payloads)
        self._leases = LeaseTable(engine, worker)
        self._tombstones = Tombstones(engine)
        self._snapshots = Snapshots(self._payloads)
        self._late = LateAnswers(engine, self._appender, self._snapshots, clock)
        appends = Following(engine, self._appender)
        self._writer = GroupWriter(engine, appends, meter, self._changed)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._reader = threading.local()
        self._links: list[Link] = []
        self._change = asyncio.Event()
        self._change_count = 0

    def suppressions(self) -> Suppressions:
        """Who wants no texts: it follows what is appended, in the same transaction."""
        return Suppressions(self._read)

    async def count_failures(self, now: int) -> None:
        """How many texts failed lately, for the rules before the wire; every ten seconds or so."""
        await self._writer.run(lambda link: count_failures(link, now))

    async def open(self) -> None:
        """Create or check the database; StoreUnavailable says what to do."""
        loop = asyncio.get_running_loop()

        def heard() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._changed)

        self.engine.on_change(heard)
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        self.engine.open()
        prepare(self.engine)
        if not self.engine.read_only:
            try:
                self._writer.start()
            except self.engine.Error as error:
                raise self.engine.unavailable(error) from error

    async def belongs_to(self, mark: str) -> None:
        """Make it the database of this installation; StoreUnavailable if it is another's.

        Its keys would not open what is there, and its subjects would be other ones.
        """
        found = await self._read(lambda link: link.rows(_MARK))
        if not found and not self.engine.read_only:
            await self._writer.run(lambda link: link.run(_SET_MARK, (mark,)))
            found = await self._read(lambda link: link.rows(_MARK))
        if found and found[0][0] != mark:
            raise StoreUnavailable(
                "the database belongs to another installation or tenant: set [store] to ours, or "
                "restore the subject key that it was made with"
            )

    async def aclose(self) -> None:
        """Write what waits and close."""
        await self._writer.aclose()
        self._readers.shutdown()
        for link in self._links:
            link.close()
        await asyncio.to_thread(self.engine.close)

    # -- the log ------------------------------------------------------------------------------

    async def append(
        self,
        stream: str,
        events: Sequence[Event],
        *,
        expected: int | None = None,
        effects: Sequence[Effect] = (),
        timers: Sequence[Timer] = (),
        subject: str | None = None,
        cause: str | None = None,
        dedupe: str | None = None,
        fence: Fence | None = None,
        held: bool | None = None,
    ) -> list[Envelope]:
        """See the port."""
        write = Write(
            stream, events, expected, effects, timers, subject, cause, dedupe, fence, held
        )
        started = self._clock.monotonic()
        written: list[Envelope] = await self._writer.append(write)
        self._meter.observe("segue_store_append_seconds", self._clock.monotonic() - started)
        return written

    async def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """See the port."""
        return await self._read(
            lambda link: [self._payloads.envelope(r) for r in link.rows(_READ, (stream, after))]
        )

    async def state(self, stream: str) -> Conversation:
        """See the port."""
        state, worth = await self._read(lambda link: self._snapshots.state(link, stream))
        if worth and not self.engine.read_only:
            try:
                await self._read(lambda link: self._snapshots.make_ready(link, stream))
                await self._writer.run(lambda link: self._snapshots.keep(link, stream, state))
            except (StoreUnavailable, LeaseLost) as error:
                logger.info("no snapshot of %s was kept: %s", stream, error)
        return state

    async def latest(self, *subjects: str) -> str | None:
        """See the port."""

        found = await self.lately(*subjects, limit=1)
        return found[0] if found else None

    async def lately(self, *subjects: str, limit: int) -> list[str]:
        """See the port."""

        def query(link: Link) -> list[str]:
            found = [row for subject in subjects for row in link.rows(_LATEST, (subject, limit))]
            newest = sorted(found, key=lambda row: (row[1], row[0]), reverse=True)
            return [stream for stream, _ in newest[:limit]]

        return await self._read(query)

    async def streams_of(self, subject: str) -> list[str]:
        """All streams of the subject, oldest first."""
        return await self._read(
            lambda link: [stream for (stream,) in link.rows(_STREAMS, (subject,))]
        )

    async def recent(self, limit: int) -> list[tuple[str, int]]:
        """The conversations written to last: (stream, UTC microseconds), newest first."""
        return await self._read(
            lambda link: [(r[0], r[1]) for r in link.rows(_RECENT, ("conv!_%", limit))]
        )

    async def tail(self, consumer: str, limit: int = 100) -> list[Position]:
        """See the port."""
        return await self._read(
            lambda link: [
                Position(int(position), self._payloads.envelope(row))
                for position, *row, _ in self._after(link, consumer, limit)
            ]
        )

    async def committed(self, consumer: str, limit: int = 100) -> list[Record]:
        """See the port."""
        return await self._read(
            lambda link: [
                Record(int(row[0]), *row[1:]) for row in self._after(link, consumer, limit)
            ]
        )

    async def advance(self, consumer: str, position: int, fence: Fence | None = None) -> None:
        """See the port."""

        def action(link: Link) -> None:
            self._need(link, fence)
            link.run(_ADVANCE, (consumer, position))

        await self._writer.run(action)

    async def lag(self, consumer: str) -> int:
        """See the port."""

        def query(link: Link) -> int:
            condition, values = self.engine.after(self._checkpoint(link, consumer))
            return int(link.rows(f"SELECT count(*) FROM event WHERE {condition}", values)[0][0])

        return await self._read(query)

    async def changed(self, seen: int, timeout: float) -> int:
        """See the port."""
        if self._change_count == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._change.wait()
        return self._change_count

    def seals(self) -> Seals:
        """The log as its sealer needs it."""
        return Seals(self.engine, self._read, self._writer.run, self._need)

    def pruning(self, ids_kept: float) -> Pruning:
        """What takes away what is too old to be of use; `ids_kept` in seconds."""
        return Pruning(self._read, self._writer.run, self._need, self._clock, self._meter, ids_kept)

    def read_models(self) -> ReadModels:
        """The projections, and what makes them."""
        return ReadModels(
            self.engine, self._read, self._writer.run, self._need, self.lag, self._meter
        )

    def queries(self) -> Queries:
        """What the read models say."""
        return Queries(self._read)

    def queue(self) -> QueueDesk:
        """The texts that wait, as people see and change them."""
        return QueueDesk(
            self.engine,
            self._appender,
            self._payloads,
            self._snapshots,
            self._clock,
            self._read,
            self._writer.run,
        )

    # -- the outbox ---------------------------------------------------------------------------

    async def claim(self, kind: str, now: int, limit: int = 10) -> list[Job]:
        """See the port."""
        if not await self._read(lambda link: self._outbox.waiting(link, kind, now)):
            return []
        return await self._writer.run(lambda link: self._outbox.claim(link, kind, now, limit))

    async def claim_texts(
        self, now: int, limit: int, *, carriers: Sequence[str] = (), stale: int = 0
    ) -> Claim:
        """See the port."""
        idle = await self._read(lambda link: self._texts.idle(link, now, carriers))
        if idle is not None:
            return idle
        claim = await self._writer.run(
            lambda link: self._texts.claim(link, now, limit, carriers, stale)
        )
        if claim.moved > len(claim.send) + len(claim.lost):
            self._changed()
        return claim

    async def settle_many(self, settled: Sequence[Settled]) -> list[Exception | None]:
        """See the port."""
        writes = [
            Write(
                one.job.stream,
                one.events,
                timers=one.timers,
                job=one.job,
                retry_at=one.retry_at,
                wire=one.wire,
                counted=one.counted,
                in_doubt=one.in_doubt,
            )
            for one in settled
        ]
        outcomes = await self._writer.run(lambda link: self._appender.apply(link, writes))
        self._changed()
        return [outcome if isinstance(outcome, Exception) else None for outcome in outcomes]

    async def answered_late(self, answers: Sequence[tuple[str, Late]]) -> None:
        """See the port."""
        await self._writer.run(lambda link: self._late.store(link, answers))
        self._changed()

    async def sending(self, job: Job) -> None:
        """See the port."""
        await self._writer.run(lambda link: self._outbox.sending(link, job))

    async def settle(
        self,
        job: Job,
        events: Sequence[Event],
        *,
        retry_at: int | None = None,
        wire: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """See the port."""
        await self._writer.append(Write(job.stream, events, job=job, retry_at=retry_at, wire=wire))

    async def receipt(self, receipt: Receipt) -> bool:
        """See the port."""
        (known,) = await self.receipts([receipt])
        return known

    async def receipts(self, receipts: Sequence[Receipt]) -> list[bool]:
        """See the port."""
        known = await self._writer.run(lambda link: self._receipts.store(link, receipts))
        self._changed()
        return known

    async def give_id_rule(self, carrier: str, rule: IdRule | None) -> None:
        """See the port."""
        await self._writer.run(lambda link: self._receipts.give_rule(link, carrier, rule))

    # -- what has come and is no fact yet -----------------------------------------------------

    async def keep(self, arrivals: Sequence[Arrival]) -> None:
        """See the port `SmsArrivals`."""
        await self._read(lambda _: self._arrivals.make_ready(arrivals))
        await self._writer.run(lambda link: self._arrivals.keep(link, arrivals))

    async def kept(self, carrier: str) -> list[Arrival]:
        """See the port `SmsArrivals`."""
        return await self._read(lambda link: self._arrivals.kept(link, carrier))

    async def move(self, ids: Sequence[str], kind: str, at: int) -> None:
        """See the port `SmsArrivals`."""
        await self._writer.run(lambda link: self._arrivals.move(link, ids, kind, at))

    async def forget(self, carrier: str, kind: str, before: int) -> None:
        """See the port `SmsArrivals`."""
        await self._writer.run(lambda link: self._arrivals.forget(link, carrier, kind, before))

    # -- timers -------------------------------------------------------------------------------

    async def due_timers(self, now: int, limit: int = 50, *, kind: str = "") -> list[Timer]:
        """See the port."""

        def query(link: Link) -> list[Timer]:
            if kind:
                rows = link.rows(_DUE_KIND, (now, kind, limit))
            else:
                rows = link.rows(_DUE, (now, limit))
            return [Timer(*row) for row in rows]

        return await self._read(query)

    async def drop_timer(self, id: str) -> None:
        """See the port."""
        await self._writer.run(lambda link: link.run("DELETE FROM timer WHERE id = ?", (id,)))

    # -- leases -------------------------------------------------------------------------------

    @property
    def worker(self) -> str:
        """See the port."""
        return self._worker

    async def lease(self, name: str, ttl: float) -> Fence | None:
        """See the port."""
        return await self._writer.run(lambda link: self._leases.take(link, name, ttl))

    async def renew(self, fences: Sequence[Fence], ttl: float) -> list[Fence]:
        """See the port."""
        return await self._writer.run(lambda link: self._leases.renew(link, list(fences), ttl))

    async def release(self, fence: Fence) -> None:
        """See the port."""
        if fence == self._appender.fence:
            self._appender.fence = None  # what is written after this is not under it
        await self._writer.run(lambda link: self._leases.release(link, fence))

    async def held(self, kind: str) -> dict[str, str]:
        """See the port."""
        return await self._read(lambda link: self._leases.held(link, kind))

    async def once(self, job: str, slot: str, fence: Fence | None = None) -> bool:
        """See the port."""

        def action(link: Link) -> bool:
            self._need(link, fence)
            return self._leases.once(link, job, slot)

        return await self._writer.run(action)

    async def join(self, ttl: float, *, alone: bool = False) -> Fence:
        """Be one of the workers: from now on all that is written here is under this lease.

        `alone`: where only one can be, StoreUnavailable if there is one already, and whoever was
        there before is known to be dead.
        """
        alone = alone and await asyncio.to_thread(self.engine.take_alone)
        fence = await self._writer.run(lambda link: self._leases.join(link, ttl))
        self._appender.fence = fence
        if alone:
            await self._writer.run(lambda link: self._leases.bury(link, alone=True))
        return fence

    async def bury(self) -> list[str]:
        """Take over what dead workers had in hand; the streams where they had a live call."""
        return await self._writer.run(self._leases.bury)

    # -- erasure ------------------------------------------------------------------------------

    async def tombstone(self, owner: str, until: int) -> int:
        """Put hashes in place of all personal payloads of the owner that are not newer.

        Returns how many. May be repeated; the log verifies as before.
        """
        count = 0
        for stream in await self._read(lambda link: self._tombstones.streams(link, owner)):
            count += await self._bury_stream(stream, until)
        return count

    async def _bury_stream(self, stream: str, until: int) -> int:
        after, count = 0, 0
        while True:
            page = partial(self._tombstones.page, stream=stream, after=after, until=until)
            after, buried = await self._writer.run(page)
            count += buried
            if not after:
                return count

    # -- inside -------------------------------------------------------------------------------

    def _need(self, link: Link, fence: Fence | None) -> None:
        if fence is not None and not self._appender.holds(link, fence):
            raise LeaseLost(f"another worker has the lease {fence.name}")

    def _checkpoint(self, link: Link, consumer: str) -> int:
        found = link.rows(_CHECKPOINT, (consumer,))
        return int(found[0][0]) if found else 0

    def _after(self, link: Link, consumer: str, limit: int) -> list[Row]:
        condition, values = self.engine.after(self._checkpoint(link, consumer))
        query = f"""
            SELECT {self.engine.cursor}, {_EVENT}, link FROM event
            WHERE {condition} ORDER BY {self.engine.order} LIMIT ?"""
        return link.rows(query, (*values, limit))

    async def _read(self, query: Callable[[Link], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._query, query)

    def _query(self, query: Callable[[Link], _T]) -> _T:
        """On this thread's own connection; once more on a new one if that was lost."""
        engine = self.engine
        for again in (True, False):
            link: Link | None = getattr(self._reader, "link", None)
            try:
                if link is None or link.lost:
                    link = self._reader.link = engine.connect()
                    self._links.append(link)
                return query(link)
            except engine.Error as error:
                if again and link is not None and link.lost:
                    self._links.remove(link)
                    continue
                raise engine.unavailable(error) from error
        raise AssertionError  # the loop returns or raises

    def _changed(self) -> None:
        self._change_count += 1
        self._change.set()
        self._change = asyncio.Event()
