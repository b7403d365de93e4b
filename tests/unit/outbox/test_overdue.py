"""A receipt that does not come is noticed, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import ReceiptOverdue, TextPromised, TextSubmitted
from ari_app.outbox.overdue import Overdue, receipt_timer
from ari_app.ports import Effect, Receipt, Timer
from ari_app.store.store import EventStore
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened


class Story:
    """A text that was submitted at noon; its receipt is missed from a minute later on."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.meter = RecordingMeter()
        self.overdue = Overdue(store, clock, self.meter)

    async def submit(self) -> None:
        promised = TextPromised(message="msg_1", template="t", to="+12025550123", body="b")
        effect = Effect("sms", "msg_1", NOON, {})
        timer = receipt_timer("msg_1", "conv_1", NOON + 60 * SECOND)
        await self.store.append("conv_1", [promised], effects=[effect], timers=[timer])
        (job,) = await self.store.claim("sms", NOON)
        submitted = TextSubmitted(message="msg_1", carrier="main", ids=("7",), attempts=1)
        await self.store.settle(job, [submitted], wire=("main", ("7",)))

    async def told(self) -> list[ReceiptOverdue]:
        events = [e.event for e in await self.store.read("conv_1")]
        return [e for e in events if isinstance(e, ReceiptOverdue)]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        story = Story(store, clock)
        await story.submit()
        yield story


async def test_nothing_is_missed_before_its_time(story: Story) -> None:
    story.clock.advance(59)
    await story.overdue.run_once()
    assert await story.told() == []


async def test_a_missing_receipt_is_told_once(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.clock.advance(60)
    await story.overdue.run_once()
    story.clock.advance(3600)
    await story.overdue.run_once()

    assert await story.told() == [ReceiptOverdue(message="msg_1", state="submitted")]
    assert story.meter.counts["segue_sms_receipts_overdue_total",] == 1
    assert "message msg_1 is submitted: no receipt came" in caplog.text


async def test_a_text_that_has_arrived_is_not_missed(story: Story) -> None:
    await story.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    story.clock.advance(60)
    await story.overdue.run_once()
    assert await story.told() == []
    assert await story.store.due_timers(story.clock.now()) == []


async def test_a_crash_before_the_timer_is_dropped_tells_nothing_twice(story: Story) -> None:
    story.clock.advance(60)
    (timer,) = await story.store.due_timers(story.clock.now())
    await story.overdue.run_once()
    await story.store.append("conv_1", [], timers=[timer])  # as if it had not been dropped
    await story.overdue.run_once()
    assert len(await story.told()) == 1


async def test_timers_of_others_are_left_alone(story: Story) -> None:
    other = Timer("wake:1", "conv_1", "wake", NOON)
    await story.store.append("conv_1", [], timers=[other])
    story.clock.advance(60)
    await story.overdue.run_once()
    assert await story.store.due_timers(story.clock.now()) == [other]


async def test_many_timers_of_others_keep_nobody_waiting(story: Story) -> None:
    others = [Timer(f"wake:{n}", "conv_1", "wake", 1) for n in range(300)]
    await story.store.append("conv_1", [], timers=others)
    story.clock.advance(60)
    await story.overdue.run_once()
    assert await story.told() == [ReceiptOverdue(message="msg_1", state="submitted")]
