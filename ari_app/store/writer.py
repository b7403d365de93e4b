"""One thread that writes: many callers, one transaction, one fsync."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from ari_app.errors import SegueError, StoreUnavailable
from ari_app.ports import Meter

_T = TypeVar("_T")
_LARGEST_GROUP = 256

#: (owner, data class) of keys.
Needs = AbstractSet[tuple[str, str]]


@dataclass(slots=True)
class _Work:
    action: Callable[[Connection], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    needs: Callable[[Connection], Needs] | None


class GroupWriter:
    """Runs actions in order on one connection; each returns after its commit is on disk.

    What waits while a commit runs is joined into the next one (group commit). An action that
    raises is rolled back alone, by a savepoint.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        meter: Meter,
        make_ready: Callable[[Needs], None] = lambda _: None,
    ) -> None:
        self._connect = connect
        self._make_ready = make_ready
        self._meter = meter
        # Bounded: callers that outrun the disk wait instead of filling the memory.
        self._queue: queue.Queue[_Work | None] = queue.Queue(maxsize=10_000)
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Start the thread."""
        connection = self._connect()
        self._thread = threading.Thread(
            target=self._run, args=(connection,), name="store-writer", daemon=True
        )
        self._thread.start()

    async def run(
        self,
        action: Callable[[Connection], _T],
        needs: Callable[[Connection], Needs] | None = None,
    ) -> _T:
        """The action's result, once it is committed; StoreUnavailable if it cannot be.

        `needs` says which keys it will seal with: those of the whole group are made ready by one
        write, before the transaction begins.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_T] = loop.create_future()
        try:
            self._queue.put_nowait(_Work(action, done, loop, needs))
        except queue.Full:
            raise StoreUnavailable("the disk is too slow: 10 000 writes are waiting") from None
        return await done

    async def aclose(self) -> None:
        """Write what waits, then end the thread; without effect if it never started."""
        # Here and not in the thread below: nothing is queued after the end.
        closed, self._closed = self._closed, True
        if self._thread is not None and not closed:
            await asyncio.to_thread(self._end, self._thread)

    def _end(self, thread: threading.Thread) -> None:
        self._queue.put(None)
        thread.join()

    def _run(self, connection: Connection) -> None:
        try:
            while (first := self._queue.get()) is not None:
                group = [first]
                last = False
                while len(group) < _LARGEST_GROUP and not self._queue.empty():
                    work = self._queue.get_nowait()
                    if work is None:
                        last = True
                        break
                    group.append(work)
                self._commit(connection, group)
                if last:
                    return
        finally:
            connection.close()

    def _commit(self, connection: Connection, group: list[_Work]) -> None:
        outcomes: list[tuple[_Work, Any, Exception | None]] = []
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        try:
            self._make_ready(
                {need for work in group if work.needs for need in work.needs(connection)}
            )
            # IMMEDIATE: a reader that becomes a writer late would fail with SQLITE_BUSY.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for work in group:
                connection.exec_driver_sql("SAVEPOINT one")
                try:
                    outcomes.append((work, work.action(connection), None))
                except Exception as error:  # noqa: BLE001  the caller gets it
                    if not raw.in_transaction:
                        raise  # SQLite has undone the whole group: a full disk, an I/O error
                    connection.exec_driver_sql("ROLLBACK TO one")
                    outcomes.append((work, None, error))
                connection.exec_driver_sql("RELEASE one")
            connection.exec_driver_sql("COMMIT")
        except Exception as error:  # noqa: BLE001  every caller gets it
            if raw.in_transaction:
                connection.exec_driver_sql("ROLLBACK")
            outcomes = [(work, None, error) for work in group]
        self._meter.observe("segue_store_group_size", len(group))
        for work, result, failure in outcomes:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits any more
                work.loop.call_soon_threadsafe(_finish, work.done, result, _translated(failure))


def _finish(done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


def _translated(error: Exception | None) -> Exception | None:
    """Database errors in our words; everything else as it is."""
    if error is None or isinstance(error, SegueError | IntegrityError | sqlite3.IntegrityError):
        return error  # a broken constraint is a bug in the calling code, not in the database
    return unavailable(error) if isinstance(error, DBAPIError | sqlite3.Error) else error


def unavailable(error: DBAPIError | sqlite3.Error) -> StoreUnavailable:
    """One sentence, with what to do, for what the database said."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    advice = {
        "locked": "another program holds it: stop that program, or wait for its backup to end",
        "readonly": "make the file and its folder writable for the service's user",
        "unable to open": "make the folder exist and writable for the service's user",
        "full": "free some disk space",
        "I/O": "check the disk, then restore it from a backup",
        "malformed": "restore it from a backup",
        "not a database": "set store.path to a Segue database or to a new file",
    }
    hint = next((text for word, text in advice.items() if word in said), "check the disk")
    return StoreUnavailable(f"the database cannot be used ({said}): {hint}")
