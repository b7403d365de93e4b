"""A caller whose worker is gone: how the call goes on by what is in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ari_app.agent.turn import Spoken
from ari_app.calls.adoption import Course, adoption, asked_again, open_question
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Envelope,
    Event,
    HandoffRecorded,
    TextReceived,
)
from ari_app.conversation.state import fold
from ari_app.policy.bundle import Bundle
from ari_app.ports import Exit, FoundCall, IncomingCall
from ari_app.store.store import EventStore
from tests.unit.calls.call_story import CALLER, CHANNEL, CallStory, kinds

CALL, STREAM = "call_1", "conv_1"


def decided(*actions: str, question: str | None = None) -> DecisionMade:
    return DecisionMade(
        bundle="b",
        rule="r",
        reason="because",
        actions=actions,
        inputs={},
        intent=None,
        confidence=1.0,
        alternatives=(),
        topic="hours" if question == "offer_hours" else None,
        question=question,
    )


OPENED: list[Event] = [
    ConversationOpened(channel="voice", did="100", language="en", number=CALLER),
    CallReceived(call=CALL, channel=CHANNEL, did="100"),
]
ANSWERED: list[Event] = [*OPENED, CallAnswered(call=CALL), decided("ask what", question="what")]
DISCLOSED: list[Event] = [*ANSWERED, DisclosurePlayed(call=CALL, prompt="disclosure", wording="w")]
OFFERED: list[Event] = [
    *DISCLOSED,
    CallerSpoke(call=CALL, text="hours", words=(), confidence=1.0, endpoint_ms=0),
    decided("topic hours", "ask offer_hours", question="offer_hours"),
    AgentSpoke(call=CALL, prompt="offer_hours", text="Shall I?"),
]
GOODBYE = AgentSpoke(call=CALL, prompt="promised", text="It is on its way.")


def logged(events: Sequence[Event]) -> list[Envelope]:
    return [Envelope(str(n), STREAM, n, n, "", None, e) for n, e in enumerate(events, 1)]


# -- what the log says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "course"),
    [
        ([], Course.CLOSED),
        ([*OPENED, CallEnded(call=CALL, cause="lost", statistics={})], Course.CLOSED),
        ([*OFFERED, CallLeft(call=CALL, exit="done", reason="")], Course.CLOSED),
        (OPENED, Course.GREET),
        (ANSWERED, Course.GREET),
        (DISCLOSED, Course.ASK),
        (OFFERED, Course.ASK),
        ([*OFFERED, decided("text hours", "end")], Course.LEAVE),
        ([*OFFERED, decided("say connecting", "people asked for a person")], Course.LEAVE),
    ],
)
def test_the_course_is_that_of_the_log(events: list[Event], course: Course) -> None:
    assert adoption(logged(events), CALL).course is course


def test_only_the_end_of_this_very_call_closes_it() -> None:
    other: list[Event] = [
        CallReceived(call="call_0", channel="c", did="100"),
        CallEnded(call="call_0", cause="hangup", statistics={}),
    ]
    assert adoption(logged([*other, *OFFERED]), CALL).course is Course.ASK
    assert adoption(logged(OFFERED), "call_2").course is Course.CLOSED


def test_who_was_on_the_way_to_people_gets_there_with_the_reason() -> None:
    plan = adoption(logged([*OFFERED, decided("say connecting", "people not heard")]), CALL)
    assert plan.people == "not heard"


def test_what_was_said_last_is_said_again_before_the_end() -> None:
    plan = adoption(logged([*OFFERED, decided("text hours", "end"), GOODBYE]), CALL)
    assert (plan.people, plan.say) == (None, (Spoken("promised", GOODBYE.text),))


def test_a_text_of_the_caller_does_not_change_the_course() -> None:
    text = TextReceived(carrier="c", recipient="r", sender="s", body="2")
    assert adoption(logged([*OFFERED, text]), CALL).course is Course.ASK


def test_the_open_question_is_asked_again_after_a_word_of_sorry(bundle: Bundle) -> None:
    state = fold(logged(OFFERED))
    assert [s.prompt for s in asked_again(bundle, state)] == ["offer_hours"]
    polite = replace(bundle, prompts={**bundle.prompts, "again": ("Sorry, say that again.",)})
    assert [s.prompt for s in asked_again(polite, state)] == ["again", "offer_hours"]


def test_a_question_that_the_bundle_does_not_know_gives_way_to_the_first(bundle: Bundle) -> None:
    state = fold(logged([*DISCLOSED, decided("ask x", question="of an older bundle")]))
    assert open_question(bundle, state) is None
    assert [s.prompt for s in asked_again(bundle, state)] == ["what"]
    by_text = fold(logged([*DISCLOSED, decided("text hours", question="reply_hours")]))
    assert open_question(bundle, by_text) is None


# -- a call that goes on ----------------------------------------------------------------------


async def find(story: CallStory, events: Sequence[Event]) -> None:
    """The caller is on the line, and the log is what their worker left."""
    if events:
        await EventStore.append(story.store, STREAM, events)
    incoming = IncomingCall(CHANNEL, "100", CALLER)
    story.rang.append(CHANNEL)
    found = FoundCall(CHANNEL, STREAM, CALL, incoming=incoming)
    story.calls.pbx_back(frozenset({CHANNEL}), [found])


async def test_a_caller_goes_on_with_the_open_question(story: CallStory) -> None:
    await find(story, OFFERED)
    assert story.calls.live == {CALL}
    await story.hears_out("offer_hours")
    assert ("answer", CHANNEL) not in story.telephone.requests
    story.says("yes please")
    await story.hears_out("promised")
    await story.is_over()
    since = kinds(await story.log())[len(OFFERED) :]
    assert since == [
        *("CallResumed", "AgentSpoke"),
        *("CallerSpoke", "DecisionMade", "ConsentGiven", "TextPromised", "AgentSpoke"),
        *("CallLeft", "CallEnded", "HandoffRecorded"),
    ]
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    assert story.telephone.left[CHANNEL][1]["SEGUE_CONVERSATION"] == STREAM
    await story.no_task_is_left()


async def test_a_caller_who_was_not_answered_is_answered_and_greeted(story: CallStory) -> None:
    await find(story, OPENED)
    await story.hears_out("disclosure", "what")
    log = kinds(await story.log())
    assert ("answer", CHANNEL) in story.telephone.requests
    assert log[len(OPENED) :][:3] == ["CallResumed", "CallAnswered", "DecisionMade"]


async def test_a_caller_who_did_not_hear_the_disclosure_hears_it_from_the_beginning(
    story: CallStory,
) -> None:
    await find(story, ANSWERED)
    await story.hears_out("disclosure", "what")
    await story.logged("DisclosurePlayed")
    assert kinds(await story.log()).count("CallAnswered") == 1


async def test_a_caller_on_the_way_to_people_gets_there_and_makes_no_second_record(
    story: CallStory,
) -> None:
    record = HandoffRecorded(handoff="hand_1", route="first", record={})
    await find(story, [*OFFERED, decided("say connecting", "people not heard"), record])
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF
    assert kinds(await story.log()).count("HandoffRecorded") == 1


async def test_a_goodbye_is_said_once_more(story: CallStory) -> None:
    await find(story, [*OFFERED, decided("text hours", "end"), GOODBYE])
    await story.eventually(lambda: story.lines.opened and story.lines.opened[0].playing)
    assert story.lines.opened[0].playing == GOODBYE.text
    story.hears_the_end()
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_without_a_recogniser_the_call_goes_on_by_keys(story: CallStory) -> None:
    story.recognisers.none_alive = True
    await find(story, OFFERED)
    await story.hears_out("by_keys", "offer_hours")
    story.presses("1")
    await story.hears_out("promised")


async def test_a_caller_whose_call_is_closed_meets_people_and_the_log_stays(
    story: CallStory,
) -> None:
    closed = [*OFFERED, CallEnded(call=CALL, cause="lost", statistics={})]
    await find(story, closed)
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert await story.log() == closed
    assert ("release", CALL) in story.telephone.requests  # what the dead one has left there


async def test_a_caller_of_another_log_meets_people(story: CallStory) -> None:
    await find(story, [])
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert not await EventStore.read(story.store, STREAM)


async def test_when_the_closing_of_the_call_is_faster_nothing_goes_on(story: CallStory) -> None:
    story.store.faster = [CallEnded(call=CALL, cause="lost", statistics={})]
    await find(story, OFFERED)
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert kinds(await story.log()) == [*kinds(OFFERED), "CallEnded"]


async def test_when_a_text_is_faster_the_call_goes_on_after_it(story: CallStory) -> None:
    story.store.faster = [TextReceived(carrier="c", recipient="r", sender="s", body="hm")]
    await find(story, OFFERED)
    await story.hears_out("offer_hours")
    since = kinds(await story.log())[len(OFFERED) :]
    assert since[:2] == ["TextReceived", "CallResumed"]


async def test_a_caller_who_has_gone_meanwhile_ends_the_call(story: CallStory) -> None:
    await find(story, OFFERED)
    story.hangs_up()
    await story.is_over()
    log = await story.log()
    (ended,) = [e for e in log if isinstance(e, CallEnded)]
    assert ended.cause == "hangup"
    assert story.nothing_is_left_open()


async def test_a_store_that_is_away_gives_the_caller_to_people_and_writes_nothing(
    story: CallStory,
) -> None:
    await EventStore.append(story.store, STREAM, OFFERED)
    story.store.broken = True
    story.rang.append(CHANNEL)
    story.calls.pbx_back(frozenset({CHANNEL}), [FoundCall(CHANNEL, STREAM, CALL)])
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert await story.log() == OFFERED


@pytest.mark.parametrize("nth", range(1, 16))
async def test_whoever_hangs_up_while_a_call_is_taken_over_leaves_nothing_open(
    story: CallStory, nth: int
) -> None:
    story.gates.at(nth, story.hangs_up)
    await find(story, OFFERED)

    async def goes_on() -> None:
        await story.hears_out("offer_hours")
        story.says("yes please")
        await story.hears_out("promised")

    await story.is_over(meanwhile=goes_on())
    assert story.nothing_is_left_open()
    assert kinds(await story.log()).count("CallEnded") == 1
    await story.no_task_is_left()


async def test_a_caller_who_was_on_the_way_out_is_let_out(story: CallStory) -> None:
    story.calls.pbx_back(frozenset({CHANNEL}), [FoundCall(CHANNEL, exit="handoff")])
    await story.eventually(lambda: CHANNEL in story.telephone.left)
    assert story.telephone.left[CHANNEL] == (Exit.HANDOFF, {})
    assert not story.calls.live


async def test_a_caller_who_entered_while_nobody_listened_is_a_new_call(story: CallStory) -> None:
    story.rang.append(CHANNEL)
    call = IncomingCall(CHANNEL, "100", CALLER)
    story.calls.pbx_back(frozenset({CHANNEL}), [FoundCall(CHANNEL, incoming=call)])
    await story.hears_out("disclosure", "what")
    assert kinds(await story.log())[0] == "ConversationOpened"


async def test_a_service_that_stops_takes_nobody_over(story: CallStory) -> None:
    await asyncio.create_task(story.calls.drain(0.0))
    await find(story, OFFERED)
    await story.eventually(lambda: CHANNEL in story.telephone.left)
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert await story.log() == OFFERED
