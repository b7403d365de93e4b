"""The key database: wrapped keys in a SQLite file of its own, destroyed without a trace."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock, failpoint
from ari_app.privacy.errors import ErasureIncomplete
from ari_app.store.keyring import ALL, Keyring, Row, Wanted

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    data_class TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    created INTEGER NOT NULL,
    kek TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    UNIQUE (owner, data_class, begins)
) WITHOUT ROWID;
"""
# To look for more keys than this in the files takes longer than to write the files anew.
_FEW = 32


class KeyDatabase(Keyring):
    """Implements the port `KeyStore`; a key that was returned survives a power cut.

    Beside the database is `<name>-generation`, eight bytes that every process maps: a number that
    is odd while keys are being destroyed, and another even one afterwards.

    A destroyed key leaves the file (secure_delete) and the write-ahead log (truncated). Then we
    search the file for it, and write the file anew if SQLite should have left a copy. What the
    disk itself keeps of truncated files is beyond us, and wrapped.
    """

    def __init__(
        self,
        path: Path,
        kek: bytes,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        busy_ms: int = 5000,
    ) -> None:
        """`entropy` is os.urandom; `busy_ms` is how long a lock of another program is awaited."""
        super().__init__(str(path), kek, clock, entropy)
        self._path = path
        self._busy_ms = busy_ms

    def open(self) -> None:
        """Make or check the database; WrongKek or StoreUnavailable say what to do."""
        with self._in_our_words(), contextlib.ExitStack() as undo:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _make_private(self._path)
            self._writer = self._connect()
            undo.callback(self._writer.close)
            tables = {name for (name,) in self._execute("SELECT name FROM sqlite_master")}
            self._check_tables(tables, {"meta", "key"})
            self._open_generation()
            undo.callback(self._close_generation)
            # Two processes that switch to WAL at once: SQLite refuses one of them without waiting.
            with self._alone():
                self._prepare()
            self._reader = self._connect()
            undo.pop_all()

    def close(self) -> None:
        """Free the files."""
        self._reader.close()
        self._writer.close()
        self._close_generation()

    def _prepare(self) -> None:
        self._writer.execute("PRAGMA journal_mode=WAL")
        with self._transaction():
            for statement in _TABLES.split(";"):
                self._writer.execute(statement)
            self._first_meta()
        # A process died in the middle of a shredding.
        if self._words[0] % 2:
            self._move_on()
        if self._meta("scrub") is not None:
            self._rewrite()

    # -- the port -----------------------------------------------------------------------------

    def generation(self) -> int | None:
        """See the port."""
        number = self._words[0]
        return None if number & 1 else number

    # -- destruction --------------------------------------------------------------------------

    def _destroy(self, wanted: Wanted, until: int) -> list[str]:
        """Delete the rows and every trace of them; new keys are created after `until`."""
        rows: list[Row] = []
        with self._in_our_words():
            unfinished = self._meta("scrub") is not None
            try:
                with self._transaction():
                    for where, values in wanted:
                        rows += self._execute(f"SELECT {ALL} FROM key WHERE {where}", values)
                    self._raise_floor(until)
                    if rows:
                        # Before the commit: from now on nobody remembers what is read.
                        self._move_on(even=False)
                        self._many("DELETE FROM key WHERE id = ?", [row[:1] for row in rows])
                        self._mark()
                        failpoint("keys.before_delete")
            finally:
                if rows:
                    failpoint("keys.after_delete")
                    self._move_on()
            if unfinished:
                if self._words[0] % 2:
                    self._move_on()  # whoever began it was killed
                self._rewrite()
            elif rows:
                self._scrub(rows)
        return [row[0] for row in rows]

    def _scrub(self, rows: Sequence[Row]) -> None:
        """No file of ours holds an id or a wrapped key of these rows when this returns."""
        self._truncate_log()
        if len(rows) > _FEW or self._traces(rows):
            self._rewrite()
        else:
            self._writer.execute("DELETE FROM meta WHERE name = 'scrub'")

    def _traces(self, rows: Sequence[Row]) -> bool:
        with self._path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            with content:
                return any(
                    content.find(trace) >= 0 for row in rows for trace in (row[0].encode(), row[7])
                )

    def _rewrite(self) -> None:
        """Write the whole file anew, without any gaps."""
        self._truncate_log()
        self._writer.execute("VACUUM")
        self._truncate_log()
        self._writer.execute("DELETE FROM meta WHERE name = 'scrub'")

    def _truncate_log(self) -> None:
        busy, *_ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise ErasureIncomplete(
                f"another program reads {self._path}: stop it and repeat this, or start segue again"
            )

    # -- the generation -----------------------------------------------------------------------

    def _open_generation(self) -> None:
        path = self._path.with_name(self._path.name + "-generation")
        self._generation_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._generation_file).st_size < 8:
            os.ftruncate(self._generation_file, 8)
        self._map = mmap.mmap(self._generation_file, 8)
        # As one 64-bit word: it is read and written as a whole.
        self._words = memoryview(self._map).cast("Q")

    def _close_generation(self) -> None:
        self._words.release()
        self._map.close()
        os.close(self._generation_file)

    def _move_on(self, *, even: bool = True) -> None:
        changes_parity = self._words[0] % 2 == even
        self._words[0] += 1 if changes_parity else 2

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process destroys or rotates."""
        with self._writing:
            fcntl.flock(self._generation_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._generation_file, fcntl.LOCK_UN)

    # -- SQLite -------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._path))}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute(f"PRAGMA busy_timeout={self._busy_ms}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")
        # VACUUM must not leave a copy in a temporary file.
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection

    @contextlib.contextmanager
    def _transaction(self, *, alone: bool = False) -> Iterator[None]:
        # Whether alone or not: SQLite has one writer.
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        return self._writer.execute(sql, values).fetchall()

    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        self._writer.executemany(sql, rows)

    def _query(self, sql: str, values: Sequence[object]) -> list[Row]:
        return self._reader.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"the key database cannot be used ({error}): check the disk and who holds it"
            ) from error
        except OSError as error:
            raise StoreUnavailable(f"cannot use {error.filename}: {error.strerror}") from error


def _make_private(path: Path) -> None:
    # SQLite gives the same mode to the write-ahead log beside it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)
