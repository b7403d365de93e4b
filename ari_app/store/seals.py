"""The log as its sealer and its auditor read it, and the tables of the seals."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection

from ari_app.errors import StoreUnavailable
from ari_app.ledger.chain import Head, LinkedRow
from ari_app.privacy.ports import Seal, Tile
from ari_app.store.writer import unavailable

_T = TypeVar("_T")

# The columns of a LinkedRow; what was erased comes as its hash.
_LINKED = """
    id, stream, sequence, at, actor, cause, name, version, coalesce(payload, payload_hash), link"""
_ROWS = f"SELECT position, {_LINKED} FROM event WHERE position > ? ORDER BY position LIMIT ?"
_SEAL = "SELECT number, size, position, tree, note, at FROM seal"
_TILE = "SELECT number, leaves, root FROM tile"
_KEEP_SEAL = "INSERT INTO seal (number, size, position, tree, note, at) VALUES (?, ?, ?, ?, ?, ?)"
_KEEP_TILE = "INSERT OR REPLACE INTO tile (number, leaves, root) VALUES (?, ?, ?)"


class _Runs(Protocol):
    def __call__(self, action: Callable[[Connection], _T], /) -> Awaitable[_T]: ...


class Seals:
    """Implements the port `SealStore` over the readers and the writer of the store."""

    def __init__(self, read: _Runs, write: _Runs) -> None:
        self._read = read
        self._write = write

    async def latest(self) -> Seal | None:
        """See the port."""
        rows = await self._read(lambda c: _fetch(c, f"{_SEAL} ORDER BY number DESC LIMIT 1"))
        return Seal(*rows[0]) if rows else None

    async def tile(self, number: int) -> Tile | None:
        """See the port."""
        rows = await self._read(lambda c: _fetch(c, f"{_TILE} WHERE number = ?", (number,)))
        return Tile(*rows[0]) if rows else None

    async def rows(self, after: int, limit: int) -> tuple[int, list[LinkedRow]]:
        """See the port."""
        found = await self._read(lambda c: _fetch(c, _ROWS, (after, limit)))
        return (found[-1][0] if found else after), [row[1:] for row in found]

    async def keep(self, seal: Seal, tiles: Sequence[Tile]) -> None:
        """See the port. Two sealers cannot both keep the same number."""

        def action(connection: Connection) -> None:
            driver = connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.executemany(_KEEP_TILE, [(t.number, t.leaves, t.root) for t in tiles])
            driver.execute(
                _KEEP_SEAL, (seal.number, seal.size, seal.position, seal.tree, seal.note, seal.at)
            )

        await self._write(action)


class AuditedDatabase:
    """Implements the port `SealedLog`: one read-only transaction, the driver itself for speed."""

    def __init__(self, path: Path) -> None:
        """StoreUnavailable if there is no database of ours."""
        if not path.exists():
            raise StoreUnavailable(f"there is no database at {path}: see store.path")
        self._connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None
        )
        try:
            self._connection.execute("PRAGMA busy_timeout=5000")
            self._connection.execute("PRAGMA cache_size=-65536")
            self._connection.execute("BEGIN")
            tables = {name for (name,) in self._all("SELECT name FROM sqlite_master")}
        except sqlite3.Error as error:
            self.close()
            raise unavailable(error) from error
        if not {"event", "stream"} <= tables:
            self.close()
            raise StoreUnavailable(f"{path} is no database of ours: see store.path")
        self._sealed = {"seal", "tile"} <= tables  # an older program made none

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()

    def count(self) -> int:
        """See the port."""
        return int(self._all("SELECT count(*) FROM event")[0][0])

    def heads(self) -> dict[str, Head]:
        """See the port."""
        rows = self._all("SELECT stream, sequence, link FROM stream")
        return {stream: Head(sequence, link) for stream, sequence, link in rows}

    def pages(self, size: int) -> Iterator[tuple[list[int], list[LinkedRow]]]:
        """See the port."""
        position = -(1 << 63)
        while rows := self._all(_ROWS, (position, size)):
            position = rows[-1][0]
            yield [row[0] for row in rows], [row[1:] for row in rows]

    def seals(self) -> list[Seal]:
        """See the port."""
        rows = self._all(f"{_SEAL} ORDER BY number") if self._sealed else []
        return [Seal(*row) for row in rows]

    def tiles(self, start: int, end: int) -> list[Tile]:
        """See the port."""
        if not self._sealed:
            return []
        query = f"{_TILE} WHERE number >= ? AND number < ? ORDER BY number"
        return [Tile(*row) for row in self._all(query, (start, end))]

    def find(self, event: str) -> tuple[int, LinkedRow] | None:
        """See the port."""
        rows = self._all(f"SELECT position, {_LINKED} FROM event WHERE id = ?", (event,))
        if not rows:
            return None
        before = self._all("SELECT count(*) FROM event WHERE position < ?", rows[0][:1])
        return int(before[0][0]), rows[0][1:]

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]  # any type may be in any column
        try:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
            # A text that is not UTF-8 any more is a finding, not the end of the audit.
            with self._lenient():
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from error

    @contextlib.contextmanager
    def _lenient(self) -> Iterator[None]:
        self._connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
        try:
            yield
        finally:
            self._connection.text_factory = str


def _fetch(connection: Connection, query: str, values: tuple[object, ...] = ()) -> list[tuple]:  # type: ignore[type-arg]  # the driver's rows
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver.execute(query, values).fetchall()
