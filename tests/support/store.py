"""The real store on either engine, in a place of the test."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg

from ari_app.privacy.vault import Vault
from ari_app.store.engine import Engine
from ari_app.store.postgres import PostgresEngine
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter

_WORKERS = itertools.count(1)


def sqlite_store(
    path: Path,
    clock: FakeClock | None = None,
    *,
    read_only: bool = False,
    busy_ms: int = 5000,
    vault: Vault | None = None,
) -> EventStore:
    """A store on this file, not opened yet; each is another worker."""
    clock = clock or FakeClock()
    engine = SqliteEngine(path, clock, read_only=read_only, busy_ms=busy_ms)
    worker = f"w{next(_WORKERS)}"
    return EventStore(engine, clock, RecordingMeter(), worker=worker, vault=vault)


@contextlib.asynccontextmanager
async def opened(
    folder: Path, clock: FakeClock | None = None, *, busy_ms: int = 5000
) -> AsyncIterator[EventStore]:
    """`segue.db` in the folder, made or found; closed at the end."""
    async with running(sqlite_store(folder / "segue.db", clock, busy_ms=busy_ms)) as store:
        yield store


@contextlib.asynccontextmanager
async def running(store: EventStore) -> AsyncIterator[EventStore]:
    """Opened, and closed at the end."""
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


class Base(Protocol):
    """A database of the test, on one of the engines; time is that of `clock`."""

    name: str
    clock: FakeClock

    def store(self, *, read_only: bool = False, vault: Vault | None = None) -> EventStore:
        """Another worker on it, not opened yet."""

    def engine(self) -> Engine:
        """The engine alone, not opened yet."""

    def rows(self, sql: str, *values: object) -> Sequence[Sequence[Any]]:
        """What the database says itself; `?` for values."""

    def close(self) -> None:
        """Free what the base itself holds."""


class SqliteBase:
    """A file."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.path = folder / "segue.db"

    def engine(self) -> Engine:
        return SqliteEngine(self.path, self.clock)

    def store(self, *, read_only: bool = False, vault: Vault | None = None) -> EventStore:
        return sqlite_store(self.path, self.clock, read_only=read_only, vault=vault)

    def rows(self, sql: str, *values: object) -> Sequence[Sequence[Any]]:
        with contextlib.closing(SqliteEngine(self.path, self.clock).connect()) as link:
            return link.rows(sql, values)

    def close(self) -> None:
        pass


class _ServerClock(FakeClock):
    """Moves the clock of the database along."""

    def __init__(self, dsn: str, schema: str) -> None:
        super().__init__()
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS test_time_{schema}")
        self._table = f"test_time_{schema}.clock"
        self._connection.execute(
            f"CREATE TABLE {self._table} AS SELECT {self.now()}::bigint AS now"
        )

    def rule(self, schema: str) -> None:
        """From now on the database has this clock's time."""
        self._connection.execute(
            f"CREATE OR REPLACE FUNCTION {schema}.segue_now() RETURNS bigint LANGUAGE sql VOLATILE"
            f" AS 'SELECT now FROM {self._table}'"
        )

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._connection.execute(f"UPDATE {self._table} SET now = %s", (self.now(),))

    def close(self) -> None:
        self._connection.close()


class _RuledStore(EventStore):
    """The clock of the test is made the database's as soon as there are tables."""

    base: PostgresBase

    async def open(self) -> None:
        await super().open()
        self.base.ruled()


class PostgresBase:
    """A schema of a real server."""

    name = "postgres"

    def __init__(self, dsn: str, schema: str = "segue") -> None:
        self.dsn = dsn
        self.schema = schema
        self.server_clock = _ServerClock(dsn, schema)
        self.clock: FakeClock = self.server_clock
        self._ruled = False

    def engine(self) -> Engine:
        return PostgresEngine(self.dsn, schema=self.schema)

    def ruled(self) -> None:
        if not self._ruled:
            self.server_clock.rule(self.schema)
            self._ruled = True

    def store(self, *, read_only: bool = False, vault: Vault | None = None) -> EventStore:
        store = _RuledStore(
            PostgresEngine(self.dsn, schema=self.schema, read_only=read_only),
            self.clock,
            RecordingMeter(),
            worker=f"w{next(_WORKERS)}",
            vault=vault,
        )
        store.base = self
        return store

    def rows(self, sql: str, *values: object) -> Sequence[Sequence[Any]]:
        with contextlib.closing(PostgresEngine(self.dsn, schema=self.schema).connect()) as link:
            return link.rows(sql, values)

    def close(self) -> None:
        self.server_clock.close()
