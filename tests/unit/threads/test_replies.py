"""Every text is answered once, on the conversation that it joined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ari_app.agent.turn import Agent
from ari_app.conversation.events import (
    ChoiceMade,
    ConsentGiven,
    ConversationOpened,
    DecisionMade,
    Envelope,
    Event,
    ReceiptReceived,
    TextPromised,
    TextReceived,
)
from ari_app.conversation.identity import E164
from ari_app.conversation.state import fold
from ari_app.errors import StoreUnavailable
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import IncomingText
from ari_app.store.store import EventStore
from ari_app.threads import replies as threads
from ari_app.threads.inbox import Inbox
from ari_app.threads.replies import Replies
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.gateway import FakeGateway
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.support.wait import PATIENCE, until

KEY = b"k" * 32
CALLER = E164("+12025550123")


class Story:
    """After a call that promised the free times by text; then the handset writes."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.meter = RecordingMeter()
        self.smsc = FakeGateway()
        self.inbox = Inbox(store, clock, self.meter, KEY)
        agent = Agent(demo_bundle(), demo_intents(), clock, lambda: self.smsc.up)
        self.replies = Replies(store, agent, clock, self.meter)
        sender = TextSender(self.smsc, store, clock, self.meter, RetryPolicy())
        self.relay = Relay(store, clock, self.meter, {"sms": sender})
        self._agent = agent
        self._written = 0

    async def call(self) -> None:
        opened = ConversationOpened(channel="voice", did="100", language="en", number=CALLER.value)
        asked = self._agent.open_question()
        left_open: dict[str, Any] = {f: getattr(asked, f) for f in asked.__slots__}
        left_open |= {"topic": "reschedule", "question": "reply_reschedule"}
        agreed = ConsentGiven(
            purpose="texts", channel="voice", how="key", confidence=1.0, wording="w"
        )
        await self.store.append(
            "conv_1", [opened, agreed, DecisionMade(**left_open)], subject=CALLER.subject(KEY)
        )

    async def writes(self, body: str) -> None:
        self._written += 1
        received = IncomingText("main", CALLER.value, "1", body, f"mo_{self._written}")
        await self.inbox.text(received)

    async def answered(self) -> list[str]:
        """What the handset has received."""
        while await self.replies.run_once():
            pass
        await self.relay.run_once()
        return [text.body for text in self.smsc.sent]

    async def all(self, kind: type[Any]) -> list[Any]:
        return [e.event for e in await self.store.read("conv_1") if isinstance(e.event, kind)]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        story = Story(store, clock)
        await story.call()
        yield story


async def test_a_choice_by_text_is_made_and_confirmed(story: Story) -> None:
    await story.writes("2")
    assert await story.answered() == [
        "Harbour Clinic: your appointment is now Tuesday 1 December at 14:30. See you then!"
    ]
    (made,) = await story.all(ChoiceMade)
    assert made.choice == "2"
    assert story.meter.counts["segue_decisions_total", "time_chosen"] == 1


async def test_the_answer_says_which_text_led_to_it(story: Story) -> None:
    await story.writes("2")
    await story.answered()
    envelopes = await story.store.read("conv_1")
    (received,) = [e for e in envelopes if isinstance(e.event, TextReceived)]
    assert {e.cause for e in envelopes if e.sequence > received.sequence} >= {received.id}


async def test_a_conversation_goes_on_over_several_texts(story: Story) -> None:
    for body in ("when are you open?", "1", "thank you"):
        await story.writes(body)
        await story.answered()
    hours, address = await story.answered()
    assert hours.startswith("Harbour Clinic is open")
    assert "14 Station Road" in address


async def test_texts_that_wait_are_answered_in_their_order(story: Story) -> None:
    await story.writes("hm let me see")
    await story.writes("3 please")
    await story.answered()
    first, second = await story.all(TextPromised)
    assert (first.template, second.template) == ("which_one", "confirmed")


async def test_after_stop_there_is_one_confirmation_and_then_silence(story: Story) -> None:
    await story.writes("STOP")
    confirmation = "Harbour Clinic: you will get no more texts from us."
    assert await story.answered() == [confirmation]

    for body in ("2", "when are you open?", "hello?", "STOP", "stop"):
        await story.writes(body)
        assert await story.answered() == [confirmation], body


async def test_a_crash_before_the_checkpoint_doubles_nothing(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.writes("2")

    async def dies(*_: object) -> None:
        raise StoreUnavailable("the process dies here")

    with monkeypatch.context() as patch:
        patch.setattr(story.store, "advance", dies)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await story.replies.run_once()

    assert len(await story.answered()) == 1
    assert len(await story.all(ChoiceMade)) == 1
    assert len([d for d in await story.all(DecisionMade) if d.rule == "time_chosen"]) == 1


async def test_two_consumers_by_mistake_answer_once(story: Story) -> None:
    await story.writes("2")
    await asyncio.gather(story.replies.run_once(), story.replies.run_once())
    assert len(await story.answered()) == 1


async def test_what_happens_while_it_decides_makes_it_decide_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.writes("2")
    read, meanwhile = story.store.read, [1, 2]

    async def moves_on(stream: str, after: int = 0) -> list[Envelope]:
        envelopes = await read(stream, after)
        if meanwhile:
            event = ReceiptReceived(
                message="m", carrier="main", id=str(meanwhile.pop()), state="ENROUTE", error=""
            )
            await story.store.append(stream, [event])
        return envelopes

    monkeypatch.setattr(story.store, "read", moves_on)
    await story.replies.run_once()
    (made,) = await story.all(ChoiceMade)
    assert made.choice == "2"
    assert meanwhile == []
    assert len(await story.answered()) == 1


async def test_a_stop_that_comes_while_it_decides_is_seen(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.writes("2")
    append, first = story.store.append, [True]

    async def late(stream: str, events: Sequence[Event], **rest: Any) -> list[Envelope]:
        if first and rest.get("expected") is not None:
            first.clear()
            await story.writes("STOP")
        return await append(stream, events, **rest)

    monkeypatch.setattr(story.store, "append", late)
    await story.answered()
    assert fold(await story.store.read("conv_1")).consent == {"texts": False}
    assert [text.body for text in story.smsc.sent] == [
        "Harbour Clinic: you will get no more texts from us."
    ]


async def test_what_is_no_text_is_passed_over(story: Story) -> None:
    assert await story.replies.run_once() == 3
    assert await story.replies.run_once() == 0
    assert await story.answered() == []


async def test_a_running_thread_answers_as_texts_come_and_stops_when_told(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_POLL", 60.0)
    running = asyncio.create_task(story.replies.run())
    await story.writes("2")
    await until(lambda: story.meter.counts["segue_decisions_total", "time_chosen"] == 1)
    story.replies.stop()
    await story.writes("thanks")
    await asyncio.wait_for(running, PATIENCE)


async def test_a_store_that_is_away_is_waited_for(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_POLL", 0.0)
    tail, failures = story.store.tail, [StoreUnavailable("locked")] * 3

    async def sometimes(consumer: str, limit: int = 100) -> Any:
        if failures:
            raise failures.pop()
        return await tail(consumer, limit)

    monkeypatch.setattr(story.store, "tail", sometimes)
    await story.writes("2")
    running = asyncio.create_task(story.replies.run())
    await until(lambda: story.meter.counts["segue_decisions_total", "time_chosen"] == 1)
    story.replies.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert failures == []
