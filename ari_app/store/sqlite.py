"""SQLite as an engine: WAL, synchronous=FULL, private files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import sqlalchemy
from sqlalchemy.pool import NullPool

from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock
from ari_app.store.bulk import Bulk, for_each
from ari_app.store.engine import Doomed, Link, Place, Row

_ADVICE = {
    "locked": "another program holds it: stop that program, or wait for its backup to end",
    "readonly": "make the file and its folder writable for the service's user",
    "unable to open": "make the folder exist and writable for the service's user",
    "full": "free some disk space",
    "I/O": "check the disk, then restore it from a backup",
    "malformed": "restore it from a backup",
    "not a database": "set store.path to a Segue database or to a new file",
    "Could not decode": "run `segue audit verify`, then restore it from a backup",
}


class SqliteLink:
    """Implements `Link` over one connection of the driver."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See the protocol."""
        return self.connection.execute(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See the protocol."""
        return self.connection.execute(sql, values).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """See the protocol."""
        if rows:
            self.connection.executemany(sql, rows)

    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None:
        """See the protocol."""
        if rows:
            self.connection.executemany(for_each(statement), rows)

    def stream(self, sql: str, values: Sequence[object] = (), size: int = 1000) -> Iterator[Row]:
        """See the protocol."""
        cursor = self.connection.execute(sql, values)
        while page := cursor.fetchmany(size):
            yield from page

    def begin(self, *, read_only: bool = False) -> None:
        """See the protocol."""
        # IMMEDIATE: a reader that becomes a writer late would fail with SQLITE_BUSY.
        self.connection.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """See the protocol."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """See the protocol."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See the protocol."""
        self.connection.execute("SAVEPOINT one")
        try:
            yield
        except Exception as error:
            if not self.connection.in_transaction:  # a full disk, an I/O error
                raise Doomed(str(error)) from error
            self.connection.execute("ROLLBACK TO one")
            self.connection.execute("RELEASE one")
            raise
        self.connection.execute("RELEASE one")

    @property
    def lost(self) -> bool:
        """See the protocol."""
        return False

    def close(self) -> None:
        """See the protocol."""
        self.connection.close()


class SqliteEngine:
    """Implements `Engine` over one file."""

    for_update = for_share = skip_locked = ""
    cursor = order = "position"
    place = Place()
    Error: type[Exception] = sqlite3.Error
    Broken: tuple[type[Exception], ...] = (sqlite3.IntegrityError,)
    Busy: tuple[type[Exception], ...] = ()

    def __init__(
        self, path: Path, clock: Clock, *, read_only: bool = False, busy_ms: int = 5000
    ) -> None:
        """`busy_ms` is how long a lock of another program is waited for."""
        self.path = path
        self.read_only = read_only
        self._clock = clock
        self._busy_ms = busy_ms
        self._lock: int | None = None

    def open(self) -> None:
        """See the protocol."""
        try:
            if self.read_only:
                if not self.path.exists():
                    raise StoreUnavailable(f"there is no database at {self.path}: see store.path")
                self._check()
            else:
                self._make()
        except OSError as error:
            where = error.filename or self.path
            raise StoreUnavailable(f"cannot make {where}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise self.unavailable(error) from error

    def _make(self) -> None:
        """Make the file, or check it before anything is written to it."""
        if self.path.is_dir():
            raise StoreUnavailable(f"{self.path} is a folder: set store.path to a file")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Callers' words are inside: nobody but the service reads them. SQLite gives the same mode
        # to the write-ahead log beside it.
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            self._check()
            self.path.chmod(0o600)
        with contextlib.closing(self.connect()) as link:
            link.rows("PRAGMA journal_mode=WAL")

    def _check(self) -> None:
        """StoreUnavailable unless it is empty, or a database of ours."""
        if self.path.is_dir():
            raise StoreUnavailable(f"{self.path} is a folder: set store.path to a file")
        with contextlib.closing(self.connect()) as link:
            tables = {name for (name,) in link.rows("SELECT name FROM sqlite_master")}
        if tables and not {"meta", "event", "stream"} <= tables:
            raise StoreUnavailable(
                f"{self.path} is another program's database: set store.path to ours"
            )

    def connect(self) -> Link:
        """See the protocol."""
        return SqliteLink(self._connect())

    def _connect(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self.path))}?mode={'ro' if self.read_only else 'rw'}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout={self._busy_ms}")
        connection.execute("PRAGMA synchronous=FULL")
        # In pages of 4 kB: each checkpoint of the log into the file costs two more fsyncs.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        # What is erased leaves no copy in the gaps of the file.
        connection.execute("PRAGMA secure_delete=ON")
        connection.create_function("segue_now", 0, self._clock.now)
        return connection

    def close(self) -> None:
        """See the protocol."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def take_alone(self) -> bool:
        """See the protocol. A lock of the system: free as soon as its process is gone."""
        path = self.path.with_name(self.path.name + "-lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot make {path}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StoreUnavailable(
                f"another segue uses {self.path}: stop it; several workers need PostgreSQL "
                "(store.url)"
            ) from None
        self._lock = lock
        return True

    def placed(self, stream: str, sequence: int) -> Row:
        """See the protocol. Positions are in order as they are."""
        return ()

    def any_of(self, column: str) -> str:
        """See the protocol."""
        return f"{column} IN (SELECT value FROM json_each(?))"

    def listed(self, values: Iterable[str]) -> object:
        """See the protocol."""
        return json.dumps(list(values))

    def after(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """See the protocol. One writer: positions become visible in order."""
        return "position > ?", (cursor,)

    def beyond(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """See the protocol."""
        return self.after(cursor)

    def was_committed(self, error: BaseException) -> bool:
        """See the protocol. The file is as the driver says."""
        return False

    def alchemy(self) -> sqlalchemy.Engine:
        """See the protocol."""
        return sqlalchemy.create_engine(
            "sqlite://",
            creator=self._connect,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """See the protocol."""
        hint = next(
            (text for word, text in _ADVICE.items() if word in str(error)), "check the disk"
        )
        return StoreUnavailable(f"the database cannot be used ({error}): {hint}")

    def on_change(self, changed: Callable[[], None]) -> None:
        """See the protocol. Other processes are found by polling."""

    def announce(self) -> None:
        """See the protocol."""
