"""The key database for several hosts: wrapped keys in a PostgreSQL database of their own."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence

from psycopg import errors

from ari_app.ports import Clock, failpoint
from ari_app.privacy.errors import ErasureIncomplete
from ari_app.privacy.ports import Slot
from ari_app.store.keyring import ALL, Keyring, Row, Wanted
from ari_app.store.postgres_generation import READERS, TRUST, Generation
from ari_app.store.postgres_session import Session

# ANALYZE would keep samples of ids and wrapped keys, which no shredding could find.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS key (
    id TEXT COLLATE "C" PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    data_class TEXT COLLATE "C" NOT NULL,
    begins BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    created BIGINT NOT NULL,
    kek TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    UNIQUE (owner, data_class, begins)
);
ALTER TABLE key ALTER id SET STATISTICS 0, ALTER owner SET STATISTICS 0,
    ALTER wrapped SET STATISTICS 0;
ALTER TABLE meta ALTER value SET STATISTICS 0;
{READERS};
INSERT INTO meta VALUES ('generation', '0') ON CONFLICT (name) DO NOTHING
"""
# Never one that was there before, not even after an old backup was restored.
_MOVE_ON = """
UPDATE meta SET value = greatest(
    value::bigint + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
)::text WHERE name = 'generation'
"""
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,40}")
_REWRITE = 600.0  # seconds that the server may take to write the keys anew
# Longer than deadlock_timeout, after which the server ends an autovacuum that is in our way.
_LOCK = 2.5
_PAUSE = 0.05


class PostgresKeys(Keyring):
    """Implements the port `KeyStore`; a key that was returned is as safe as the server's disk.

    Any number of processes on any hosts may use it. It needs a role that owns the database (no
    superuser), and direct connections, three for each process.

    When `shred` returns, no process goes by what it remembered: see `Generation`. Should it be
    killed, that is so a second after its commit, and the next `open` or `shred` does the rest.

    A destroyed key is in no file of a table, an index or a catalog: the table is written anew
    (VACUUM FULL), and the server says that no dead row is left. Beyond us, and to be known:
    the server's write-ahead log, its archive, its standbys and backups hold wrapped keys until
    they are recycled; a server that is killed while it writes a table anew leaves a file that
    belongs to no table, with keys that were not destroyed at that time.
    """

    def __init__(
        self,
        dsn: str,
        kek: bytes,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        schema: str = "segue_keys",
        password: str | None = None,
        deadline: float = 5.0,
    ) -> None:
        """`entropy` is os.urandom; a statement takes `deadline` at most, or StoreUnavailable."""
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"not a schema of ours: {schema!r}")

        self._writer, self._reader, self._asker = (
            Session(dsn, password, "the key database", schema=schema, deadline=seconds)
            for seconds in (deadline, deadline, TRUST)
        )
        super().__init__(self._writer.where, kek, clock, entropy)
        self._schema = schema

    def open(self) -> None:
        """Make or check the schema; WrongKek or StoreUnavailable say what to do."""
        with contextlib.ExitStack() as undo, self._in_our_words():
            undo.callback(self._writer.close)
            tables = self._execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = ?", (self._schema,)
            )
            self._check_tables({name for (name,) in tables}, {"meta", "key", "reader"})
            # Two processes that make the same schema at once: PostgreSQL refuses one of them.
            with self._writer.transaction("SELECT pg_advisory_xact_lock(hashtext('segue making'))"):
                if not tables:
                    self._execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
                    self._execute(_TABLES)
                self._first_meta()
            if self._meta("scrub") is not None:
                self._rewrite()
            self._generation = Generation(self._asker, self._entropy(8).hex())
            undo.callback(self._generation.stop)
            self._generation.start()
            undo.pop_all()

    def close(self) -> None:
        """Free the connections; nothing is remembered any more."""
        self._generation.stop()
        self._reader.close()
        self._writer.close()

    def generation(self) -> int | None:
        """See the port; None, too, if the server has not been heard for a second."""
        return self._generation.number()

    # -- destruction --------------------------------------------------------------------------

    def _destroy(self, wanted: Wanted, until: int) -> list[str]:
        ids: list[str] = []
        with self._in_our_words():
            with self._transaction(alone=True):
                unfinished = self._meta("scrub") is not None
                for where, values in wanted:
                    gone = self._execute(f"DELETE FROM key WHERE {where} RETURNING id", values)
                    ids += [id for (id,) in gone]
                self._raise_floor(until)
                if ids:
                    self._mark()
                    self._execute(_MOVE_ON)
                    failpoint("keys.before_delete")
                number = int(self._meta("generation") or 0)
            if ids:
                failpoint("keys.after_delete")
            # Also if nothing was there: whoever deleted it may have been killed in this moment.
            self._generation.settle(self._execute, number)
            if unfinished:
                self._rewrite()
            elif ids:
                self._write_anew("key")
        return ids

    def _rewrite(self) -> None:
        self._write_anew("key", "meta")

    def _write_anew(self, *tables: str) -> None:
        mark = self._meta("scrub")
        end = time.monotonic() + self._writer.deadline
        with self._writer.patient(_REWRITE, _LOCK):
            for table in tables:
                while self._dead_rows(table):
                    if time.monotonic() > end:
                        raise ErasureIncomplete(
                            f"another program still sees the destroyed keys in {self._where} (a "
                            "long transaction, a replication slot): end it and repeat this, or "
                            "start segue again"
                        )
                    time.sleep(_PAUSE)
        # Not if somebody has destroyed more meanwhile, and has it still to do.
        self._execute("DELETE FROM meta WHERE name = 'scrub' AND value = ?", (mark,))

    def _dead_rows(self, table: str) -> int:
        """How many are left in the files because somebody can still see them."""
        self._writer.notices.clear()
        try:
            self._execute(f"VACUUM (FULL, VERBOSE) {table}")
        except errors.LockNotAvailable as error:
            raise ErasureIncomplete(
                f"another program reads {self._where}: stop it and repeat this, "
                "or start segue again"
            ) from error
        # Its language is the server's; the number comes first in all of them.
        said = [re.search(r"\d+", detail) for detail in self._writer.notices]
        dead = [int(number[0]) for number in said if number]
        if not dead:
            raise ErasureIncomplete(f"the role does not own {self._where}: make it the owner")
        return sum(dead)

    # -- PostgreSQL ---------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self, *, alone: bool = False) -> Iterator[None]:
        mode = "SHARE ROW EXCLUSIVE" if alone else "ROW EXCLUSIVE"
        with self._writer.transaction(f"LOCK TABLE key IN {mode} MODE"):
            yield

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # Other processes: each transaction that needs it is alone, and looks where things stand.
        with self._writing:
            yield

    def _rows_of(self, slots: Sequence[Slot]) -> list[Row]:
        columns = [[s.owner for s in slots], [s.data_class for s in slots]]
        return self._execute(
            f"SELECT {ALL} FROM key JOIN unnest(?::text[], ?::text[], ?::bigint[]) "
            "WITH ORDINALITY AS slot (owner, data_class, begins, number) "
            "USING (owner, data_class, begins) ORDER BY number",
            (*columns, [s.period.begins for s in slots]),
        )

    def _execute(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        return self._writer.execute(sql, values)

    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        self._writer.many(sql, rows)

    def _query(self, sql: str, values: Sequence[object]) -> list[Row]:
        return self._reader.execute(sql, values)

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        with self._writer.our_words():
            yield
