"""`segue bench projections`: how fast the read models are made, and how fast a page is read."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ari_app.ports import Fence
from ari_app.projections.ports import Page
from ari_app.store.engine import Link, Row
from ari_app.store.projecting import ReadModels
from ari_app.store.queries import Queries
from ari_app.store.sqlite import SqliteLink

_NOON = 1_795_176_000_000_000
_MINUTE = 60_000_000
_BATCH = 2000  # conversations
_PAGE = 50
_TURNED = 40  # pages of each kind

_EVENT = """
    INSERT INTO event (id, stream, sequence, at, actor, cause, name, version, payload, link, dedupe)
    VALUES (?, ?, ?, ?, 'calls', NULL, ?, ?, ?, ?, NULL)"""
_STREAM = """
    INSERT INTO stream (stream, sequence, link, subject, turned, touched)
    VALUES (?, ?, ?, ?, ?, ?)"""

# As long as a field that was sealed; no projection opens it.
_SEALED = {"sealed": "1.key_0190f5a0-0000-7000-8000-000000000009." + "q" * 120}
_IN_CALL = {"call": "call_#"}
_DECIDED = {
    "bundle": "harbour-clinic@7f3a",
    "rule": "offer_text",
    "reason": "opening hours can be read",
    "actions": ["ask offer_hours"],
    "inputs": {"by": "speech", "misses": 0, "hearing": True},
    "intent": "hours",
    "confidence": 0.93,
    "alternatives": [["hours", 0.93], ["booking", 0.04], ["other", 0.03]],
    "topic": "hours",
    "question": "offer_hours",
}
_SPOKE = {**_IN_CALL, "prompt": "greeting", "text": _SEALED, "answer_ms": 310}
_SAID = {**_IN_CALL, "text": _SEALED, "words": _SEALED, "confidence": 0.93, "endpoint_ms": 420}
_RECEIPT = {"message": "msg_#", "carrier": "main", "state": "DELIVRD", "error": "000"}
# A call as they are: two turns of speech, a text of two segments, a word of thanks.
_LIFE: list[tuple[str, dict[str, Any]]] = [
    (
        "conversation.opened",
        {"channel": "voice", "did": "100", "language": "en", "number": _SEALED},
    ),
    ("call.received", {**_IN_CALL, "channel": "PJSIP/carrier-00000001", "did": "100"}),
    ("call.answered", _IN_CALL),
    ("agent.spoke", _SPOKE),
    ("disclosure.played", {**_IN_CALL, "prompt": "greeting", "wording": "v3"}),
    ("caller.spoke", _SAID),
    ("decision.made", _DECIDED),
    ("agent.spoke", _SPOKE),
    ("caller.spoke", _SAID),
    (
        "consent.given",
        {"purpose": "texts", "channel": "voice", "how": "key", "confidence": 1, "wording": "v1"},
    ),
    ("decision.made", _DECIDED),
    ("text.promised", {"message": "msg_#", "template": "hours", "to": _SEALED, "body": _SEALED}),
    ("agent.spoke", _SPOKE),
    ("call.left", {**_IN_CALL, "exit": "done", "reason": "texted"}),
    (
        "call.ended",
        {**_IN_CALL, "cause": "Normal Clearing", "statistics": {"received": 912, "lost": 2}},
    ),
    ("text.submitted", {"message": "msg_#", "carrier": "main", "ids": ["a", "b"], "attempts": 1}),
    ("receipt.received", {**_RECEIPT, "id": "a"}),
    ("receipt.received", {**_RECEIPT, "id": "b"}),
    (
        "text.received",
        {"carrier": "main", "recipient": "100", "sender": _SEALED, "body": _SEALED},
    ),
    ("decision.made", _DECIDED),
]

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


def fill_log(link: Link, events: int, first: int = 0) -> int:
    """Append about so many events of whole conversations, fifty at a time; returns how many."""
    conversations = -(-events // len(_LIFE))
    for start in range(first, first + conversations, _BATCH):
        end = min(start + _BATCH, first + conversations)
        lives = [list(_life(number)) for number in range(start, end)]
        link.begin()
        link.many(_EVENT, [row for one in _mingled(lives) for row in one])
        link.many(_STREAM, [_stream(number) for number in range(start, end)])
        link.commit()
    return conversations * len(_LIFE)


def _mingled(lives: list[list[Row]]) -> Iterator[list[Row]]:
    """Fifty conversations go on at the same time."""
    for start in range(0, len(lives), 50):
        some = lives[start : start + 50]
        for step in range(len(some[0])):
            yield [one[step] for one in some]


def _life(number: int) -> Iterator[Row]:
    link = bytes(32)
    for sequence, (name, payload) in enumerate(_LIFE, start=1):
        told = json.dumps(payload, separators=(",", ":")).replace("#", f"{number:012}")
        at = _NOON + number * _MINUTE // 20 + sequence * 3_000_000
        id = f"evt_{number:012}_{sequence}"
        yield (id, _name(number), sequence, at, name, 1, told, link)


def _name(number: int) -> str:
    return f"conv_0190f5a0-0000-7000-8000-{number:012}"


def _stream(number: int) -> Row:
    at = _NOON + number * _MINUTE // 20
    # A person comes back four times.
    return (_name(number), len(_LIFE), bytes(32), f"subj_{number * 7 % (number // 4 + 1)}", at, at)


def rebuild_rate(models: ReadModels, fence: Fence | None = None) -> float:
    """Events for each second of a rebuild, the emptying of the views with it."""
    began = time.perf_counter()
    events = asyncio.run(_rebuilt(models, fence))
    return events / (time.perf_counter() - began)


async def _rebuilt(models: ReadModels, fence: Fence | None) -> int:
    return await models.rebuild(fence=fence)


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
