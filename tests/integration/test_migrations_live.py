"""The schema moves beside programs that run: old ones go on until they are told otherwise."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ari_app.store.migration import VERSIONS, Status, migrate, prepare, status, steps
from ari_app.store.migrations import runner
from tests.support.migrants import (
    HEAD,
    engine_of,
    outcome,
    program,
    refusal,
    rows,
    said,
    tables,
    write_step,
)

ALL = [name for _, name in sorted(steps([VERSIONS]).items())]
OLD = Path(__file__).parents[1] / "fixtures" / "store" / "schema_2.sql"


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a database, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "segue.db")
    return str(request.getfixturevalue("database"))


def test_old_workers_append_while_an_expansion_is_made_and_after_it(
    address: str, tmp_path: Path
) -> None:
    prepare(engine_of(address))
    versions = [VERSIONS, tmp_path / "new"]
    write_step(
        tmp_path / "new",
        "9001",
        "op.create_table('later', sa.Column('id', sa.String, primary_key=True))",
        "op.add_column('event', sa.Column('later', sa.String))",
        "op.add_column('stream', sa.Column('later', sa.String))",
        "op.create_index('stream_later', 'stream', ['later'])",
    )
    with program("appends", address) as worker:
        assert said(worker) == "running"
        assert migrate(engine_of(address), versions=versions) == ["9001_to_come"]
        (counted,) = rows(address, "SELECT count(*) FROM event")
        until = time.monotonic() + 20
        while rows(address, "SELECT count(*) FROM event")[0][0] < counted[0] + 100:
            assert time.monotonic() < until, "nothing is appended any more"
        done, failed, slowest, first = outcome(worker)
    assert (failed, first) == (0, "[]")
    assert slowest < 5
    assert rows(address, "SELECT count(*), count(later) FROM event") == [(done, 0)]

    # Nor does an old program mind at its next start, which leaves the schema as it is.
    prepare(engine_of(address))
    prepare(engine_of(address, read_only=True))
    says: dict[str, str] = dict(rows(address, "SELECT key, value FROM meta"))
    assert (says["schema"], says["oldest"]) == ("9001", "0002")
    assert status(engine_of(address)) == Status("9001", HEAD, [])


def test_after_a_contraction_an_old_program_does_not_start_again(
    address: str, tmp_path: Path
) -> None:
    prepare(engine_of(address))
    folder = write_step(tmp_path / "new", "9001", "pass")
    drop = "op.drop_index('stream_holder', 'stream')"
    write_step(folder, "9002", drop, kind="Contract('9001')", down="9001")
    with program("appends", address) as running:
        assert said(running) == "running"
        migrate(engine_of(address), versions=[VERSIONS, folder])
        _, failed, _, first = outcome(running)
    assert (failed, first) == (0, "[]")  # it took nothing away that this one needed

    sentence = (
        f"the database is of schema 9002, this program needs {HEAD}: run the program that wrote it"
    )
    assert refusal(address) == refusal(address, read_only=True) == sentence
    # One that knows the step before, which this one allows, goes on.
    (tmp_path / "between").mkdir()
    shutil.copy(folder / "9001_to_come.py", tmp_path / "between")
    prepare(engine_of(address), [VERSIONS, tmp_path / "between"])


def test_a_step_that_fails_leaves_everything_as_it_was(address: str, tmp_path: Path) -> None:
    prepare(engine_of(address))
    before = tables(address)
    folder = write_step(tmp_path / "new", "9001", "op.execute('CREATE TABLE good (id TEXT)')")
    write_step(folder, "9002", "op.execute('CREATE TABLE meta (id TEXT)')", down="9001")
    assert "already exists" in refusal(address, [VERSIONS, folder])
    assert tables(address) == before
    assert status(engine_of(address)) == Status(HEAD, HEAD, [])


def test_whoever_holds_a_table_holds_up_the_migration_and_not_the_appends(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_FOR_A_TABLE", "200ms")
    prepare(engine_of(database))
    folder = write_step(tmp_path / "n", "9001", "op.add_column('event', sa.Column('a', sa.Text))")
    with program("appends", database) as worker, psycopg.connect(database) as reader:
        assert said(worker) == "running"
        reader.execute("LOCK TABLE segue.event IN ACCESS SHARE MODE")
        with ThreadPoolExecutor() as pool:
            migrated = pool.submit(migrate, engine_of(database), versions=[VERSIONS, folder])
            with pytest.raises(TimeoutError):
                migrated.result(3)
            reader.commit()
            assert migrated.result(20) == ["9001_to_come"]
        _, failed, slowest, first = outcome(worker)
    assert (failed, first) == (0, "[]")
    assert slowest < 2


def test_a_lock_that_is_never_given_back_is_told(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_FOR_A_TABLE", "50ms")
    monkeypatch.setattr(runner, "_PATIENCE", 0.5)
    prepare(engine_of(database))
    folder = write_step(tmp_path / "n", "9001", "op.add_column('event', sa.Column('a', sa.Text))")
    with psycopg.connect(database) as reader:
        reader.execute("LOCK TABLE segue.event IN ACCESS SHARE MODE")
        assert "end what holds a lock in it, and start again" in refusal(
            database, [VERSIONS, folder]
        )


@pytest.mark.parametrize("slow", [["SELECT pg_sleep(1)"], ["SELECT pg_sleep(0.2)"] * 5])
def test_what_takes_long_is_not_done_beside_workers(
    slow: list[str], database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_BESIDE_WORKERS", 0.4)
    prepare(engine_of(database))
    folder = write_step(tmp_path / "n", "9001", *(f"op.execute({one!r})" for one in slow))
    with program("appends", database) as worker:
        assert said(worker) == "running"
        assert "stop them, then run `segue store migrate`" in refusal(database, [VERSIONS, folder])
        assert outcome(worker)[1] == 0
    assert migrate(engine_of(database), versions=[VERSIONS, folder]) == ["9001_to_come"]
