"""The doctor on databases that are well and that are not, and the watch over the WAL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ari_app.conversation.events import CallAnswered
from ari_app.ports import Effect
from ari_app.store import doctor
from ari_app.store.backup import take
from ari_app.store.doctor import Place, examine
from ari_app.store.engine import Engine
from ari_app.store.findings import Check, State, latency, size_of, worse
from ari_app.store.migration import VERSIONS, prepare
from ari_app.store.postgres import PostgresEngine
from ari_app.store.restoring import restore
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.wal_watch import wal_of, watch
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import Base, PostgresBase, SqliteBase, running

MARK = "m" * 32


def read_only(base: Base) -> Engine:
    if isinstance(base, SqliteBase):
        return SqliteEngine(base.path, base.clock, read_only=True)
    assert isinstance(base, PostgresBase)
    return PostgresEngine(base.dsn, schema=base.schema, read_only=True)


def place(folder: Path, *, mark: str | None = MARK, backups: Path | None = None) -> Place:
    secret = folder / "kek"
    if not secret.exists():
        secret.write_text("k")
        secret.chmod(0o400)
    return Place(folder, [secret], folder / "erasures.jsonl", mark, backups)


async def found(base: Base, at: Place) -> list[Check]:
    return await asyncio.to_thread(examine, read_only(base), at, base.clock)


def of(checks: list[Check], name: str) -> Check:
    """The worst of this name."""
    order = [State.OK, State.WARN, State.FAIL]
    return max((c for c in checks if c.name == name), key=lambda c: order.index(c.state))


async def test_what_is_well_is_found_well(base: Base, tmp_path: Path) -> None:
    heard: list[Check] = []
    async with running(base.store()) as store:
        await store.belongs_to(MARK)
        await store.append("conv_1", [CallAnswered(call="c")])
        await store.join(30.0)
        await store.advance("reader", 0)
        checks = await asyncio.to_thread(
            examine, read_only(base), place(tmp_path), base.clock, heard.append
        )
    assert [c for c in checks if c.state is State.FAIL] == []
    assert heard == checks
    for name in ("database", "schema", "durability", "fsync", "clock", "held", "subject key"):
        assert of(checks, name).state is not State.FAIL, name
    assert "worker:" in of(checks, "leases").what
    assert of(checks, "lag").what == "reader has not seen 1 events"
    assert "single commits/s" in of(checks, "fsync").what
    assert all((c.fix != "") == (c.state is not State.OK) for c in checks)


async def test_the_doctor_changes_nothing(base: Base, tmp_path: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [CallAnswered(call="c")])
    before = [base.rows(f"SELECT * FROM {table}") for table in ("event", "meta", "lease", "stream")]
    await found(base, place(tmp_path))
    after = [base.rows(f"SELECT * FROM {table}") for table in ("event", "meta", "lease", "stream")]
    assert before == after


async def test_a_database_that_is_not_there_is_one_finding_and_the_rest_goes_on(
    base: Base, tmp_path: Path
) -> None:
    checks = await found(base, place(tmp_path))  # nothing was ever made
    assert of(checks, "database").state is State.FAIL
    assert of(checks, "database").fix
    assert of(checks, "secrets").state is State.OK
    assert of(checks, "erasure ledger").state is State.OK


async def test_an_older_schema_is_a_failure_with_its_command(base: Base, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    for step in sorted(VERSIONS.glob("000[12]_*.py")):
        (first / step.name).write_text(step.read_text())
    engine = base.engine()
    engine.open()
    await asyncio.to_thread(prepare, engine, [first])
    engine.close()
    check = of(await found(base, place(tmp_path)), "schema")
    assert (check.state, check.fix) == (State.FAIL, "run `segue store migrate`")


async def test_another_subject_key_is_a_failure(base: Base, tmp_path: Path) -> None:
    async with running(base.store()) as store:
        await store.belongs_to("n" * 32)
    assert of(await found(base, place(tmp_path)), "subject key").state is State.FAIL
    missing = place(tmp_path, mark=None)
    assert "put subject.key in place" in of(await found(base, missing), "subject key").fix


async def test_effects_on_hold_are_told_until_they_are_released(base: Base, tmp_path: Path) -> None:
    async with running(base.store()) as store:
        effects = [Effect("sms", f"msg_{n}", 0, {}) for n in range(3)]
        await store.append("conv_1", [CallAnswered(call="c")], effects=effects)
        await asyncio.to_thread(take, store.engine, tmp_path / "b", base.clock)
    engine = base.engine()
    await asyncio.to_thread(lambda: restore(tmp_path / "b", engine, base.clock, force=True))
    engine.close()
    check = of(await found(base, place(tmp_path)), "held")
    assert (check.state, "3 sms" in check.what) == (State.WARN, True)
    assert "segue store release" in check.fix


async def test_the_age_of_the_newest_backup_is_told(base: Base, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "notes.txt").write_text("no backup")
    at = place(tmp_path, backups=folder)
    async with running(base.store()) as store:
        assert "there is none" in of(await found(base, at), "backups").what
        await asyncio.to_thread(take, store.engine, folder / "old", base.clock)
        base.clock.advance(3 * 3600)
        await asyncio.to_thread(take, store.engine, folder / "new", base.clock)
    base.clock.advance(2 * 3600)
    check = of(await found(base, at), "backups")
    assert (check.state, check.what) == (State.OK, f"{folder / 'new'} is 2.0 h old")
    base.clock.advance(30 * 3600)
    assert of(await found(base, at), "backups").state is State.WARN


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "state"), [(0o640, State.FAIL), (0o600, State.OK)])
async def test_a_key_file_that_others_may_use_is_a_failure(
    mode: int, state: State, tmp_path: Path
) -> None:
    at = place(tmp_path)
    at.secrets[0].chmod(mode)
    check = of(await found(SqliteBase(tmp_path), at), "secrets")
    assert check.state is state
    if state is State.FAIL:
        assert check.fix == f"chmod go= {at.secrets[0]}"


async def test_a_ledger_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    at = place(tmp_path)
    put(at.ledger, "nonsense\n")
    check = of(await found(SqliteBase(tmp_path), at), "erasure ledger")
    assert check.state is State.FAIL
    assert "restore it from a backup" in check.fix


async def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    check = doctor.syncs(tmp_path / "nowhere")
    assert check.state is State.FAIL
    assert "cannot write in" in check.what


def put(file: Path, text: str) -> None:
    file.write_text(text)


def test_limits_are_limits() -> None:
    assert [worse(value, 1, 3) for value in (1, 2, 3, 4)] == [
        State.OK,
        State.WARN,
        State.WARN,
        State.FAIL,
    ]
    assert size_of(999) == "999 B"
    assert size_of(1_500_000) == "1.5 MB"
    slow = latency("fsync", [0.03] * 50, "buy a disk")
    assert (slow.state, slow.fix) == (State.WARN, "buy a disk")
    assert "median 30.00 ms, p99 30.00 ms: at most 33 single commits/s" in slow.what


# -- SQLite -------------------------------------------------------------------------------------


async def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    base = SqliteBase(tmp_path)
    async with running(base.store()) as store:
        for n in range(50):
            await store.append(f"conv_{n}", [CallAnswered(call="x" * 500)] * 4)
    size = base.path.stat().st_size
    with contextlib.closing(os.fdopen(os.open(base.path, os.O_RDWR), "r+b")) as file:
        file.seek(size // 4096 // 2 * 4096)
        file.write(b"\0" * 4096)
    checks = await found(base, place(tmp_path))
    assert of(checks, "integrity").state is State.FAIL


async def test_a_journal_that_is_not_the_wal_is_told(tmp_path: Path) -> None:
    base = SqliteBase(tmp_path)
    async with running(base.store()):
        pass
    with contextlib.closing(sqlite3.connect(base.path)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    assert of(await found(base, place(tmp_path)), "journal").state is State.WARN


async def test_the_watch_empties_a_wal_that_has_grown(tmp_path: Path) -> None:
    base, meter = SqliteBase(tmp_path), RecordingMeter()
    async with running(base.store()) as store:
        await store.append("conv_1", [CallAnswered(call="x" * 50_000)])
        size = wal_of(base.path)
        assert size > 50_000
        assert watch(base.path, meter) == size  # far from the limit: left alone
        assert meter.gauges == {("segue_wal_bytes",): size}
        assert watch(base.path, meter, most=1000) == 0
        assert meter.gauges == {("segue_wal_bytes",): 0}
        await store.append("conv_1", [CallAnswered(call="y")])
        assert len(await store.read("conv_1")) == 2


async def test_a_reader_that_stays_is_blamed_and_nobody_is_kept_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base, meter = SqliteBase(tmp_path), RecordingMeter()
    async with running(base.store()) as store:
        await store.append("conv_1", [CallAnswered(call="a")])
        with contextlib.closing(sqlite3.connect(base.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchone()
            await store.append("conv_1", [CallAnswered(call="x" * 50_000)])
            with caplog.at_level(logging.WARNING):
                assert await asyncio.to_thread(watch, base.path, meter, most=1000) > 50_000
            await store.append("conv_1", [CallAnswered(call="b")])
        (line,) = [r.getMessage() for r in caplog.records if "write-ahead" in r.getMessage()]
        assert "does not shrink: end what reads the database for long" in line
        assert watch(base.path, meter, most=1000) == 0


def test_a_wal_that_is_not_there_has_no_bytes(tmp_path: Path) -> None:
    meter = RecordingMeter()
    assert watch(tmp_path / "nothing.db", meter) == 0
    assert meter.gauges == {("segue_wal_bytes",): 0}
    assert list(tmp_path.iterdir()) == []


# -- PostgreSQL ---------------------------------------------------------------------------------


async def test_a_transaction_that_holds_back_the_log_is_named(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ari_app.store import doctor_postgres

    query = doctor_postgres._TRANSACTIONS.replace("60 seconds", "0 seconds")
    monkeypatch.setattr(doctor_postgres, "_TRANSACTIONS", query)
    with (
        contextlib.closing(PostgresBase(database)) as base,
        contextlib.closing(psycopg.connect(database, application_name="a shell")) as other,
    ):
        async with running(base.store()) as store:
            other.execute("SELECT pg_current_xact_id()")  # and it does not end
            await store.append("conv_1", [CallAnswered(call="c")])
            base.clock.advance(120)
            checks = await found(base, place(tmp_path))
            assert "a shell of " in of(checks, "transactions").what
            assert (
                f"pg_terminate_backend({other.info.backend_pid})" in of(checks, "transactions").fix
            )
            assert of(checks, "tail").state is State.FAIL
            assert "1 events wait for older transactions, the oldest for 120 s" in (
                of(checks, "tail").what
            )
            other.rollback()
            assert of(await found(base, place(tmp_path)), "tail").state is State.OK


async def test_a_clock_that_is_far_from_the_servers_is_told(database: str, tmp_path: Path) -> None:
    with contextlib.closing(PostgresBase(database)) as base:
        async with running(base.store()):
            pass
        ahead = FakeClock(base.clock.now() + 60_000_000)
        checks = await asyncio.to_thread(examine, read_only(base), place(tmp_path), ahead)
    assert of(checks, "clock").state is State.FAIL
    assert "60000 ms apart" in of(checks, "clock").what


async def test_a_role_that_may_only_read_is_told_what_it_needs(
    database: str, tmp_path: Path
) -> None:
    with contextlib.closing(PostgresBase(database)) as base:
        async with running(base.store()):
            pass
        role = sql.Identifier(f"reader_{os.getpid()}")
        with contextlib.closing(psycopg.connect(database, autocommit=True)) as admin:
            for statement in (
                "CREATE ROLE {} LOGIN",
                "GRANT USAGE ON SCHEMA segue TO {}",
                "GRANT USAGE ON SCHEMA test_time_segue TO {}",
                "GRANT SELECT ON ALL TABLES IN SCHEMA segue TO {}",
                "GRANT SELECT ON ALL TABLES IN SCHEMA test_time_segue TO {}",
            ):
                admin.execute(sql.SQL(statement).format(role))
            try:
                dsn = psycopg.conninfo.make_conninfo(database, user=f"reader_{os.getpid()}")
                engine = PostgresEngine(dsn, read_only=True)
                checks = await asyncio.to_thread(examine, engine, place(tmp_path), base.clock)
            finally:
                admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
                admin.execute(sql.SQL("DROP ROLE {}").format(role))
    check = of(checks, "permissions")
    assert check.state is State.FAIL
    assert "may not write" in check.what
