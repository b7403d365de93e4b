"""Callers on their way to a person, between fakes at every port but the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.calls.admission import Admission, Caps
from ari_app.calls.promising import promise
from ari_app.calls.registry import Calls
from ari_app.conversation.events import (
    CallBackRequested,
    CallEnded,
    CallLeft,
    DecisionMade,
    HandoffAcknowledged,
    HandoffRecorded,
    PeopleAnswered,
    PeopleMissed,
    PeopleParted,
)
from ari_app.conversation.identity import E164
from ari_app.policy.bundle import Bundle
from ari_app.policy.people import Agent, Fallback, Reach
from ari_app.ports import Exit, FoundCall
from ari_app.understanding.intents import Intents
from tests.unit.calls.call_story import CALLER, CHANNEL, CallStory, FakeDetector, kinds

WHISPER = "A caller about {{ topic }}: {{ reason }}."
REACH = Reach(
    agents=(Agent("desk", "PJSIP/desk", 20), Agent("ward", "PJSIP/ward", 10)),
    whisper=WHISPER,
    waiting="looking",
    keys={"8": Fallback.CALLBACK, "9": Fallback.VOICEMAIL},
    nobody=(Fallback.CALLBACK, Fallback.VOICEMAIL),
    offer="offer_callback",
    promised="will_call",
)
HOLD = "hold tone"


@pytest.fixture
async def story(tmp_path: Path, bundle: Bundle, intents: Intents) -> AsyncIterator[CallStory]:
    story = CallStory(tmp_path, replace(bundle, reach=REACH), intents)
    await story.store.open()
    yield story
    for channel in story.rang:
        story.hangs_up(channel)
    await story.is_over()
    await story.store.aclose()


async def asks_for_a_person(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("0")
    await story.hears_out("connecting")


async def rings(story: CallStory, nth: int = 1) -> str:
    """The channel of the nth phone, once it rings."""
    await story.eventually(lambda: len(story.telephone.rung) >= nth)
    return story.telephone.rung[nth - 1][0]


async def is_asked(story: CallStory, line: int = 1) -> None:
    """The person hears who waits."""
    said = "A caller about : asked for a person."
    await story.eventually(
        lambda: len(story.lines.opened) > line and story.lines.opened[line].playing == said
    )


async def takes_the_call(story: CallStory) -> str:
    phone = await rings(story)
    story.calls.leg_answered(phone)
    await is_asked(story)
    story.calls.key_pressed(phone, "1")
    await story.logged("PeopleAnswered")
    return phone


async def test_the_caller_hears_a_tone_while_a_phone_rings(story: CallStory) -> None:
    await asks_for_a_person(story)
    await rings(story)
    await story.eventually(lambda: story.lines.opened[0].playing == HOLD)
    story.clock.advance(16)
    story.hears_the_end()
    await story.eventually(lambda: story.lines.opened[0].playing == story.bundle.prompt("looking"))
    story.hears_the_end()
    await story.eventually(lambda: story.lines.opened[0].playing == HOLD)


async def test_who_takes_the_call_is_joined_with_the_caller_and_nothing_of_ours_is_left(
    story: CallStory,
) -> None:
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    assert list(story.telephone.joined.values()) == [(CHANNEL, phone)]
    assert story.lines.opened[0].playing is None, "no tone of ours into their first words"
    await story.eventually(story.nothing_is_left_open)
    assert CHANNEL not in story.telephone.left
    acknowledged = [e for e in await story.log() if isinstance(e, HandoffAcknowledged)]
    assert [(e.route, e.receipt) for e in acknowledged] == [("people", "desk")]


async def test_when_the_person_hangs_up_the_call_is_done(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    story.clock.advance(61)
    story.calls.leg_gone(phone, 16, 0)
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    log = await story.log()
    (parted,) = [e for e in log if isinstance(e, PeopleParted)]
    assert (parted.by, parted.seconds) == ("person", 61)
    assert kinds(log).count("HandoffRecorded") == 1
    assert not story.telephone.joined


async def test_when_the_caller_hangs_up_the_person_is_let_go(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    story.hangs_up()
    await story.is_over()
    assert ("hang_up", phone) in story.telephone.requests
    (parted,) = [e for e in await story.log() if isinstance(e, PeopleParted)]
    assert parted.by == "caller"


async def test_a_caller_who_does_not_wait_lets_no_phone_ring_on(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await rings(story)
    story.hangs_up()
    await story.is_over()
    assert ("hang_up", phone) in story.telephone.requests
    missed = [e.outcome for e in await story.log() if isinstance(e, PeopleMissed)]
    assert missed == ["caller_gone"]


async def test_what_the_network_said_is_kept_and_the_next_phone_rings(story: CallStory) -> None:
    await asks_for_a_person(story)
    story.calls.leg_gone(await rings(story), 17, 486)
    await rings(story, 2)
    (missed,) = [e for e in await story.log() if isinstance(e, PeopleMissed)]
    assert (missed.who, missed.outcome, missed.cause, missed.status) == ("desk", "busy", 17, 486)


async def nobody_takes_it(story: CallStory) -> None:
    await asks_for_a_person(story)
    for nth in (1, 2):
        story.calls.leg_gone(await rings(story, nth), 19, 0)


async def test_whom_nobody_takes_is_promised_a_call_for_the_asking(story: CallStory) -> None:
    await nobody_takes_it(story)
    await story.hears("offer_callback")
    story.presses("1")
    await story.hears_out("will_call")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    log = await story.log()
    (wanted,) = [e for e in log if isinstance(e, CallBackRequested)]
    assert wanted.reason == "nobody_there"
    (timer,) = await story.store.due_timers(story.clock.now(), kind="callback")
    assert timer.id == f"callback:{wanted.callback}"


async def test_a_phone_that_was_missed_is_nobodys_any_more(story: CallStory) -> None:
    await nobody_takes_it(story)
    await story.hears("offer_callback")
    assert len(story.calls.live) == 1, "a bridge or a channel of it would be swept"


async def test_who_does_not_want_to_be_called_leaves_a_message(story: CallStory) -> None:
    await nobody_takes_it(story)
    await story.hears_out("offer_callback")
    await story.a_tick_passes()
    story.is_silent()
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.VOICEMAIL
    log = await story.log()
    rules = [e.rule for e in log if isinstance(e, DecisionMade)]
    assert rules[-2:] == ["reach_callback", "reach_voicemail"]
    last = [e for e in log if isinstance(e, DecisionMade)][-1]
    assert last.inputs["people"] == {"desk": "no_answer", "ward": "no_answer"}
    assert "CallBackRequested" not in kinds(log)


async def test_who_wants_to_be_called_but_hides_the_number_leaves_a_message(
    story: CallStory,
) -> None:
    story.rings(caller="")
    await story.hears_out("disclosure", "what")
    story.presses("0")
    await story.hears_out("connecting")
    await rings(story)
    story.presses("8")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.VOICEMAIL
    rules = [(e.rule, e.inputs.get("by")) for e in await story.log() if isinstance(e, DecisionMade)]
    assert rules[-2:] == [("reach_callback", "caller"), ("reach_voicemail", "policy")]


async def test_the_record_that_is_acknowledged_is_that_of_this_call(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    stream, _ = story.telephone.marked[CHANNEL]
    earlier = HandoffRecorded(handoff="hand_0", route="first", record={})
    await story.store.append(stream, [earlier])
    story.presses("0")
    await story.hears_out("connecting")
    await takes_the_call(story)
    (acknowledged,) = [e for e in await story.log() if isinstance(e, HandoffAcknowledged)]
    assert acknowledged.handoff != "hand_0"


async def test_a_key_that_says_no_is_an_answer_and_no_silence_follows_it(story: CallStory) -> None:
    await nobody_takes_it(story)
    await story.hears_out("offer_callback")
    await story.a_tick_passes()
    story.presses("2")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.VOICEMAIL


async def test_who_waits_for_a_call_already_is_promised_no_second_one(story: CallStory) -> None:
    await nobody_takes_it(story)
    await story.hears("offer_callback")
    stream, _ = story.telephone.marked[CHANNEL]
    wanted, timer = promise(story.clock, stream, E164(CALLER), "", story.clock.now(), "asked")
    await story.store.append(stream, [wanted], timers=[timer])
    story.presses("1")
    await story.hears_out("will_call")
    await story.is_over()
    assert kinds(await story.log()).count("CallBackRequested") == 1


async def test_the_next_person_hears_who_waits_on_a_line_of_their_own(story: CallStory) -> None:
    await asks_for_a_person(story)
    first = await rings(story)
    story.calls.leg_answered(first)
    await is_asked(story)
    story.calls.key_pressed(first, "2")
    second = await rings(story, 2)
    await story.eventually(lambda: story.lines.opened[1].closed)
    story.calls.leg_answered(second)
    await is_asked(story, line=2)


async def test_the_leg_of_a_caller_who_was_joined_is_released_before_they_part(
    story: CallStory,
) -> None:
    await asks_for_a_person(story)
    await takes_the_call(story)
    _, call = story.telephone.marked[CHANNEL]
    await story.eventually(lambda: ("release", call) in story.telephone.requests)


async def test_a_caller_may_leave_by_a_key_while_a_phone_rings(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await rings(story)
    story.presses("9")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.VOICEMAIL
    assert ("hang_up", phone) in story.telephone.requests


async def test_a_phone_that_cannot_be_dialled_is_unreachable(story: CallStory) -> None:
    story.telephone.refuses.add("PJSIP/desk")
    await asks_for_a_person(story)
    await story.eventually(lambda: story.telephone.rung)
    assert story.telephone.rung[0][1] == "PJSIP/ward"
    (missed,) = [e for e in await story.log() if isinstance(e, PeopleMissed)]
    assert missed.outcome == "unreachable"


async def test_a_person_who_cannot_be_joined_is_not_kept(story: CallStory) -> None:
    story.telephone.refuses.add("join")
    await asks_for_a_person(story)
    phone = await rings(story)
    story.calls.leg_answered(phone)
    await is_asked(story)
    story.calls.key_pressed(phone, "1")
    await rings(story, 2)
    assert ("hang_up", phone) in story.telephone.requests
    assert "PeopleAnswered" not in kinds(await story.log())


async def test_two_who_talk_go_on_when_the_service_stops(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    await story.calls.drain(0.0)
    assert not story.calls.live
    assert ("hang_up", phone) not in story.telephone.requests
    assert story.telephone.joined
    assert CHANNEL not in story.telephone.left
    assert "CallEnded" not in kinds(await story.log())


async def test_one_who_is_sent_away_while_a_phone_rings_has_one_record(story: CallStory) -> None:
    await asks_for_a_person(story)
    await rings(story)
    await story.calls.drain(0.0)
    log = await story.log()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert [type(e) for e in log if isinstance(e, CallLeft | CallEnded)] == [CallLeft, CallEnded]
    assert len([e for e in log if isinstance(e, HandoffRecorded)]) == 1
    assert not [e for e in log if isinstance(e, PeopleAnswered)]


async def test_a_phone_that_nobody_here_let_ring_is_let_go(story: CallStory) -> None:
    story.calls.leg_answered("ag-leg_of_another")
    await story.eventually(lambda: ("hang_up", "ag-leg_of_another") in story.telephone.requests)


async def test_a_topic_of_the_dialplan_is_not_asked_for(story: CallStory) -> None:
    story.telephone.topics[CHANNEL] = "hours"
    story.rings()
    await story.hears_out("disclosure")
    await story.hears("offer_hours")


async def test_a_topic_that_the_policy_does_not_know_changes_nothing(story: CallStory) -> None:
    story.telephone.topics[CHANNEL] = "weather"
    story.rings()
    await story.hears_out("disclosure", "what")


async def goes_on_elsewhere(story: CallStory, person: str) -> None:
    """The worker has stopped; another one finds the caller, joined with `person` or alone."""
    stream, call = story.telephone.marked[CHANNEL]
    await story.calls.drain(0.0)
    tools = story.calls._tools
    story.calls = Calls(FakeDetector, Admission(Caps(2)))
    story.calls.use(tools)
    found = FoundCall(CHANNEL, stream, call, person=person)
    story.calls.pbx_back(frozenset({CHANNEL}), [found])
    await story.logged("CallResumed")


async def test_another_worker_waits_for_the_end_of_two_who_talk(story: CallStory) -> None:
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    legs = len(story.lines.opened)
    await goes_on_elsewhere(story, phone)
    await story.eventually(lambda: phone.removeprefix("ag-") in story.calls.live)
    story.calls.leg_gone(phone, 16, 0)
    await story.is_over()
    assert len(story.lines.opened) == legs, "no audio of ours comes between them"
    log = kinds(await story.log())
    assert log.count("PeopleAnswered") == log.count("PeopleParted") == 1
    assert log.count("HandoffRecorded") == log.count("CallEnded") == 1


async def test_that_two_were_joined_is_said_by_the_worker_that_finds_them(
    story: CallStory,
) -> None:
    await asks_for_a_person(story)
    phone = await rings(story)
    stream, call = story.telephone.marked[CHANNEL]
    other = Calls(FakeDetector, Admission(Caps(2)))
    other.use(story.calls._tools)
    other.pbx_back(frozenset({CHANNEL}), [FoundCall(CHANNEL, stream, call, person=phone)])
    await story.logged("PeopleAnswered")
    other.caller_gone(CHANNEL, "hangup")
    await story.eventually(lambda: not other.live)
    assert "PeopleParted" in kinds(await story.log())


async def test_a_caller_whose_person_has_gone_meanwhile_is_done(story: CallStory) -> None:
    await asks_for_a_person(story)
    await takes_the_call(story)
    await goes_on_elsewhere(story, "")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    (parted,) = [e for e in await story.log() if isinstance(e, PeopleParted)]
    assert parted.by == "lost"
