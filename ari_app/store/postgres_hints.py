"""Hints of changes between workers: NOTIFY, given seldom, and never the truth."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

import psycopg
from psycopg import sql

from ari_app.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_DEBOUNCE = 0.02
_LISTEN = 1.0


class Hints:
    """Two threads with a connection each: inside a commit NOTIFY would take a global lock."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection],
        channel: str,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called in a thread of ours, soon after somebody else has announced."""
        self._connect = connect
        self._channel = sql.Identifier(channel)
        self._changed = changed
        self._tell = threading.Event()
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._voice = 0

    def start(self) -> None:
        """Begin to tell and to listen."""
        for run in (self._announce, self._listen):
            thread = threading.Thread(target=run, name=f"store{run.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def announce(self) -> None:
        """Tell the others soon; many at once are one."""
        self._tell.set()

    def close(self) -> None:
        """End both threads."""
        self._closing = True
        self._tell.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _announce(self) -> None:
        connection: psycopg.Connection | None = None
        while not self._closing:
            self._tell.wait()
            self._tell.clear()
            try:
                if connection is None or connection.closed or connection.broken:
                    connection = self._connect()
                    self._voice = connection.info.backend_pid
                connection.execute(sql.SQL("NOTIFY {}").format(self._channel))
            except (psycopg.Error, StoreUnavailable) as error:
                logger.debug("no hint was given: %s", type(error).__name__)  # they poll as well
            time.sleep(_DEBOUNCE)
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.execute(sql.SQL("NOTIFY {}").format(self._channel))  # wakes `_listen`
            connection.close()

    def _listen(self) -> None:
        while not self._closing:
            try:
                with contextlib.closing(self._connect()) as connection:
                    connection.execute(sql.SQL("LISTEN {}").format(self._channel))
                    while not self._closing:
                        for told in connection.notifies(timeout=_LISTEN, stop_after=1):
                            if told.pid != self._voice:
                                self._changed()
            except (psycopg.Error, StoreUnavailable) as error:
                logger.debug("no hints are heard: %s", type(error).__name__)
                self._tell.wait(_LISTEN)
