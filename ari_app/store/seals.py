"""The log as its sealer and its auditor read it, and the tables of the seals."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from ari_app.ledger.chain import Head, LinkedRow
from ari_app.ports import Fence
from ari_app.privacy.ports import Seal, Tile
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.sqlite import SqliteLink

_T = TypeVar("_T")

# The columns of a LinkedRow, and the hash that takes the place of a payload that was erased.
_LINKED = "id, stream, sequence, at, actor, cause, name, version, payload, link, payload_hash"
_PAYLOAD, _LAST = 9, 11
_SEAL = "SELECT number, size, position, tree, note, at FROM seal"
_TILE = "SELECT number, leaves, root FROM tile"
_KEEP_SEAL = "INSERT INTO seal (number, size, position, tree, note, at) VALUES (?, ?, ?, ?, ?, ?)"
_KEEP_TILE = """
    INSERT INTO tile (number, leaves, root) VALUES (?, ?, ?)
    ON CONFLICT (number) DO UPDATE SET leaves = excluded.leaves, root = excluded.root"""


class _Runs(Protocol):
    def __call__(self, action: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class Seals:
    """Implements the port `SealStore` over the readers and the writer of the store."""

    def __init__(
        self,
        engine: Engine,
        read: _Runs,
        write: _Runs,
        need: Callable[[Link, Fence | None], None],
    ) -> None:
        """`need` raises LeaseLost unless the lease is in these hands."""
        self._engine = engine
        self._read = read
        self._write = write
        self._need = need

    async def latest(self) -> Seal | None:
        """See the port."""
        rows = await self._read(lambda link: link.rows(f"{_SEAL} ORDER BY number DESC LIMIT 1"))
        return _seal(rows[0]) if rows else None

    async def tile(self, number: int) -> Tile | None:
        """See the port."""
        rows = await self._read(lambda link: link.rows(f"{_TILE} WHERE number = ?", (number,)))
        return Tile(*rows[0]) if rows else None

    async def rows(self, after: int, limit: int) -> tuple[int, list[LinkedRow]]:
        """See the port."""
        found = await self._read(
            lambda link: _page(self._engine, link, self._engine.after(after), limit)
        )
        return (int(found[-1][0]) if found else after), [_linked(row) for row in found]

    async def keep(self, seal: Seal, tiles: Sequence[Tile], fence: Fence | None = None) -> None:
        """See the port. Two sealers cannot both keep the same number."""

        def action(link: Link) -> None:
            self._need(link, fence)
            link.many(_KEEP_TILE, [(t.number, t.leaves, t.root) for t in tiles])
            link.run(
                _KEEP_SEAL, (seal.number, seal.size, seal.position, seal.tree, seal.note, seal.at)
            )

        await self._write(action)


class AuditedDatabase:
    """Implements the port `SealedLog`: one read-only transaction over an engine that is open."""

    def __init__(self, engine: Engine) -> None:
        """StoreUnavailable if it cannot be read."""
        self._engine = engine
        try:
            self._link = engine.connect()
            if isinstance(self._link, SqliteLink):
                self._link.rows("PRAGMA cache_size=-65536")
            self._link.begin(read_only=True)
        except engine.Error as error:
            raise engine.unavailable(error) from error

    def close(self) -> None:
        """End the transaction."""
        self._link.close()

    def count(self) -> int:
        """See the port."""
        return int(self._all("SELECT count(*) FROM event")[0][0])

    def heads(self) -> dict[str, Head]:
        """See the port."""
        rows = self._all("SELECT stream, sequence, link FROM stream")
        return {stream: Head(sequence, link) for stream, sequence, link in rows}

    def pages(self, size: int) -> Iterator[tuple[list[int], list[LinkedRow]]]:
        """See the port."""
        # A damaged file may have rows at places where none ever was.
        place = -(1 << 63) if isinstance(self._link, SqliteLink) else 0
        while rows := self._run(partial(self._page, place, size)):
            place = int(rows[-1][0])
            yield [int(row[0]) for row in rows], [_linked(row) for row in rows]

    def _page(self, after: int, size: int, link: Link) -> list[Row]:
        # All that the heads count: both are of one snapshot. What is not settled is not sealed yet.
        return _page(self._engine, link, self._engine.beyond(after), size)

    def parts(self, size: int) -> list[tuple[int, int]]:
        """See the port. On PostgreSQL places are too far apart to be cut evenly."""
        if not isinstance(self._link, SqliteLink):
            return []
        ((first, last),) = self._all("SELECT min(position), max(position) FROM event")
        if first is None:
            return []
        return [(at, min(at + size, last)) for at in range(first - 1, last, size)]

    def between(self, after: int, until: int, size: int) -> Iterator[list[LinkedRow]]:
        """See the port."""
        query = f"""
            SELECT position, {_LINKED} FROM event WHERE position > ? AND position <= ?
            ORDER BY position LIMIT ?"""
        while rows := self._all(query, (after, until, size)):
            after = rows[-1][0]
            yield [_linked(row) for row in rows]

    def again(self) -> AuditedDatabase:
        """See the port."""
        return AuditedDatabase(self._engine)

    def seals(self) -> list[Seal]:
        """See the port."""
        return [_seal(row) for row in self._all(f"{_SEAL} ORDER BY number")]

    def tiles(self, start: int, end: int) -> list[Tile]:
        """See the port."""
        query = f"{_TILE} WHERE number >= ? AND number < ? ORDER BY number"
        return [Tile(*row) for row in self._all(query, (start, end))]

    def find(self, event: str) -> tuple[int, LinkedRow] | None:
        """See the port."""
        cursor, order = self._engine.cursor, self._engine.order
        rows = self._all(f"SELECT {cursor}, {_LINKED} FROM event WHERE id = ?", (event,))
        if not rows:
            return None
        before = self._all(
            f"SELECT count(*) FROM event WHERE ({order}) < "
            f"(SELECT {order} FROM event WHERE id = ?)",
            (event,),
        )
        return int(before[0][0]), _linked(rows[0])

    def _all(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        return self._run(lambda link: link.rows(query, values))

    def _run(self, query: Callable[[Link], list[Row]]) -> list[Row]:
        try:
            try:
                return query(self._link)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
            # A text that is not UTF-8 any more is a finding, not the end of the audit.
            with self._lenient():
                return query(self._link)
        except self._engine.Error as error:
            raise self._engine.unavailable(error) from error

    @contextlib.contextmanager
    def _lenient(self) -> Iterator[None]:
        assert isinstance(self._link, SqliteLink)
        connection = self._link.connection
        connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        try:
            yield
        finally:
            connection.text_factory = str


def _page(
    engine: Engine, link: Link, which: tuple[str, tuple[object, ...]], limit: int
) -> list[Row]:
    condition, values = which
    query = f"""
        SELECT {engine.cursor}, {_LINKED} FROM event
        WHERE {condition} ORDER BY {engine.order} LIMIT ?"""
    return link.rows(query, (*values, limit))


def _linked(row: Row) -> LinkedRow:
    """Without its place; a slice, since an audit makes one of every event."""
    if row[_PAYLOAD] is None:
        return (*row[1:_PAYLOAD], row[_LAST], row[_LAST - 1])
    return row[1:_LAST]


def _seal(row: Row) -> Seal:
    number, size, position, *rest = row
    return Seal(number, size, int(position), *rest)
