"""Takes away what is kept for receipts and repetitions, once it is too old to be of use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from ari_app.ports import Clock, Fence, Meter
from ari_app.store.engine import Link, Row
from ari_app.store.wire import EARLY_FOR

_T = TypeVar("_T")

_SECOND = 1_000_000
_PAGE = 1000  # rows that one transaction looks at
_PAGES = 5  # of one turn: a turn each second keeps up with 5,000 texts a second
_REST = 3600.0  # seconds between two walks through the table
# No receipt that nobody can read, and no part whose others are missing, is looked at after that.
_ARRIVALS_FOR = 31 * 86_400 * _SECOND

# In the order of the key: an index by age would cost every text a write.
_WALK = "SELECT carrier, id, at FROM wire WHERE (carrier, id) > (?, ?) ORDER BY 1, 2 LIMIT ?"
# An id comes round again: its new owner keeps it.
_FORGET = "DELETE FROM wire WHERE carrier = ? AND id = ? AND at < ?"
# Written by a program that did not say when.
_DATE = "UPDATE wire SET at = ? WHERE carrier = ? AND id = ? AND at IS NULL"
_EARLY = "SELECT number FROM early_receipt WHERE at < ? ORDER BY at LIMIT ?"
_FORGET_EARLY = "DELETE FROM early_receipt WHERE number = ?"
_ARRIVALS = "SELECT id FROM arrival WHERE at < ? LIMIT ?"
_FORGET_ARRIVAL = "DELETE FROM arrival WHERE id = ?"


class _Runs(Protocol):
    def __call__(self, action: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class Pruning:
    """Call `run_once` each second; a turn reads a few thousand rows, and writes only what is old.

    A receipt that comes after its id is gone is one of an unknown text.
    """

    def __init__(
        self,
        read: _Runs,
        write: _Runs,
        need: Callable[[Link, Fence | None], None],
        clock: Clock,
        meter: Meter,
        ids_kept: float,
    ) -> None:
        """`ids_kept` is for how many seconds the carriers' ids are known; `need` raises LeaseLost
        unless the lease is in these hands.
        """
        self._read = read
        self._write = write
        self._need = need
        self._clock = clock
        self._meter = meter
        self._ids_kept = int(ids_kept * _SECOND)
        self._after = ("", "")  # how far this walk has come
        self._rests_until = 0.0

    async def run_once(self, fence: Fence | None = None) -> None:
        """Go on for a few pages; nothing at all between two walks."""
        if self._clock.monotonic() < self._rests_until:
            return
        for _ in range(_PAGES):
            if await self._page(fence):
                continue
            await self._old(fence, "early_receipt", _EARLY, _FORGET_EARLY, EARLY_FOR)
            await self._old(fence, "arrival", _ARRIVALS, _FORGET_ARRIVAL, _ARRIVALS_FOR)
            self._after, self._rests_until = ("", ""), self._clock.monotonic() + _REST
            return

    async def _page(self, fence: Fence | None) -> bool:
        """One page of the ids; whether there are more."""
        rows = await self._read(lambda link: link.rows(_WALK, (*self._after, _PAGE)))
        before = self._clock.now() - self._ids_kept
        old = [(c, id, before) for c, id, at in rows if at is not None and at < before]
        undated = [(self._clock.now(), c, id) for c, id, at in rows if at is None]
        if old or undated:
            await self._write(lambda link: self._forget(link, fence, old, undated))
            self._pruned("wire", len(old))
        if rows:
            self._after = (rows[-1][0], rows[-1][1])
        return len(rows) == _PAGE

    def _forget(
        self, link: Link, fence: Fence | None, old: Sequence[Row], undated: Sequence[Row]
    ) -> None:
        self._need(link, fence)
        link.many(_FORGET, old)
        link.many(_DATE, undated)

    async def _old(
        self, fence: Fence | None, table: str, query: str, forget: str, span: int
    ) -> None:
        """A page of another table, whose rows are few or found by their age."""
        before = self._clock.now() - span
        rows = await self._read(lambda link: link.rows(query, (before, _PAGE)))

        def action(link: Link) -> None:
            self._need(link, fence)
            link.many(forget, rows)

        if rows:
            await self._write(action)
            self._pruned(table, len(rows))

    def _pruned(self, table: str, count: int) -> None:
        if count:
            self._meter.count("segue_store_pruned_total", count, table=table)
