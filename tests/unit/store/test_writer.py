"""Many callers, one transaction: each is committed or undone for itself."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from ari_app.errors import Conflict, StoreUnavailable
from ari_app.store.writer import GroupWriter
from tests.support.meter import RecordingMeter

Action = Callable[[Connection], None]


class Story:
    """A writer on a table of notes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meter = RecordingMeter()
        self.engine = _engine(path)
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("CREATE TABLE note (text TEXT PRIMARY KEY)")
        self.writer = GroupWriter(self.engine.connect, self.meter)
        self.writer.start()

    def notes(self) -> set[str]:
        """What another connection sees: what is committed."""
        connection = sqlite3.connect(self.path)
        try:
            return {row[0] for row in connection.execute("SELECT text FROM note")}
        finally:
            connection.close()

    async def together(self, *actions: Action) -> list[BaseException | None]:
        """Run them as one group: they wait while the writer is held."""
        held, waiting = threading.Event(), threading.Event()

        def hold(_: Connection) -> None:
            waiting.set()
            held.wait(10)

        first = asyncio.ensure_future(self.writer.run(hold))
        await asyncio.to_thread(waiting.wait, 10)
        tasks = [asyncio.ensure_future(self.writer.run(action)) for action in actions]
        await asyncio.sleep(0)  # each has queued its action
        held.set()
        await first
        return list(await asyncio.gather(*tasks, return_exceptions=True))


def _engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    return create_engine(
        "sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )


def sql(statement: str, *parameters: str) -> Action:
    def action(connection: Connection) -> None:
        connection.exec_driver_sql(statement, parameters)

    return action


def note(text: str) -> Action:
    return sql("INSERT INTO note VALUES (?)", text)


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    story = Story(tmp_path / "notes.db")
    yield story
    await story.writer.aclose()


async def test_what_has_returned_is_committed(story: Story) -> None:
    await story.writer.run(note("a"))
    assert story.notes() == {"a"}


async def test_an_action_gives_its_result(story: Story) -> None:
    assert await story.writer.run(lambda c: c.exec_driver_sql("SELECT 7").scalar()) == 7


async def test_what_waits_is_joined_in_one_commit(story: Story) -> None:
    assert await story.together(*(note(f"n{n}") for n in range(20))) == [None] * 20
    assert len(story.notes()) == 20
    assert story.meter.observed["segue_store_group_size"] == [1, 20]


async def test_actions_run_in_the_order_they_came(story: Story) -> None:
    await story.together(*(note(f"n{n}") for n in (3, 1, 2)))
    connection = sqlite3.connect(story.path)
    in_order = [row[0] for row in connection.execute("SELECT text FROM note ORDER BY rowid")]
    connection.close()
    assert in_order == ["n3", "n1", "n2"]


async def test_one_that_fails_does_not_spoil_its_neighbours(story: Story) -> None:
    def half(connection: Connection) -> None:
        note("half")(connection)
        raise Conflict("conv_1", 1, 2)

    before, failed, after = await story.together(note("before"), half, note("after"))
    assert before is after is None
    assert isinstance(failed, Conflict)
    assert story.notes() == {"before", "after"}


async def test_a_broken_constraint_is_its_callers_own_bug(story: Story) -> None:
    first, second, third = await story.together(note("same"), note("same"), note("other"))
    assert first is third is None
    assert isinstance(second, IntegrityError)
    assert story.notes() == {"same", "other"}


async def test_when_the_database_undoes_everything_everybody_is_told(story: Story) -> None:
    """As it does by itself when the disk is full."""
    outcomes = await story.together(
        note("a"), sql("INSERT OR ROLLBACK INTO note VALUES ('a')"), note("b")
    )
    assert [type(outcome) for outcome in outcomes] == [IntegrityError] * 3
    assert story.notes() == set()

    await story.writer.run(note("later"))
    assert story.notes() == {"later"}


async def test_a_full_disk_says_what_to_do_and_heals(story: Story) -> None:
    await story.writer.run(sql("PRAGMA max_page_count=4"))
    with pytest.raises(StoreUnavailable, match=r"\(database or disk is full\): free some disk"):
        await story.writer.run(note("x" * 100_000))
    assert story.notes() == set()

    await story.writer.run(sql("PRAGMA max_page_count=100000"))
    await story.writer.run(note("small"))
    assert story.notes() == {"small"}


async def test_a_commit_that_fails_is_told_to_everybody_in_it(story: Story) -> None:
    await story.writer.run(
        sql("CREATE TABLE child (parent REFERENCES note (text) DEFERRABLE INITIALLY DEFERRED)")
    )
    orphan = sql("INSERT INTO child VALUES ('nobody')")
    outcomes = await story.together(note("innocent"), orphan)
    assert [type(outcome) for outcome in outcomes] == [IntegrityError] * 2
    assert story.notes() == set()
    await story.writer.run(note("later"))
    assert story.notes() == {"later"}


async def test_a_caller_that_gave_up_waiting_harms_nobody(story: Story) -> None:
    impatient = asyncio.ensure_future(story.writer.run(note("impatient")))
    await asyncio.sleep(0)
    impatient.cancel()
    await story.writer.run(note("patient"))
    assert "patient" in story.notes()


async def test_what_waits_is_written_before_it_closes(story: Story) -> None:
    waiting = [asyncio.ensure_future(story.writer.run(note(f"n{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await story.writer.aclose()
    await asyncio.gather(*waiting)
    assert len(story.notes()) == 5


async def test_a_closed_writer_refuses(story: Story) -> None:
    await story.writer.aclose()
    await story.writer.aclose()
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        await story.writer.run(note("late"))


async def test_a_writer_that_never_started_closes(story: Story) -> None:
    await GroupWriter(story.engine.connect, story.meter).aclose()


async def test_callers_that_outrun_the_disk_are_refused_and_not_piled_up(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story.writer._queue, "maxsize", 3)
    outcomes = await story.together(*(note(f"n{n}") for n in range(5)))
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [type(outcome) for outcome in refused] == [StoreUnavailable] * 2
    assert "the disk is too slow" in str(refused[0])
    assert len(story.notes()) == 3
