"""Pages of the read models on both engines: complete, as asked for, and by an index."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from ari_app.cli.bench_projections import fill_views
from ari_app.conversation.events import CallAnswered, Event
from ari_app.projections.ports import Page
from ari_app.store import queries as q
from ari_app.store.projecting import ReadModels
from ari_app.store.store import EventStore
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.projections import life, queries
from tests.support.store import Base, running


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


async def caught_up(models: ReadModels) -> None:
    while await models.run_once():
        pass


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
    asyncio.run(_made(base))
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


async def _made(base: Base) -> None:
    async with running(base.store()):
        pass
