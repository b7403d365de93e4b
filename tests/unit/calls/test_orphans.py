"""A call whose worker died ends like any other: closed once, with a record for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.agent.turn import Agent
from ari_app.calls.orphans import Orphans
from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallReceived,
    ConversationOpened,
    Event,
    HandoffRecorded,
)
from ari_app.conversation.state import fold
from ari_app.store.store import EventStore
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

TTL = 3.0
LIVE: list[Event] = [
    ConversationOpened(channel="voice", did="100", language="en", number=None),
    CallReceived(call="call_1", channel="c", did="100"),
    CallAnswered(call="call_1"),
]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def survivor(tmp_path: Path, clock: FakeClock) -> AsyncIterator[EventStore]:
    """Beside it a worker had a call, and died."""
    async with opened(tmp_path, clock) as dead:
        await dead.join(TTL)
        await dead.append("conv_1", LIVE, held=True)
    clock.advance(TTL + 1)
    async with opened(tmp_path, clock) as store:
        await store.join(TTL)
        yield store


def orphans(store: EventStore, clock: FakeClock, meter: RecordingMeter) -> Orphans:
    agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
    return Orphans(store.bury, store, agent, meter)


async def test_the_call_is_closed_once_and_people_get_its_record(
    survivor: EventStore, clock: FakeClock
) -> None:
    meter = RecordingMeter()
    closer = orphans(survivor, clock, meter)
    await asyncio.gather(closer.run_once(), closer.run_once())
    await closer.run_once()

    envelopes = await survivor.read("conv_1")
    ended, recorded = [e.event for e in envelopes[len(LIVE) :]]
    assert ended == CallEnded(call="call_1", cause="lost", statistics={})
    assert isinstance(recorded, HandoffRecorded)
    assert fold(envelopes).on_the_line is None
    (job,) = await survivor.claim("handoff", clock.now())
    assert job.id == recorded.handoff
    assert meter.counts["segue_orphans_total",] == 1


async def test_people_who_have_a_record_get_no_second(
    survivor: EventStore, clock: FakeClock
) -> None:
    await survivor.append("conv_1", [HandoffRecorded(handoff="hand_1", route="r", record={})])
    await orphans(survivor, clock, RecordingMeter()).run_once()
    events = [e.event for e in await survivor.read("conv_1")]
    assert sum(isinstance(e, HandoffRecorded) for e in events) == 1
    assert isinstance(events[-1], CallEnded)


async def test_the_calls_of_the_living_are_left_alone(
    survivor: EventStore, clock: FakeClock
) -> None:
    await survivor.append("conv_2", LIVE, held=True)
    await orphans(survivor, clock, RecordingMeter()).run_once()
    assert len(await survivor.read("conv_2")) == len(LIVE)
