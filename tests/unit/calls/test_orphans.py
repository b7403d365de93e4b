"""A call whose worker died ends like any other: closed once, with a record for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ari_app.agent.turn import Agent
from ari_app.calls.adoption import Course
from ari_app.calls.journal import Journal
from ari_app.calls.orphans import Orphans
from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallReceived,
    ConversationOpened,
    Envelope,
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


# -- while somebody may still go on with the call ---------------------------------------------


async def test_a_call_that_may_be_taken_over_is_left_for_a_while(
    survivor: EventStore, clock: FakeClock
) -> None:
    agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
    closer = Orphans(survivor.bury, survivor, agent, RecordingMeter(), clock, patience=10.0)
    await closer.run_once()
    clock.advance(9.0)
    await closer.run_once()
    assert len(await survivor.read("conv_1")) == len(LIVE)
    clock.advance(1.0)
    await closer.run_once()
    assert isinstance((await survivor.read("conv_1"))[-2].event, CallEnded)


async def test_a_call_that_was_taken_over_is_never_closed(
    survivor: EventStore, clock: FakeClock
) -> None:
    journal = Journal(survivor, "conv_1")
    assert (await journal.adopt("call_1")).course is Course.GREET
    await orphans(survivor, clock, RecordingMeter()).run_once()
    assert kinds(await survivor.read("conv_1"))[-1] == "CallResumed"


async def test_a_call_that_is_taken_over_between_the_looks_is_not_closed(
    survivor: EventStore, clock: FakeClock
) -> None:
    journal = Journal(survivor, "conv_1")
    looks = 0

    async def bury() -> Sequence[str]:
        nonlocal looks
        looks += 1
        if looks == 2:  # after the state was read
            await journal.adopt("call_1")
        return await survivor.bury()

    agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
    await Orphans(bury, survivor, agent, RecordingMeter()).run_once()
    assert looks == 2
    assert kinds(await survivor.read("conv_1"))[-1] == "CallResumed"


async def test_a_call_that_is_taken_over_at_the_very_moment_is_either_closed_or_goes_on(
    survivor: EventStore, clock: FakeClock
) -> None:
    journal = Journal(survivor, "conv_1")
    closer = orphans(survivor, clock, RecordingMeter())
    plan, _ = await asyncio.gather(journal.adopt("call_1"), closer.run_once())
    log = kinds(await survivor.read("conv_1"))
    assert ("CallResumed" in log) is (plan.course is not Course.CLOSED)
    assert ("CallEnded" in log) is (plan.course is Course.CLOSED)


def kinds(envelopes: Sequence[Envelope]) -> list[str]:
    return [type(envelope.event).__name__ for envelope in envelopes]
