"""Takes a backup of either engine: one SQLite file, of one moment, while the service writes on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from ari_app.errors import StoreUnavailable
from ari_app.ledger.merkle import Tree
from ari_app.ports import Clock, failpoint
from ari_app.store.backup_file import (
    MANIFEST,
    PATIENT,
    SHIFT,
    TABLES,
    VIEWS_CHECKPOINTS,
    Manifest,
    Progress,
    columns_of,
)
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.migration import migrate
from ari_app.store.sqlite import SqliteEngine, SqliteLink

# 4 MB: long enough to be fast, short enough for a bar that moves.
_STEP = 1024
_BATCH = 5000


def take(
    engine: Engine,
    path: Path,
    clock: Clock,
    *,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Manifest:
    """Write all that is committed at this moment to `path`, whole or not at all, mode 0600.

    `engine` has been opened and is of this program's schema. Nobody who writes waits for it. No
    key is in it: what belongs to persons stays sealed. StoreUnavailable if `path` exists, unless
    `force`; if another backup is being written there; or in what the disk or the database says.
    """
    _refuse_existing(path, force)
    with _workplace(path) as folder:
        part = folder / "backup"
        try:
            with contextlib.closing(engine.connect()) as link:
                link.begin(read_only=True)
                if isinstance(link, SqliteLink):
                    manifest = _of_file(link, folder / "copy", part, progress)
                else:
                    manifest = _of_server(link, part, clock, progress)
        except sqlite3.Error as error:
            if isinstance(engine, SqliteEngine) and "malformed" in str(error):
                raise engine.unavailable(error) from error
            raise _unwritable(path, str(error)) from error
        except engine.Error as error:
            raise engine.unavailable(error) from error
        try:
            part.chmod(0o600)
            _sync(part)
            failpoint("backup.before_rename")
            _refuse_existing(path, force)
            part.rename(path)
            _sync(path.parent)
        except OSError as error:
            raise _unwritable(path, str(error.strerror)) from error
    return manifest


# -- the place ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _workplace(path: Path) -> Iterator[Path]:
    """A private folder beside `path` for what is not whole yet; what a kill left there goes."""
    folder = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, str(error.strerror)) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreUnavailable(
                f"another backup is being written to {path}: wait for its end, or name another file"
            ) from None
        for left in folder.iterdir():
            if left.name != "lock":
                left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder: name a file in it")
    if path.exists() and not force:
        raise StoreUnavailable(f"{path} exists: name another file, or say --force")


def _unwritable(path: Path, why: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the backup cannot be written to {path.parent} ({why}): "
        "see that it exists, is writable, and has room for twice the database"
    )


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


# -- SQLite -------------------------------------------------------------------------------------


def _of_file(link: SqliteLink, copy: Path, part: Path, progress: Progress) -> Manifest:
    """Pages first, as they are; then only the rows that belong into a backup.

    What was deleted from the database still lies in its free pages: it does not come along.
    """
    # The first read fixes the moment. Without it each append of the service, which is another
    # connection, would make the copy begin again, and it would never end.
    ((taken,),) = link.rows("SELECT segue_now() FROM (SELECT count(*) FROM meta)")
    for path in (copy, part):
        path.touch(mode=0o600)

    def stepped(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous=OFF")
        link.connection.backup(target, pages=_STEP, progress=stepped, sleep=0)
        link.rollback()  # from here on we hold nothing up
        target.execute("PRAGMA journal_mode=OFF")
        kept = {*TABLES, "alembic_version"}
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
        for (name,) in target.execute(tables).fetchall():
            if name not in kept:
                target.execute(f'DELETE FROM "{name}"')
        manifest = _sign(SqliteLink(target), taken, "sqlite")
        target.execute("VACUUM INTO ?", (str(part),))
    copy.unlink()
    return manifest


# -- PostgreSQL ---------------------------------------------------------------------------------


def _of_server(link: Link, part: Path, clock: Clock, progress: Progress) -> Manifest:
    """Row by row, numbered 1, 2, 3, ... in the order of the log.

    A transaction that only reads holds up nobody who reads the log: it has no number of its own.
    """
    for statement in PATIENT:
        link.run(statement)
    ((taken,),) = link.rows("SELECT segue_now()")
    counts = {t: int(link.rows(f"SELECT count(*) FROM {t}")[0][0]) for t in TABLES}
    total, done = sum(counts.values()), 0
    part.touch(mode=0o600)
    target = SqliteEngine(part, clock)
    migrate(target)
    with contextlib.closing(target.connect()) as into:
        into.rows("PRAGMA journal_mode=OFF")
        into.rows("PRAGMA synchronous=OFF")
        into.rows("PRAGMA cache_size=-65536")  # kB: the indexes are filled out of order
        into.begin()
        places = _Places(link)
        for table in TABLES:
            columns = columns_of(table)
            rows = _events(link, columns, places) if table == "event" else _plain(link, table)
            if table == "checkpoint":
                rows = places.renumbered(rows, columns, "position")
            elif table == "seal":
                rows = places.renumbered(rows, columns, "size")
            marks = ", ".join("?" * len(columns))
            # Only `meta` has rows already: how this file is made is its own affair.
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
            while batch := list(islice(rows, _BATCH)):
                into.many(insert, batch)
                done += len(batch)
                progress(done, total)
        manifest = _sign(into, taken, "postgresql")
        into.commit()
    return manifest


def _plain(link: Link, table: str) -> Iterator[Row]:
    return link.stream(f"SELECT {', '.join(columns_of(table))} FROM {table}", size=_BATCH)


def _events(link: Link, columns: list[str], places: _Places) -> Iterator[Row]:
    rest = ", ".join(columns[1:])
    query = f"SELECT xid::text::bigint, position, {rest} FROM event ORDER BY xid, position"
    for number, (xid, position, *others) in enumerate(link.stream(query, size=_BATCH), start=1):
        places.passed(xid << SHIFT | position, number)
        yield (number, *others)
    places.ended()


class _Places:
    """Which place of the log has which number in the backup: those from where somebody goes on."""

    def __init__(self, link: Link) -> None:
        remembered = link.rows(
            "SELECT position FROM checkpoint UNION SELECT max(position) FROM seal"
        )
        self._waiting = sorted((int(row[0]) for row in remembered if row[0]), reverse=True)
        self._numbers: dict[int, int] = {}
        self._last = 0

    def passed(self, place: int, number: int) -> None:
        """The event of this number stands here: whoever is before it is at the one before."""
        while self._waiting and self._waiting[-1] < place:
            self._numbers[self._waiting.pop()] = number - 1
        self._last = number

    def ended(self) -> None:
        """There are no more events."""
        while self._waiting:
            self._numbers[self._waiting.pop()] = self._last

    def renumbered(self, rows: Iterator[Row], columns: list[str], count: str) -> Iterator[Row]:
        """The rows with the number of each place.

        Nobody goes on from an old seal, and there may be millions: `count` is the column that has
        how many events were sealed, which is the number of the last of them.
        """
        at, otherwise = columns.index("position"), columns.index(count)
        for row in rows:
            number = self._numbers.get(int(row[at]), int(row[otherwise]))
            yield (*row[:at], number, *row[at + 1 :])


# -- both ---------------------------------------------------------------------------------------


def _sign(link: Link, taken: int, engine: str) -> Manifest:
    """The last touches, and the manifest; `link` is to the backup."""
    link.run("DELETE FROM checkpoint WHERE consumer IN (?, ?)", VIEWS_CHECKPOINTS)
    seals = link.rows("SELECT size, tree FROM seal ORDER BY number DESC LIMIT 1")
    size, tree = seals[0] if seals else (0, b"")
    try:
        root = Tree.from_bytes(tree).root.hex() if seals else ""
    except ValueError:
        root = ""  # the audit will name it; a backup of what is left is better than none
    ((schema,),) = link.rows("SELECT value FROM meta WHERE key = 'schema'")
    ((events,),) = link.rows("SELECT count(*) FROM event")
    manifest = Manifest(taken, engine, schema, events, size, root)
    link.run("DELETE FROM meta WHERE key = ?", (MANIFEST,))
    values = (MANIFEST, json.dumps(asdict(manifest)))
    link.run("INSERT INTO meta (key, value) VALUES (?, ?)", values)
    return manifest
