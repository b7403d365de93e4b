"""The key database: wrapped keys in a SQLite file of its own, destroyed without a trace."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from ari_app.conversation.identity import new_id
from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock, failpoint
from ari_app.privacy.errors import ErasureIncomplete, KeyDamaged, WrongKek
from ari_app.privacy.ports import Key, KeyFacts, Slot
from ari_app.privacy.wrapping import KEY_SIZE, NONCE_SIZE, Kek

_SCHEMA = 1
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
_FACTS = "id, owner, data_class, begins, ends, created"
_ALL = f"{_FACTS}, kek, wrapped"
# So many at once. A page is read in one go: no reader stands in the way of a checkpoint.
_PAGE = 500
# To look for more keys than this in the files takes longer than to write the files anew.
_FEW = 32
_Row = tuple[str, str, str, int, int, int, str, bytes]


class KeyDatabase:
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
        self._path = path
        self._kek = Kek(kek)
        self._keks = {self._kek.fingerprint: self._kek}
        self._clock = clock
        self._entropy = entropy
        self._busy_ms = busy_ms
        # One connection writes and one reads, so that a reader does not wait for an fsync.
        self._writing = threading.RLock()
        self._reading = threading.Lock()

    def open(self) -> None:
        """Make or check the database; WrongKek or StoreUnavailable say what to do."""
        with _in_our_words(), contextlib.ExitStack() as undo:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _make_private(self._path)
            self._writer = self._connect()
            undo.callback(self._writer.close)
            self._check_schema()
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
            self._set_once("schema", _SCHEMA)
            self._set_once("kek", self._kek.fingerprint)
            self._learn_keks()
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

    def find(self, slot: Slot) -> Key | None:
        """See the port."""
        where = "owner = ? AND data_class = ? AND begins = ?"
        rows = self._read(where, (slot.owner, slot.data_class, slot.period.begins))
        return self._key(rows[0]) if rows else None

    def by_id(self, id: str) -> Key | None:
        """See the port."""
        rows = self._read("id = ?", (id,))
        return self._key(rows[0]) if rows else None

    def create_many(self, slots: Sequence[Slot]) -> list[Key]:
        """See the port."""
        with self._writing, _in_our_words():
            with self._transaction():
                kek = self._current_kek()
                created = max(self._clock.now(), self._floor() + 1)
                self._writer.executemany(
                    f"INSERT INTO key ({_ALL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (owner, data_class, begins) DO NOTHING",
                    [self._new_row(slot, created, kek) for slot in slots],
                )
                rows = [self._row_of(slot) for slot in slots]
            failpoint("keys.after_create")
        return [self._key(row) for row in rows]

    def facts(self, owner: str | None = None) -> Iterator[KeyFacts]:
        """See the port."""
        last = ""
        while True:
            with self._reading, _in_our_words():
                page = self._reader.execute(
                    f"SELECT {_FACTS} FROM key WHERE id > ? AND (? IS NULL OR owner = ?) "
                    "ORDER BY id LIMIT ?",
                    (last, owner, owner, _PAGE),
                ).fetchall()
            if not page:
                return
            yield from (KeyFacts(*row) for row in page)
            last = page[-1][0]

    def shred(
        self, owner: str, data_class: str | None = None, created_until: int | None = None
    ) -> list[str]:
        """See the port."""
        until = self._clock.now() if created_until is None else created_until
        where = "owner = ? AND (? IS NULL OR data_class = ?) AND (? IS NULL OR created <= ?)"
        wanted = (owner, data_class, data_class, created_until, created_until)
        with self._alone():
            return self._destroy([(where, wanted)], until)

    def shred_keys(self, ids: Sequence[str]) -> list[str]:
        """See the port."""
        with self._alone():
            return self._destroy([("id = ?", (id,)) for id in ids], 0)

    # -- the key-encryption key ---------------------------------------------------------------

    @property
    def rotating(self) -> bool:
        """Whether a rotation has begun and not ended: `rotate` to the same key again."""
        with self._writing, _in_our_words():
            return self._meta("rotation_from") is not None

    def rotate(self, kek: bytes) -> int:
        """Wrap every key by a new key-encryption key; returns how many had not been yet.

        May be killed at any time: until it is finished, the database opens with either key, since
        each is kept wrapped by the other one. Repeat it to go on.
        """
        new = Kek(kek)
        with self._alone(), _in_our_words():
            old = self._begin_rotation(new)
            if old is None:
                return 0
            count, last = 0, ""
            while rows := self._wrapped_otherwise(new, last):
                with self._transaction():
                    for row in rows:
                        key = self._key(row)
                        wrapped = new.wrap(key.secret, _purpose(row), self._entropy(NONCE_SIZE))
                        self._writer.execute(
                            "UPDATE key SET kek = ?, wrapped = ? WHERE id = ?",
                            (new.fingerprint, wrapped, row[0]),
                        )
                failpoint("keys.rotating")
                count, last = count + len(rows), rows[-1][0]
            with self._transaction():
                self._writer.execute("DELETE FROM meta WHERE name LIKE 'rotation%'")
                self._set("scrub", 1)
            failpoint("keys.before_rewrite")
            # What the old key has wrapped must not be found by whoever finds the old key.
            self._rewrite()
            self._keks = {new.fingerprint: new}
            return count

    def _begin_rotation(self, new: Kek) -> Kek | None:
        """The old key; None if all keys are wrapped by the new one already."""
        with self._transaction():
            current = self._current_kek()
            if self._meta("rotation_from") is not None:
                if new.fingerprint != current.fingerprint:
                    raise WrongKek(
                        f"a rotation to key {current.fingerprint} has begun: end it with that key"
                    )
                return self._keks[self._text("rotation_from")]
            if new.fingerprint == current.fingerprint:
                return None
            purpose = f"{current.fingerprint}|{new.fingerprint}"
            nonces = self._entropy(NONCE_SIZE), self._entropy(NONCE_SIZE)
            self._set("rotation_from", current.fingerprint)
            self._set("rotation_forth", current.wrap(new.secret, purpose, nonces[0]))
            self._set("rotation_back", new.wrap(current.secret, purpose, nonces[1]))
            self._set("kek", new.fingerprint)
        self._keks[new.fingerprint] = new
        return current

    def _wrapped_otherwise(self, new: Kek, after: str) -> list[_Row]:
        return self._writer.execute(
            f"SELECT {_ALL} FROM key WHERE id > ? AND kek <> ? ORDER BY id LIMIT ?",
            (after, new.fingerprint, _PAGE),
        ).fetchall()

    def _current_kek(self) -> Kek:
        """The one to wrap new keys by; in a transaction."""
        fingerprint = self._text("kek")
        if fingerprint not in self._keks:
            self._learn_keks()
        return self._keks[fingerprint]

    def _learn_keks(self) -> None:
        """Both keys of a rotation from either; WrongKek if ours is none of them."""
        new = self._text("kek")
        old = None if self._meta("rotation_from") is None else self._text("rotation_from")
        ours = self._keks.get(new) or self._keks.get(old or "")
        if ours is None:
            raise WrongKek(
                f"the key-encryption key {self._kek.fingerprint} does not open {self._path}: "
                f"put key {new} in its place, and start again"
            )
        if old is None:
            return
        other = self._meta("rotation_back" if ours.fingerprint == new else "rotation_forth")
        assert isinstance(other, bytes)
        secret = ours.unwrap(other, f"{old}|{new}")
        if secret is None:
            raise KeyDamaged("the rotation")
        found = Kek(secret)
        self._keks[found.fingerprint] = found

    # -- rows ---------------------------------------------------------------------------------

    def _new_row(self, slot: Slot, created: int, kek: Kek) -> _Row:
        id = new_id("key", created, self._entropy(10))
        bare = (id, slot.owner, slot.data_class, *slot.period, created, kek.fingerprint, b"")
        secret, nonce = self._entropy(KEY_SIZE), self._entropy(NONCE_SIZE)
        return (*bare[:7], kek.wrap(secret, _purpose(bare), nonce))

    def _row_of(self, slot: Slot) -> _Row:
        row: _Row = self._writer.execute(
            f"SELECT {_ALL} FROM key WHERE owner = ? AND data_class = ? AND begins = ?",
            (slot.owner, slot.data_class, slot.period.begins),
        ).fetchone()
        return row

    def _read(self, where: str, values: tuple[object, ...]) -> list[_Row]:
        with self._reading, _in_our_words():
            return self._reader.execute(f"SELECT {_ALL} FROM key WHERE {where}", values).fetchall()

    def _key(self, row: _Row) -> Key:
        if row[6] not in self._keks:
            with self._writing, _in_our_words():
                self._learn_keks()
        kek = self._keks.get(row[6])
        secret = None if kek is None else kek.unwrap(row[7], _purpose(row))
        if secret is None:
            raise KeyDamaged(row[0])
        return Key(KeyFacts(*row[:6]), secret)

    # -- destruction --------------------------------------------------------------------------

    def _destroy(self, wanted: Sequence[tuple[str, tuple[object, ...]]], until: int) -> list[str]:
        """Delete the rows and every trace of them; new keys are created after `until`."""
        rows: list[_Row] = []
        with _in_our_words():
            unfinished = self._meta("scrub") is not None
            try:
                with self._transaction():
                    for where, values in wanted:
                        found = self._writer.execute(
                            f"SELECT {_ALL} FROM key WHERE {where}", values
                        )
                        rows += found.fetchall()
                    if until > self._floor():
                        self._set("floor", until)
                    if rows:
                        # Before the commit: from now on nobody remembers what is read.
                        self._move_on(even=False)
                        ids = [row[:1] for row in rows]
                        self._writer.executemany("DELETE FROM key WHERE id = ?", ids)
                        self._set("scrub", 1)
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

    def _scrub(self, rows: Sequence[_Row]) -> None:
        """No file of ours holds an id or a wrapped key of these rows when this returns."""
        self._truncate_log()
        if len(rows) > _FEW or self._traces(rows):
            self._rewrite()
        else:
            self._writer.execute("DELETE FROM meta WHERE name = 'scrub'")

    def _traces(self, rows: Sequence[_Row]) -> bool:
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
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _check_schema(self) -> None:
        tables = {name for (name,) in self._writer.execute("SELECT name FROM sqlite_master")}
        if tables and not {"meta", "key"} <= tables:
            raise StoreUnavailable(f"{self._path} is another program's database: move it away")
        if tables and self._meta("schema") != _SCHEMA:
            raise StoreUnavailable(
                f"{self._path} is not of schema {_SCHEMA}, which this program needs: "
                "run the program that wrote it"
            )

    def _floor(self) -> int:
        floor = self._meta("floor")
        return floor if isinstance(floor, int) else 0

    def _text(self, name: str) -> str:
        value = self._meta(name)
        assert isinstance(value, str)
        return value

    def _meta(self, name: str) -> int | str | bytes | None:
        row = self._writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _set(self, name: str, value: int | str | bytes) -> None:
        self._writer.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _set_once(self, name: str, value: int | str) -> None:
        self._writer.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))


def _purpose(row: _Row) -> str:
    """What a wrapped key is bound to: a row that was given to somebody else opens nothing."""
    return "|".join(str(value) for value in row[:6])


def _make_private(path: Path) -> None:
    # SQLite gives the same mode to the write-ahead log beside it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"the key database cannot be used ({error}): check the disk and who holds it"
        ) from error
    except OSError as error:
        raise StoreUnavailable(f"cannot use {error.filename}: {error.strerror}") from error
