from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from asterisk.fetch import ProgramMissing
from tests.support.foreign import postgres as foreign
from tests.support.foreign.launch import ordinary_account
from tests.support.foreign.postgres import (
    OLDEST,
    PostgresFailed,
    PrivatePostgres,
    find_binaries,
)
from tests.support.pbx import eventually


def answer(dsn: str, question: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def words(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("select word from said order by word")]


def test_it_answers(postgres: PrivatePostgres, database: str) -> None:
    version = int(str(answer(database, "show server_version_num")))
    assert version // 10_000 == postgres.major >= OLDEST
    assert answer(database, "select current_user") == "segue"


def test_it_writes_to_the_disk_as_a_real_one(database: str) -> None:
    settings = {
        name: answer(database, f"show {name}")
        for name in ("fsync", "synchronous_commit", "full_page_writes")
    }
    assert set(settings.values()) == {"on"}


def test_it_never_runs_as_root(postgres: PrivatePostgres) -> None:
    assert Path(f"/proc/{postgres.pid}").stat().st_uid == ordinary_account().user != 0


def test_it_listens_nowhere_but_in_its_folder(postgres: PrivatePostgres, database: str) -> None:
    assert answer(database, "show listen_addresses") == ""
    assert answer(database, "show unix_socket_directories") == str(postgres.home / "run")


def test_a_database_knows_nothing_of_its_neighbour(postgres: PrivatePostgres) -> None:
    left, right = postgres.create_database("left"), postgres.create_database("right")
    with psycopg.connect(left) as connection:
        connection.execute("create table said (word text)")
    try:
        assert answer(left, "select to_regclass('said')::text") == "said"
        assert answer(right, "select to_regclass('said')::text") is None
    finally:
        postgres.drop_database("left")
        postgres.drop_database("right")


def test_a_database_can_be_made_from_one_that_is_prepared(
    postgres: PrivatePostgres, database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table said (word text)")
        connection.execute("insert into said values ('prepared')")
    name = str(answer(database, "select current_database()"))
    copy = postgres.create_database("copy", template=name)
    try:
        assert words(copy) == ["prepared"]
    finally:
        postgres.drop_database("copy")


@pytest.fixture(scope="module")
def victim() -> Iterator[PrivatePostgres]:
    """A server whose death disturbs nobody else; it runs again when a test is over."""
    with PrivatePostgres() as server:
        yield server


def test_what_was_committed_survives_a_crash_and_nothing_else_does(
    victim: PrivatePostgres,
) -> None:
    dsn = victim.create_database("crash")
    with psycopg.connect(dsn) as connection:
        connection.execute("create table said (word text)")
        connection.commit()
        connection.execute("insert into said values ('committed')")
        connection.commit()
        connection.execute("insert into said values ('open')")
        victim.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    assert not victim.is_running

    victim.start()
    assert words(dsn) == ["committed"]


def test_it_starts_again_after_somebody_else_killed_its_postmaster(
    victim: PrivatePostgres,
) -> None:
    dsn = victim.create_database("killed")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table said (word text)")
        connection.execute("insert into said values ('committed')")
        os.kill(victim.pid, signal.SIGKILL)
        eventually(lambda: not victim.is_running, "the postmaster is gone")
        victim.start()
    assert words(dsn) == ["committed"]


async def test_a_paused_one_keeps_its_clients_waiting(victim: PrivatePostgres) -> None:
    async with await psycopg.AsyncConnection.connect(victim.dsn()) as connection:
        victim.pause()
        asked = asyncio.create_task(connection.execute("select 1"))
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        assert not done
        victim.resume()
        assert await (await asked).fetchone() == (1,)


def test_a_paused_one_can_be_stopped(victim: PrivatePostgres) -> None:
    with psycopg.connect(victim.dsn()):
        victim.pause()
        victim.restart()
    assert answer(victim.dsn(), "select 1") == 1


async def test_it_may_be_started_from_any_thread(victim: PrivatePostgres) -> None:
    await asyncio.to_thread(victim.restart)
    assert answer(victim.dsn(), "select 1") == 1


def test_two_of_them_live_side_by_side(postgres: PrivatePostgres) -> None:
    with PrivatePostgres(fsync=False, settings={"max_connections": "7"}) as other:
        assert other.pid != postgres.pid
        assert answer(other.dsn(), "show max_connections") == "7"
        assert answer(other.dsn(), "show fsync") == "off"
        assert answer(postgres.dsn(), "show max_connections") == "100"
        home = other.home
    assert not home.exists()


def test_one_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(PostgresFailed, match="max_connections"),
        PrivatePostgres(settings={"max_connections": "none"}),
    ):
        pass


OWNER = """
import time
from tests.support.foreign.postgres import PrivatePostgres
server = PrivatePostgres(fsync=False)
server.start()
print(server.pid, server.home, flush=True)
{then}
time.sleep(60)
"""


# A test run that is killed while its server is frozen leaves nothing behind either.
@pytest.mark.parametrize(
    "then", ["", "import os; os.kill(server.pid, 19)"], ids=["running", "frozen"]
)
def test_it_dies_with_whoever_started_it_and_the_next_one_sweeps(then: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.format(then=then)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        PrivatePostgres().close()
        assert Path(home).exists(), "the home of somebody who lives was swept"
        if then:
            eventually(lambda: state(pid) == "T", "it is frozen")
        owner.kill()
    eventually(lambda: state(pid) in ("", "Z"), "it is gone")

    PrivatePostgres().close()
    eventually(lambda: not Path(home).exists(), "it is swept, by us or by a neighbour")


def state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_programs_that_others_cannot_reach_run_all_the_same(tmp_path: Path) -> None:
    # As where root has its virtual environment below /root.
    locked = tmp_path / "locked"
    binaries = find_binaries().copied_to(locked)
    locked.chmod(0o700)
    with PrivatePostgres(binaries=binaries, fsync=False) as server:
        assert answer(server.dsn(), "select 1") == 1


# -- finding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", ["/nowhere", "weehl"])
def test_a_place_without_a_postgres_is_told(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("SEGUE_POSTGRES", chosen)
    with pytest.raises(ProgramMissing, match=f"SEGUE_POSTGRES={chosen}.*wheel, system, debian"):
        find_binaries()


def test_one_that_is_too_old_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make(folder: Path, version: str) -> None:
        folder.mkdir()
        for name in ("postgres", "initdb"):
            (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
            (folder / name).chmod(0o755)

    make(tmp_path / "old", "14.9 (Debian 14.9-1)")
    make(tmp_path / "new", "17beta1")
    monkeypatch.setenv("SEGUE_POSTGRES", str(tmp_path / "new"))
    assert find_binaries().major == 17
    monkeypatch.setenv("SEGUE_POSTGRES", str(tmp_path / "old"))
    with pytest.raises(ProgramMissing):
        find_binaries()


def test_without_wheel_and_system_the_packages_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Fetched(Exception):
        pass

    def fetch(*_: object) -> None:
        raise Fetched

    nothing: Callable[[], None] = lambda: None  # noqa: E731 -- shorter than its name
    monkeypatch.delenv("SEGUE_POSTGRES", raising=False)
    monkeypatch.setattr(foreign, "_of_the_wheel", nothing)
    monkeypatch.setattr(foreign, "_of_the_system", nothing)
    monkeypatch.setattr(foreign, "unpack", fetch)
    with pytest.raises(Fetched):
        find_binaries()
