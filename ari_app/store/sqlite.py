"""The store on SQLite: WAL, synchronous=FULL, one writer, many readers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    RowMapping,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import col

from ari_app.conversation.events import (
    Envelope,
    Event,
    ReceiptReceived,
    from_payload,
    name_of,
)
from ari_app.conversation.identity import new_id
from ari_app.errors import Conflict, StoreUnavailable
from ari_app.ledger.canonical import event_hash
from ari_app.ledger.chain import genesis, link
from ari_app.ports import Clock, Effect, Job, Meter, Position, Receipt, Timer
from ari_app.privacy.payloads import Payloads
from ari_app.privacy.vault import Vault
from ari_app.store.schema import (
    SCHEMA_VERSION,
    CheckpointRow,
    EarlyReceiptRow,
    EventRow,
    MetaRow,
    OutboxRow,
    StreamRow,
    Table,
    TimerRow,
    WireRow,
)
from ari_app.store.seals import Seals
from ari_app.store.writer import GroupWriter, unavailable

_T = TypeVar("_T")
# Carriers use their ids again; a receipt that nobody missed for so long was for another text.
_EARLY_FOR = 24 * 3600 * 1_000_000


_HEAD = "SELECT sequence, link, subject FROM stream WHERE stream = ?"
_INSERT_EVENT = """
    INSERT INTO event (id, stream, sequence, at, actor, cause, name, version, payload, link, dedupe)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_STREAM = """
    INSERT INTO stream (stream, sequence, link, subject, touched, turned)
    VALUES (?, ?, ?, ?, ?, ?)"""
_MOVE_STREAM = "UPDATE stream SET sequence = ?, link = ?, touched = ? WHERE stream = ?"
_TURN_STREAM = """
    UPDATE stream SET sequence = ?, link = ?, touched = ?, subject = ?, turned = ?
    WHERE stream = ?"""
_INSERT_EFFECT = """
    INSERT INTO outbox (id, kind, stream, state, due, attempts, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


class SqliteStore:
    """Implements the port `Store`; an append that has returned survives a power cut."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        meter: Meter,
        *,
        actor: str = "segue",
        read_only: bool = False,
        busy_ms: int = 5000,
        vault: Vault | None = None,
    ) -> None:
        """`busy_ms` is how long a lock of another program is waited for.

        `vault` seals what belongs to persons; without it that is stored in the clear.
        """
        self._path = path
        self._clock = clock
        self._actor = actor
        self._read_only = read_only
        self._engine = _engine(path, read_only, busy_ms)
        self._payloads = Payloads(vault)
        self._writer = GroupWriter(self._engine.connect, meter, self._payloads.make_ready)
        self._meter = meter
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-reader")
        self._change = asyncio.Event()
        self._change_count = 0

    async def open(self) -> None:
        """Create or check the database; StoreUnavailable says what to do."""
        if self._read_only and not self._path.exists():
            raise StoreUnavailable(f"there is no database at {self._path}: see store.path")
        try:
            await asyncio.to_thread(
                _check if self._read_only else _prepare, self._path, self._engine
            )
        except OSError as error:
            where = error.filename or self._path
            raise StoreUnavailable(f"cannot make {where}: {error.strerror}") from error
        except DBAPIError as error:
            raise unavailable(error) from error
        if not self._read_only:
            self._writer.start()
            try:
                await self._writer.run(_reopen_claims)
            except StoreUnavailable:
                await self.aclose()
                raise

    async def aclose(self) -> None:
        """Write what waits and close."""
        await self._writer.aclose()
        self._readers.shutdown()
        self._engine.dispose()

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
    ) -> list[Envelope]:
        """See the port."""

        def action(connection: Connection) -> list[Envelope]:
            seen = select(col(EventRow.id)).where(col(EventRow.dedupe) == dedupe)
            if dedupe is not None and connection.execute(seen).first():
                return []
            written = self._append(connection, stream, events, expected, subject, cause, dedupe)
            if effects:
                self._promise(connection, stream, effects)
            for timer in timers:
                row = {"id": timer.id, "stream": stream, "kind": timer.kind, "due": timer.due}
                connection.execute(insert(TimerRow), row)
            return written

        def needs(connection: Connection) -> set[tuple[str, str]]:
            owner = subject or _owner(connection, stream)
            return self._payloads.needs(owner, events, [e.kind for e in effects])

        started = self._clock.monotonic()
        written = await self._writer.run(action, needs)
        self._meter.observe("segue_store_append_seconds", self._clock.monotonic() - started)
        self._changed()
        return written

    async def read(self, stream: str, after: int = 0) -> list[Envelope]:
        """See the port."""
        query = (
            select(EventRow.__table__)  # type: ignore[attr-defined]  # SQLModel hides its table
            .where(col(EventRow.stream) == stream, col(EventRow.sequence) > after)
            .order_by(col(EventRow.sequence))
        )
        return await self._read(lambda c: [self._envelope(r) for r in c.execute(query).mappings()])

    async def latest(self, subject: str) -> str | None:
        """See the port."""
        query = (
            select(col(StreamRow.stream))
            .where(col(StreamRow.subject) == subject)
            .order_by(col(StreamRow.turned).desc(), col(StreamRow.stream).desc())
            .limit(1)
        )
        return await self._read(lambda c: c.execute(query).scalar())

    async def streams_of(self, subject: str) -> list[str]:
        """All streams of the subject, oldest first."""
        query = (
            select(col(StreamRow.stream))
            .where(col(StreamRow.subject) == subject)
            .order_by(col(StreamRow.stream))
        )
        return await self._read(lambda c: list(c.execute(query).scalars()))

    async def recent(self, limit: int) -> list[tuple[str, int]]:
        """The conversations written to last: (stream, UTC microseconds), newest first."""
        query = (
            select(col(StreamRow.stream), col(StreamRow.touched))
            .where(col(StreamRow.stream).like("conv\\_%", escape="\\"))
            .order_by(col(StreamRow.touched).desc())
            .limit(limit)
        )
        return await self._read(lambda c: [(row[0], row[1]) for row in c.execute(query)])

    async def tail(self, consumer: str, limit: int = 100) -> list[Position]:
        """See the port. One writer: positions become visible in order."""
        done = (
            select(col(CheckpointRow.position))
            .where(col(CheckpointRow.consumer) == consumer)
            .scalar_subquery()
        )
        query = (
            select(EventRow.__table__)  # type: ignore[attr-defined]  # SQLModel hides its table
            .where(col(EventRow.position) > func.coalesce(done, 0))
            .order_by(col(EventRow.position))
            .limit(limit)
        )
        return await self._read(
            lambda c: [
                Position(r["position"], self._envelope(r)) for r in c.execute(query).mappings()
            ]
        )

    async def advance(self, consumer: str, position: int) -> None:
        """See the port."""
        row = {"consumer": consumer, "position": position}
        statement = upsert(CheckpointRow).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=["consumer"], set_={"position": position}
        )
        await self._writer.run(lambda c: _execute(c, statement))

    async def changed(self, seen: int, timeout: float) -> int:
        """See the port."""
        if self._change_count == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._change.wait()
        return self._change_count

    def seals(self) -> Seals:
        """The log as its sealer needs it."""
        return Seals(self._read, self._writer.run)

    # -- the outbox ---------------------------------------------------------------------------

    async def claim(self, kind: str, now: int, limit: int = 10) -> list[Job]:
        """See the port."""

        def action(connection: Connection) -> list[Job]:
            due = (
                select(col(OutboxRow.id))
                .where(
                    col(OutboxRow.state).in_(("due", "open")),
                    col(OutboxRow.kind) == kind,
                    col(OutboxRow.due) <= now,
                )
                .order_by(col(OutboxRow.due))
                .limit(limit)
            )
            wanted = list(connection.execute(due).scalars())
            if not wanted:
                return []
            rows = select(OutboxRow.__table__).where(col(OutboxRow.id).in_(wanted))  # type: ignore[attr-defined]  # SQLModel hides its table
            jobs = [self._job(r) for r in connection.execute(rows).mappings()]
            taken = update(OutboxRow).where(col(OutboxRow.id).in_(wanted))
            connection.execute(taken.values(state="claimed", attempts=col(OutboxRow.attempts) + 1))
            return sorted(jobs, key=lambda job: wanted.index(job.id))

        # An idle claim costs no write: look first.
        waiting = (
            select(func.count())
            .select_from(OutboxRow)
            .where(
                col(OutboxRow.state).in_(("due", "open")),
                col(OutboxRow.kind) == kind,
                col(OutboxRow.due) <= now,
            )
        )
        if not await self._read(lambda c: c.execute(waiting).scalar()):
            return []
        return await self._writer.run(action)

    async def settle(
        self,
        job: Job,
        events: Sequence[Event],
        *,
        retry_at: int | None = None,
        wire: tuple[str, Sequence[str]] | None = None,
    ) -> None:
        """See the port."""

        def action(connection: Connection) -> None:
            state = {"state": "done"} if retry_at is None else {"state": "due", "due": retry_at}
            row = update(OutboxRow).where(col(OutboxRow.id) == job.id)
            connection.execute(row.values(**state))
            self._append(connection, job.stream, events)
            if wire is not None:
                carrier, ids = wire
                for id in ids:
                    known = upsert(WireRow).values(
                        carrier=carrier, id=id, message=job.id, stream=job.stream
                    )
                    # Ids come round again after days: the newest message owns the id.
                    connection.execute(
                        known.on_conflict_do_update(
                            index_elements=["carrier", "id"],
                            set_={"message": job.id, "stream": job.stream},
                        )
                    )
                    self._deliver_early(connection, carrier, id)

        await self._writer.run(action)
        self._changed()

    async def receipt(self, receipt: Receipt) -> bool:
        """See the port."""

        def action(connection: Connection) -> bool:
            if self._deliver(connection, receipt):
                return True
            stale = col(EarlyReceiptRow.at) < self._clock.now() - _EARLY_FOR
            connection.execute(delete(EarlyReceiptRow).where(stale))
            connection.execute(
                insert(EarlyReceiptRow),
                {
                    "carrier": receipt.carrier,
                    "id": receipt.id,
                    "state": receipt.state,
                    "error": receipt.error,
                    "at": self._clock.now(),
                },
            )
            return False

        known = await self._writer.run(action)
        self._changed()
        return known

    # -- timers -------------------------------------------------------------------------------

    async def due_timers(self, now: int, limit: int = 50) -> list[Timer]:
        """See the port."""
        query = (
            select(TimerRow.__table__)  # type: ignore[attr-defined]  # SQLModel hides its table
            .where(col(TimerRow.due) <= now)
            .order_by(col(TimerRow.due))
            .limit(limit)
        )
        return await self._read(
            lambda c: [
                Timer(r["id"], r["stream"], r["kind"], r["due"])
                for r in c.execute(query).mappings()
            ]
        )

    async def drop_timer(self, id: str) -> None:
        """See the port."""
        statement = delete(TimerRow).where(col(TimerRow.id) == id)
        await self._writer.run(lambda c: _execute(c, statement))

    # -- inside a transaction -----------------------------------------------------------------

    def _append(
        self,
        connection: Connection,
        stream: str,
        events: Sequence[Event],
        expected: int | None = None,
        subject: str | None = None,
        cause: str | None = None,
        dedupe: str | None = None,
    ) -> list[Envelope]:
        """The hot path: the driver itself, since SQLAlchemy would cost more than the disk."""
        driver = _driver(connection)
        found = driver.execute(_HEAD, (stream,)).fetchone()
        sequence, previous, owner = found or (0, genesis(stream), None)
        if expected is not None and expected != sequence:
            raise Conflict(stream, expected, sequence)
        if not events:
            return []
        now = self._clock.now()
        owner = subject or owner or stream
        envelopes: list[Envelope] = []
        rows: list[tuple[object, ...]] = []
        for happened in events:
            sequence += 1
            id = new_id("evt", now, os.urandom(10))
            name, version = name_of(happened)
            text = self._payloads.write(owner, stream, sequence, happened)
            stored = (id, stream, sequence, now, self._actor, cause, name, version, text)
            previous = link(previous, event_hash(stored))
            envelopes.append(Envelope(id, stream, sequence, now, self._actor, cause, happened))
            rows.append((*stored, previous, dedupe if not rows else None))
        driver.executemany(_INSERT_EVENT, rows)
        if found is None:
            driver.execute(_INSERT_STREAM, (stream, sequence, previous, subject, now, now))
        elif subject is None:
            driver.execute(_MOVE_STREAM, (sequence, previous, now, stream))
        else:
            driver.execute(_TURN_STREAM, (sequence, previous, now, subject, now, stream))
        return envelopes

    def _promise(self, connection: Connection, stream: str, effects: Sequence[Effect]) -> None:
        owner = _owner(connection, stream)
        _driver(connection).executemany(
            _INSERT_EFFECT,
            [
                (
                    *(e.id, e.kind, stream, "due", e.due, 0),
                    self._payloads.write_effect(owner, e.id, e.kind, e.payload),
                )
                for e in effects
            ],
        )

    def _deliver(self, connection: Connection, receipt: Receipt) -> bool:
        """Append the receipt to its message's stream, once; False if no message has that id."""
        owner = connection.execute(
            select(col(WireRow.message), col(WireRow.stream)).where(
                col(WireRow.carrier) == receipt.carrier, col(WireRow.id) == receipt.id
            )
        ).first()
        if owner is None:
            return False
        message, stream = owner
        dedupe = f"receipt:{message}:{receipt.id}:{receipt.state}"
        seen = select(col(EventRow.id)).where(col(EventRow.dedupe) == dedupe)
        if connection.execute(seen).first() is None:
            happened = ReceiptReceived(
                message=message,
                carrier=receipt.carrier,
                id=receipt.id,
                state=receipt.state,
                error=receipt.error,
            )
            self._append(connection, stream, [happened], dedupe=dedupe)
        return True

    def _deliver_early(self, connection: Connection, carrier: str, id: str) -> None:
        mine = (col(EarlyReceiptRow.carrier) == carrier, col(EarlyReceiptRow.id) == id)
        query = select(EarlyReceiptRow.__table__).where(*mine)  # type: ignore[attr-defined]  # SQLModel hides its table
        early = connection.execute(query.order_by(col(EarlyReceiptRow.number))).mappings().all()
        fresh = self._clock.now() - _EARLY_FOR
        for row in (r for r in early if r["at"] >= fresh):
            self._deliver(connection, Receipt(carrier, id, row["state"], row["error"]))
        if early:
            connection.execute(delete(EarlyReceiptRow).where(*mine))

    def _envelope(self, row: RowMapping) -> Envelope:
        stream, sequence = row["stream"], row["sequence"]
        name, version = row["name"], row["version"]
        payload = self._payloads.read(stream, sequence, name, version, row["payload"])
        return Envelope(
            id=row["id"],
            stream=stream,
            sequence=sequence,
            at=row["at"],
            actor=row["actor"],
            cause=row["cause"],
            event=from_payload(name, version, payload),
        )

    def _job(self, row: RowMapping) -> Job:
        """As it will be once claimed."""
        state = "sending" if row["state"] == "open" else "due"
        payload = self._payloads.read_effect(row["id"], row["payload"])
        return Job(row["kind"], row["id"], row["stream"], payload, row["attempts"] + 1, state)

    async def _read(self, query: Callable[[Connection], _T]) -> _T:
        def action() -> _T:
            with self._engine.connect() as connection:
                return query(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, action)
        except DBAPIError as error:
            raise unavailable(error) from error

    def _changed(self) -> None:
        self._change_count += 1
        self._change.set()
        self._change = asyncio.Event()


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def _engine(path: Path, read_only: bool, busy_ms: int) -> Engine:
    # Created by _prepare, with its mode; SQLite itself must not make one.
    uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rw'}"
    # One connection a use: readers in threads never share one, the writer keeps its own.
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",  # transactions are ours: BEGIN IMMEDIATE in the writer
    )

    @event.listens_for(engine, "connect")
    def settings(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={busy_ms}")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _prepare(path: Path, engine: Engine) -> None:
    """Make the file, or check it before anything is written to it; then the tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Callers' words are inside: nobody but the service reads them. SQLite gives the same mode to
    # the write-ahead log beside it.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        _check(path, engine)
        path.chmod(0o600)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        Table.metadata.create_all(connection)
        schema = upsert(MetaRow).values(key="schema", value=str(SCHEMA_VERSION))
        connection.execute(schema.on_conflict_do_nothing())
        connection.exec_driver_sql("COMMIT")


def _check(path: Path, engine: Engine) -> None:
    """StoreUnavailable unless it is empty, or a database of ours and of this schema."""
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder: set store.path to a file")
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if not tables:
            return
        known = select(col(MetaRow.value)).where(col(MetaRow.key) == "schema")
        version = connection.execute(known).scalar() if MetaRow.__tablename__ in tables else None
    if version is None:
        raise StoreUnavailable(f"{path} is another program's database: set store.path to ours")
    if version != str(SCHEMA_VERSION):
        raise StoreUnavailable(
            f"{path} is of schema {version}, this program needs {SCHEMA_VERSION}: "
            "run the program that wrote it"
        )


def _reopen_claims(connection: Connection) -> None:
    """What was claimed when the last process died has an open fate."""
    claimed = update(OutboxRow).where(col(OutboxRow.state) == "claimed")
    connection.execute(claimed.values(state="open"))


def _owner(connection: Connection, stream: str) -> str:
    """Whose keys seal what is in the stream: its subject's, or its own while nobody is known."""
    head = _driver(connection).execute(_HEAD, (stream,)).fetchone()
    return (head and head[2]) or stream


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
