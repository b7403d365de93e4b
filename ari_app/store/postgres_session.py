"""One connection to PostgreSQL: nobody waits for it without end, and it comes back by itself."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from ari_app.errors import StoreUnavailable

Row = tuple[Any, ...]

_CONNECT = 3  # seconds
# The server gives up before we do, so that its reason arrives.
_GRACE = 1.0
_ADVICE: list[tuple[type[psycopg.Error], str]] = [
    (errors.InsufficientPrivilege, "give the role the database, or the right to create in it"),
    (errors.ReadOnlySqlTransaction, "name the primary server"),
    (errors.DiskFull, "free some disk space on the database server"),
    (errors.LockNotAvailable, "see who holds a lock in it, and repeat this"),
    (errors.QueryCanceled, "see what the server is busy with, and repeat this"),
    (psycopg.OperationalError, "see that it runs, and that host, name and password are right"),
]


class _Connection(psycopg.Connection[Row]):
    patience = 10.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.patience if timeout is None else timeout)


class Session:
    """A connection of one's own, without a transaction until one is begun; for one thread at once.

    It is made at the first statement. A lost one is made anew for the next statement that is not
    in a transaction: such a statement may be done twice. Raises errors of psycopg; see `our_words`.
    """

    def __init__(
        self, dsn: str, password: str | None, what: str, *, schema: str, deadline: float
    ) -> None:
        """`what` names the database for a person; no statement is awaited beyond `deadline`."""
        try:
            given = {
                **conninfo_to_dict(dsn),
                **({} if password is None else {"password": password}),
            }
        except psycopg.ProgrammingError:
            # What the driver says, and the traceback with it, may quote the password.
            raise StoreUnavailable(
                f"the address of {what} cannot be read: "
                "write it as postgresql://role@host/database, with the password in a file"
            ) from None
        defaults: dict[str, Any] = {
            "connect_timeout": _CONNECT,
            # A firewall that forgets idle connections would make the next statement wait.
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": f"segue {schema}",
            "target_session_attrs": "read-write",
        }
        self._conninfo = make_conninfo("", **{**defaults, **given})
        self._secret = str(given.get("password", ""))
        self.where = f"{what} {given.get('host', 'localhost')}/{given.get('dbname', '')}:{schema}"
        self._schema = schema
        self.deadline = deadline
        # Earlier, so that the server tells a lock from a slow statement.
        self._lock = deadline * 0.9
        self._connection: _Connection | None = None
        #: Details of the last notices of the server.
        self.notices: deque[str] = deque(maxlen=20)

    @property
    def in_transaction(self) -> bool:
        """Whether one has begun, and not ended, as far as we know."""
        if self._connection is None:
            return False
        status = self._connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run it; all that it returns. SQL is written with `?`; without values it may be many."""
        inside = self.in_transaction
        try:
            return self._execute(sql, values)
        except errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError:
            # It is open: the server has said why.
            if inside or self._connection is not None:
                raise
        return self._execute(sql, values)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run it for each row, without waiting for each."""
        with self._kept() as connection:
            connection.cursor().executemany(_marked(sql), rows)

    @contextlib.contextmanager
    def transaction(self, first: str = "") -> Iterator[None]:
        """Each statement sees what was committed before it; `first` is one, such as a lock.

        On disk when it ends; undone if an exception ends it.
        """
        try:
            self.execute(f"BEGIN; {first}")
            yield
            self.execute("COMMIT")
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """End the transaction, if there is one, without what was done in it."""
        with contextlib.suppress(psycopg.Error):
            if self.in_transaction:
                self._execute("ROLLBACK")

    @contextlib.contextmanager
    def patient(self, seconds: float, lock: float) -> Iterator[None]:
        """Inside, statements may take so long, and wait for a lock so long."""
        self._limit(seconds, lock)
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.Error):
                self._limit(self.deadline, self._lock)

    @contextlib.contextmanager
    def our_words(self) -> Iterator[None]:
        """Errors of psycopg become StoreUnavailable: one sentence, what to do, never a password."""
        try:
            yield
        except psycopg.Error as error:
            raise self.unavailable(error) from None

    def unavailable(self, error: psycopg.Error) -> StoreUnavailable:
        """One sentence for what the driver said."""
        said = error.diag.message_primary or " ".join(str(error).split())
        if self._secret:
            said = said.replace(self._secret, "…")
        advice = next((a for kind, a in _ADVICE if isinstance(error, kind)), "look at its log")
        return StoreUnavailable(f"{self.where} cannot be used ({said}): {advice}")

    def close(self) -> None:
        """Free it; a later statement makes it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # -- inside -------------------------------------------------------------------------------

    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        with self._kept() as connection:
            # Several statements cannot be prepared; with values there is only one.
            cursor = connection.execute(
                _marked(sql), values or None, prepare=None if values else False
            )
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def _kept(self) -> Iterator[_Connection]:
        """The connection; dropped if it is lost, or nobody knows what it is doing."""
        connection = self._connection or self._connect()
        try:
            yield connection
        except BaseException as error:
            status = connection.info.transaction_status
            if status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN):
                self.close()
            if status is TransactionStatus.ACTIVE and isinstance(error, psycopg.Error):
                raise errors.ConnectionTimeout("no answer in time") from None
            raise

    def _connect(self) -> _Connection:
        connection = self._connection = _Connection.connect(self._conninfo, autocommit=True)
        connection.add_notice_handler(self._notice)
        try:
            self._execute(
                "SELECT set_config('search_path', quote_ident(?), false), "
                "set_config('synchronous_commit', 'on', false), "
                "set_config('default_transaction_isolation', 'read committed', false), "
                "set_config('idle_in_transaction_session_timeout', ?, false)",
                (self._schema, _milliseconds(max(self.deadline, 10.0))),
            )
            self._limit(self.deadline, self._lock)
        except BaseException:
            self.close()
            raise
        return connection

    def _notice(self, notice: errors.Diagnostic) -> None:
        self.notices.append(notice.message_detail or "")

    def _limit(self, seconds: float, lock: float) -> None:
        self._execute(
            "SELECT set_config('statement_timeout', ?, false), "
            "set_config('lock_timeout', ?, false)",
            (_milliseconds(seconds), _milliseconds(lock)),
        )
        if self._connection is not None:
            self._connection.patience = seconds + _GRACE


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _marked(sql: str) -> str:
    return sql.replace("?", "%s")
