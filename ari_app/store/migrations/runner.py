"""Runs the steps by alembic, in one transaction that only one process can be in."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import DBAPIError

from ari_app.errors import StoreUnavailable
from ari_app.ports import failpoint
from ari_app.store.engine import Engine
from ari_app.store.migration import Progress, Status, compare
from ari_app.store.migrations import Contract

_HERE = Path(__file__).parent
# While we wait for a lock on a table, whoever comes after us waits too, appends among them.
_FOR_A_TABLE = "2s"
# While we have one as well, so this is for each statement, and none is begun after so long.
# Without anybody at work a step may take as long as it takes.
_BESIDE_WORKERS = 3.0
_FOR_OUR_TURN = "30s"
_PATIENCE = 60.0
_PAUSE = (0.2, 1.0)

# The lock ends with its transaction, and so with its process. For each schema another one.
_TURN = """
    SELECT pg_advisory_xact_lock(hashtextextended('segue migration of ' || current_schema(), 0))"""
_STATE = "SELECT key, value FROM meta WHERE key IN ('schema', 'oldest')"
_LIVING = "SELECT count(*) FROM lease WHERE starts_with(name, 'worker:') AND until > segue_now()"
_SAY = """
    INSERT INTO meta (key, value) VALUES (:key, :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
_LOCKED = {"55P03", "40P01"}  # a time-out, a deadlock
_TOO_LONG = "57014"

# What alembic knows of the run under way belongs to the whole process.
_alembic = threading.Lock()


def run(engine: Engine, progress: Progress, versions: Sequence[Path]) -> list[str]:
    """See `migration.migrate`."""
    # Read before the transaction begins: nobody waits for our disk.
    script = ScriptDirectory(_HERE, version_locations=versions)
    script.get_heads()
    started = time.monotonic()
    with _alembic:
        while True:
            try:
                return _transaction(engine, script, progress, versions)
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                if state == _TOO_LONG:
                    raise _too_long() from error
                if state not in _LOCKED:
                    raise engine.unavailable(_original(error)) from error
                if time.monotonic() - started > _PATIENCE:
                    raise StoreUnavailable(
                        f"the database cannot be migrated, others have it locked ({error.orig}): "
                        "end what holds a lock in it, and start again"
                    ) from error
            # Undone, and those who waited behind us go on before we try again.
            time.sleep(random.uniform(*_PAUSE))


def _transaction(
    engine: Engine, script: ScriptDirectory, progress: Progress, versions: Sequence[Path]
) -> list[str]:
    alchemy = engine.alchemy()
    # What is not committed is undone when the connection closes.
    with alchemy.connect() as connection:
        if alchemy.dialect.name == "postgresql":
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_FOR_OUR_TURN}'")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(_TURN)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_FOR_A_TABLE}'")
            if inspect(connection).has_table("lease") and connection.scalar(text(_LIVING)):
                _hurry(connection)
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        has_meta = inspect(connection).has_table("meta")
        state = connection.execute(text(_STATE)).fetchall() if has_meta else []
        found = compare([tuple(row) for row in state], versions)
        if found.pending:  # else another process was quicker
            _upgrade(connection, script, found, progress)
        connection.exec_driver_sql("COMMIT")
        return found.pending


def _hurry(connection: Connection) -> None:
    """From now on in seconds, or not at all."""
    milliseconds = round(_BESIDE_WORKERS * 1000)
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
    end = time.monotonic() + _BESIDE_WORKERS

    def before(*_: Any) -> None:
        if time.monotonic() > end:
            raise _too_long()

    event.listen(connection, "before_cursor_execute", before)


def _too_long() -> StoreUnavailable:
    return StoreUnavailable(
        "the migration would hold up the running workers for too long: stop them, then run "
        "`segue store migrate`"
    )


def _upgrade(
    connection: Connection, script: ScriptDirectory, found: Status, progress: Progress
) -> None:
    if found.current and not inspect(connection).has_table("alembic_version"):
        # Of a program that knew nothing of revisions.
        MigrationContext.configure(connection).stamp(script, found.current)
    done = 0

    def applied(*, step: MigrationInfo, **_: Any) -> None:
        nonlocal done
        _say(connection, step)
        failpoint("store.in_migration")
        done += 1
        progress(done, len(found.pending), found.pending[done - 1])

    config = Config(attributes={"connection": connection, "applied": applied})
    with EnvironmentContext(
        config, script, fn=lambda current, _: script._upgrade_revs(found.wanted, current)
    ):
        script.run_env()


def _say(connection: Connection, step: MigrationInfo) -> None:
    """What programs read at their start, without alembic."""
    (revision,) = step.up_revision_ids
    says = {"schema": revision}
    kind = step.up_revision.module.kind  # type: ignore[union-attr]  # a step has its file
    if isinstance(kind, Contract):
        says["oldest"] = kind.oldest
    connection.execute(text(_SAY), [{"key": k, "value": v} for k, v in says.items()])


def _original(error: DBAPIError) -> Exception:
    return error.orig if isinstance(error.orig, Exception) else error
