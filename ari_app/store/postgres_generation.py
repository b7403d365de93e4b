"""The number of the last shredding, known in every process without asking for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from ari_app.store.postgres_session import Row, Session

logger = logging.getLogger(__name__)

#: So long a process goes on with what it knows, after it has asked the server.
TRUST = 1.0
_EVERY = 0.1
_LOOK = 0.005
# It runs while the machine sleeps, where there is such a clock.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_NOTHING = (0, 0.0)

READERS = "CREATE TABLE IF NOT EXISTS reader (id TEXT PRIMARY KEY, seen BIGINT NOT NULL)"
_STATE = (
    "SELECT (SELECT value::bigint FROM meta WHERE name = 'generation'), "
    "(SELECT seen FROM reader WHERE id = ?)"
)


class Generation:
    """A thread asks for the number ten times a second, and tells the database what it knows.

    A number counts until TRUST after the question was sent to which it was the answer. A process
    that hears nothing for longer, because the server or the network is gone or because it was
    stopped itself, knows none. Hence `settle`: it waits until each process that has registered has
    said that it knows, which it does only after it has forgotten the number before, or has been
    silent for TRUST. Whoever was silent is struck off, and must register before it knows again.

    No clock of another machine is believed. Clocks of processes may run apart by a tenth of their
    speed; a virtual machine that is frozen and goes on without its clock having noticed may use
    what it knew for the rest of its second.
    """

    def __init__(self, session: Session, id: str) -> None:
        """`id` is of this process alone, and of this run of it."""
        self._session = session
        self._id = id
        self._known = _NOTHING
        self._ended = False
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="key-generation", daemon=True)

    def number(self) -> int | None:
        """None: not known. Costs no more than to look at a clock."""
        number, until = self._known
        return number if time.clock_gettime(_CLOCK) < until else None

    def start(self) -> None:
        """Register, and know the number when it returns."""
        self._ask()
        self._thread.start()

    def stop(self) -> None:
        """Know nothing from now on, and strike ourselves off."""
        self._ended = True
        self._asked.set()
        if self._thread.is_alive():
            self._thread.join()
        self._known = _NOTHING
        try:
            self._session.execute("DELETE FROM reader WHERE id = ?", (self._id,))
        except psycopg.Error as error:
            # The next shredding waits for us, once.
            logger.info("not struck off the key database: %s", error)
        self._session.close()

    def settle(self, execute: Callable[[str, tuple[object, ...]], list[Row]], number: int) -> None:
        """Nobody goes by an earlier number when it returns; to be called after the commit."""
        end = time.monotonic() + TRUST * 1.1
        self._asked.set()
        while execute("SELECT id FROM reader WHERE seen < ? LIMIT 1", (number,)):
            if time.monotonic() > end:
                execute("DELETE FROM reader WHERE seen < ?", (number,))
            time.sleep(_LOOK)

    def _run(self) -> None:
        well = True
        while not self._ended:
            self._asked.wait(_EVERY)
            self._asked.clear()
            try:
                self._ask()
            except psycopg.Error as error:
                if well:
                    logger.warning("the key database does not answer: %s", error)
                well = False
            else:
                if not well:
                    logger.info("the key database answers again")
                well = True

    def _ask(self) -> None:
        while not self._ended:
            sent = time.clock_gettime(_CLOCK)
            ((number, seen),) = self._session.execute(_STATE, (self._id,))
            if number == seen:
                self._known = (number, sent + TRUST)
                return
            # Before anybody can believe that we know.
            self._known = _NOTHING
            self._session.execute(
                "INSERT INTO reader VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET seen = ?",
                (self._id, number, number),
            )
