"""Looks at a database and at what lies beside it: is it well, and if not, what is to be done."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ari_app.errors import SegueError
from ari_app.ports import Clock
from ari_app.store import doctor_postgres, doctor_sqlite
from ari_app.store.backup_file import manifest_of
from ari_app.store.engine import Engine, Link
from ari_app.store.erasures import LedgerFile
from ari_app.store.findings import Check, State, bad, good, latency, sentence, size_of, worse
from ari_app.store.migration import status
from ari_app.store.postgres import PostgresEngine, PostgresLink
from ari_app.store.restoring import held
from ari_app.store.sqlite import SqliteEngine

__all__ = ["Check", "Place", "State", "examine"]

_SYNCS = 50
_SKEW = (1.0, 30.0)  # seconds: warn, fail
_LAG = 10_000  # events
_LITTLE = 512 * 1024 * 1024
_OLD_BACKUP = 26 * 3600  # seconds: one a day, and some time to take it
_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an installation has what is not in the database."""

    folder: Path  # of the keys, and of the SQLite database if there is one
    secrets: Sequence[Path]  # files that only the service may read
    ledger: Path
    mark: str | None = None  # of the installation; None if there is no subject key
    backups: Path | None = None


def examine(
    engine: Engine, place: Place, clock: Clock, told: Callable[[Check], None] = lambda _: None
) -> list[Check]:
    """Every check, in order; `told` hears of each when it is done. It changes nothing.

    `engine` is read-only and not opened yet; it is closed afterwards.
    """
    found = []
    for check in _checks(engine, place, clock):
        told(check)
        found.append(check)
    return found


def _checks(engine: Engine, place: Place, clock: Clock) -> Iterator[Check]:
    try:
        engine.open()
        with contextlib.closing(engine.connect()) as link:
            yield _reached(engine, link)
            try:
                yield from _of_database(engine, link, place, clock)
            except engine.Error as error:
                raise engine.unavailable(error) from error
    except SegueError as error:
        yield sentence("database", State.FAIL, error)
    except engine.Error as error:
        yield sentence("database", State.FAIL, engine.unavailable(error))
    finally:
        engine.close()
    yield from _of_folder(engine, place)
    if place.backups is not None:
        yield _backups(place.backups, clock)


def _reached(engine: Engine, link: Link) -> Check:
    what = "SQLite"
    if isinstance(link, PostgresLink):
        ((number,),) = link.rows("SHOW server_version")
        what = f"PostgreSQL {number}"
    elif isinstance(engine, SqliteEngine):
        ((number,),) = link.rows("SELECT sqlite_version()")
        what = f"SQLite {number}, {engine.path}"
    return good("database", what)


def _of_database(engine: Engine, link: Link, place: Place, clock: Clock) -> Iterator[Check]:
    yield from _schema(engine)
    if isinstance(engine, SqliteEngine):
        yield from doctor_sqlite.checks(engine, link)
    elif isinstance(engine, PostgresEngine) and isinstance(link, PostgresLink):
        yield from doctor_postgres.checks(engine, link)
    yield _clock(link, clock)
    yield _leases(link)
    yield from _lags(engine, link)
    yield _held(link)
    yield _mark(link, place.mark)


def _schema(engine: Engine) -> Iterator[Check]:
    try:
        found = status(engine)
    except SegueError as error:
        yield sentence("schema", State.FAIL, error)
        return
    if found.pending:
        what = f"it is {found.current or 'empty'}, this program needs {found.wanted}"
        yield bad("schema", what, "run `segue store migrate`", State.FAIL)
    else:
        yield good("schema", found.current)


def _clock(link: Link, clock: Clock) -> Check:
    before = clock.now()
    ((now,),) = link.rows("SELECT segue_now()")
    # In the middle of the round trip.
    skew = abs(int(now) - (before + clock.now()) / 2) / 1e6
    what = f"the database's clock and ours are {skew * 1000:.0f} ms apart"
    state = worse(skew, *_SKEW)
    fix = "let both machines follow the same time servers (chrony, systemd-timesyncd)"
    return Check("clock", state, what, fix if state is not State.OK else "")


def _leases(link: Link) -> Check:
    rows = link.rows(
        "SELECT name, owner, until - segue_now() FROM lease WHERE owner <> '' ORDER BY name"
    )
    alive = [f"{name} ({owner}, {left / 1e6:.0f} s)" for name, owner, left in rows if left > 0]
    dead = [name for name, _, left in rows if left <= 0]
    what = ", ".join(alive) if alive else "nobody holds one: no service is running"
    if dead and alive:
        return bad("leases", f"{what}; run out: {', '.join(dead)}", "see that every worker runs")
    return good("leases", what)


def _lags(engine: Engine, link: Link) -> Iterator[Check]:
    for consumer, position in link.rows("SELECT consumer, position FROM checkpoint ORDER BY 1"):
        condition, values = engine.after(int(position))
        ((lag,),) = link.rows(f"SELECT count(*) FROM event WHERE {condition}", values)
        what = f"{consumer} has not seen {lag} events"
        if lag > _LAG:
            yield bad("lag", what, "see in the log why it does not go on; is a service running?")
        else:
            yield good("lag", what)


def _held(link: Link) -> Check:
    waiting = ", ".join(f"{count} {kind}" for kind, count, _ in held(link))
    if waiting:
        fix = "find out which were sent, then run `segue store release`"
        return bad("held", f"since a restore these effects are on hold: {waiting}", fix)
    return good("held", "no effect is on hold")


def _mark(link: Link, mark: str | None) -> Check:
    found = link.rows("SELECT value FROM meta WHERE key = 'installation'")
    if mark is None:
        return bad("subject key", "there is none", "put subject.key in place", State.FAIL)
    if not found:
        return good("subject key", "the database is nobody's yet: the first start makes it ours")
    if found[0][0] != mark:
        fix = "put the subject key in place that it was made with, or correct [store]"
        return bad("subject key", "the database belongs to another one", fix, State.FAIL)
    return good("subject key", "it is that of the database")


# -- beside the database ------------------------------------------------------------------------


def _of_folder(engine: Engine, place: Place) -> Iterator[Check]:
    if isinstance(engine, SqliteEngine):
        yield syncs(place.folder)
    yield _space(engine, place.folder)
    for path in place.secrets:
        yield _private(path)
    try:
        count = len(LedgerFile(place.ledger).entries())
        yield good("erasure ledger", f"{count} entries in {place.ledger}")
    except SegueError as error:
        yield sentence("erasure ledger", State.FAIL, error)


def syncs(folder: Path) -> Check:
    """How long the disk of the folder takes to have 4 kB for certain."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            took = sorted(_sync(file.fileno()) for _ in range(_SYNCS))
    except OSError as error:
        fix = "see that the folder exists, is writable and has room"
        return bad("fsync", f"cannot write in {folder}: {error.strerror}", fix, State.FAIL)
    return latency("fsync", took, "use a faster disk, one with a battery or capacitors")


def _sync(file: int) -> float:
    os.write(file, bytes(4096))
    began = time.perf_counter()
    os.fsync(file)
    return time.perf_counter() - began


def _space(engine: Engine, folder: Path) -> Check:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        fix = "make the folder, or correct store.path"
        return bad("space", f"cannot see {folder}: {error.strerror}", fix, State.FAIL)
    free, need = disk.f_bavail * disk.f_frsize, _LITTLE
    what = f"{size_of(free)} free for {folder}"
    if isinstance(engine, SqliteEngine) and engine.path.exists():
        size = engine.path.stat().st_size
        what, need = f"{what}, the database has {size_of(size)}", max(size, _LITTLE)
    state = worse(-free, -need, -_LITTLE // 4)
    return Check("space", state, what, "free some disk space" if state is not State.OK else "")


def _private(path: Path) -> Check:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return bad("secrets", f"there is no {path}", "restore it, or start segue to make it")
    except OSError as error:
        fix = "make it readable for the service's user"
        return bad("secrets", f"cannot see {path}: {error.strerror}", fix, State.FAIL)
    if mode & 0o077:
        what = f"others may use {path} (mode {mode:04o})"
        return bad("secrets", what, f"chmod go= {path}", State.FAIL)
    return good("secrets", f"{path} is private (mode {mode:04o})")


def _backups(folder: Path, clock: Clock) -> Check:
    taken = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError, SqliteEngine.Error):
                if not path.is_file() or _head(path) != _HEADER:
                    continue
                engine = SqliteEngine(path, clock, read_only=True)
                with contextlib.closing(engine.connect()) as link:
                    if manifest := manifest_of(link):
                        taken[path] = manifest.taken
    if not taken:
        fix = "take one with `segue store backup`, every day"
        return bad("backups", f"there is none in {folder}", fix)
    newest = max(taken, key=lambda path: taken[path])
    age = (clock.now() - taken[newest]) / 1e6
    what = f"{newest} is {age / 3600:.1f} h old"
    if age > _OLD_BACKUP:
        return bad("backups", what, "see why none was taken since")
    return good("backups", what)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_HEADER))
