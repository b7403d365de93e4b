"""One thread that writes: many callers, one transaction, one fsync."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ari_app.errors import StoreUnavailable
from ari_app.ports import Meter, failpoint
from ari_app.store.appending import Write
from ari_app.store.engine import Doomed, Engine, Link

_T = TypeVar("_T")
_LARGEST_GROUP = 1024
#: Callers that outrun the disk are refused instead of filling the memory.
MOST_WAITING = 10_000
# A server that restarts is waited for; whoever is on the telephone does not wait for longer.
_PATIENCE = 5.0
_PAUSE = 0.05

#: (owner, data class) of keys.
Needs = AbstractSet[tuple[str, str]]
Action = Callable[[Link], Any]


class Appends(Protocol):
    """What the writer knows of appending: many at once cost little more than one."""

    def needs(self, link: Link, writes: Sequence[Write]) -> Needs:
        """The keys that they will seal with."""

    def make_ready(self, needs: Needs) -> None:
        """Have these keys at hand."""

    def check(self, link: Link) -> None:
        """LeaseLost if this worker must not write any more."""

    def apply(self, link: Link, writes: Sequence[Write]) -> list[Any]:
        """For each what it returns, or its exception; that one has changed nothing."""


@dataclass(slots=True)
class _Work:
    what: Write | Action
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    outcome: Any = None
    failure: Exception | None = None


@dataclass(slots=True)
class _Told:
    """What one loop is told at once: waking it costs more than a future."""

    changed: Callable[[], None]
    works: list[_Work] = field(default_factory=list)

    def __call__(self) -> None:
        if any(isinstance(work.what, Write) and work.outcome for work in self.works):
            self.changed()
        for work in self.works:
            if work.done.cancelled():
                continue
            if work.failure is None:
                work.done.set_result(work.outcome)
            else:
                work.done.set_exception(work.failure)


class GroupWriter:
    """Runs actions in order on one connection; each returns after its commit is on disk.

    What waits while a commit runs is joined into the next one (group commit). An action that
    raises is rolled back alone. If the server goes away for a moment, the group is written again
    once it is back, unless the server says that it has it.
    """

    def __init__(
        self,
        engine: Engine,
        appends: Appends,
        meter: Meter,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called in the loop of whoever appended, before they hear of it."""
        self._changed = changed
        self._engine = engine
        self._appends = appends
        self._meter = meter
        self._link: Link | None = None
        # What one turn of the loop brings is handed over at once: a writer that wakes for the first
        # of it would commit that one alone, and fight with the loop for the interpreter.
        self._queue: queue.SimpleQueue[list[_Work] | None] = queue.SimpleQueue()
        self._next: list[_Work] = []
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Start the thread."""
        self._link = self._engine.connect()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, what: Callable[[Link], _T]) -> _T:
        """The action's result, once it is committed; StoreUnavailable if it cannot be.

        It may be run more than once, and only the last time counts.
        """
        result: _T = await self._queued(what)
        return result

    async def append(self, write: Write) -> Any:
        """What `Appends.apply` says of it, once it is committed."""
        return await self._queued(write)

    async def _queued(self, what: Write | Action) -> Any:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        if self._waiting >= MOST_WAITING:
            raise StoreUnavailable("the disk is too slow: 10 000 writes are waiting")
        self._waiting += 1
        if not self._next:
            loop.call_soon(self._hand_over)
        self._next.append(_Work(what, done, loop))
        try:
            return await done
        finally:
            self._waiting -= 1

    def _hand_over(self) -> None:
        if self._next:
            self._queue.put(self._next)
            self._next = []

    async def aclose(self) -> None:
        """Write what waits, then end the thread; without effect if it never started."""
        # Here and not in the thread below: nothing is queued after the end.
        closed, self._closed = self._closed, True
        self._hand_over()
        if self._thread is not None and not closed:
            await asyncio.to_thread(self._end, self._thread)

    def _end(self, thread: threading.Thread) -> None:
        self._queue.put(None)
        thread.join()

    def _run(self) -> None:
        waiting: list[_Work] = []
        last = False
        try:
            while not last or waiting:
                # Nothing to do: wait. Else see what has come meanwhile.
                while not last and (not waiting or not self._queue.empty()):
                    works = self._queue.get()
                    last = works is None
                    waiting += works or ()
                group, waiting = waiting[:_LARGEST_GROUP], waiting[_LARGEST_GROUP:]
                if group:
                    self._write(group)
                    self._meter.observe("segue_store_group_size", len(group))
                    self._tell(group)
        finally:
            self._drop()

    def _write(self, group: list[_Work], *, alone: bool = False) -> None:
        """Each work of the group has its outcome or its failure afterwards."""
        engine, started = self._engine, time.monotonic()
        while True:
            try:
                self._commit(group)
                return None
            except engine.Broken as error:
                # One of them breaks a constraint: a bug in its caller; or on a server two workers
                # have made the same thing at once, and a second look finds it.
                if alone:
                    return _fail(group, error)
                for work in group:
                    self._write([work], alone=True)
                return None
            except engine.Busy as error:
                if time.monotonic() - started > _PATIENCE:
                    return _fail(group, engine.unavailable(error))
            except (engine.Error, Doomed) as error:
                if not self._lost or time.monotonic() - started > _PATIENCE:
                    return _fail(group, engine.unavailable(error))
                self._drop()
            except Exception as error:  # noqa: BLE001  every caller gets it
                return _fail(group, error)
            time.sleep(_PAUSE)

    def _commit(self, group: list[_Work]) -> None:
        if self._link is None:
            self._link = self._engine.connect()
        link = self._link
        try:
            writes = [work.what for work in group if isinstance(work.what, Write)]
            if writes:
                self._appends.make_ready(self._appends.needs(link, writes))
            link.begin()
            self._appends.check(link)
            waiting: list[_Work] = []
            for work in group:
                if isinstance(work.what, Write):
                    waiting.append(work)
                    continue
                self._append(link, waiting)
                waiting = []
                work.failure = None
                try:
                    with link.alone():
                        work.outcome = work.what(link)
                except Exception as error:
                    if isinstance(error, (*self._engine.Busy, Doomed)):
                        raise  # it concerns the whole group
                    work.failure = self._said(error)
            self._append(link, waiting)
            failpoint("store.before_commit")
            link.commit()
            failpoint("store.after_commit")
        except BaseException as error:
            if self._engine.was_committed(error):
                return
            with contextlib.suppress(self._engine.Error):
                link.rollback()
            raise
        self._engine.announce()

    def _append(self, link: Link, works: list[_Work]) -> None:
        if not works:
            return
        outcomes = self._appends.apply(link, [work.what for work in works])  # type: ignore[misc]
        for work, outcome in zip(works, outcomes, strict=True):
            failed = isinstance(outcome, Exception)
            work.failure, work.outcome = (outcome, None) if failed else (None, outcome)

    def _said(self, error: Exception) -> Exception:
        """Database errors in our words; a broken constraint is a bug in the calling code."""
        engine = self._engine
        if isinstance(error, engine.Error) and not isinstance(error, engine.Broken):
            return engine.unavailable(error)
        return error

    def _tell(self, group: Sequence[_Work]) -> None:
        loops: dict[asyncio.AbstractEventLoop, _Told] = {}
        for work in group:
            if work.loop not in loops:
                loops[work.loop] = _Told(self._changed)
            loops[work.loop].works.append(work)
        for loop, told in loops.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
                loop.call_soon_threadsafe(told)

    @property
    def _lost(self) -> bool:
        return self._link is None or self._link.lost

    def _drop(self) -> None:
        if self._link is not None:
            with contextlib.suppress(self._engine.Error):
                self._link.close()
            self._link = None


def _fail(group: Sequence[_Work], error: Exception) -> None:
    for work in group:
        work.failure = error
