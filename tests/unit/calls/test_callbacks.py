"""People who asked to be called back, between fakes at every port but the store."""

from __future__ import annotations

import pytest

from ari_app.calls.callbacks import Callbacks
from ari_app.calls.promising import KIND, promise
from ari_app.conversation.events import (
    CallAnswered,
    CallbackDialled,
    CallbackEnded,
    CallbackMissed,
    CallbackPostponed,
    CallerSilent,
    CallReceived,
    ConversationOpened,
    DecisionMade,
    Event,
    HandoffRecorded,
    PreferenceStated,
)
from ari_app.conversation.identity import E164
from ari_app.errors import LeaseLost
from ari_app.ports import Fence, Timer
from tests.unit.calls.call_story import CALLER, CallStory, kinds

STREAM = "conv_1"
MINUTE = 60.0


class Promise:
    """Given a conversation about the hours, with a question open, and a call-back that is due."""

    def __init__(self, story: CallStory, dial: str = "PJSIP/{number}@carrier") -> None:
        self.story = story
        tools = story.calls._tools
        self.callbacks = Callbacks(tools, dial, lambda: story.calls.full, story.calls.call_back)

    async def made(self, stream: str = STREAM, number: str = CALLER) -> None:
        story = self.story
        wanted, timer = promise(
            story.clock, stream, E164(number), "+15550100", story.clock.now(), "asked"
        )
        opened = ConversationOpened(channel="voice", did="+15550100", language="en", number=CALLER)
        open_question = DecisionMade(
            bundle="b",
            rule="hours",
            reason="asked",
            actions=("ask offer_hours",),
            inputs={},
            intent="hours",
            confidence=1.0,
            alternatives=(),
            topic="hours",
            question="offer_hours",
        )
        await story.store.append(stream, [opened, open_question, wanted], timers=[timer])

    async def comes_due(self, minutes: float = 0) -> None:
        self.story.clock.advance(minutes * MINUTE)
        await self.callbacks.run_once()

    async def rings(self, nth: int = 1) -> str:
        await self.story.eventually(lambda: len(self.story.telephone.rung) >= nth)
        return self.story.telephone.rung[nth - 1][0]

    async def is_put_off(self) -> str:
        """Why."""
        await self.comes_due()
        assert self.story.telephone.rung == []
        events = [e.event for e in await self.story.store.read(STREAM)]
        (waits,) = [e for e in events if isinstance(e, CallbackPostponed)]
        return waits.reason

    async def timers(self) -> list[str]:
        found = await self.story.store.due_timers(2**62, kind=KIND)
        return [timer.id.split(":", 2)[-1].partition(":")[0] for timer in found]


@pytest.fixture
async def promised(story: CallStory) -> Promise:
    promise = Promise(story)
    await promise.made()
    return promise


async def test_who_is_due_is_called_by_the_way_out_of_the_site(promised: Promise) -> None:
    await promised.comes_due()
    channel = await promised.rings()
    assert promised.story.telephone.rung == [(channel, f"PJSIP/{CALLER}@carrier", "+15550100")]
    assert "CallbackDialled" in kinds(await promised.story.log())
    await promised.comes_due()
    assert len(promised.story.telephone.rung) == 1
    promised.story.calls.leg_gone(channel, 17, 486)
    await promised.story.is_over()


async def test_whose_conversation_moves_just_then_keeps_nobody_else_waiting(
    promised: Promise,
) -> None:
    story = promised.story
    await promised.made("conv_2")
    story.store.faster = [CallerSilent(call="call_0")]  # before the first of them is decided
    await promised.comes_due()
    await promised.rings(1)
    await promised.comes_due()
    await promised.rings(2)
    assert len(story.telephone.rung) == 2
    for channel, _, _ in list(story.telephone.rung):
        story.calls.leg_gone(channel, 17, 486)
    await story.is_over()


async def test_who_says_that_it_is_them_goes_on_where_they_were(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    story.calls.leg_answered(channel)
    await story.hears_out("disclosure", "confirm_callback")
    story.presses("1", channel)
    text = story.bundle.prompt("about_callback", topic="hours")
    await story.eventually(lambda: story.lines.opened[0].playing == text)
    story.hears_the_end()
    await story.hears("offer_hours")
    state = await story.store.state(STREAM)
    assert not state.callbacks
    story.presses("1", channel)
    await story.hears_out("promised")
    await story.is_over()
    log = kinds(await story.log())
    assert log.count("CallEnded") == log.count("CallReceived") == 1
    # The timer of the next attempt finds nothing to do.
    await promised.comes_due(60)
    assert len(story.telephone.rung) == 1
    assert await promised.timers() == []


async def test_a_phone_that_is_not_picked_up_is_tried_again_later_each_time(
    promised: Promise,
) -> None:
    story = promised.story
    for nth, minutes in ((1, 0), (2, 15), (3, 30)):
        await promised.comes_due(minutes)
        story.calls.leg_gone(await promised.rings(nth), 17, 486)
        await story.is_over()
    log = await story.log()
    missed = [(e.attempt, e.outcome) for e in log if isinstance(e, CallbackMissed)]
    assert missed == [(1, "busy"), (2, "busy"), (3, "busy")]
    await promised.comes_due(60)
    log = await story.log()
    (ended,) = [e for e in log if isinstance(e, CallbackEnded)]
    assert (ended.reason, ended.by) == ("attempts", "policy")
    (record,) = [e.record for e in log if isinstance(e, HandoffRecorded)]
    assert record["outcome"] == "call-back failed"
    assert await promised.timers() == []


async def test_who_declines_is_not_called_again(promised: Promise) -> None:
    await promised.comes_due()
    promised.story.calls.leg_gone(await promised.rings(), 21, 603)
    await promised.story.is_over()
    await promised.comes_due(15)
    (ended,) = [e for e in await promised.story.log() if isinstance(e, CallbackEnded)]
    assert ended.reason == "declined"


async def test_a_phone_rings_no_longer_than_the_policy_says(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    await story.a_tick_passes()
    story.clock.advance(30)
    await story.is_over()
    assert ("hang_up", channel) in story.telephone.requests
    (missed,) = [e for e in await story.log() if isinstance(e, CallbackMissed)]
    assert missed.outcome == "no_answer"


async def test_a_machine_that_picks_up_hears_the_question_three_times(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    story.calls.leg_answered(channel)
    await story.hears_out("disclosure")
    for _ in range(3):
        await story.hears_out("confirm_callback")
        await story.a_tick_passes()
        story.is_silent()
    await story.is_over()
    assert ("hang_up", channel) in story.telephone.requests
    log = await story.log()
    (missed,) = [e for e in log if isinstance(e, CallbackMissed)]
    assert missed.outcome == "silent"
    assert channel not in story.telephone.left, "it was hung up"
    assert "HandoffRecorded" not in kinds(log)
    assert (await story.store.state(STREAM)).callbacks


async def test_who_hangs_up_on_us_has_not_been_reached(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    story.calls.leg_answered(channel)
    await story.hears("disclosure")
    story.hangs_up(channel)
    await story.is_over()
    log = kinds(await story.log())
    assert "CallbackMissed" in log
    assert "CallEnded" in log
    assert "HandoffRecorded" not in log


async def test_without_a_way_out_people_are_told(story: CallStory) -> None:
    promised = Promise(story, dial="")
    await promised.made()
    await promised.comes_due()
    log = await story.log()
    (ended,) = [e for e in log if isinstance(e, CallbackEnded)]
    assert ended.reason == "no_dial"
    (record,) = [e for e in log if isinstance(e, HandoffRecorded)]
    assert [job.id for job in await story.store.claim("handoff", story.clock.now())] == [
        record.handoff
    ]
    assert await promised.timers() == []


async def test_a_number_that_earns_by_being_called_is_not_called(story: CallStory) -> None:
    promised = Promise(story)
    await promised.made(number="+19005550123")
    await promised.comes_due()
    (ended,) = [e for e in await story.log() if isinstance(e, CallbackEnded)]
    assert ended.reason == "no_number"
    assert story.telephone.rung == []


async def test_when_all_lines_are_taken_it_waits_and_is_the_same_attempt(
    promised: Promise,
) -> None:
    story = promised.story
    story.rings("a", "+12025550111")
    story.rings("b", "+12025550112")
    await promised.comes_due()
    state = await story.store.state(STREAM)
    (due,) = state.callbacks.values()
    assert due == story.clock.now() + 60_000_000
    events = [e.event for e in await story.store.read(STREAM)]
    (waits,) = [e for e in events if isinstance(e, CallbackPostponed)]
    assert waits.reason == "full"
    for channel in ("a", "b"):
        story.hangs_up(channel)
    await story.is_over()
    await promised.comes_due(1)
    await promised.rings()
    events = [e.event for e in await story.store.read(STREAM)]
    (dialled,) = [e for e in events if isinstance(e, CallbackDialled)]
    assert dialled.attempt == 1
    story.calls.leg_gone(await promised.rings(), 19, 0)
    await story.is_over()


async def test_nobody_is_called_who_is_on_the_line(promised: Promise) -> None:
    story = promised.story
    on_the_line: list[Event] = [
        CallReceived(call="call_0", channel="c", did=""),
        CallAnswered(call="call_0"),
    ]
    await story.store.append(STREAM, on_the_line)
    assert await promised.is_put_off() == "on_the_line"


async def test_nobody_is_called_outside_the_hours_that_they_prefer(promised: Promise) -> None:
    hours = "mon-sun 00:00-00:01 UTC"
    wish = PreferenceStated(what="hours", value=hours, at=1, by="operator")
    await promised.story.store.append(STREAM, [wish])
    assert await promised.is_put_off() == "preferred_hours"


async def test_a_timer_that_is_not_of_the_last_attempt_calls_nobody(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    story.calls.leg_gone(await promised.rings(), 17, 486)
    await story.is_over()
    (id,) = (await story.store.state(STREAM)).callbacks
    old = Timer(id=f"{KIND}:{id}", stream=STREAM, kind=KIND, due=story.clock.now())
    await story.store.append(STREAM, [CallerSilent(call="call_0")], timers=[old])
    await promised.comes_due()
    assert len(story.telephone.rung) == 1
    assert await promised.timers() == ["1"]


async def test_a_worker_that_has_lost_the_lease_calls_nobody(promised: Promise) -> None:
    with pytest.raises(LeaseLost):
        await promised.callbacks.run_once(Fence("callbacks", "somebody else", 7))
    assert promised.story.telephone.rung == []


async def test_another_key_than_1_does_not_say_that_it_is_them(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    story.calls.leg_answered(channel)
    await story.hears_out("disclosure")
    await story.hears("confirm_callback")
    story.presses("2", channel)
    story.presses("#", channel)
    story.hears_the_end()
    await story.a_tick_passes()
    assert "CallbackReached" not in kinds(await story.log())
    story.hangs_up(channel)
    await story.is_over()


async def test_a_call_back_that_was_taken_back_is_not_made(promised: Promise) -> None:
    story = promised.story
    (id,) = (await story.store.state(STREAM)).callbacks
    taken_back = CallbackEnded(callback=id, reason="asked", by="operator:me")
    await story.store.append(STREAM, [taken_back])
    await promised.comes_due()
    assert story.telephone.rung == []
    assert await promised.timers() == []


async def test_when_the_service_stops_the_phone_does_not_ring_on(promised: Promise) -> None:
    story = promised.story
    await promised.comes_due()
    channel = await promised.rings()
    await story.calls.drain(0.0)
    assert ("hang_up", channel) in story.telephone.requests
    assert await promised.timers() == ["1"]
