"""What handsets and carriers send becomes a fact of the right conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    ConversationOpened,
    Event,
    ReceiptReceived,
    TextReceived,
    TextSubmitted,
)
from ari_app.conversation.identity import E164
from ari_app.ports import Effect, IncomingText, Receipt
from ari_app.store.store import EventStore
from ari_app.threads.inbox import Inbox
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

KEY = b"k" * 32
CALLER = E164("+12025550123")
CALL = ConversationOpened(channel="voice", did="100", language="en", number=CALLER.value)


def text(body: str = "2", sender: str = CALLER.value, dedupe: str = "mo_1") -> IncomingText:
    return IncomingText("main", sender, "+15550199", body, dedupe)


class Story:
    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.meter = RecordingMeter()
        self.inbox = Inbox(store, clock, self.meter, KEY, region="US")

    async def call(self, stream: str) -> None:
        """The caller called: a conversation of their number."""
        await self.store.append(stream, [CALL], subject=CALLER.subject(KEY))
        self.clock.advance(60)

    async def texts(self, stream: str) -> list[str]:
        return [e.body for e in await self.events(stream) if isinstance(e, TextReceived)]

    async def events(self, stream: str) -> list[Event]:
        return [e.event for e in await self.store.read(stream)]

    async def streams(self) -> list[str]:
        return [stream for stream, _ in await self.store.recent(10)]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        yield Story(store, clock)


async def test_a_reply_joins_the_conversation_of_its_number(story: Story) -> None:
    await story.call("conv_1")
    await story.inbox.text(text("2"))
    assert await story.texts("conv_1") == ["2"]
    assert await story.streams() == ["conv_1"]
    assert story.meter.counts["segue_sms_replies_total",] == 1


async def test_a_reply_joins_the_latest_of_several(story: Story) -> None:
    await story.call("conv_1")
    await story.call("conv_2")
    await story.inbox.text(text("2"))
    assert await story.texts("conv_2") == ["2"]
    assert await story.texts("conv_1") == []


async def test_a_late_receipt_does_not_make_an_old_conversation_the_latest(story: Story) -> None:
    await story.call("conv_1")
    await _submit(story, "conv_1", "7")
    await story.call("conv_2")
    await story.inbox.receipt(Receipt("main", "7", "DELIVRD", ""))
    await story.inbox.text(text("2"))
    assert await story.texts("conv_2") == ["2"]


async def test_who_wrote_last_in_an_older_conversation_goes_on_there(story: Story) -> None:
    await story.call("conv_1")
    await story.inbox.text(text("first", dedupe="mo_1"))
    story.clock.advance(60)
    await story.inbox.text(text("second", dedupe="mo_2"))
    assert await story.texts("conv_1") == ["first", "second"]


@pytest.mark.parametrize("sender", ["12025550123", "2025550123", "0012025550123"])
async def test_a_number_joins_however_the_carrier_writes_it(story: Story, sender: str) -> None:
    await story.call("conv_1")
    await story.inbox.text(text(sender=sender))
    received = (await story.events("conv_1"))[-1]
    assert received == TextReceived(
        carrier="main", recipient="+15550199", sender=CALLER.value, body="2"
    )


async def test_a_stranger_opens_a_new_conversation(story: Story) -> None:
    await story.call("conv_1")
    await story.inbox.text(text("hello", sender="+12025550177"))
    (stream,) = set(await story.streams()) - {"conv_1"}
    assert await story.events(stream) == [
        ConversationOpened(channel="sms", did="+15550199", language="en", number="+12025550177"),
        TextReceived(carrier="main", recipient="+15550199", sender="+12025550177", body="hello"),
    ]
    assert await story.store.latest(E164("+12025550177").subject(KEY)) == stream


async def test_the_same_deliver_sm_again_changes_nothing(story: Story) -> None:
    await story.call("conv_1")
    for _ in range(3):
        await story.inbox.text(text("2"))
    assert await story.texts("conv_1") == ["2"]
    assert story.meter.counts["segue_sms_replies_total",] == 1


async def test_the_same_deliver_sm_of_a_stranger_opens_one_conversation(story: Story) -> None:
    for _ in range(3):
        await story.inbox.text(text("hello"))
    assert len(await story.streams()) == 1


async def test_the_same_words_said_twice_are_two_texts(story: Story) -> None:
    await story.call("conv_1")
    await story.inbox.text(text("2", dedupe="mo_1"))
    await story.inbox.text(text("2", dedupe="mo_2"))
    assert await story.texts("conv_1") == ["2", "2"]


async def test_two_first_texts_at_once_open_one_conversation(story: Story) -> None:
    await asyncio.gather(*(story.inbox.text(text(f"part {n}", dedupe=f"mo_{n}")) for n in range(5)))
    (stream,) = await story.streams()
    assert sorted(await story.texts(stream)) == [f"part {n}" for n in range(5)]


async def test_a_sender_that_is_no_number_is_kept_but_joins_nobody(story: Story) -> None:
    await story.call("conv_1")
    await story.inbox.text(text("your parcel", sender="PARCELS"))
    (stream,) = set(await story.streams()) - {"conv_1"}
    opened, received = await story.events(stream)
    assert isinstance(opened, ConversationOpened)
    assert opened.number is None
    assert isinstance(received, TextReceived)
    assert received.sender == "PARCELS"


async def test_a_receipt_joins_the_conversation_of_its_text(story: Story) -> None:
    await story.call("conv_1")
    await _submit(story, "conv_1", "7")
    await story.inbox.receipt(Receipt("main", "7", "DELIVRD", "000"))
    assert (await story.events("conv_1"))[-1] == ReceiptReceived(
        message="msg_conv_1", carrier="main", id="7", state="DELIVRD", error="000"
    )
    assert story.meter.counts["segue_sms_receipts_total", "true"] == 1


async def test_a_receipt_that_comes_first_is_kept_for_its_text(story: Story) -> None:
    await story.inbox.receipt(Receipt("main", "7", "DELIVRD", ""))
    assert story.meter.counts["segue_sms_receipts_total", "false"] == 1
    await story.call("conv_1")
    await _submit(story, "conv_1", "7")
    assert isinstance((await story.events("conv_1"))[-1], ReceiptReceived)


async def test_the_log_shows_neither_number_nor_words(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ari_app")
    await story.call("conv_1")
    await story.inbox.text(text("my secret"))
    assert "a text from +120******23 joined conv_1" in caplog.text
    assert CALLER.value not in caplog.text
    assert "my secret" not in caplog.text


async def _submit(story: Story, stream: str, id: str) -> None:
    message = f"msg_{stream}"
    effect = Effect("sms", message, story.clock.now(), {})
    await story.store.append(stream, [], effects=[effect])
    (job,) = await story.store.claim("sms", story.clock.now())
    taken = TextSubmitted(message=message, carrier="main", ids=(id,), attempts=1)
    await story.store.settle(job, [taken], wire=("main", (id,)))
