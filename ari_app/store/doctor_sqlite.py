"""What can be wrong with a SQLite database of ours."""

from __future__ import annotations

from collections.abc import Iterator

from ari_app.store.engine import Link
from ari_app.store.findings import Check, State, bad, good, size_of
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.wal_watch import MOST, wal_of

_FULL = 2


def checks(engine: SqliteEngine, link: Link) -> Iterator[Check]:
    """In order; the whole file is read once."""
    ((mode,),) = link.rows("PRAGMA journal_mode")
    if mode == "wal":
        yield good("journal", "WAL")
    else:
        fix = "start segue once: it sets it"
        yield bad("journal", f"journal_mode is {mode}: readers hold up the service", fix)
    ((synchronous,),) = link.rows("PRAGMA synchronous")
    if synchronous >= _FULL:
        yield good("durability", "synchronous is FULL")
    else:
        what = f"synchronous is {synchronous}: a power cut loses events"
        yield bad("durability", what, "this is a bug of ours: report it", State.FAIL)
    wrong = [" ".join(text.split()) for (text,) in link.rows("PRAGMA quick_check(3)")]
    if wrong == ["ok"]:
        yield good("integrity", "every page is as it should be")
    else:
        fix = "stop segue, keep a copy of the file, restore the last backup"
        yield bad("integrity", "; ".join(wrong), fix, State.FAIL)
    size = wal_of(engine.path)
    what = f"the write-ahead log has {size_of(size)}"
    if size > MOST:
        yield bad("wal", what, "end what reads the database for long: a backup, an audit, a shell")
    else:
        yield good("wal", what)
