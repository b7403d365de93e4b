"""Callers who meet a person, by the person's own phone: every ending that it can have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ari_app.conversation.events import (
    AgentSpoke,
    CallbackDialled,
    CallbackMissed,
    CallbackReached,
    CallBackRequested,
    CallEnded,
    CallLeft,
    DecisionMade,
    HandoffAcknowledged,
    HandoffRecorded,
    PeopleAnswered,
    PeopleMissed,
    PeopleParted,
    PeopleRung,
)
from ari_app.phone.call import Phone, Side
from tests.support.callers import Caller, Story, only
from tests.support.desk import Desk
from tests.support.faults import fault
from tests.support.house import PATIENCE

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.vosk,
    pytest.mark.usefixtures("reached"),
]


async def who_wants_a_person(story: Story) -> Caller:
    caller = await story.caller_at("what")
    await caller.presses("0")
    return caller


async def takes(desk: Desk) -> None:
    """Pick up, hear who waits, and take them."""
    await desk.picks_up()
    await desk.until_prompt(PATIENCE)
    await desk.until_quiet(deadline=PATIENCE)
    await desk.press("1")


async def hear_each_other(story: Story, one: Phone, other: Phone) -> None:
    """What each says now is heard by the other."""
    for speaker, listener in ((one, other), (other, one)):
        said = await story.house.spoken("can you hear me now", "f4")
        at = len(listener.heard())
        await speaker.say(said)
        await listener.until_quiet(deadline=PATIENCE)
        heard = listener.heard()[max(at - 8000, 0) :].astype(float)
        likeness = np.correlate(heard, said.astype(float), "valid").max()
        assert likeness > 0.8 * float(np.square(said.astype(float)).sum())


async def who_is_promised_a_call(story: Story, desks: tuple[Desk, Desk]) -> Caller:
    """About the opening hours, with a question open."""
    caller = await story.caller_at("what")
    await caller.presses("1")
    await caller.hears("offer_hours")
    await caller.presses("0")
    for desk in desks:
        await desk.refuses()
    await caller.hears("offer_callback")
    await caller.presses("1")
    await caller.hears("will_call")
    await caller.is_hung_up()
    return caller


def missed(log: Sequence[object]) -> list[tuple[str, str]]:
    return [(e.who, e.outcome) for e in log if isinstance(e, PeopleMissed)]


async def test_a_person_takes_the_caller_by_their_key_and_the_two_talk(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await takes(desks[0])
    await story.state(caller, lambda s: s.person is not None, "a person has taken the call")
    assert caller.number in desks[0].shows
    await hear_each_other(story, caller.phone, desks[0])
    assert not story.house.rtp_ports(), "none of our legs is left between them"
    await desks[0].hang_up()
    await caller.is_hung_up()

    log = await story.log(caller)
    assert missed(log) == [("moved", "unreachable")]
    assert [e.who for e in log if isinstance(e, PeopleRung)] == ["moved", "first"]
    assert only(log, PeopleAnswered).who == "first"
    assert only(log, PeopleParted).by == "person"
    routes = [e.route for e in log if isinstance(e, HandoffAcknowledged)]
    assert "people" in routes
    assert only(log, CallLeft).exit == "done"
    only(log, HandoffRecorded)
    assert desks[1].calls == 0


async def test_when_the_caller_hangs_up_the_person_is_hung_up_too(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await takes(desks[0])
    await story.state(caller, lambda s: s.person is not None, "a person has taken the call")
    await caller.hangs_up()
    assert (await desks[0].until_ended(PATIENCE)).by is Side.FAR_END
    log = await story.log(caller)
    assert only(log, PeopleParted).by == "caller"
    assert only(log, CallEnded).cause == "hangup"


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [(486, "Busy Here", "busy"), (603, "Decline", "declined"), (480, "Away", "no_answer")],
)
async def test_a_phone_that_refuses_is_named_and_the_next_one_rings(
    story: Story, desks: tuple[Desk, Desk], status: int, reason: str, outcome: str
) -> None:
    caller = await who_wants_a_person(story)
    await desks[0].refuses(status, reason)
    await takes(desks[1])
    await story.state(caller, lambda s: s.person is not None, "a person has taken the call")
    await caller.hangs_up()
    log = await story.log(caller)
    assert missed(log)[1:] == [("first", outcome)]
    assert only(log, PeopleAnswered).who == "second"


async def test_who_declines_by_key_or_lets_it_ring_is_named_and_the_caller_is_offered_a_call(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await desks[0].picks_up()
    await desks[0].until_quiet(deadline=PATIENCE)
    await desks[0].press("2")
    await desks[0].until_ended(PATIENCE)
    await desks[1].rings()  # and nobody is there
    await caller.hears("looking")
    await caller.hears("offer_callback")
    await caller.presses("1")
    await caller.hears("will_call")
    await caller.is_hung_up()
    log = await story.log(caller)
    assert missed(log)[1:] == [("first", "declined"), ("second", "no_answer")]
    assert [e.rule for e in log if isinstance(e, DecisionMade)][-1] == "reach_callback"
    assert only(log, CallBackRequested).number == caller.number


async def test_who_wants_no_call_meets_the_people_of_the_dialplan(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await desks[0].refuses()
    await desks[1].refuses()
    await caller.hears("offer_callback")
    await caller.presses("2")
    await story.people_take_the_call("handoff")
    await caller.hangs_up()
    log = await story.log(caller)
    rules = [e.rule for e in log if isinstance(e, DecisionMade)]
    assert rules[-2:] == ["reach_callback", "reach_dialplan"]
    only(log, HandoffRecorded)


async def test_a_caller_who_does_not_wait_ends_the_ringing(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await desks[0].rings()
    await caller.hangs_up()
    await desks[0].until_ended(PATIENCE)
    log = await story.log(caller)
    assert missed(log)[1:] == [("first", "caller_gone")]
    assert desks[1].calls == 0


@fault("kill -9 of the service", "a caller and a person who talk go on talking")
async def test_two_who_talk_go_on_talking_when_the_service_dies(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await takes(desks[0])
    await story.state(caller, lambda s: s.person is not None, "a person has taken the call")
    await story.house.kill()
    await hear_each_other(story, caller.phone, desks[0])
    await story.house.restart()
    await story.logged("goes on here")
    await hear_each_other(story, caller.phone, desks[0])
    await desks[0].hang_up()
    await caller.is_hung_up()
    log = await story.log(caller)
    assert only(log, PeopleParted).by == "person"
    assert only(log, CallEnded).cause == "done"


@fault("restart of the service", "a caller and a person who talk go on talking")
async def test_two_who_talk_go_on_talking_when_the_service_is_restarted(
    story: Story, desks: tuple[Desk, Desk]
) -> None:
    caller = await who_wants_a_person(story)
    await takes(desks[0])
    await story.state(caller, lambda s: s.person is not None, "a person has taken the call")
    await story.house.restart(SEGUE_CALLS__DRAIN="0")
    await story.logged("goes on here")
    await hear_each_other(story, caller.phone, desks[0])
    await caller.hangs_up()
    log = await story.log(caller)
    assert only(log, PeopleParted).by == "caller"


async def test_who_was_promised_a_call_is_called_and_the_conversation_goes_on(
    story: Story, desks: tuple[Desk, Desk], home: Desk
) -> None:
    caller = await who_is_promised_a_call(story, desks)
    stream = await story.stream(caller)
    await home.picks_up()
    called = Caller(story.house, home, caller.number, "f4")
    await called.hears("disclosure", "confirm_callback")
    await called.presses("1")
    await story.state(caller, lambda s: not s.callbacks, "the call-back is done")
    await called.hears("what")
    await story.agrees_to_a_text(called)
    log = await story.log(caller)
    assert await story.stream(caller) == stream
    assert only(log, CallbackDialled).attempt == 1
    only(log, CallbackReached)
    prompts = [e.prompt for e in log if isinstance(e, AgentSpoke)]
    assert prompts[prompts.index("about_callback") + 1] == "what"


async def test_who_does_not_pick_up_is_called_again_later(
    story: Story, desks: tuple[Desk, Desk], home: Desk
) -> None:
    caller = await who_is_promised_a_call(story, desks)
    await home.refuses(486)
    log = await story.until(caller, CallbackMissed)
    assert only(log, CallbackMissed).outcome == "busy"
    assert len((await story.state(caller, lambda s: True, "")).callbacks) == 1


async def test_a_machine_that_picks_up_presses_no_key(
    story: Story, desks: tuple[Desk, Desk], home: Desk
) -> None:
    caller = await who_is_promised_a_call(story, desks)
    await home.picks_up()
    await home.until_ended(PATIENCE)
    log = await story.until(caller, CallbackMissed)
    assert only(log, CallbackMissed).outcome == "silent"
