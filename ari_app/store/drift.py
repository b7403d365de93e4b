"""What the views should be, reckoned once more beside them, against what they are."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ari_app.projections.ports import Difference
from ari_app.projections.views import fold
from ari_app.store import read_models as read_models  # makes the tables known
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.facts import FactReader
from ari_app.store.schema import Table
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.view_rows import CONVERSATIONS, VIEWS, View, ViewTables

_PAGE = 5000
_COMPARED = 1000
_Found: TypeAlias = list[Difference]


class _NoTime:
    """The scratch database asks for no time."""

    def now(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0


def differences(
    engine: Engine,
    link: Link,
    checkpoint: int,
    progress: Callable[[int], None],
    most: int,
    folder: Path | None,
) -> list[Difference]:
    """Up to `most` of them, in the moment that the link's transaction sees."""
    with _scratch(folder) as (scratch_engine, scratch):
        tables = ViewTables(scratch_engine)
        _project(engine, link, scratch, tables, checkpoint, progress)
        _follow_subjects(engine, link, scratch, scratch_engine, checkpoint)
        tables.reckon_all(scratch)
        found: _Found = []
        for view in VIEWS:
            _compare(link, scratch, view, found, most)
        return found


@contextlib.contextmanager
def _scratch(folder: Path | None) -> Iterator[tuple[Engine, Link]]:
    """Empty views in a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="segue-verify-", dir=folder) as place:
        path = Path(place) / "views.db"
        path.touch(mode=0o600)
        engine = SqliteEngine(path, _NoTime())
        with contextlib.closing(engine.connect()) as link:
            link.rows("PRAGMA journal_mode=OFF")
            link.rows("PRAGMA synchronous=OFF")
            for statement in _made():
                link.run(statement)
            link.begin()
            yield engine, link


def _made() -> Iterator[str]:
    """The tables, with only those of their indexes that are of use here."""
    dialect = sqlite.dialect()
    for view in VIEWS:
        table = Table.metadata.tables[view.table]
        yield str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            if str(index.name).endswith("_stream"):
                yield str(CreateIndex(index).compile(dialect=dialect))


def _project(
    engine: Engine,
    link: Link,
    scratch: Link,
    tables: ViewTables,
    checkpoint: int,
    progress: Callable[[int], None],
) -> None:
    reader, place = FactReader(engine), 0
    while (page := reader.after(link, place, _PAGE, until=checkpoint)).count:
        known = tables.known(scratch, page.facts)
        tables.keep(scratch, known, fold(page.facts, known), reckon=False)
        place = page.end
        progress(page.count)


def _follow_subjects(
    engine: Engine, link: Link, scratch: Link, scratch_engine: Engine, checkpoint: int
) -> None:
    """A stream that has gone on since the checkpoint may be somebody else's by now.

    The views learn that with its next event, so until then they are right with whom they know.
    """
    reader, tables, place = FactReader(engine), ViewTables(engine), checkpoint
    scratched = ViewTables(scratch_engine)
    while (page := reader.after(link, place, _PAGE)).count:
        streams = {fact.stream for fact in page.facts}
        there = tables.of_keys(link, CONVERSATIONS, streams)
        ours = scratched.of_keys(scratch, CONVERSATIONS, streams)
        scratched.own(
            scratch,
            [
                (there[stream].subject, stream)
                for stream, row in ours.items()
                if stream in there and there[stream].subject != row.subject
            ],
        )
        place = page.end


def _compare(link: Link, scratch: Link, view: View, found: _Found, most: int) -> None:
    """Rows that agree leave the scratch; what stays there at the end is missing in the view."""
    columns, key = ", ".join(view.columns), " AND ".join(f"{name} = ?" for name in view.key)
    expect = f"SELECT {columns} FROM {view.table} WHERE {key}"
    stream = link.stream(f"SELECT {columns} FROM {view.table}", size=_COMPARED)
    with contextlib.closing(stream):  # type: ignore[type-var]  # a generator has close
        for row in stream:
            if len(found) >= most:
                return
            expected = scratch.rows(expect, row[: view.keys])
            _differ(view, expected[0] if expected else None, tuple(row), found)
            scratch.run(f"DELETE FROM {view.table} WHERE {key}", row[: view.keys])
    for row in scratch.rows(f"SELECT {columns} FROM {view.table} LIMIT ?", (most - len(found),)):
        _differ(view, row, None, found)


def _differ(view: View, expected: Row | None, row: Row | None, found: _Found) -> None:
    if expected == row:
        return
    key = " ".join(str(value) for value in (expected or row or ())[: view.keys])
    if expected is None or row is None:
        found.append(Difference(view.table, key, "", _named(view, expected), _named(view, row)))
        return
    for name, should, is_ in zip(view.columns, expected, row, strict=True):
        if should != is_:
            found.append(Difference(view.table, key, name, should, is_))


def _named(view: View, row: Row | None) -> dict[str, Any] | None:
    return None if row is None else dict(zip(view.columns, row, strict=True))
