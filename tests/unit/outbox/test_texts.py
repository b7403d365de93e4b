"""A promised text is sent once, or it is said what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    ConsentGiven,
    ConsentRefused,
    Event,
    TextBlocked,
    TextDelayed,
    TextExpired,
    TextPromised,
    TextRefused,
    TextSightLost,
    TextSubmitted,
)
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageState
from ari_app.conversation.state import fold
from ari_app.errors import SmsRefused, SmsUnknown
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Accepted, BatchGateway, Effect, OutgoingText, Receipt, SmsGateway
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.gateway import FakeGateway
from tests.support.meter import RecordingMeter
from tests.support.store import opened

CALLER = "+12025550123"
MINUTE = 60.0
THROTTLED = SmsRefused("ESME_RTHROTTLED", transient=True)
CONSENT = ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w")
REFUSAL = ConsentRefused(purpose="texts", channel="sms", how="text")


class Story:
    """One caller who has agreed to a text, a relay, a carrier."""

    def __init__(self, store: EventStore, clock: FakeClock, segments: int = 1) -> None:
        self.store, self.clock = store, clock
        self.smsc = FakeGateway(segments=segments)
        self.meter = RecordingMeter()
        self.use(self.smsc)

    def use(self, gateway: SmsGateway | BatchGateway) -> None:
        retry = RetryPolicy(first=1, longest=4, attempts=4)
        self.sender = TextSender(gateway, self.store, self.clock, self.meter, retry)
        self.relay = Relay(self.store, self.clock, self.meter, {"sms": self.sender})

    async def promise(self, message: str = "msg_1", **payload: object) -> None:
        promised = TextPromised(message=message, template="hours", to=CALLER, body="Open.")
        effect = Effect(
            "sms", message, self.clock.now(), {"to": CALLER, "body": "Open.", **payload}
        )
        await self.store.append("conv_1", [CONSENT, promised], effects=[effect])

    async def log(self) -> list[Event]:
        return [e.event for e in await self.store.read("conv_1")][2:]

    async def state(self, message: str = "msg_1") -> MessageState:
        return fold(await self.store.read("conv_1")).messages[message].state

    async def receipt(self, id: str, state: str = "DELIVRD") -> bool:
        return await self.store.receipt(Receipt("main", id, state, ""))


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        yield Story(store, clock)


async def test_a_promised_text_is_sent_once_and_settled(story: Story) -> None:
    await story.promise()
    await story.relay.run_once()
    await story.relay.run_once()

    assert story.smsc.sent == [OutgoingText("msg_1", E164(CALLER), "Open.")]
    assert await story.log() == [
        TextSubmitted(message="msg_1", carrier="main", ids=("1-0",), attempts=1)
    ]
    assert await story.state() is MessageState.SUBMITTED
    assert story.meter.counts["segue_sms_total", "submitted"] == 1


async def test_its_receipt_finds_it(story: Story) -> None:
    await story.promise()
    await story.relay.run_once()
    assert await story.receipt("1-0")
    assert await story.state() is MessageState.DELIVERED


async def test_a_receipt_that_outran_the_answer_is_not_lost(story: Story) -> None:
    await story.promise()
    assert not await story.receipt("1-0")
    await story.relay.run_once()
    assert await story.state() is MessageState.DELIVERED


async def test_every_segment_of_a_long_text_has_its_receipt(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        story = Story(store, FakeClock(), segments=2)
        await story.promise()
        await story.relay.run_once()
        await story.receipt("1-1")
        assert await story.state() is MessageState.SUBMITTED
        await story.receipt("1-0")
        assert await story.state() is MessageState.DELIVERED


async def test_a_throttled_text_waits_and_is_sent_later(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = THROTTLED
    await story.relay.run_once()
    story.smsc.fails_with = None

    await story.relay.run_once()
    assert story.smsc.sent == []

    story.clock.advance(MINUTE)
    await story.relay.run_once()
    assert len(story.smsc.sent) == 1
    assert await story.log() == [
        TextDelayed(message="msg_1", reason="ESME_RTHROTTLED", attempts=1),
        TextSubmitted(message="msg_1", carrier="main", ids=("1-0",), attempts=2),
    ]


async def test_the_pauses_between_tries_grow(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = THROTTLED
    tries: list[float] = []
    began = story.clock.monotonic()
    while await story.state() is MessageState.PROMISED:
        before = len(await story.log())
        await story.relay.run_once()
        if len(await story.log()) > before:
            tries.append(story.clock.monotonic() - began)
        story.clock.advance(0.5)
    assert tries == [0.0, 1.0, 3.0, 7.0]


async def test_a_text_that_is_never_taken_is_given_up_and_said_so(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = THROTTLED
    for _ in range(6):
        await story.relay.run_once()
        story.clock.advance(MINUTE)

    *delays, last = await story.log()
    assert [type(d) for d in delays] == [TextDelayed] * 3
    assert last == TextRefused(message="msg_1", reason="ESME_RTHROTTLED", attempts=4)
    assert await story.state() is MessageState.REJECTED
    assert story.meter.counts["segue_sms_total", "refused"] == 1


async def test_a_text_that_is_refused_for_good_is_not_tried_again(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = SmsRefused("ESME_RINVDSTADR", transient=False)
    await story.relay.run_once()
    story.smsc.fails_with = None
    story.clock.advance(MINUTE)
    await story.relay.run_once()

    assert story.smsc.sent == []
    assert await story.state() is MessageState.REJECTED


async def test_a_text_of_unknown_fate_is_never_sent_again(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = SmsUnknown("the session ended before the answer")
    await story.relay.run_once()
    story.smsc.fails_with = None
    story.clock.advance(MINUTE)
    await story.relay.run_once()

    assert story.smsc.sent == []
    assert await story.log() == [
        TextSightLost(message="msg_1", reason="the session ended before the answer")
    ]
    assert await story.state() is MessageState.UNKNOWN


async def test_a_crash_while_sending_is_sight_lost_and_no_second_text(
    story: Story, tmp_path: Path
) -> None:
    await story.promise()
    (job,) = await story.store.claim("sms", story.clock.now())
    await story.store.sending(job)  # ... and here the process dies

    async with opened(tmp_path, story.clock) as reopened:
        await reopened.bury()
        after = Story(reopened, story.clock)
        await after.relay.run_once()
        await after.relay.run_once()
        assert after.smsc.sent == []
        lost = "the process ended while it was being sent"
        assert await after.log() == [TextSightLost(message="msg_1", reason=lost)]
        assert await after.state() is MessageState.UNKNOWN


async def test_what_waits_for_its_next_try_survives_a_restart(story: Story, tmp_path: Path) -> None:
    await story.promise()
    story.smsc.fails_with = THROTTLED
    await story.relay.run_once()
    story.clock.advance(MINUTE)

    async with opened(tmp_path, story.clock) as reopened:
        after = Story(reopened, story.clock)
        await after.relay.run_once()
        assert len(after.smsc.sent) == 1
        submitted = (await after.log())[-1]
        assert submitted == TextSubmitted(message="msg_1", carrier="main", ids=("1-0",), attempts=2)


async def test_consent_that_was_taken_back_stops_what_was_promised(story: Story) -> None:
    await story.promise()
    await story.store.append("conv_1", [REFUSAL])
    await story.relay.run_once()

    assert story.smsc.sent == []
    assert (await story.log())[-1] == TextBlocked(
        message="msg_1", rule="consent", reason="consent was taken back before it was sent"
    )
    assert await story.state() is MessageState.BLOCKED
    assert story.meter.counts["segue_sms_blocked_total", "consent"] == 1


async def test_consent_that_was_taken_back_between_tries_stops_the_next(story: Story) -> None:
    await story.promise()
    story.smsc.fails_with = THROTTLED
    await story.relay.run_once()
    await story.store.append("conv_1", [REFUSAL])
    story.smsc.fails_with = None
    story.clock.advance(MINUTE)
    await story.relay.run_once()

    assert story.smsc.sent == []
    assert await story.state() is MessageState.BLOCKED


async def test_the_confirmation_of_a_refusal_is_sent_all_the_same(story: Story) -> None:
    await story.promise(despite_refusal=True)
    await story.store.append("conv_1", [REFUSAL])
    await story.relay.run_once()
    assert len(story.smsc.sent) == 1


async def test_consent_that_was_given_again_lets_it_go(story: Story) -> None:
    await story.promise()
    await story.store.append("conv_1", [REFUSAL, CONSENT])
    await story.relay.run_once()
    assert len(story.smsc.sent) == 1


async def test_a_refusal_of_something_else_stops_no_text(story: Story) -> None:
    await story.promise()
    other = ConsentRefused(purpose="recording", channel="sms", how="text")
    await story.store.append("conv_1", [other])
    await story.relay.run_once()
    assert len(story.smsc.sent) == 1


async def test_the_log_shows_who_only_by_a_mask(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await story.promise()
    await story.relay.run_once()
    assert "message msg_1 to +120******23 submitted" in caplog.text
    assert CALLER not in caplog.text
    assert "Open." not in caplog.text


async def test_how_long_the_carrier_took_is_measured(story: Story) -> None:
    class Slow(FakeGateway):
        async def send(self, text: OutgoingText) -> Accepted:
            story.clock.advance(0.25)
            return await super().send(text)

    story.use(Slow())
    await story.promise()
    await story.relay.run_once()
    assert story.meter.observed["segue_sms_submit_seconds"] == [pytest.approx(0.25)]


async def test_nothing_is_claimed_while_no_bind_is_up_and_no_attempt_is_counted(
    story: Story,
) -> None:
    await story.promise()
    story.smsc.up = False
    for _ in range(20):
        await story.relay.run_once()
        story.clock.advance(MINUTE)
    assert await story.log() == []
    story.smsc.up = True
    await story.relay.run_once()
    assert await story.log() == [
        TextSubmitted(message="msg_1", carrier="main", ids=("1-0",), attempts=1)
    ]


async def test_what_waited_for_a_day_is_of_no_use_any_more_and_never_sent(story: Story) -> None:
    await story.promise()
    story.smsc.up = False
    story.clock.advance(86401)
    story.smsc.up = True
    await story.relay.run_once()
    assert story.smsc.sent == []
    assert await story.log() == [
        TextExpired(message="msg_1", reason="it waited for too long to be of use")
    ]
    assert await story.state() is MessageState.EXPIRED


async def test_a_text_whose_person_was_erased_is_refused_and_not_sent(story: Story) -> None:
    effect = Effect("sms", "msg_1", story.clock.now(), {})
    promised = TextPromised(message="msg_1", template="hours", to=CALLER, body="Open.")
    await story.store.append("conv_1", [promised], effects=[effect])
    await story.relay.run_once()
    happened = [e.event for e in await story.store.read("conv_1")]
    assert happened[1:] == [
        TextRefused(message="msg_1", reason="there is no number to send it to any more", attempts=1)
    ]
