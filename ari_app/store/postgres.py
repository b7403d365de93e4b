"""PostgreSQL as an engine: several workers, a log that is read safely, commits that are certain."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import psycopg
import sqlalchemy
from psycopg import errors, sql
from sqlalchemy.pool import NullPool

from ari_app.errors import StoreUnavailable
from ari_app.store.bulk import Bulk, for_all, literal
from ari_app.store.engine import Doomed, Link, Place, Row
from ari_app.store.postgres_hints import Hints

logger = logging.getLogger(__name__)

#: The oldest server that we know to be right.
OLDEST = 15
_CONNECT = 5  # seconds
# A transaction of ours takes milliseconds. One that hangs would hold up every reader of the log.
_SETTINGS = """
    SET statement_timeout = '30s'; SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '10s'; SET synchronous_commit = on;
    SET client_min_messages = warning"""
# An event's place in the log: its transaction, then its number. Room for 2^44 events.
_SHIFT = 44
# So long we try to learn what became of a commit whose answer was lost.
_CERTAINTY = 15.0
_PAUSE = 0.1
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,40}")
_ADVICE = {
    "No space left": "free some disk space on the database server",
    "password authentication failed": "correct store.url or store.password_file",
    "does not exist": "create it, or correct store.url",
    "permission denied": "grant the role the right to create in the database",
    "read-only": "connect to the primary server",
    "too many": "raise max_connections of the server",
}


# One that writes holds the leases that it was checked against: a process that froze in it must not
# keep them from the others for longer than they last.
_BEGIN = """
    BEGIN; SET LOCAL idle_in_transaction_session_timeout = '3s';
    SELECT pg_current_xact_id()::text"""
# Each commit of a connection leaves its number in a row of the connection's own. The number of a
# transaction alone proves nothing: a server that was killed may give it to another one.
_MARK = sql.SQL("""
    INSERT INTO lease (name, owner, epoch, until)
    VALUES ({name}, '', {number}, segue_now() + 86400000000)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, until = excluded.until;
    COMMIT""")
_MARKED = "SELECT 1 FROM lease WHERE name = %s AND epoch = %s"


class CommitLost(psycopg.OperationalError):
    """The connection was lost while it committed `xid`, which left this mark if it was done."""

    def __init__(self, xid: str, mark: tuple[str, int]) -> None:
        super().__init__(f"the connection was lost in the commit of {xid}")
        self.xid = xid
        self.mark = mark


class PostgresLink:
    """Implements `Link` over one connection of the driver."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self._xid = ""  # of a transaction that writes
        self._name = f"commit:{secrets.token_hex(8)}"
        self._commits = 0

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See the protocol."""
        return self.connection.execute(_marked(sql), values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See the protocol."""
        return self.connection.execute(_marked(sql), values).rowcount

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """See the protocol."""
        if len(rows) == 1:
            self.connection.execute(_marked(sql), rows[0])
        elif rows:
            self.connection.cursor().executemany(_marked(sql), rows)

    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None:
        """See the protocol."""
        if rows:
            columns = zip(statement.types.split(), zip(*rows, strict=True), strict=True)
            arrays = [literal(type, column) for type, column in columns]
            self.connection.execute(_marked(for_all(statement)), arrays)

    def stream(self, sql: str, values: Sequence[object] = (), size: int = 1000) -> Iterator[Row]:
        """See the protocol."""
        with self.connection.cursor(name="stream") as cursor:
            cursor.itersize = size
            yield from cursor.execute(_marked(sql), values)

    def begin(self, *, read_only: bool = False) -> None:
        """See the protocol."""
        self._xid = ""
        if read_only:
            self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return
        # Its id, so that it can be asked for should the answer to the commit be lost.
        cursor = self.connection.execute(_BEGIN)
        while cursor.nextset():
            pass
        self._xid = cursor.fetchall()[0][0]

    def commit(self) -> None:
        """See the protocol. CommitLost if nobody knows."""
        if not self._xid:
            self.connection.execute("COMMIT")
            return
        self._commits += 1
        try:
            mark = _MARK.format(name=self._name, number=self._commits)
            self.connection.execute(mark, prepare=False)
        except psycopg.OperationalError as error:
            # A server that ends may say so before it hangs up.
            if self.lost or error.diag.severity_nonlocalized in ("FATAL", "PANIC"):
                raise CommitLost(self._xid, (self._name, self._commits)) from error
            raise

    def rollback(self) -> None:
        """See the protocol."""
        status = self.connection.info.transaction_status
        if status not in (psycopg.pq.TransactionStatus.IDLE, psycopg.pq.TransactionStatus.UNKNOWN):
            self.connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See the protocol."""
        self.connection.execute("SAVEPOINT one")
        try:
            yield
        except Exception as error:
            if self.connection.broken or self.connection.closed:
                raise Doomed(str(error)) from error
            self.connection.execute("ROLLBACK TO one; RELEASE one")
            raise
        self.connection.execute("RELEASE one")

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.connection.broken or self.connection.closed

    def close(self) -> None:
        """See the protocol."""
        self.connection.close()


class PostgresEngine:
    """Implements `Engine` over one schema of one database.

    Give each tenant a schema of its own: no statement of ours names another one.
    """

    for_update = " FOR UPDATE"
    for_share = " FOR SHARE"
    skip_locked = " FOR UPDATE SKIP LOCKED"
    order = "xid, position"
    cursor = f"(xid::text::numeric * {1 << _SHIFT} + position)"
    # Who comes second to a stream may have begun first: an event stands after the one before it.
    # What is newer than the own transaction is settled no earlier than that, so `after` stays true.
    place = Place(
        ", xid",
        ", GREATEST(pg_current_xact_id(), "
        "(SELECT before.xid FROM event before WHERE before.stream = ? AND before.sequence = ?))",
        "text int8",
    )
    Error: type[Exception] = psycopg.Error
    Broken: tuple[type[Exception], ...] = (psycopg.IntegrityError,)
    Busy: tuple[type[Exception], ...] = (errors.DeadlockDetected, errors.SerializationFailure)

    def __init__(
        self,
        url: str,
        *,
        schema: str = "segue",
        password: str | None = None,
        read_only: bool = False,
    ) -> None:
        """`url` as libpq takes it: postgresql://user@host/database?sslmode=verify-full.

        ValueError if the schema is no plain lower-case name.
        """
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"{schema!r} is no name for a schema: a-z, 0-9 and _ only")
        self.read_only = read_only
        self.schema = schema
        self._url = url
        self._password = password
        self._hints: Hints | None = None

    def open(self) -> None:
        """See the protocol."""
        try:
            with contextlib.closing(self._connect()) as connection:
                self._check(connection)
        except psycopg.Error as error:
            raise self.unavailable(error) from error
        if self._hints is not None:
            self._hints.start()

    def _check(self, connection: psycopg.Connection) -> None:
        version = connection.info.server_version // 10_000
        if version < OLDEST:
            raise StoreUnavailable(
                f"the server is PostgreSQL {version}: {OLDEST} or newer is needed"
            )
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (self.schema,)
        ).fetchall()
        tables = {name for (name,) in names}
        if tables and not {"meta", "event", "stream"} <= tables:
            raise StoreUnavailable(
                f"the schema {self.schema} is another program's: set store.schema to ours"
            )
        if self.read_only and not tables:
            raise StoreUnavailable(
                f"there is no schema {self.schema} of ours in the database: see store.url"
            )
        if not self.read_only and not tables:
            name = sql.Identifier(self.schema)
            with contextlib.suppress(errors.UniqueViolation, errors.DuplicateSchema):  # at once
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        if connection.execute("SHOW fsync").fetchall()[0][0] != "on":
            logger.warning("the database server runs with fsync = off: a power cut loses events")

    def connect(self) -> Link:
        """See the protocol."""
        return PostgresLink(self._connect())

    def _connect(self) -> psycopg.Connection:
        try:
            connection = psycopg.connect(
                self._url,
                password=self._password,
                autocommit=True,  # transactions are ours
                connect_timeout=_CONNECT,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=10_000,
                application_name="segue",
            )
        except psycopg.ProgrammingError as error:  # libpq quotes what it cannot read
            raise StoreUnavailable(
                "store.url is not a PostgreSQL address: write postgresql://user@host/database"
            ) from error
        connection.execute(_SETTINGS)
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(self.schema)))
        if self.read_only:
            connection.execute("SET default_transaction_read_only = on")
        return connection

    def alchemy(self) -> sqlalchemy.Engine:
        """For what makes tables."""
        return sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=self._connect, poolclass=NullPool
        )

    def close(self) -> None:
        """See the protocol."""
        if self._hints is not None:
            self._hints.close()

    def take_alone(self) -> bool:
        """See the protocol."""
        return False

    def placed(self, stream: str, sequence: int) -> Row:
        """See the protocol."""
        return (stream, sequence)

    def any_of(self, column: str) -> str:
        """See the protocol."""
        return f"{column} = ANY(?)"

    def listed(self, values: Iterable[str]) -> object:
        """See the protocol."""
        return list(values)

    def after(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """See the protocol.

        Numbers are given out before the commit, so a smaller one may become visible later. What
        was written by transactions older than any that still runs is complete.
        """
        condition, values = self.beyond(cursor)
        return f"{condition} AND xid < pg_snapshot_xmin(pg_current_snapshot())", values

    def beyond(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """See the protocol."""
        xid, position = divmod(cursor, 1 << _SHIFT)
        return "(xid, position) > (?::text::xid8, ?)", (str(xid), position)

    def was_committed(self, error: BaseException) -> bool:
        """See the protocol."""
        if not isinstance(error, CommitLost):
            return False
        deadline = time.monotonic() + _CERTAINTY
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error), contextlib.closing(self._connect()) as asked:
                # The old connection may not have ended at the other side.
                while _in_progress(asked, error.xid) and time.monotonic() < deadline:
                    time.sleep(_PAUSE)
                if not _in_progress(asked, error.xid):
                    return bool(asked.execute(_MARKED, error.mark).fetchall())
            time.sleep(_PAUSE)
        raise StoreUnavailable(
            "the database server went away in a commit, and nobody knows whether it was done: "
            "start the server"
        ) from error

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """See the protocol."""
        said = " ".join(str(error).split()) or type(error).__name__
        hint = next((text for word, text in _ADVICE.items() if word in said), None)
        hint = hint or "start the database server, or correct store.url"
        return StoreUnavailable(f"the database cannot be used ({said}): {hint}")

    def on_change(self, changed: Callable[[], None]) -> None:
        """See the protocol."""
        self._hints = Hints(self._connect, f"segue_{self.schema}", changed)

    def announce(self) -> None:
        """See the protocol."""
        if self._hints is not None:
            self._hints.announce()


def _in_progress(connection: psycopg.Connection, xid: str) -> bool:
    query = "SELECT pg_xact_status(%s::xid8)"
    try:
        return bool(connection.execute(query, (xid,)).fetchall()[0][0] == "in progress")
    except errors.InvalidParameterValue:  # "is in the future": a server that was killed forgot it
        return False


@functools.cache
def _marked(text: str) -> bytes:
    """With the driver's marks. Our SQL has no `?` and no `%` of its own."""
    return text.replace("?", "%s").encode()


def same_database(one: str, other: str) -> bool:
    """Whether both addresses are of one database; StoreUnavailable if one cannot be read."""
    keys = ("host", "hostaddr", "port", "dbname", "service")
    here, there = _parts(one), _parts(other)
    return all(here.get(key) == there.get(key) for key in keys)


def holds_password(url: str) -> bool:
    """Whether a secret stands in the address; StoreUnavailable if it cannot be read."""
    return "password" in _parts(url)


def _parts(url: str) -> dict[str, object]:
    try:
        return dict(psycopg.conninfo.conninfo_to_dict(url))
    except psycopg.ProgrammingError:  # without its words, which quote the address
        raise StoreUnavailable(
            "not a PostgreSQL address: write postgresql://user@host/database"
        ) from None
