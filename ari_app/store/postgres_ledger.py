"""The erasure ledger for several hosts: a table that is only ever added to."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator

from ari_app.errors import StoreUnavailable
from ari_app.privacy.errors import LedgerDamaged
from ari_app.privacy.ports import Entry
from ari_app.store.erasures import from_line, to_line
from ari_app.store.postgres_session import Session

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,40}")
_TABLES = """
CREATE TABLE IF NOT EXISTS entry (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line TEXT NOT NULL
)
"""
# Transaction locks: nothing of them is left when a connection is lost.
_MAKING = "SELECT pg_advisory_xact_lock(hashtext('segue making'))"
_TURN = "SELECT pg_advisory_xact_lock(hashtext('segue turn'), hashtext(current_schema()))"
# Which transaction has the turn; it is asked about by another connection.
_MINE = (
    "SELECT pid, virtualtransaction FROM pg_locks "
    "WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
)
_APPEND = """
INSERT INTO entry (line) SELECT ? WHERE EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND pid = ? AND virtualtransaction = ?
) RETURNING number
"""


class LedgerTable:
    """Implements the port `Ledger` for any number of processes on any hosts.

    An entry that was appended is as safe as the server's disk. It belongs into another database
    than the keys and is backed up apart; `erasures.copy` keeps a copy as a file, and puts it back
    after the database was restored. Made at its first use; two connections for each process.
    """

    def __init__(
        self,
        dsn: str,
        schema: str = "segue_ledger",
        *,
        password: str | None = None,
        patience: float = 60.0,
        deadline: float = 10.0,
    ) -> None:
        """`patience` is how long others may have their turn, `deadline` is for anything else."""
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"not a schema of ours: {schema!r}")
        self._schema = schema
        self._turn, self._table = (
            Session(dsn, password, "the ledger", schema=schema, deadline=seconds)
            for seconds in (patience, deadline)
        )
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._made = False
        self._mine: tuple[int, str] | None = None

    def close(self) -> None:
        """Free the connections; a later use makes them anew."""
        self._turn.close()
        self._table.close()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See the port. Whoever dies in it, or stands still for so long, loses the turn."""
        with self._lock:
            try:
                with self._turn.our_words():
                    self._make()
                    self._turn.execute(f"BEGIN; {_TURN}")
                    ((pid, transaction),) = self._turn.execute(_MINE)
                self._mine = (pid, transaction)
                yield
            finally:
                self._mine = None
                self._turn.undo()

    def entries(self) -> list[Entry]:
        """See the port."""
        with self._table.our_words():
            self._make()
            with self._busy:
                rows = self._table.execute("SELECT number, line FROM entry ORDER BY number")
        return [self._entry(number, line) for number, line in rows]

    def append(self, entry: Entry) -> None:
        """See the port; StoreUnavailable if the turn was lost meanwhile, and nothing is written."""
        assert self._mine is not None, "append only inside exclusive"
        # In a transaction, so that it is never done twice.
        with self._table.our_words(), self._busy, self._table.transaction():
            done = self._table.execute(_APPEND, (to_line(entry), *self._mine))
        if not done:
            raise StoreUnavailable(
                f"the turn at {self._table.where} was lost, and nothing written: repeat this"
            )

    # -- inside -------------------------------------------------------------------------------

    def _make(self) -> None:
        with self._busy:
            if self._made:
                return
            tables = self._table.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = ?", (self._schema,)
            )
            if tables and ("entry",) not in tables:
                raise StoreUnavailable(
                    f"{self._table.where} is another program's schema: name another one"
                )
            if not tables:
                with self._table.transaction(_MAKING):
                    self._table.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
                    self._table.execute(_TABLES)
            self._made = True

    def _entry(self, number: int, line: str) -> Entry:
        try:
            return from_line(line)
        except ValueError as error:
            raise LedgerDamaged(
                f"entry {number} of {self._table.where} is none: restore it from a backup"
            ) from error
