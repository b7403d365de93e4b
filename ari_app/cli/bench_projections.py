"""How fast a page of a large read model is read."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ari_app.projections.ports import Page
from ari_app.store.engine import Link
from ari_app.store.queries import Queries
from ari_app.store.sqlite import SqliteLink

_PAGE = 50
_TURNED = 40  # pages of each kind

# So many rows with every state, channel and cause, in no time: the same text on both engines.
_NUMBERS = """
    WITH RECURSIVE number(n) AS
        (SELECT CAST(1 AS bigint) UNION ALL SELECT n + 1 FROM number WHERE n < ?)"""
_SUBJECT = "'subj_' || (n * 7919 - n * 7919 / 200000 * 200000)"
_STATE = """
    CASE WHEN n - n / 500 * 500 = 0 THEN 'live' WHEN n - n / 50 * 50 = 0 THEN 'open'
    ELSE 'closed' END"""
_CHANNEL = """
    CASE WHEN n - n / 100 * 100 = 0 THEN 'desk' WHEN n - n / 3 * 3 = 0 THEN 'sms'
    ELSE 'voice' END"""
_CAUSE = "CASE WHEN n - n / 100 * 100 = 0 THEN 'lost' ELSE 'hangup' END"
_FATE = "CASE WHEN n - n / 100 * 100 = 0 THEN 'rejected' ELSE 'delivered' END"
_FILLS = (
    f"""INSERT INTO conversation_view
        (stream, subject, opened_at, touched, sequence, state, channel, channels, language, did,
        turns, calls, texts_in, texts_out, unanswered, texts_pending, handoffs_pending)
        {{numbers}} SELECT 'conv_' || n, {_SUBJECT}, n * 1000000, n * 1000000 + 60, 20, {_STATE},
        {_CHANNEL}, 'voice', 'en', '100', 3, 1, 1, 1, 0, 0, 0 FROM number""",
    f"""INSERT INTO call_view
        (call, stream, subject, did, received_at, answered_at, ended_at, cause, turns,
        interruptions) {{numbers}} SELECT 'call_' || n, 'conv_' || n, {_SUBJECT}, '100',
        n * 1000000, n * 1000000, n * 1000000, {_CAUSE}, 3, 0 FROM number""",
    f"""INSERT INTO message_view
        (message, stream, subject, template, state, promised_at, segments, attempts, arrived,
        overdue) {{numbers}} SELECT 'msg_' || n, 'conv_' || n, {_SUBJECT}, 'hours', {_FATE},
        n * 1000000, 1, 1, '', 0 FROM number""",
    """INSERT INTO handoff_view (handoff, stream, route, state, recorded_at)
        {numbers} SELECT 'hand_' || n, 'conv_' || n, 'desk',
        CASE WHEN n - n / 100 * 100 = 0 THEN 'escalated' ELSE 'acknowledged' END, n * 1000000
        FROM number""",
    """INSERT INTO subject_view
        (subject, first_seen, last_seen, conversations, calls, texts_in, texts_out)
        {numbers} SELECT 'subj_' || n, n * 1000000, n * 1000000 + 1, 1, 1, 1, 1 FROM number""",
    """INSERT INTO metric_view (hour, name, label, value)
        {numbers} SELECT n / 10 * 3600000000, 'name' || (n - n / 10 * 10), '', 1 FROM number""",
)


@dataclass(frozen=True, slots=True)
class PageTimes:
    """Milliseconds of pages of 50 rows, the first one and others."""

    median: float
    worst: float


def fill_views(link: Link, rows: int) -> None:
    """So many rows in every view, which must be empty; ANALYZE at the end."""
    if isinstance(link, SqliteLink):
        link.rows("PRAGMA cache_size=-500000")
    else:
        link.run("SET statement_timeout = 0")
    for statement in _FILLS:
        link.begin()
        link.run(statement.format(numbers=_NUMBERS), (rows,))
        link.commit()
    link.run("ANALYZE")


async def page_times(queries: Queries, rows: int) -> dict[str, PageTimes]:
    """By kind of page, of views with so many rows from `fill_views`."""
    middle = rows // 2 * 1_000_000
    kinds: dict[str, Callable[[str | None], Awaitable[Page[Any]]]] = {
        "conversations": lambda c: queries.conversations(cursor=c),
        "conversations closed": lambda c: queries.conversations(state="closed", cursor=c),
        "conversations live": lambda c: queries.conversations(state="live", cursor=c),
        "conversations desk": lambda c: queries.conversations(channel="desk", cursor=c),
        "conversations open, sms": lambda c: queries.conversations(
            state="open", channel="sms", cursor=c
        ),
        "conversations of a subject": lambda c: queries.conversations(subject=_anyone(), cursor=c),
        "conversations since": lambda c: queries.conversations(since=middle, cursor=c),
        "calls": lambda c: queries.calls(cursor=c),
        "calls lost": lambda c: queries.calls(cause="lost", cursor=c),
        "calls of a subject since": lambda c: queries.calls(
            subject=_anyone(), since=middle, cursor=c
        ),
        "messages rejected": lambda c: queries.messages(state="rejected", cursor=c),
        "messages of a subject": lambda c: queries.messages(subject=_anyone(), cursor=c),
        "handoffs escalated": lambda c: queries.handoffs(state="escalated", cursor=c),
        "subjects": lambda c: queries.subjects(cursor=c),
        "metrics of a name": lambda c: queries.metrics(name="name3", cursor=c, limit=_PAGE),
        "metrics of a range": lambda c: queries.metrics(
            since=36_000_000_000, before=360_000_000_000, cursor=c, limit=_PAGE
        ),
    }
    return {name: await _times(kind) for name, kind in kinds.items()}


def _anyone() -> str:
    return f"subj_{random.randrange(200_000)}"


async def _times(kind: Callable[[str | None], Awaitable[Page[Any]]]) -> PageTimes:
    took, cursor = [], None
    for _ in range(_TURNED):
        began = time.perf_counter()
        cursor = (await kind(cursor)).next
        took.append((time.perf_counter() - began) * 1000)
    return PageTimes(statistics.median(took), max(took))
