"""Many callers, one transaction: each is committed or undone for itself."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ari_app.errors import Conflict, StoreUnavailable
from ari_app.store import writer as writers
from ari_app.store.appending import Write
from ari_app.store.engine import Link
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.writer import GroupWriter, Needs
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter

Action = Callable[[Link], None]


class Strict(SqliteEngine):
    """With foreign keys, so that a commit can fail."""

    def connect(self) -> Link:
        link = super().connect()
        link.run("PRAGMA foreign_keys=ON")
        return link


class Story:
    """A writer on a table of notes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meter = RecordingMeter()
        self.engine = Strict(path, FakeClock())
        self.engine.open()
        with contextlib.closing(self.engine.connect()) as link:
            link.run("CREATE TABLE note (text TEXT PRIMARY KEY)")
        self.writer = GroupWriter(self.engine, Nothing(), self.meter)
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

        def hold(_: Link) -> None:
            waiting.set()
            held.wait(10)

        first = asyncio.ensure_future(self.writer.run(hold))
        await asyncio.to_thread(waiting.wait, 10)
        tasks = [asyncio.ensure_future(self.writer.run(action)) for action in actions]
        await asyncio.sleep(0)  # each has queued its action
        held.set()
        await first
        return list(await asyncio.gather(*tasks, return_exceptions=True))


class Nothing:
    """Nobody appends here."""

    def needs(self, link: Link, writes: Sequence[Write]) -> Needs:
        return set()

    def make_ready(self, needs: Needs) -> None:
        pass

    def check(self, link: Link) -> None:
        pass

    def apply(self, link: Link, writes: Sequence[Write]) -> list[Any]:
        return []


def sql(statement: str, *parameters: str) -> Action:
    def action(link: Link) -> None:
        link.run(statement, parameters)

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
    assert await story.writer.run(lambda link: link.rows("SELECT 7")) == [(7,)]


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
    def half(link: Link) -> None:
        note("half")(link)
        raise Conflict("conv_1", 1, 2)

    before, failed, after = await story.together(note("before"), half, note("after"))
    assert before is after is None
    assert isinstance(failed, Conflict)
    assert story.notes() == {"before", "after"}


async def test_a_broken_constraint_is_its_callers_own_bug(story: Story) -> None:
    first, second, third = await story.together(note("same"), note("same"), note("other"))
    assert first is third is None
    assert isinstance(second, sqlite3.IntegrityError)
    assert story.notes() == {"same", "other"}


async def test_when_the_database_undoes_everything_everybody_is_told(story: Story) -> None:
    """As it does by itself when the disk is full."""
    outcomes = await story.together(
        note("a"), sql("INSERT OR ROLLBACK INTO note VALUES ('a')"), note("b")
    )
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
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


async def test_a_commit_that_fails_is_told_to_whom_it_concerns(story: Story) -> None:
    await story.writer.run(
        sql("CREATE TABLE child (parent REFERENCES note (text) DEFERRABLE INITIALLY DEFERRED)")
    )
    orphan = sql("INSERT INTO child VALUES ('nobody')")
    outcomes = await story.together(note("innocent"), orphan)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], sqlite3.IntegrityError)
    assert story.notes() == {"innocent"}
    await story.writer.run(note("later"))
    assert story.notes() == {"innocent", "later"}


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
    await GroupWriter(story.engine, Nothing(), story.meter).aclose()


async def test_callers_that_outrun_the_disk_are_refused_and_not_piled_up(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "MOST_WAITING", 4)  # the one that is held, and three
    outcomes = await story.together(*(note(f"n{n}") for n in range(5)))
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [type(outcome) for outcome in refused] == [StoreUnavailable] * 2
    assert "the disk is too slow" in str(refused[0])
    assert len(story.notes()) == 3
