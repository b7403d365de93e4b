"""A backup as a file: what is in it, what it says of itself, and whether it is whole."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock
from ari_app.projections.ports import CONSUMER
from ari_app.store.engine import Link
from ari_app.store.migration import migrate, status
from ari_app.store.schema import Table
from ari_app.store.sqlite import SqliteEngine

#: What is in a backup. Leases are not: nobody holds one in a file. Nor are read models and
#: snapshots: they are made anew of the log.
TABLES = (
    "event stream outbox timer checkpoint wire early_receipt id_rule arrival seal tile once "
    "suppression sending sending_count meta"
).split()
#: How far the read models were, of no use without them.
VIEWS_CHECKPOINTS = (CONSUMER, f"{CONSUMER}.rebuild")
#: Keys of `meta` that say how a database is made, and not what is in it.
OF_THE_SCHEMA = ("schema", "oldest")

#: Told how much is done, of how much: pages or rows.
Progress = Callable[[int, int], None]

#: The key of `meta` that the manifest stands under.
MANIFEST = "backup"
# As in postgres.py: an event's place in the log is its transaction, then its number.
SHIFT = 44
# A connection of the store has time-outs for transactions of milliseconds.
PATIENT = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    taken: int  # UTC microseconds by the clock of the store
    engine: str  # `sqlite` or `postgresql`: where it was taken
    schema: str
    events: int
    sealed: int  # events under its last seal
    root: str  # of the tree of that seal, in hex; "" without one


class BackupDamaged(StoreUnavailable):
    """The file is no backup of ours, or is not as it was written."""


def manifest_of(link: Link) -> Manifest | None:
    """What a backup says of itself; None if this is none."""
    rows = link.rows("SELECT value FROM meta WHERE key = ?", (MANIFEST,))
    try:
        return Manifest(**json.loads(rows[0][0])) if rows else None
    except (ValueError, TypeError):
        return None


def columns_of(table: str) -> list[str]:
    """Its columns that both engines have."""
    return [column.name for column in Table.metadata.tables[table].columns]


@contextlib.contextmanager
def opened(
    path: Path, clock: Clock, workspace: Path | None = None
) -> Iterator[tuple[Manifest, Link]]:
    """The backup, whole, and of this program's schema; it is not changed. BackupDamaged."""
    if not path.is_file():
        raise BackupDamaged(f"there is no backup at {path}: name another file")
    try:
        with contextlib.closing(SqliteEngine(path, clock, read_only=True).connect()) as link:
            manifest = _sound(path, link)
            found = status(SqliteEngine(path, clock, read_only=True))
            if not found.pending:
                yield manifest, link
                return
        with tempfile.TemporaryDirectory(prefix="segue-restore-", dir=workspace) as folder:
            copy = Path(folder) / "backup"
            shutil.copy(path, copy)
            migrate(SqliteEngine(copy, clock))
            with contextlib.closing(SqliteEngine(copy, clock, read_only=True).connect()) as link:
                yield manifest, link
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _sound(path: Path, link: Link) -> Manifest:
    tables = {name for (name,) in link.rows("SELECT name FROM sqlite_master")}
    manifest = manifest_of(link) if "meta" in tables else None
    if manifest is None:
        raise BackupDamaged(f"{path} is no backup of Segue: make one with `segue store backup`")
    wrong = [text for (text,) in link.rows("PRAGMA quick_check(1)") if text != "ok"]
    if wrong:
        raise _damaged(path, " ".join(wrong[0].split()))
    ((events,),) = link.rows("SELECT count(*) FROM event")
    if events != manifest.events:
        raise _damaged(path, f"it has {events} events and not {manifest.events}")
    return manifest


def _damaged(path: Path, why: str) -> BackupDamaged:
    return BackupDamaged(f"the backup {path} is damaged ({why}): take another one")
