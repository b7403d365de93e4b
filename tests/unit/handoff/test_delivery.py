"""A record goes to its routes in order, again if it must, and to a person in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    Envelope,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
    HandoffRecorded,
)
from ari_app.conversation.state import fold
from ari_app.errors import Unavailable
from ari_app.handoff.delivery import HandoffDelivery
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.ports import Effect, Job
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

RECORD: dict[str, object] = {"schema": "segue.handoff", "version": 1}


class Route:
    """The port HandoffRoute; refuses while `away`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.away = False
        self.taken: list[str] = []

    async def deliver(self, handoff: str, record: dict[str, object]) -> str:
        if self.away:
            raise Unavailable(f"{self.name} is away")
        assert record == RECORD
        self.taken.append(handoff)
        return f"{self.name}-{len(self.taken)}"


class Story:
    """One promised record, a relay, two routes."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.first, self.second = Route("desk"), Route("folder")
        self.meter = RecordingMeter()
        self.delivery = HandoffDelivery(
            [self.first, self.second], self.meter, RetryPolicy(first=1, longest=4, attempts=3)
        )
        self.relay = Relay(store, clock, self.meter, {"handoff": self.delivery})

    async def promise(self) -> None:
        recorded = HandoffRecorded(handoff="hand_1", route="first", record=dict(RECORD))
        effect = Effect("handoff", "hand_1", self.clock.now(), RECORD)
        await self.store.append("conv_1", [recorded], effects=[effect])

    async def log(self) -> list[Envelope]:
        return (await self.store.read("conv_1"))[1:]

    async def told(self) -> list[tuple[str, str]]:
        return [(type(e.event).__name__, getattr(e.event, "route", "")) for e in await self.log()]

    async def status(self) -> str:
        return fold(await self.store.read("conv_1")).handoffs["hand_1"]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        story = Story(store, clock)
        await story.promise()
        yield story


async def test_the_first_route_that_takes_it_ends_it(story: Story) -> None:
    await story.relay.run_once()
    await story.relay.run_once()

    assert story.first.taken == ["hand_1"]
    assert story.second.taken == []
    (envelope,) = await story.log()
    assert envelope.event == HandoffAcknowledged(handoff="hand_1", route="desk", receipt="desk-1")
    assert story.meter.counts["segue_handoffs_total", "desk", "taken"] == 1


async def test_a_route_that_is_away_is_passed_over_and_said_so(story: Story) -> None:
    story.first.away = True
    await story.relay.run_once()

    delayed, taken = [e.event for e in await story.log()]
    assert delayed == HandoffDelayed(handoff="hand_1", route="desk", reason="desk is away")
    assert taken == HandoffAcknowledged(handoff="hand_1", route="folder", receipt="folder-1")
    assert story.meter.counts["segue_handoffs_total", "desk", "failed"] == 1


async def test_when_all_are_away_it_waits_and_tries_again(story: Story) -> None:
    story.first.away = story.second.away = True
    await story.relay.run_once()
    assert await story.told() == [("HandoffDelayed", "desk"), ("HandoffDelayed", "folder")]
    assert await story.status() == "recorded"

    story.second.away = False
    await story.relay.run_once()  # not due yet
    assert story.second.taken == []

    story.clock.advance(1)
    await story.relay.run_once()
    assert story.second.taken == ["hand_1"]
    assert await story.status() == "acknowledged"


async def test_a_record_that_nobody_takes_is_escalated_exactly_once(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.first.away = story.second.away = True
    for _ in range(6):
        await story.relay.run_once()
        story.clock.advance(60)

    escalated = [e.event for e in await story.log() if isinstance(e.event, HandoffEscalated)]
    assert escalated == [HandoffEscalated(handoff="hand_1", reason="no route took the record")]
    assert len(await story.told()) == 3 * 2 + 1
    assert await story.status() == "escalated"
    assert "hand-off hand_1 was taken by no route: a person must look" in caplog.text
    assert story.meter.counts["segue_handoffs_total", "none", "gave_up"] == 1


async def test_what_a_crash_left_open_is_delivered_again(story: Story, tmp_path: Path) -> None:
    await story.store.claim("handoff", story.clock.now())
    async with opened(tmp_path, story.clock) as reopened:
        await reopened.bury()
        relay = Relay(reopened, story.clock, story.meter, {"handoff": story.delivery})
        await relay.run_once()
    assert story.first.taken == ["hand_1"]
    assert await story.status() == "acknowledged"


async def test_without_any_route_a_person_looks_in_the_end() -> None:
    delivery = HandoffDelivery([], RecordingMeter(), RetryPolicy(attempts=2))
    first = await delivery.perform(Job("handoff", "hand_1", "conv_1", RECORD, 1, "due"))
    assert first.retry_in == 1.0
    last = await delivery.perform(Job("handoff", "hand_1", "conv_1", RECORD, 2, "due"))
    assert last.retry_in is None
    assert isinstance(last.events[0], HandoffEscalated)
