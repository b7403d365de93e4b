"""The schema moves, on both engines: nothing is lost, nothing half done, nobody stands still."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ari_app.conversation.events import CallAnswered
from ari_app.store import read_models as read_models  # makes its tables known
from ari_app.store.migration import VERSIONS, Status, migrate, prepare, status, steps
from ari_app.store.migrations import Contract, Expand
from ari_app.store.schema import Table
from tests.support.killing import killed_at
from tests.support.migrants import (
    HEAD,
    engine_of,
    program,
    refusal,
    rows,
    run,
    said,
    store_of,
    tables,
    tell,
)

ALL = [name for _, name in sorted(steps([VERSIONS]).items())]
OLD = Path(__file__).parents[1] / "fixtures" / "store" / "schema_2.sql"


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a database, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "segue.db")
    return str(request.getfixturevalue("database"))


def made_before(address: str, tmp_path: Path) -> str:
    """A database of the program that knew nothing of migrations, with a row in every table."""
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copy(VERSIONS / "0001_one_file.py", folder)
    prepare(engine_of(address), [folder])
    run(
        address,
        "DROP TABLE alembic_version",
        "DELETE FROM meta",
        "INSERT INTO meta (key, value) VALUES ('schema', '2'), ('origin', 'o')",
        *(
            "INSERT INTO event (id, stream, sequence, at, actor, name, version, payload, link)"
            f" VALUES ('evt_{n}', 'conv_1', {n}, 7, 'a', 'call.answered', 1, '{called}', '')"
            for n in (1, 2, 3)
            for called in [json.dumps({"call": str(n)})]
        ),
        "INSERT INTO stream VALUES ('conv_1', 3, '', 's', 8, 9)",
        *(
            f"INSERT INTO outbox VALUES ('msg_{state}', 'sms', 'conv_1', '{state}', 5, 1, '{{}}')"
            for state in ("due", "claimed", "done")
        ),
        "INSERT INTO timer VALUES ('t', 'conv_1', 'k', 6)",
        "INSERT INTO checkpoint VALUES ('c', 1)",
        "INSERT INTO wire VALUES ('main', '7', 'msg_done', 'conv_1')",
        "INSERT INTO early_receipt VALUES (4, 'main', '8', 'DELIVRD', '', 3)",
        "INSERT INTO seal VALUES (1, 2, 2, '', 'note', 3)",
        "INSERT INTO tile VALUES (0, '', NULL)",
    )
    return address


@pytest.fixture
def old(address: str, tmp_path: Path) -> str:
    return made_before(address, tmp_path)


# -- what the steps make ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_steps_make_the_tables_of_this_program(address: str) -> None:
    engine = engine_of(address)
    prepare(engine)
    with engine.alchemy().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differs = compare_metadata(context, Table.metadata)
    # The order of the log is PostgreSQL's alone, so the common tables do not name it.
    names = sorted((one[0], getattr(one[-1], "name", "")) for one in differs)
    only = [("remove_column", "xid"), ("remove_index", "event_order")]
    assert names == (only if address.startswith("postgresql:") else [])


def test_the_first_step_makes_what_the_program_before_had_made(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as before:
        before.executescript(OLD.read_text())
        query = "SELECT sql FROM sqlite_master WHERE name <> 'alembic_version' ORDER BY name"
        expected = [sql and "".join(sql.split()) for (sql,) in before.execute(query)]
    (folder := tmp_path / "first").mkdir()
    shutil.copy(VERSIONS / "0001_one_file.py", folder)
    address = str(tmp_path / "segue.db")
    prepare(engine_of(address), [folder])
    index = "sqlite_autoindex_alembic_version_1"
    query = query.replace("'alembic_version'", f"'alembic_version' AND name <> '{index}'")
    assert [sql and "".join(sql.split()) for (sql,) in rows(address, query)] == expected


def test_each_step_follows_the_one_before_and_says_whether_old_programs_go_on() -> None:
    script = ScriptDirectory(VERSIONS.parent, version_locations=[VERSIONS])
    chain = [*reversed(list(script.walk_revisions()))]
    assert [step.revision for step in chain] == sorted(steps([VERSIONS]))
    assert [step.down_revision for step in chain] == [None, *(s.revision for s in chain[:-1])]
    for step in chain:
        assert Path(step.path).stem == steps([VERSIONS])[step.revision]
        kind = step.module.kind
        assert isinstance(kind, Expand) or (isinstance(kind, Contract) and kind.oldest <= HEAD)


async def test_a_database_of_the_program_before_keeps_every_row(old: str) -> None:
    names = tables(old)
    before = {name: rows(old, f"SELECT * FROM {name} ORDER BY 1") for name in names}
    assert status(engine_of(old)) == Status("0001", HEAD, ALL[1:])
    store = store_of(old)
    await store.open()
    happened = [e.event for e in await store.read("conv_1")]
    tailed = [p.envelope.id for p in await store.tail("c")]
    jobs = {job.id: job.state for job in await store.claim("sms", 10)}
    await store.aclose()

    assert happened == [CallAnswered(call=n) for n in "123"]
    assert tailed == ["evt_2", "evt_3"]  # goes on where it was
    # What was in hand when the old program ended: nobody knows what became of it.
    assert jobs == {"msg_due": "due", "msg_claimed": "sending"}
    for name in names - {"outbox", "meta", "checkpoint", "seal"}:
        after = rows(old, f"SELECT * FROM {name} ORDER BY 1")
        assert [row[: len(was)] for row, was in zip(after, before[name], strict=True)] == before[
            name
        ]
    assert rows(old, "SELECT number, size, note, at FROM seal") == [(1, 2, "note", 3)]
    assert dict(rows(old, "SELECT key, value FROM meta")) == {
        "schema": HEAD,
        "oldest": "0002",
        "origin": "o",
    }


async def test_call_backs_that_were_promised_before_they_were_counted_are_found(
    address: str, tmp_path: Path
) -> None:
    folder = tmp_path / "before"
    shutil.copytree(VERSIONS, folder, ignore=shutil.ignore_patterns("0008_*", "__pycache__"))
    prepare(engine_of(address), [folder])
    wanted = {"callback": "back_1", "number": "n", "did": "d", "due": 1, "reason": "r"}
    run(
        address,
        "INSERT INTO event (id, stream, sequence, at, actor, name, version, payload, link) VALUES"
        f" ('evt_1', 'conv_1', 1, 7, 'a', 'call.back_requested', 1, '{json.dumps(wanted)}', '')",
        "INSERT INTO stream (stream, sequence, link, subject, turned, touched)"
        " VALUES ('conv_1', 1, '', 's', 8, 9)",
        "INSERT INTO checkpoint VALUES ('projections', 1)",
    )
    store = store_of(address)
    await store.open()
    while await store.read_models().run_once():
        pass
    assert await store.queries().open_callbacks() == 1
    await store.aclose()


# -- who takes them, and when -----------------------------------------------------------------


@pytest.mark.parametrize("state", ["empty", "old"])
def test_of_programs_that_start_at_once_one_migrates_and_all_work(
    state: str, address: str, tmp_path: Path
) -> None:
    if state == "old":
        made_before(address, tmp_path)
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(program("starts", address)) for _ in range(3)]
        assert [said(one) for one in started] == ["ready"] * 3
        for one in started:
            tell(one)
        migrated = sorted(said(one) for one in started)
        assert [said(one) for one in started] == ["appended 1"] * 3
    wanted = ALL if state == "empty" else ALL[1:]
    assert migrated == sorted([" ".join(wanted), *["nothing"] * 2])


@pytest.mark.parametrize("state", ["empty", "old"])
def test_a_migration_that_is_killed_is_not_half_done(
    state: str, address: str, tmp_path: Path
) -> None:
    if state == "old":
        made_before(address, tmp_path)
    before = tables(address), rows(address, "SELECT * FROM outbox") if state == "old" else []
    killed_at("store.in_migration", "-m", "tests.support.migrants", "starts", address, told="\n")
    after = tables(address), rows(address, "SELECT * FROM outbox") if state == "old" else []
    assert after == before

    with program("starts", address) as next_start:
        tell(next_start)
        wanted = ALL if state == "empty" else ALL[1:]
        assert [said(next_start) for _ in range(3)] == ["ready", " ".join(wanted), "appended 1"]


def test_every_step_is_told_once_it_is_done(address: str) -> None:
    told: list[tuple[int, int, str]] = []
    assert migrate(engine_of(address), lambda *step: told.append(step)) == ALL
    assert told == [(n, len(ALL), name) for n, name in enumerate(ALL, 1)]
    assert migrate(engine_of(address), lambda *step: told.append(step)) == []
    assert status(engine_of(address)) == Status(HEAD, HEAD, [])


def test_who_only_reads_never_migrates(old: str) -> None:
    before = tables(old)
    assert refusal(old, read_only=True) == (
        f"the database is of schema 0001, this program needs {HEAD}: run `segue store migrate`"
    )
    assert tables(old) == before
    prepare(engine_of(old))
    prepare(engine_of(old, read_only=True))


def test_who_only_reads_makes_nothing_in_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "segue.db").touch()
    sentence = f"the database is empty, this program needs {HEAD}: run `segue store migrate`"
    assert refusal(str(tmp_path / "segue.db"), read_only=True) == sentence
    assert (tmp_path / "segue.db").read_bytes() == b""


def test_a_start_with_nothing_to_do_does_not_load_alembic(address: str) -> None:
    prepare(engine_of(address))
    probe = (
        "import sys; from tests.support.migrants import engine_of; "
        "from ari_app.store.migration import prepare; prepare(engine_of(sys.argv[1])); "
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe, address]).returncode == 0


def test_a_migration_leaves_the_log_as_the_program_has_set_it(address: str) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.getLogger("ari_app").disabled
    prepare(engine_of(address))
    assert (root.level, list(root.handlers), logging.getLogger("ari_app").disabled) == before
    assert [type(h) for h in logging.getLogger("alembic").handlers] in ([], [logging.NullHandler])


def test_an_installed_wheel_finds_its_steps(tmp_path: Path) -> None:
    source = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "installed", "zip")
    probe = (
        "import sys; sys.path.insert(0, 'installed'); from pathlib import Path; "
        "from ari_app.store.migration import VERSIONS, migrate; "
        "from ari_app.store.sqlite import SqliteEngine; "
        "from ari_app.telemetry.clock import SystemClock; "
        "assert 'installed' in str(VERSIONS); "
        "e = SqliteEngine(Path('segue.db'), SystemClock()); e.open(); print(*migrate(e))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()) == (0, ALL), done.stderr
