"""What can be wrong with a PostgreSQL server and our schema in it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ari_app.store.engine import Row
from ari_app.store.findings import Check, State, bad, good, latency, size_of
from ari_app.store.postgres import OLDEST, PostgresEngine, PostgresLink
from ari_app.store.schema import Table

_COMMITS = 50
_LONG = 60  # seconds
# Readers, a writer, two for hints; and some for whoever looks at it.
_CONNECTIONS = 20

# Only who has a number holds up the log; of other roles it is shown to pg_read_all_stats only.
_TRANSACTIONS = """
    SELECT pid, coalesce(usename::text, 'nobody'), coalesce(application_name, ''),
        extract(epoch FROM clock_timestamp() - xact_start)::bigint
    FROM pg_stat_activity
    WHERE xact_start < clock_timestamp() - interval '60 seconds'
        AND (backend_xid IS NOT NULL OR starts_with(state, 'idle in'))
        AND pid <> pg_backend_pid()
    ORDER BY xact_start"""
# What is committed but may not be read yet, since an older transaction still runs.
_UNSETTLED = """
    SELECT count(*), coalesce((segue_now() - min(at)) / 1000000, 0) FROM event
    WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"""
_HEADROOM = """
    SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"""
_MAY = """
    SELECT has_schema_privilege(current_schema(), 'USAGE'),
        has_schema_privilege(current_schema(), 'CREATE'), current_user"""


def checks(engine: PostgresEngine, link: PostgresLink) -> Iterator[Check]:
    """In order."""
    yield from _settings(link)
    yield _commits(link)
    yield from _transactions(link)
    yield _headroom(link)
    yield from _permissions(engine, link)
    ((size,),) = link.rows("SELECT pg_database_size(current_database())")
    yield good("size", f"the whole database has {size_of(size)}; see its disk on the server")


def _settings(link: PostgresLink) -> Iterator[Check]:
    version = link.connection.info.server_version // 10_000
    if version < OLDEST:
        what = f"PostgreSQL {version} is too old"
        yield bad("version", what, f"{OLDEST} or newer is needed", State.FAIL)
    risks = {
        "fsync": "a power cut loses events and may damage the database",
        "full_page_writes": "a power cut may leave half a page behind",
        "synchronous_commit": "a power cut loses the last events",
    }
    for name, risk in risks.items():
        ((value,),) = link.rows(f"SHOW {name}")
        if value == "off":
            fix = f"set {name} = on in postgresql.conf"
            yield bad("durability", f"{name} is {value}: {risk}", fix, State.FAIL)
        else:
            yield good("durability", f"{name} is {value}")


def _commits(link: PostgresLink) -> Check:
    """As an append sees it: there, on the disk, and back."""
    # A message that nobody hears: it writes to the log of the server, and to no table.
    commit = "SELECT pg_logical_emit_message(true, 'segue', 'doctor')"
    took = []
    for _ in range(_COMMITS):
        began = time.perf_counter()
        link.rows(commit)
        took.append(time.perf_counter() - began)
    return latency("fsync", sorted(took), "look at the server's disk, and at the network between")


def _transactions(link: PostgresLink) -> Iterator[Check]:
    long = link.rows(_TRANSACTIONS)
    if long:
        fix = f"end it: SELECT pg_terminate_backend({long[0][0]})"
        yield bad("transactions", "; ".join(map(_told, long)), fix)
    else:
        yield good("transactions", f"none that we may see is older than {_LONG} s")
    ((count, age),) = link.rows(_UNSETTLED)
    what = f"{count} events wait for older transactions, the oldest for {int(age)} s"
    if count and age > _LONG:
        fix = "end the oldest transaction of the server, in whichever database it is"
        yield bad("tail", what, fix, State.FAIL)
    else:
        yield good("tail", what)


def _told(row: Row) -> str:
    pid, user, application, seconds = row
    return f"{application or 'a program'} of {user} (pid {pid}) is in one since {seconds} s"


def _headroom(link: PostgresLink) -> Check:
    ((free,),) = link.rows(_HEADROOM)
    what = f"{free} connections are free"
    if free < _CONNECTIONS:
        return bad("connections", what, "raise max_connections of the server")
    return good("connections", what)


def _permissions(engine: PostgresEngine, link: PostgresLink) -> Iterator[Check]:
    ((usage, create, role),) = link.rows(_MAY)
    names = [name for name in Table.metadata.tables if usage and _there(link, name)]
    lacking = [name for name in names if not _may_write(link, name)]
    if not usage or lacking:
        what = f"{role} may not write {', '.join(lacking) or 'anything'} in {engine.schema}"
        fix = f"let {role} own the schema {engine.schema} and what is in it"
        yield bad("permissions", what, fix, State.FAIL)
    elif not create:
        what = f"{role} may not make tables in {engine.schema}: migrations will fail"
        fix = f"GRANT CREATE ON SCHEMA {engine.schema} TO {role}"
        yield bad("permissions", what, fix)
    else:
        yield good("permissions", f"{role} may read, write and migrate {engine.schema}")


def _there(link: PostgresLink, table: str) -> bool:
    return link.rows("SELECT to_regclass(?) IS NOT NULL", (table,)) == [(True,)]


def _may_write(link: PostgresLink, table: str) -> bool:
    query = " AND ".join(
        f"has_table_privilege(?, '{right}')" for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
    )
    return link.rows(f"SELECT {query}", (table,) * 4) == [(True,)]
