"""The read models on both engines: exactly once, rebuilt, checked against the log, and paged."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ari_app.conversation.events import (
    CallbackEnded,
    CallbackReached,
    CallBackRequested,
    TextReceived,
)
from ari_app.errors import LeaseLost
from ari_app.projections.ports import CONSUMER, Difference
from ari_app.projections.views import Fact, Rows, fold
from ari_app.store.projecting import ReadModels
from ari_app.store.schema import Table
from ari_app.store.store import EventStore
from ari_app.store.view_rows import VIEWS
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.killing import killed_at
from tests.support.meter import RecordingMeter
from tests.support.projections import (
    NUMBER,
    WORDS,
    life,
    place_of,
    spoil,
    views,
)
from tests.support.store import Base, running

TTL = 5.0
PATIENCE = 60.0
LENGTH = len(life("x"))
WROTE = TextReceived(carrier="main", recipient="100", sender=NUMBER, body=WORDS)


@pytest.fixture
def clock(base: Base) -> FakeClock:
    return base.clock


@pytest.fixture
async def store(base: Base) -> AsyncIterator[EventStore]:
    async with running(base.store()) as store:
        yield store


@pytest.fixture
def models(store: EventStore) -> ReadModels:
    return store.read_models()


async def lived(store: EventStore, clock: FakeClock, *names: str) -> None:
    """A life for each, going on at the same time, one second between two events."""
    for events in zip(*map(life, names), strict=True):
        clock.advance(1)
        await asyncio.gather(
            *(
                store.append(f"conv_{name}", [event], subject=f"subj_{name[0]}")
                for name, event in zip(names, events, strict=True)
            )
        )


async def caught_up(models: ReadModels, limit: int = 500) -> int:
    done = 0
    while count := await models.run_once(limit=limit):
        done += count
    return done


async def at_once(store: EventStore) -> dict[str, list[tuple[Any, ...]]]:
    """The views of all events, by the pure fold alone."""
    facts = [
        Fact(e.stream, e.sequence, e.at, f"subj_{e.stream[5]}", e.event)
        for e in (p.envelope for p in await store.tail("nobody", 10_000))
    ]
    changes = fold(facts, Rows())
    rows = changes.rows
    return {
        "conversation_view": sorted(map(tuple, rows.conversations.values())),
        "call_view": sorted(map(tuple, rows.calls.values())),
        "message_view": sorted(map(tuple, rows.messages.values())),
        "handoff_view": sorted(map(tuple, rows.handoffs.values())),
        "metric_view": sorted((*figure, n) for figure, n in changes.figures.items()),
    }


def shown(base: Base) -> dict[str, list[tuple[Any, ...]]]:
    """The views without the one that the fold does not make."""
    return {
        name: sorted(map(tuple, rows))
        for name, rows in views(base).items()
        if "subject" not in name
    }


def program(story: str, base: Base) -> tuple[str, ...]:
    """For Python: one of the stories of tests/support/projections.py."""
    return "-m", "tests.support.projections", story, place_of(base)


def killed_after_a_page(program: tuple[str, ...]) -> None:
    with subprocess.Popen([sys.executable, *program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()


# -- projecting -------------------------------------------------------------------------------


def test_the_columns_of_a_table_are_those_of_its_rows() -> None:
    for view in VIEWS:
        columns = Table.metadata.tables[view.table].columns
        assert tuple(column.name for column in columns) == view.columns
        assert tuple(c.name for c in columns if c.primary_key) == view.key


@pytest.mark.parametrize("limit", [1, 3, 500])
async def test_pages_of_any_size_show_the_same(
    limit: int, store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "a2", "b1")
    assert await caught_up(models, limit) == 3 * LENGTH
    assert shown(base) == await at_once(store)
    assert await models.run_once() == 0
    assert await models.verify() == []


async def test_a_subject_is_seen_over_all_conversations(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "a2")
    await caught_up(models, 4)
    await store.append("conv_nobody", [WROTE])
    await caught_up(models)
    ((subject, first, last, *counts),) = base.rows("SELECT * FROM subject_view")
    assert (subject, first, last) == ("subj_a", NOON + SECOND, NOON + LENGTH * SECOND)
    assert counts == [2, 2, 2, 2, "given"]  # conversations, calls, texts in and out, consent


async def test_who_is_known_late_has_all_of_the_conversation(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await store.append("conv_1", life("1"))
    await store.append("conv_2", life("2"), subject="subj_old")
    await caught_up(models)
    assert base.rows("SELECT subject FROM subject_view") == [("subj_old",)]
    await store.append("conv_1", [WROTE], subject="subj_new")
    await store.append("conv_2", [WROTE], subject="subj_new")
    assert await models.verify() == []  # the views know what they have been told so far
    await caught_up(models)
    for view in ("conversation_view", "call_view", "message_view", "handoff_view"):
        assert {s for (s,) in base.rows(f"SELECT subject FROM {view}")} == {"subj_new"}
    assert base.rows("SELECT subject, conversations, calls FROM subject_view") == [
        ("subj_new", 2, 2)
    ]
    assert await models.verify() == []


async def test_nothing_of_a_person_is_in_the_views(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1")  # this store seals nothing
    await caught_up(models)
    everything = repr(views(base))
    assert "subj_a" in everything
    for personal in (NUMBER, NUMBER[1:], WORDS, "knee"):
        assert personal not in everything


async def test_an_event_that_cannot_be_read_does_not_stop_the_views(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1")
    spoil(base, "UPDATE event SET payload = NULL WHERE stream = 'conv_a1' AND name LIKE ?", "call%")
    spoil(base, "UPDATE event SET payload = '[' WHERE stream = 'conv_a1' AND sequence = 1")
    assert await caught_up(models) == 2 * LENGTH
    assert base.rows("SELECT call FROM call_view") == [("call_b1",)]
    assert base.rows("SELECT sequence, did FROM conversation_view ORDER BY stream") == [
        (LENGTH, ""),
        (LENGTH, "100"),
    ]
    assert await models.verify() == []


async def test_how_far_the_views_are_behind_is_shown(
    store: EventStore, models: ReadModels, clock: FakeClock
) -> None:
    await lived(store, clock, "a1")
    meter, lags = store._meter, []
    assert isinstance(meter, RecordingMeter)
    while await models.run_once(limit=5):
        lags.append(meter.gauges["segue_projection_lag_events",])
    assert lags == [LENGTH - 5, LENGTH - 10, 0]
    assert await store.lag(CONSUMER) == 0


async def test_call_backs_are_counted_while_they_are_open(
    store: EventStore, models: ReadModels
) -> None:
    def wanted(id: str) -> CallBackRequested:
        return CallBackRequested(callback=id, number=NUMBER, did="100", due=1, reason="r")

    await store.append("conv_1", [wanted("back_1"), wanted("back_2")])
    await store.append("conv_2", [wanted("back_3")])
    await caught_up(models)
    assert await store.queries().open_callbacks() == 3
    await store.append("conv_1", [CallbackReached(callback="back_1", call="call_1")])
    await store.append("conv_2", [CallbackEnded(callback="back_3", reason="r", by="policy")])
    await caught_up(models)
    assert await store.queries().open_callbacks() == 1
    assert await models.verify() == []


# -- exactly once -----------------------------------------------------------------------------


async def test_a_page_counts_once_wherever_its_process_is_killed(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1")
    await asyncio.to_thread(killed_at, "projections.before_commit", *program("projects", base))
    assert not any(views(base).values())
    assert await store.lag(CONSUMER) == 2 * LENGTH
    assert await models.run_once(limit=7) == 7
    await asyncio.to_thread(killed_at, "projections.before_commit", *program("projects", base))
    assert await store.lag(CONSUMER) == 2 * LENGTH - 7

    for _ in range(2):
        await asyncio.to_thread(killed_after_a_page, program("projects", base))
        assert await models.verify() == []
    await caught_up(models, 2)
    assert shown(base) == await at_once(store)


async def test_of_two_workers_only_the_one_with_the_lease_projects(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1")
    mine = await store.lease("projections", TTL)
    assert mine is not None
    assert await models.run_once(mine, limit=5) == 5
    before = views(base)
    clock.advance(TTL)
    async with running(base.store()) as other:
        theirs = await other.lease("projections", TTL)
        assert theirs is not None
        for stale in (models.run_once(mine), models.rebuild(fence=mine)):
            with pytest.raises(LeaseLost):
                await stale
        assert views(base) == before
        assert await other.read_models().run_once(theirs) == 2 * LENGTH - 5
    assert shown(base) == await at_once(store)


async def test_two_that_project_at_once_count_nothing_twice(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1", "c1")
    async with running(base.store()) as other:
        theirs = other.read_models()
        counts = await asyncio.gather(caught_up(models, 2), caught_up(theirs, 3))
    assert sum(counts) == 3 * LENGTH
    assert shown(base) == await at_once(store)


# -- rebuilding and checking ------------------------------------------------------------------


async def test_a_rebuild_makes_the_same_views(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "a2", "b1")
    await caught_up(models)
    before, told = views(base), list[int]()
    assert await models.rebuild(told.append) == 3 * LENGTH == sum(told)
    assert views(base) == before
    assert base.rows("SELECT count(*) FROM checkpoint WHERE consumer <> ?", CONSUMER) == [(0,)]
    assert await models.rebuild() == 3 * LENGTH  # and not only the rest of the last one


@pytest.mark.parametrize("failpoint", ["projections.emptying", "projections.before_commit"])
@pytest.mark.parametrize("by", ["run_once", "rebuild"])
async def test_a_rebuild_that_was_killed_is_gone_on_with(
    failpoint: str, by: str, store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "a2", "b1")
    await caught_up(models)
    before = views(base)
    spoil(base, "INSERT INTO metric_view (hour, name, label, value) VALUES (0, 'x', '', 1)")
    spoil(base, "DELETE FROM call_view")
    await asyncio.to_thread(killed_at, failpoint, *program("rebuilds", base))
    if by == "run_once":
        await caught_up(models)
    else:
        await models.rebuild()
    assert views(base) == before
    assert base.rows("SELECT count(*) FROM checkpoint WHERE consumer <> ?", CONSUMER) == [(0,)]


async def test_a_drift_is_named_and_repaired_by_a_rebuild_alone(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1")
    await caught_up(models)
    assert await models.verify() == []
    spoil(base, "UPDATE conversation_view SET turns = turns + 1 WHERE stream = 'conv_a1'")
    spoil(base, "UPDATE message_view SET state = 'rejected' WHERE message = 'msg_b1'")
    spoil(base, "DELETE FROM call_view WHERE call = 'call_a1'")
    spoil(base, "UPDATE metric_view SET value = value + 5 WHERE name = 'calls'")
    spoil(base, "UPDATE subject_view SET consent = NULL WHERE subject = 'subj_a'")
    spoil(
        base,
        "INSERT INTO handoff_view SELECT 'hand_x', stream, subject, route, state,"
        " recorded_at, settled_at FROM handoff_view WHERE handoff = 'hand_a1'",
    )
    found = await models.verify()
    named = {(d.view, d.key, d.column) for d in found}
    assert named == {
        ("conversation_view", "conv_a1", "turns"),
        ("message_view", "msg_b1", "state"),
        ("call_view", "call_a1", ""),
        ("metric_view", f"{NOON} calls ", "value"),
        ("subject_view", "subj_a", "consent"),
        ("handoff_view", "hand_x", ""),
    }
    assert Difference("conversation_view", "conv_a1", "turns", 2, 3) in found
    missing = next(d for d in found if d.view == "call_view")
    assert (missing.expected["cause"], missing.found) == ("hangup", None)
    assert len(await models.verify(most=2)) == 2

    await store.append("conv_c1", [WROTE])
    await caught_up(models)
    assert {(d.view, d.key, d.column) for d in await models.verify()} == named
    await models.rebuild()
    assert await models.verify() == []


async def test_the_views_are_checked_at_one_moment_while_others_write(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1")
    async with running(base.store()) as other:
        theirs = other.read_models()
        over = asyncio.Event()

        async def goes_on() -> int:
            done = 0
            while not over.is_set():
                await store.append(f"conv_b{done}", life(f"b{done}"), subject=f"subj_{done}")
                done += await theirs.run_once(limit=7)
            return done

        writing = asyncio.create_task(goes_on())
        for _ in range(5):
            assert await models.verify() == []
        over.set()
        assert await writing > LENGTH
