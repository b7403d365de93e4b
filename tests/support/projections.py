"""Read models over a store of a test, lives to project, and a process that is killed meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallReceived,
    ConsentGiven,
    ConversationOpened,
    Event,
    HandoffAcknowledged,
    HandoffRecorded,
    ReceiptReceived,
    TextPromised,
    TextReceived,
    TextSubmitted,
)
from ari_app.store.engine import Engine
from ari_app.store.postgres import PostgresEngine
from ari_app.store.queries import Queries
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.store.view_rows import VIEWS
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import Base, running

NUMBER = "+12025550123"
WORDS = "my knee hurts"


def queries(store: EventStore) -> Queries:
    """Over a store that is open."""
    return Queries(store._read)


def views(base: Base) -> dict[str, list[Sequence[Any]]]:
    """All rows of all views, in the order of their keys."""
    return {
        view.table: sorted(
            map(tuple, base.rows(f"SELECT {', '.join(view.columns)} FROM {view.table}")),
            key=lambda row: str(row[: view.keys]),
        )
        for view in VIEWS
    }


def spoil(base: Base, sql: str, *values: object) -> None:
    """Somebody writes into the database by hand."""
    link = base.engine().connect()
    link.begin()
    link.run(sql, values)
    link.commit()
    link.close()


def life(name: str) -> list[Event]:
    """A call with a text and a hand-off; everything of a person in it is NUMBER or WORDS."""
    call, message, handoff = f"call_{name}", f"msg_{name}", f"hand_{name}"
    return [
        ConversationOpened(channel="voice", did="100", language="en", number=NUMBER),
        CallReceived(call=call, channel="PJSIP/1", did="100"),
        CallAnswered(call=call),
        CallerSpoke(
            call=call, text=WORDS, words=((WORDS, 0.0, 1.0, 0.9),), confidence=0.9, endpoint_ms=9
        ),
        ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w"),
        TextPromised(message=message, template="hours", to=NUMBER, body=WORDS),
        HandoffRecorded(handoff=handoff, route="desk", record={"said": WORDS, "number": NUMBER}),
        CallEnded(call=call, cause="hangup", statistics={"received": 9}),
        TextSubmitted(message=message, carrier="main", ids=("a", "b"), attempts=1),
        *(
            ReceiptReceived(message=message, carrier="main", id=id, state="DELIVRD", error="")
            for id in "ab"
        ),
        HandoffAcknowledged(handoff=handoff, route="desk", receipt="r"),
        TextReceived(carrier="main", recipient="100", sender=NUMBER, body=WORDS),
    ]


def place_of(base: Base) -> str:
    """How a child finds the same database."""
    return str(getattr(base, "path", None) or getattr(base, "dsn"))  # noqa: B009  not in Base


def _engine(place: str) -> Engine:
    if place.startswith("/"):
        return SqliteEngine(Path(place), FakeClock())
    return PostgresEngine(place)


async def projects(place: str) -> None:
    """Three events at a time until there are no more; prints a line for each page."""
    async with running(EventStore(_engine(place), FakeClock(), RecordingMeter())) as store:
        models = store.read_models()
        while count := await models.run_once(limit=3):
            print(count, flush=True)  # noqa: T201  the parent reads it


async def rebuilds(place: str) -> None:
    """Once."""
    async with running(EventStore(_engine(place), FakeClock(), RecordingMeter())) as store:
        await store.read_models().rebuild()


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](sys.argv[2]))
