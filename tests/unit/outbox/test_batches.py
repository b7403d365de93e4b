"""Many texts at once: one claim, one hand-over, one settlement; and what each class promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    Event,
    ReceiptOverdue,
    TextPromised,
    TextRefused,
    TextResent,
    TextSightLost,
    TextSubmitted,
)
from ari_app.conversation.message import MessageClass, MessageState
from ari_app.conversation.state import fold
from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.outbox import texts
from ari_app.outbox.overdue import Overdue
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import (
    Effect,
    Late,
    Lost,
    Outcomes,
    OutgoingText,
    Receipt,
    Refused,
    Settled,
    Throttled,
)
from ari_app.store.store import EventStore
from tests.support.carrier import BatchCarrier
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.support.wait import PATIENCE, until

DROPPED = Lost("the session ended before the answer")
AGAIN = "nobody knows whether it was taken before"


class Story:
    """A carrier that takes many texts at once, each to another person."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.smsc = BatchCarrier()
        self.meter = RecordingMeter()
        retry = RetryPolicy(first=1, longest=4, attempts=3)
        self.sender = TextSender(self.smsc, store, clock, self.meter, retry, patience=60)
        self.relay = Relay(store, clock, self.meter, {"sms": self.sender})
        self.overdue = Overdue(store, clock, self.meter, self.smsc)

    async def promise(
        self, *messages: str, message_class: MessageClass = MessageClass.AT_MOST_ONCE
    ) -> None:
        for n, message in enumerate(messages):
            to = f"+1202555{n:04}"
            promised = TextPromised(message=message, template="t", to=to, body="b")
            payload: dict[str, object] = {"to": to, "body": "b"}
            effect = Effect("sms", message, self.clock.now(), payload, message_class)
            await self.store.append(f"conv_{message}", [promised], effects=[effect])

    async def turns(self, count: int, seconds: float = 10.0) -> None:
        for _ in range(count):
            await self.relay.run_once()
            await self.overdue.run_once()
            await self.overdue.reconcile()
            self.clock.advance(seconds)

    async def log(self, message: str = "msg_1") -> list[Event]:
        return [e.event for e in await self.store.read(f"conv_{message}")][1:]

    async def state(self, message: str = "msg_1") -> MessageState:
        stream = await self.store.read(f"conv_{message}")
        return fold(stream).messages[message].state


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock, busy_ms=1) as store:
        yield Story(store, clock)


def submitted(message: str, attempts: int = 1) -> TextSubmitted:
    return TextSubmitted(
        message=message, carrier="main", ids=(f"smsc-{message}",), attempts=attempts
    )


def lost() -> TextSightLost:
    return TextSightLost(message="msg_1", reason=DROPPED.reason)


async def test_what_is_due_goes_in_one_batch_and_each_text_has_its_own_fate(story: Story) -> None:
    story.smsc.says = {"msg_2": [Refused("ESME_RINVDSTADR", False)], "msg_3": [DROPPED]}
    await story.promise("msg_1", "msg_2", "msg_3", "msg_4")
    await story.turns(1)
    assert len(story.smsc.batches) == 1
    found = [await story.state(f"msg_{n}") for n in range(1, 5)]
    assert found == [
        MessageState.SUBMITTED,
        MessageState.REJECTED,
        MessageState.UNKNOWN,
        MessageState.SUBMITTED,
    ]
    counts = story.meter.counts
    assert counts["segue_sms_total", "submitted"] == 2
    assert counts["segue_sms_total", "refused"] == counts["segue_sms_total", "unknown"] == 1


async def test_no_more_is_claimed_than_the_gateway_has_room_for(story: Story) -> None:
    await story.promise(*(f"msg_{n}" for n in range(5)))
    story.smsc.room = 2
    story.smsc.holds = True
    await story.sender.claim()
    assert [len(batch) for batch in story.smsc.batches] == [2]
    story.smsc.room = 0
    assert await story.sender.claim() == 0
    # A crash now would leave two fates open, not five.
    assert len((await story.store.claim_texts(story.clock.now(), 10)).send) == 3
    story.smsc.answer()
    await story.sender.drain()


async def test_however_much_room_there_is_the_number_of_open_fates_is_bounded(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_MOST", 3)
    await story.promise(*(f"msg_{n}" for n in range(5)))
    story.smsc.holds = True
    await story.sender.claim()
    assert await story.sender.claim() == 0
    assert len(story.smsc.sent) == 3
    story.smsc.answer()
    await story.sender.claim()
    assert len(story.smsc.sent) == 5
    story.smsc.answer()
    await story.sender.drain()


async def test_a_text_is_on_disk_as_being_sent_before_the_gateway_has_it(story: Story) -> None:
    seen: list[str] = []
    take = story.smsc.send_many

    def look(texts: Sequence[OutgoingText], told: Outcomes) -> None:
        engine = story.store.engine
        link = engine.connect()
        seen.extend(state for (state,) in link.rows("SELECT state FROM outbox"))
        link.close()
        take(texts, told)

    story.smsc.send_many = look  # type: ignore[method-assign]  # to look on
    await story.promise("msg_1")
    await story.turns(1)
    assert seen == ["sending"]


async def test_all_answers_of_one_read_are_settled_by_one_write(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, sizes = story.store.settle_many, list[int]()

    async def counted(settled: Sequence[Settled]) -> list[Exception | None]:
        sizes.append(len(settled))
        return await settle(settled)

    monkeypatch.setattr(story.store, "settle_many", counted)
    story.smsc.holds = True
    await story.promise(*(f"msg_{n}" for n in range(7)))
    await story.sender.claim()
    story.smsc.answer()
    await story.sender.drain()
    assert sizes == [7]


async def test_room_that_comes_free_wakes_the_relay(story: Story) -> None:
    story.smsc.room, story.smsc.holds = 1, True
    await story.promise("msg_1", "msg_2")
    running = asyncio.create_task(story.relay.run())
    await until(lambda: story.smsc.sent == ["msg_1"])
    story.smsc.answer()
    await until(lambda: story.smsc.sent == ["msg_1", "msg_2"])
    story.smsc.answer()
    story.relay.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert await story.log("msg_2") == [submitted("msg_2")]


# -- throttling ---------------------------------------------------------------------------------


async def test_a_throttled_text_stays_due_and_no_attempt_is_counted(story: Story) -> None:
    story.smsc.says = {"msg_1": [Throttled(5.0)] * 10}
    await story.promise("msg_1")
    await story.turns(11)
    assert story.smsc.sent == ["msg_1"] * 11
    assert await story.log() == [submitted("msg_1", attempts=1)]
    assert story.meter.counts["segue_sms_total", "throttled"] == 10


async def test_a_throttled_text_waits_as_long_as_the_carrier_says(story: Story) -> None:
    story.smsc.says = {"msg_1": [Throttled(30.0)]}
    await story.promise("msg_1")
    await story.turns(3)
    assert story.smsc.sent == ["msg_1"]
    await story.turns(1)
    assert story.smsc.sent == ["msg_1"] * 2


# -- classes ------------------------------------------------------------------------------------


async def test_a_text_at_most_once_stays_unknown_and_is_not_sent_again(story: Story) -> None:
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1")
    await story.turns(20, 60)
    assert story.smsc.sent == ["msg_1"]
    assert await story.log() == [lost()]


async def test_a_text_at_least_once_is_sent_again_and_says_so(story: Story) -> None:
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1", message_class=MessageClass.AT_LEAST_ONCE)
    await story.turns(1)
    assert await story.state() is MessageState.UNKNOWN
    await story.turns(2)

    assert story.smsc.sent == ["msg_1"] * 2
    assert [batch[0].again for batch in story.smsc.batches] == [False, True]
    resent = TextResent(message="msg_1", reason=AGAIN, attempts=2)
    assert await story.log() == [lost(), resent, submitted("msg_1", attempts=2)]
    assert await story.state() is MessageState.POSSIBLE_DUPLICATE
    assert story.meter.counts["segue_sms_possible_duplicates_total",] == 1

    assert await story.store.receipt(Receipt("main", "smsc-msg_1", "DELIVRD", ""))
    assert await story.state() is MessageState.DELIVERED


async def test_every_resend_is_an_event_and_it_is_not_sent_for_ever(story: Story) -> None:
    story.smsc.says = {"msg_1": [DROPPED] * 10}
    await story.promise("msg_1", message_class=MessageClass.AT_LEAST_ONCE)
    await story.turns(20)
    assert story.smsc.sent == ["msg_1"] * 3
    kinds = [type(event) for event in await story.log()]
    assert kinds == [TextSightLost, TextResent, TextSightLost, TextResent, TextSightLost]
    assert await story.state() is MessageState.UNKNOWN


async def test_a_refused_resend_leaves_the_fate_of_the_first_unknown(story: Story) -> None:
    story.smsc.says = {"msg_1": [DROPPED, Refused("ESME_RINVDSTADR", False)]}
    await story.promise("msg_1", message_class=MessageClass.AT_LEAST_ONCE)
    await story.turns(5)
    assert isinstance((await story.log())[-1], TextRefused)
    assert await story.state() is MessageState.UNKNOWN


async def test_a_text_to_be_reconciled_waits_for_its_receipt_and_is_then_reported(
    story: Story,
) -> None:
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1", message_class=MessageClass.RECONCILE)
    await story.turns(6)
    assert await story.log() == [lost()]
    await story.turns(10)
    assert story.smsc.sent == ["msg_1"]
    assert await story.log() == [lost(), ReceiptOverdue(message="msg_1", state="unknown")]


def partly() -> Lost:
    return Lost(DROPPED.reason, "main", ("a",), 2)


@pytest.mark.parametrize("message_class", [MessageClass.AT_MOST_ONCE, MessageClass.RECONCILE])
async def test_receipts_find_a_long_text_of_which_only_a_part_was_certainly_taken(
    story: Story, message_class: MessageClass
) -> None:
    story.smsc.says = {"msg_1": [partly()]}
    await story.promise("msg_1", message_class=message_class)
    await story.turns(1)
    assert await story.store.receipt(Receipt("main", "a", "DELIVRD", ""))
    assert await story.state() is MessageState.UNKNOWN  # one of two
    assert not await story.store.receipt(Receipt("main", "b", "DELIVRD", ""))


async def test_the_carrier_is_asked_before_a_text_is_reported(story: Story) -> None:
    story.smsc.says = {"msg_1": [partly()], "msg_2": [partly()]}
    story.smsc.knows = {"a": Receipt("main", "a", "UNDELIV", "011")}
    await story.promise("msg_1", message_class=MessageClass.RECONCILE)
    await story.turns(10)
    assert story.smsc.asked == ["a"]
    assert await story.state() is MessageState.UNDELIVERABLE
    assert not [e for e in await story.log() if isinstance(e, ReceiptOverdue)]


async def test_the_carrier_is_not_asked_for_what_a_receipt_has_told(story: Story) -> None:
    story.smsc.says = {"msg_1": [Lost(DROPPED.reason, "main", ("a",), 1)]}
    await story.promise("msg_1", message_class=MessageClass.RECONCILE)
    await story.turns(1)
    assert await story.store.receipt(Receipt("main", "a", "DELIVRD", ""))
    await story.turns(10)
    assert story.smsc.asked == []
    assert await story.state() is MessageState.DELIVERED


async def test_what_the_carrier_does_not_know_is_reported(story: Story) -> None:
    story.smsc.says = {"msg_1": [partly()]}
    await story.promise("msg_1", message_class=MessageClass.RECONCILE)
    await story.turns(10)
    assert story.smsc.asked == ["a"]
    assert (await story.log())[-1] == ReceiptOverdue(message="msg_1", state="unknown")


# -- what goes wrong ----------------------------------------------------------------------------


async def test_a_gateway_with_a_bug_leaves_an_unknown_fate_and_not_a_silent_one(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(texts: Sequence[OutgoingText], told: Outcomes) -> None:
        raise RuntimeError("a bug")

    story.smsc.send_many = broken  # type: ignore[method-assign]  # it fails
    await story.promise("msg_1", "msg_2")
    await story.turns(1)
    assert await story.state() is MessageState.UNKNOWN
    assert await story.state("msg_2") is MessageState.UNKNOWN
    assert "the gateway failed with 2 texts in hand" in caplog.text


async def test_an_answer_that_comes_twice_is_settled_once(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.smsc.holds = True
    await story.promise("msg_1")
    await story.sender.claim()
    held = list(story.smsc._held)
    story.smsc.answer()
    story.smsc._told(held)
    await story.sender.drain()
    assert await story.log() == [submitted("msg_1")]
    assert "message msg_1 was answered twice" in caplog.text


async def test_answers_are_kept_while_the_store_is_away(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_PAUSE", 0.0)
    settle, failures = story.store.settle_many, [StoreUnavailable("locked")] * 3

    async def sometimes(settled: Sequence[Settled]) -> list[Exception | None]:
        if failures:
            raise failures.pop()
        return await settle(settled)

    monkeypatch.setattr(story.store, "settle_many", sometimes)
    await story.promise("msg_1")
    await story.turns(1)
    assert await story.log() == [submitted("msg_1")]


async def test_a_store_that_stays_away_ends_in_an_error_that_names_the_texts(
    story: Story, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(settled: Sequence[Settled]) -> list[Exception | None]:
        raise StoreUnavailable("the database cannot be used")

    monkeypatch.setattr(texts, "_PAUSE", 0.0)
    monkeypatch.setattr(story.store, "settle_many", away)
    await story.promise("msg_1")
    await story.turns(1)
    assert "the fate of msg_1 is told at the next start" in caplog.text


async def test_what_another_worker_has_taken_over_is_left_to_it(
    story: Story, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def others(settled: Sequence[Settled]) -> list[Exception | None]:
        return [LeaseLost("msg_1 is in other hands by now") for _ in settled]

    monkeypatch.setattr(story.store, "settle_many", others)
    await story.promise("msg_1")
    await story.turns(1)
    assert "message msg_1 is not ours any more" in caplog.text
    assert await story.log() == []


async def test_the_kill_switch_is_seen_in_the_figures_and_in_the_log(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    await story.promise("msg_1")
    await story.store.queue().pause("all", "a loop", "operator:ada")
    await story.turns(3)
    assert story.smsc.sent == []
    assert story.meter.gauges["segue_sms_paused", "all"] == 1
    assert caplog.text.count("texts of all are paused") == 1

    await story.store.queue().resume("all")
    await story.turns(1)
    assert story.smsc.sent == ["msg_1"]
    assert story.meter.gauges["segue_sms_paused", "all"] == 0


# -- late answers -----------------------------------------------------------------------------


async def test_an_answer_that_comes_too_late_makes_the_text_known_again(story: Story) -> None:
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1")
    await story.turns(1)
    story.smsc.answer_late("msg_1", "7")
    await story.relay.drain()
    assert await story.state() is MessageState.SUBMITTED
    assert await story.store.receipt(Receipt("main", "7", "DELIVRD", ""))


async def test_a_late_answer_is_written_after_the_loss_that_it_corrects(story: Story) -> None:
    story.smsc.holds = True
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1")
    await story.sender.claim()
    story.smsc.answer()
    story.smsc.answer_late("msg_1", "7")
    await story.relay.drain()
    assert [type(event) for event in await story.log()] == [TextSightLost, TextSubmitted]


async def test_a_late_answer_outlasts_a_store_that_is_away(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_PAUSE", 0.0)
    story.smsc.says = {"msg_1": [DROPPED]}
    await story.promise("msg_1")
    await story.turns(1)
    there, away = story.store.answered_late, [StoreUnavailable("locked")] * 2

    async def sometimes(answers: Sequence[tuple[str, Late]]) -> None:
        if away:
            raise away.pop()
        await there(answers)

    monkeypatch.setattr(story.store, "answered_late", sometimes)
    story.smsc.answer_late("msg_1", "7")
    await story.relay.drain()
    assert await story.state() is MessageState.SUBMITTED
