"""Brings the read models up to the log, exactly once, from their checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from ari_app.ports import Fence, Meter, failpoint
from ari_app.projections.ports import CONSUMER, Difference
from ari_app.projections.views import Changes, Rows, fold
from ari_app.store.drift import differences
from ari_app.store.engine import Engine, Link
from ari_app.store.facts import FactReader
from ari_app.store.view_rows import ViewTables

_T = TypeVar("_T")
_PAGE = 500
# Larger: what a page costs beyond its events is shared by more of them. A transaction of one
# takes some 20 ms, so that calls hardly wait.
_REBUILD_PAGE = 2000
_MOST_EMPTIED = 5000
_PAGES_BETWEEN_LAGS = 100

# Beside the checkpoint: there while a rebuild is under way.
_REBUILD = "projections.rebuild"
_EMPTYING, _REPLAYING = 1, 2
_PLACES = "SELECT consumer, position FROM checkpoint WHERE consumer IN (?, ?)"
_BEGIN = "INSERT INTO checkpoint (consumer, position) VALUES (?, 0) ON CONFLICT DO NOTHING"
_SET = """
    INSERT INTO checkpoint (consumer, position) VALUES (?, ?)
    ON CONFLICT (consumer) DO UPDATE SET position = excluded.position"""
_END = "DELETE FROM checkpoint WHERE consumer = ?"


class _Runs(Protocol):
    def __call__(self, action: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class _Places(NamedTuple):
    checkpoint: int
    rebuild: int  # 0 if there is none


@dataclass(frozen=True, slots=True)
class _Page:
    """Facts that were read at one moment, and what they make of the views."""

    places: _Places
    end: int
    count: int
    known: Rows
    changes: Changes


class ReadModels:
    """The views, their checkpoint and what is wrong with them.

    A page changes the views and the checkpoint in one transaction: each event counts exactly
    once, whoever dies when. StoreUnavailable if the store is away.
    """

    def __init__(
        self,
        engine: Engine,
        read: _Runs,
        write: _Runs,
        need: Callable[[Link, Fence | None], None],
        lag: Callable[[str], Awaitable[int]],
        meter: Meter,
    ) -> None:
        """`need` raises LeaseLost inside a transaction; `lag` is the port's."""
        self._engine = engine
        self._read = read
        self._write = write
        self._need = need
        self._lag = lag
        self._meter = meter
        self._facts = FactReader(engine)
        self._tables = ViewTables(engine)
        self._behind = 0
        self._pages = 0

    async def run_once(self, fence: Fence | None = None, limit: int = _PAGE) -> int:
        """Project the next events; how many they were, 0 if there are no more.

        LeaseLost if somebody else projects by now: nothing was changed then. A rebuild that was
        interrupted is gone on with.
        """
        while True:
            page = await self._read(lambda link: self._page(link, limit))
            if page.places.rebuild == _EMPTYING:
                await self._empty(fence)
                continue
            over = page.count < limit and page.places.rebuild
            if not page.count and not over:
                break
            if await self._write(lambda link, page=page: self._keep(link, page, fence, limit)):  # type: ignore[misc]  # a default binds the page of this turn
                break
        await self._show_lag(page.count, limit)
        return page.count

    async def rebuild(
        self, progress: Callable[[int], None] = lambda _: None, fence: Fence | None = None
    ) -> int:
        """Empty the views and make them anew of the whole log; how many events were projected.

        `progress` is told how many events more are done. While it runs the views show a past
        moment. One that was killed is gone on with, here or by `run_once`.
        """
        places = await self._read(self._places)
        if not places.rebuild:
            await self._write(lambda link: self._start_over(link, fence))
        done = 0
        while count := await self.run_once(fence, _REBUILD_PAGE):
            done += count
            progress(count)
        return done

    async def verify(
        self,
        progress: Callable[[int], None] = lambda _: None,
        *,
        most: int = 1000,
        folder: Path | None = None,
    ) -> list[Difference]:
        """Where the views are not what the log says up to their checkpoint; at most so many.

        At one moment, while others write. Projects the log once more into a file in `folder` (the
        system's for temporary files), so that memory does not grow with the log.
        """

        def check(link: Link) -> list[Difference]:
            places = self._places(link)
            # What a rebuild has not emptied yet is of no checkpoint.
            start = 0 if places.rebuild == _EMPTYING else places.checkpoint
            return differences(self._engine, link, start, progress, most, folder)

        return await self._read(lambda link: _at_one_moment(link, check))

    # -- a page -------------------------------------------------------------------------------

    def _page(self, link: Link, limit: int) -> _Page:
        """Outside the transaction that writes: nobody waits for what is reckoned here."""

        def page(link: Link) -> _Page:
            places = self._places(link)
            if places.rebuild == _EMPTYING:
                return _Page(places, 0, 0, Rows(), Changes())
            read = self._facts.after(link, places.checkpoint, limit)
            known = self._tables.known(link, read.facts)
            return _Page(places, read.end, read.count, known, fold(read.facts, known))

        return _at_one_moment(link, page)

    def _keep(self, link: Link, page: _Page, fence: Fence | None, limit: int) -> bool:
        """False if somebody else was quicker: then the page was read in vain."""
        self._need(link, fence)
        if self._locked(link) != page.places:
            return False
        if page.count:
            self._tables.keep(link, page.known, page.changes)
            link.run(_SET, (CONSUMER, page.end))
        if page.places.rebuild and page.count < limit:
            link.run(_END, (_REBUILD,))
        failpoint("projections.before_commit")
        return True

    def _places(self, link: Link, lock: str = "") -> _Places:
        found = {name: int(at) for name, at in link.rows(_PLACES + lock, (CONSUMER, _REBUILD))}
        return _Places(found.get(CONSUMER, 0), found.get(_REBUILD, 0))

    def _locked(self, link: Link) -> _Places:
        """Nobody else moves them before the commit."""
        link.run(_BEGIN, (CONSUMER,))  # a row that is not there cannot be locked
        return self._places(link, self._engine.for_update)

    # -- rebuilding ---------------------------------------------------------------------------

    def _start_over(self, link: Link, fence: Fence | None) -> None:
        self._need(link, fence)
        self._locked(link)
        link.run(_SET, (CONSUMER, 0))
        link.run(_SET, (_REBUILD, _EMPTYING))

    async def _empty(self, fence: Fence | None) -> None:
        """In many transactions, so that a call never waits for a million rows to go."""

        def some(link: Link) -> bool:
            self._need(link, fence)
            if self._locked(link).rebuild != _EMPTYING:
                return True  # somebody else is further on
            empty = self._tables.empty(link, _MOST_EMPTIED)
            if empty:
                link.run(_SET, (_REBUILD, _REPLAYING))
            failpoint("projections.emptying")
            return empty

        while not await self._write(some):
            pass

    async def _show_lag(self, count: int, limit: int) -> None:
        """Counting what is left takes as long as there is left, so it is not done every time."""
        self._behind = max(self._behind - count, 0)
        if count < limit:
            self._behind = self._pages = 0
        elif self._pages == 0 or not self._behind:
            self._behind = await self._lag(CONSUMER)
        self._pages = (self._pages + 1) % _PAGES_BETWEEN_LAGS if count == limit else 0
        self._meter.gauge("segue_projection_lag_events", self._behind)


def _at_one_moment(link: Link, query: Callable[[Link], _T]) -> _T:
    link.begin(read_only=True)
    try:
        return query(link)
    finally:
        with contextlib.suppress(Exception):  # a connection that is lost has nothing to undo
            link.rollback()
