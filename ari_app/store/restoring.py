"""Writes a backup into a database of either engine, all of it or nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ari_app.errors import StoreUnavailable
from ari_app.ports import Clock, failpoint
from ari_app.store import read_models as read_models  # makes the tables known
from ari_app.store.backup_file import (
    OF_THE_SCHEMA,
    PATIENT,
    SHIFT,
    TABLES,
    Manifest,
    Progress,
    columns_of,
    opened,
)
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.migration import prepare
from ari_app.store.postgres import PostgresLink
from ari_app.store.schema import Table
from ari_app.store.sqlite import SqliteLink

_BATCH = 5000

_WORKER = "substr(name, 1, 7) = 'worker:'"
_LIVING = f"SELECT owner FROM lease WHERE {_WORKER} AND until > segue_now() ORDER BY name"
_HELD = (
    "SELECT kind, count(*), min(due) FROM outbox WHERE state = 'held' GROUP BY kind ORDER BY kind"
)
_RELEASE = "UPDATE outbox SET state = 'due' WHERE state = 'held'"
# What a worker had in hand is in nobody's hands now, as after a crash: what was being sent has an
# unknown fate, what was only claimed is due.
_STATE = """
    CASE state WHEN 'sending' THEN 'open' WHEN 'claimed' THEN '{due}' WHEN 'due' THEN '{due}'
    ELSE state END"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has done."""

    manifest: Manifest
    #: Effects that wait for `release`, by kind.
    held: dict[str, int]


def restore(
    path: Path,
    engine: Engine,
    clock: Clock,
    *,
    mark: str | None = None,
    force: bool = False,
    resume: bool = False,
    workspace: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> Restored:
    """Make the database what it was when the backup was taken, in one transaction.

    `engine` is not opened yet; it is open afterwards, so that on SQLite nobody begins to work on
    it before it is closed. It must have no events, unless `force`: those are gone then. `mark` is
    that of the installation whose keys are at hand; `workspace` is a folder for a copy, should the
    backup be of an older schema. BackupDamaged, or StoreUnavailable if a worker is alive.

    Nobody knows what was sent after the backup was taken. So each effect that was promised in it
    and not done is `held`: nobody claims it until `release`. With `resume` they are due at once,
    and texts that went out since the backup go out again. In both cases what was being sent at
    that moment has an unknown fate, and is not sent again by itself; and the service takes up the
    conversations as they were: timers that fired since fire again, replies that were answered
    since are answered again.

    Who was erased since is in it again, sealed: erase them again before anything is read. Opening
    the installation's keys and store (`Premises`) does that, from the ledger.
    """
    with opened(path, clock, workspace) as (manifest, backup):
        _is_of(mark, backup)
        engine.open()
        engine.take_alone()
        prepare(engine)
        try:
            with contextlib.closing(engine.connect()) as link:
                if isinstance(link, SqliteLink):
                    link.rows("PRAGMA cache_size=-65536")  # kB: the indexes are filled out of order
                link.begin()
                try:
                    base = _make_room(link, force)
                    _fill(link, backup, base, "due" if resume else "held", progress)
                    said = json.dumps({"at": clock.now(), "taken": manifest.taken})
                    _say(link, [("restored", said)])
                    kinds = {kind: int(count) for kind, count, _ in link.rows(_HELD)}
                    failpoint("restore.before_commit")
                    _commit(engine, link)
                except BaseException:
                    with contextlib.suppress(engine.Error):
                        link.rollback()
                    raise
                _tidy(link)
        except engine.Error as error:
            raise engine.unavailable(error) from error
    return Restored(manifest, kinds)


def release(engine: Engine) -> int:
    """What a restore has put on hold is due now; how many effects. `engine` has been opened."""
    try:
        with contextlib.closing(engine.connect()) as link:
            link.begin()
            count = link.run(_RELEASE)
            _commit(engine, link)
            return count
    except engine.Error as error:
        raise engine.unavailable(error) from error


def held(link: Link) -> list[tuple[str, int, int]]:
    """What waits for `release`: kind, how many, and since when the oldest is due."""
    return [(kind, int(count), due) for kind, count, due in link.rows(_HELD)]


def _is_of(mark: str | None, backup: Link) -> None:
    found = backup.rows("SELECT value FROM meta WHERE key = 'installation'")
    if mark is not None and found and found[0][0] != mark:
        raise StoreUnavailable(
            "the backup is of another installation: put the subject key that it was made with in "
            "place first (store.subject_key_file, or subject.key beside the database)"
        )


# -- the database -------------------------------------------------------------------------------


def _make_room(link: Link, force: bool) -> int:
    """Nobody works on it, and it is empty; what is added to each place in the log."""
    base = 0
    if isinstance(link, PostgresLink):
        for statement in PATIENT:
            link.run(statement)
        # No worker can begin meanwhile, and no event can come in between.
        link.run("LOCK TABLE lease, event IN EXCLUSIVE MODE")
        ((xid,),) = link.rows("SELECT pg_current_xact_id()::text::bigint")
        base = xid << SHIFT
    living = [owner for (owner,) in link.rows(_LIVING)]
    if living:
        raise StoreUnavailable(
            f"{', '.join(living)} works on the database: stop every `segue run` first, and wait "
            "some seconds if it was killed"
        )
    ((events,),) = link.rows("SELECT count(*) FROM event")
    if events and not force:
        raise StoreUnavailable(
            f"the database has {events} events: restore into an empty one, or take a backup of "
            "it and say --force to replace them"
        )
    # Should one of the dead wake up, it finds that it is: it writes nothing into what is restored.
    link.run(f"DELETE FROM lease WHERE {_WORKER}")
    # Of an empty one too: its views, and what a service noted that never took a call.
    for table in Table.metadata.tables:
        if table == "meta":
            marks = ", ".join("?" * len(OF_THE_SCHEMA))
            link.run(f"DELETE FROM meta WHERE key NOT IN ({marks})", OF_THE_SCHEMA)
        elif table != "lease":  # the epochs must never come again
            link.run(f"DELETE FROM {table}")
    return base


def _fill(link: Link, backup: Link, base: int, due: str, progress: Progress) -> None:
    backup.begin(read_only=True)
    counts = {t: int(backup.rows(f"SELECT count(*) FROM {t}")[0][0]) for t in TABLES}
    total, done = sum(counts.values()), 0
    for table in TABLES:
        columns = columns_of(table)
        rows = _rows(backup, table, columns, due)
        if table == "meta":
            own = (*OF_THE_SCHEMA, "backup")
            _say(link, [(key, value) for key, value in rows if key not in own])
            continue
        if base and table in ("checkpoint", "seal"):
            rows = _placed(rows, columns.index("position"), base)
        # Closed, so that a COPY has ended before anything else is said on this connection.
        with contextlib.closing(_copy(link, table, columns, rows)) as written:
            for count in written:
                done += count
                progress(done, total)
    backup.rollback()
    if isinstance(link, PostgresLink):
        for table, column in (("event", "position"), ("early_receipt", "number")):
            # Never back: should this be undone, the numbers that are there were given out.
            sequence = f"pg_get_serial_sequence('{table}', '{column}')::regclass"
            last = f"(SELECT coalesce(max({column}), 0) FROM {table})"
            link.rows(f"SELECT setval({sequence}, greatest(nextval({sequence}), {last}))")


def _rows(backup: Link, table: str, columns: Sequence[str], due: str) -> Iterator[Row]:
    wanted = list(columns)
    if table == "outbox":
        wanted[columns.index("state")] = _STATE.format(due=due)
        wanted[columns.index("holder")] = "NULL"
    # In the order of the key: it fills the indexes without a detour.
    keys = ", ".join(key.name for key in Table.metadata.tables[table].primary_key)
    query = f"SELECT {', '.join(wanted)} FROM {table} ORDER BY {keys}"
    return iter(backup.stream(query, size=_BATCH))


def _placed(rows: Iterator[Row], column: int, base: int) -> Iterator[Row]:
    """What was read up to event n was read up to event n of this transaction."""
    for row in rows:
        number = int(row[column])
        yield (*row[:column], base + number if number else 0, *row[column + 1 :])


def _copy(
    link: Link, table: str, columns: Sequence[str], rows: Iterator[Row]
) -> Generator[int, None, None]:
    """Write the rows; how many, time after time."""
    names = ", ".join(columns)
    if isinstance(link, PostgresLink):
        with (
            link.connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            while batch := list(islice(rows, _BATCH)):
                for row in batch:
                    copy.write_row(row)
                yield len(batch)
        return
    insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    while batch := list(islice(rows, _BATCH)):
        link.many(insert, batch)
        yield len(batch)


def _say(link: Link, rows: Sequence[Row]) -> None:
    link.many(
        "INSERT INTO meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        rows,
    )


def _commit(engine: Engine, link: Link) -> None:
    try:
        link.commit()
    except engine.Error as error:
        if not engine.was_committed(error):
            raise


def _tidy(link: Link) -> None:
    """What makes the first queries fast; the rows are on disk whatever becomes of it."""
    if link.lost:
        return
    if isinstance(link, PostgresLink):
        link.run("ANALYZE " + ", ".join(TABLES))
    else:
        link.rows("PRAGMA wal_checkpoint(TRUNCATE)")
