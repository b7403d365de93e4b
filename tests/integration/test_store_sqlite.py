"""The store on SQLite: files, their rights, and what can be wrong with them."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ari_app.conversation.events import ConversationOpened
from ari_app.errors import StoreUnavailable
from ari_app.store.migration import VERSIONS, steps
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.migrants import program, said
from tests.support.store import opened, running, sqlite_store

HEAD = max(steps([VERSIONS]))
OPENED = ConversationOpened(channel="voice", did="100", language="en", number="+12025550123")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
    async with opened(tmp_path, clock) as store:
        yield store


# -- opening and closing ----------------------------------------------------------------------


async def test_positions_are_never_used_twice(tmp_path: Path, clock: FakeClock) -> None:
    async with opened(tmp_path, clock) as store:
        await store.append("conv_1", [OPENED])
        (before,) = await store.tail("c")
    with contextlib.closing(sqlite3.connect(tmp_path / "segue.db")) as raw:
        raw.execute("DELETE FROM event")
        raw.commit()
    async with opened(tmp_path, clock) as store:
        await store.append("conv_2", [OPENED])
        (after,) = await store.tail("c")
    assert after.position > before.position


@pytest.fixture
def open_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
async def test_nobody_else_can_read_the_words_of_callers(tmp_path: Path, clock: FakeClock) -> None:
    async with opened(tmp_path, clock) as store:
        await store.append("conv_1", [OPENED])
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in _files(tmp_path)}
        assert modes == {"segue.db": 0o600, "segue.db-wal": 0o600, "segue.db-shm": 0o600}


@pytest.mark.usefixtures("open_umask")
async def test_a_database_that_was_open_to_others_is_closed_to_them(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "segue.db").touch(0o666)
    async with opened(tmp_path, clock):
        assert stat.S_IMODE((tmp_path / "segue.db").stat().st_mode) == 0o600


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("segue.db*"))


@pytest.mark.parametrize("name", ["a b", "50%", "what?", "#1", "a&mode=memory", "é"])
async def test_a_database_lies_where_its_path_says(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    async with opened(folder) as store:
        await store.append("conv_1", [OPENED])
        assert _files(folder)
    assert os.listdir(tmp_path) == [name]


async def refusal(path: Path, *, read_only: bool = False, busy_ms: int = 1) -> str:
    """The sentence with which the store refuses to open; nothing is left running."""
    store = sqlite_store(path, read_only=read_only, busy_ms=busy_ms)
    with pytest.raises(StoreUnavailable) as refused:
        await store.open()
    await store.aclose()
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "segue.db"
    assert await refusal(path) == f"cannot make {tmp_path}/file: File exists"


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    mode = os.stat(tmp_path).st_mode
    assert await refusal(tmp_path) == f"{tmp_path} is a folder: set store.path to a file"
    assert os.stat(tmp_path).st_mode == mode


async def test_a_folder_of_the_system_cannot_be_written_to() -> None:
    sentence = await refusal(Path("/proc/segue.db"))
    assert sentence.startswith("cannot make /proc/segue.db: ")


async def test_a_read_only_folder_says_what_to_do(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    who = os.geteuid()
    if who == 0:  # root may write everywhere: be somebody else meanwhile
        os.seteuid(65534)
    try:
        sentence = await refusal(tmp_path / "segue.db")
    finally:
        os.seteuid(who)
    assert "cannot make" in sentence


async def test_a_database_that_has_become_read_only_says_what_to_do(
    store: EventStore,
) -> None:
    """`query_only` refuses as a read-only file does, to root too."""
    await store._writer.run(lambda link: link.rows("PRAGMA query_only=ON"))
    with pytest.raises(StoreUnavailable, match="readonly database.*make the file and its folder"):
        await store.append("conv_1", [OPENED])


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])  # the second may be read meanwhile
async def test_a_locked_database_says_who_to_look_for(tmp_path: Path, journal: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "segue.db", isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={journal}").fetchall()
        other.execute("BEGIN EXCLUSIVE")
        sentence = await refusal(tmp_path / "segue.db")
    assert "database is locked" in sentence
    assert "another program holds it" in sentence


async def test_a_lock_that_comes_and_goes_delays_and_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, busy_ms=1) as store:
        with contextlib.closing(
            sqlite3.connect(tmp_path / "segue.db", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="database is locked"):
                await store.append("conv_1", [OPENED])
            assert await store.read("conv_1") == []
        assert len(await store.append("conv_1", [OPENED], expected=0)) == 1


async def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    path.write_text("Dear diary, " * 100)
    sentence = await refusal(path)
    assert "not a database" in sentence
    assert "set store.path to a Segue database or to a new file" in sentence
    assert await refusal(path, read_only=True) == sentence
    assert path.read_text() == "Dear diary, " * 100


async def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipe (name)")
    before = path.read_bytes()
    expected = f"{path} is another program's database: set store.path to ours"
    assert await refusal(path) == expected
    assert await refusal(path, read_only=True) == expected
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_schema_is_left_to_its_program(tmp_path: Path, read_only: bool) -> None:
    async with opened(tmp_path):
        pass
    path = tmp_path / "segue.db"
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("UPDATE meta SET value = '9999'")  # `oldest` too: it has no use for us
        newer.execute("DROP TABLE timer")
        newer.commit()
    sentence = await refusal(path, read_only=read_only)
    needs = f"this program needs {HEAD}"
    assert sentence == f"the database is of schema 9999, {needs}: run the program that wrote it"
    with contextlib.closing(sqlite3.connect(path)) as newer:
        tables = {row[0] for row in newer.execute("SELECT name FROM sqlite_master")}
    assert "timer" not in tables


@pytest.mark.parametrize("schema", ["1", "99", "new"])
async def test_a_schema_that_never_was_ours_is_left_as_it_is(tmp_path: Path, schema: str) -> None:
    async with opened(tmp_path):
        pass
    path = tmp_path / "segue.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (schema,))
        other.commit()
    sentence = await refusal(path)
    assert sentence.startswith(f"the database is of schema {schema}, this program needs {HEAD}: ")


async def test_a_damaged_database_says_to_restore_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for n in range(50):
            await store.append(f"conv_{n}", [OPENED] * 20)
    path = tmp_path / "segue.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(os.urandom(size // 2))

    async def use() -> None:
        async with opened(tmp_path) as store:
            for n in range(50):
                await store.read(f"conv_{n}")
                await store.append(f"conv_{n}", [OPENED])

    with pytest.raises(StoreUnavailable, match="restore it from a backup"):
        await use()


async def test_a_reader_without_a_database_is_told_where_it_looked(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    expected = f"there is no database at {path}: see store.path"
    assert await refusal(path, read_only=True) == expected
    assert not path.exists()


# -- one alone --------------------------------------------------------------------------------


def in_use(path: Path) -> str:
    return f"another segue uses {path}: stop it; several workers need PostgreSQL (store.url)"


async def test_a_second_segue_on_one_file_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    async with running(sqlite_store(path)) as second:
        async with running(sqlite_store(path)) as first:
            await first.join(60.0, alone=True)
            for _ in range(2):  # nor does a refusal free it
                with pytest.raises(StoreUnavailable) as refused:
                    await second.join(60.0, alone=True)
                assert str(refused.value) == in_use(path)
            assert len(await first.append("conv_1", [OPENED])) == 1
        await second.join(60.0, alone=True)
        assert len(await second.append("conv_1", [OPENED])) == 1


async def test_the_file_is_free_at_once_when_its_segue_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    with program("holds", path) as holder:
        assert said(holder) == "alone"
        async with running(sqlite_store(path)) as store:
            with pytest.raises(StoreUnavailable, match="another segue uses"):
                await store.join(60.0, alone=True)
            holder.kill()
            assert holder.wait(30) == -signal.SIGKILL
            fence = await store.join(60.0, alone=True)  # though its lease would last a minute
            held = await store._read(
                lambda link: link.rows("SELECT owner FROM lease WHERE until > segue_now()")
            )
            assert held == [(fence.owner,)]


async def test_a_lock_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    path = tmp_path / "segue.db"
    lock = tmp_path / "segue.db-lock"
    async with running(sqlite_store(path)) as store:
        lock.mkdir()
        with pytest.raises(StoreUnavailable) as refused:
            await store.join(60.0, alone=True)
    assert str(refused.value) == f"cannot make {lock}: Is a directory"
