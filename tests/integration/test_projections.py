"""The read models on both engines: exactly once, rebuilt, checked against the log, and paged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ari_app.cli.bench_projections import fill_views, make_tables
from ari_app.conversation.events import CallAnswered, Event, TextReceived
from ari_app.errors import LeaseLost
from ari_app.projections.ports import CONSUMER, Difference, Page
from ari_app.projections.views import Fact, Rows, fold
from ari_app.store import queries as q
from ari_app.store.projecting import ReadModels
from ari_app.store.schema import Table
from ari_app.store.store import EventStore
from ari_app.store.view_rows import VIEWS
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.meter import RecordingMeter
from tests.support.projections import (
    NUMBER,
    WORDS,
    life,
    place_of,
    queries,
    read_models,
    spoil,
    views,
)
from tests.support.store import Base, PostgresBase, SqliteBase, running

TTL = 5.0
PATIENCE = 60.0
LENGTH = len(life("x"))
WROTE = TextReceived(carrier="main", recipient="100", sender=NUMBER, body=WORDS)


@pytest.fixture(params=["sqlite", "postgres"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    """A database on each engine."""
    if request.param == "sqlite":
        yield SqliteBase(tmp_path)
        return
    with contextlib.closing(PostgresBase(request.getfixturevalue("database"))) as base:
        yield base


@pytest.fixture
def clock(base: Base) -> FakeClock:
    return base.clock


@pytest.fixture
async def store(base: Base) -> AsyncIterator[EventStore]:
    async with running(base.store()) as store:
        yield store


@pytest.fixture
def meter() -> RecordingMeter:
    return RecordingMeter()


@pytest.fixture
def models(store: EventStore, meter: RecordingMeter) -> ReadModels:
    return read_models(store, meter)


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


def child(story: str, base: Base, failpoint: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.projections", story, place_of(base)],
        env={**os.environ, "SEGUE_FAILPOINT": failpoint},
        stdout=subprocess.PIPE,
        text=True,
    )


async def killed_at(failpoint: str, story: str, base: Base) -> None:
    process = child(story, base, failpoint)
    await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL


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
    store: EventStore, models: ReadModels, meter: RecordingMeter, clock: FakeClock
) -> None:
    await lived(store, clock, "a1")
    lags = []
    while await models.run_once(limit=5):
        lags.append(meter.gauges["segue_projection_lag_events",])
    assert lags == [LENGTH - 5, LENGTH - 10, 0]
    assert await store.lag(CONSUMER) == 0


# -- exactly once -----------------------------------------------------------------------------


async def test_a_page_counts_once_wherever_its_process_is_killed(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1")
    await killed_at("projections.before_commit", "projects", base)
    assert not any(views(base).values())
    assert await store.lag(CONSUMER) == 2 * LENGTH
    assert await models.run_once(limit=7) == 7
    await killed_at("projections.before_commit", "projects", base)
    assert await store.lag(CONSUMER) == 2 * LENGTH - 7

    for _ in range(2):
        process = child("projects", base)
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        process.kill()
        process.communicate()
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
        assert await read_models(other).run_once(theirs) == 2 * LENGTH - 5
    assert shown(base) == await at_once(store)


async def test_two_that_project_at_once_count_nothing_twice(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    await lived(store, clock, "a1", "b1", "c1")
    async with running(base.store()) as other:
        theirs = read_models(other)
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
    await killed_at(failpoint, "rebuilds", base)
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
        theirs = read_models(other)
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


# -- pages ------------------------------------------------------------------------------------


async def turned(page: Callable[[str | None], Awaitable[Page[Any]]]) -> list[Any]:
    """All rows, page after page."""
    first = await page(None)
    rows, cursor = list(first.rows), first.next
    while cursor is not None:
        another = await page(cursor)
        rows += another.rows
        cursor = another.next
    return rows


async def test_pages_are_complete_while_new_rows_come(
    store: EventStore, models: ReadModels, base: Base, clock: FakeClock
) -> None:
    ask = queries(store)
    for n in range(30):
        clock.advance(n % 2)  # two at each moment
        await store.append(f"conv_{n:02}", life(f"{n:02}"), subject=f"subj_{n % 3}")
    await caught_up(models)
    number = 30

    async def page(cursor: str | None) -> Page[Any]:
        nonlocal number
        found = await ask.conversations(cursor=cursor, limit=7)
        await store.append(f"conv_{number:02}", life(f"{number:02}"))
        await store.append(f"conv_{number - 20:02}", [CallAnswered(call="late")])  # touched
        clock.advance(1)
        await caught_up(models)
        number += 1
        return found

    streams = [row.stream for row in await turned(page)]
    assert streams == [f"conv_{n:02}" for n in reversed(range(30))]


async def test_filters_give_what_they_say(
    store: EventStore, models: ReadModels, clock: FakeClock
) -> None:
    ask = queries(store)
    for n in range(6):
        clock.advance(3600)
        events: list[Event] = life(f"{n}")
        await store.append(f"conv_{n}", events if n % 2 else events[:3], subject=f"subj_{n % 3}")
    await caught_up(models)

    async def streams(**filters: Any) -> list[str]:
        rows = await turned(lambda c: ask.conversations(cursor=c, limit=2, **filters))
        return [row.stream for row in rows]

    assert await streams(state="live") == ["conv_4", "conv_2", "conv_0"]
    assert await streams(state="open", channel="voice") == ["conv_5", "conv_3", "conv_1"]
    assert await streams(channel="desk") == []
    assert await streams(subject="subj_1") == ["conv_4", "conv_1"]
    since = NOON + 4 * 3600 * SECOND
    assert await streams(since=since) == ["conv_5", "conv_4", "conv_3"]
    assert await streams(since=since, subject="subj_0", state="open") == ["conv_3"]

    ended = await turned(lambda c: ask.calls(cause="hangup", cursor=c, limit=1))
    assert [row.call for row in ended] == ["call_5", "call_3", "call_1"]
    late = await ask.calls(subject="subj_1", since=since)
    assert [row.call for row in late.rows] == ["call_4"][: len(late.rows)]
    texts = await ask.messages(state="delivered", subject="subj_2")
    assert [row.message for row in texts.rows] == ["msg_5"]
    assert [r.handoff for r in (await ask.handoffs(state="acknowledged", limit=1)).rows] == [
        "hand_5"
    ]
    seen = await turned(lambda c: ask.subjects(cursor=c, limit=1))
    assert [row.subject for row in seen] == ["subj_2", "subj_1", "subj_0"]
    calls = await turned(lambda c: ask.metrics(name="calls", cursor=c, limit=1))
    assert [row.hour for row in calls] == [NOON + n * 3600 * SECOND for n in range(6, 0, -1)]
    some = await turned(lambda c: ask.metrics(since=since, before=since + 1, cursor=c, limit=2))
    assert [(row.name, row.label, row.value) for row in some] == sorted(
        ((row.name, row.label, row.value) for row in some), reverse=True
    )
    assert {row.hour for row in some} == {since}


@pytest.mark.parametrize(
    "cursor", ["", "x", "bnVsbA==", "WzFd", "WyJ4IiwgIngiXQ==", "WzEsICJcdTAwMDAiXQ==", "A" * 9000]
)
async def test_a_cursor_of_somebody_elses_is_refused(cursor: str, store: EventStore) -> None:
    with pytest.raises(ValueError, match="the cursor is not one of ours"):
        await queries(store).conversations(cursor=cursor)


@pytest.mark.parametrize("limit", [0, 201])
async def test_a_page_has_its_bounds(limit: int, store: EventStore) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        await queries(store).subjects(limit=limit)


SELECTS = [
    *(
        (q.NEWEST_CONVERSATIONS, same)
        for same in (
            {},
            {"state": "open"},
            {"channel": "desk"},
            {"state": "open", "channel": "sms"},
            {"subject": "subj_7"},
            {"subject": "subj_7", "state": "open", "channel": "sms"},
        )
    ),
    *((q.NEWEST_CALLS, same) for same in ({}, {"subject": "subj_7"}, {"cause": "lost"})),
    *((q.NEWEST_MESSAGES, same) for same in ({}, {"subject": "subj_7"}, {"state": "rejected"})),
    *((q.NEWEST_HANDOFFS, same) for same in ({}, {"state": "escalated"})),
    (q.NEWEST_SUBJECTS, {}),
    (q.NEWEST_METRICS, {}),
    (q.METRICS_OF_NAME, {"name": "name3"}),
]


def test_every_page_is_read_by_an_index(base: Base) -> None:
    """Neither a whole table is read nor sorted, for a first page or another, with a range or not.

    With enough rows that a planner has a choice.
    """
    engine = base.engine()
    asyncio.run(_opened(base))
    with contextlib.closing(engine.connect()) as link:
        fill_views(link, 20_000)
        for order, same in SELECTS:
            table = f"SELECT * FROM {order.view.table} LIMIT 1 OFFSET 10000"
            place = tuple(
                dict(zip(order.view.columns, link.rows(table)[0], strict=True))[c]
                for c in order.columns
            )
            for since in (None, 5_000_000):
                for after in (None, place):
                    sql, values = q.select(order, same, since, None, after, 51)
                    plan = _plan(base, link.rows, sql, values)
                    case = f"{order.view.table} {same} {since} {after}: {plan}"
                    assert "Seq Scan" not in plan, case
                    assert "TEMP B-TREE" not in plan, case
                    scans = [line for line in plan.splitlines() if line.startswith("SCAN")]
                    assert all("USING INDEX" in line for line in scans), case
                    # What is asked for is looked up, and not only met on the way.
                    for column in ["subject"] if "subject" in same else same:
                        looked_up = rf"\b{column}=\?|Index Cond: .*\b{column}\b"
                        assert re.search(looked_up, plan), case
                    # The few rows of one subject may be sorted.
                    assert "Sort" not in plan or "subject" in same, case


def _plan(base: Base, rows: Callable[..., Any], sql: str, values: Any) -> str:
    explain = "EXPLAIN QUERY PLAN " if base.name == "sqlite" else "EXPLAIN "
    return "\n".join(str(row[-1]) for row in rows(explain + sql, values))


async def _opened(base: Base) -> None:
    async with running(base.store()) as store:
        make_tables(store.engine)
