"""Many calls: who may enter, whose signal it is, and how they end together."""

from __future__ import annotations

import asyncio

from ari_app.conversation.events import CallEnded, CallerSpoke, DecisionMade
from ari_app.ports import Exit, FoundCall
from tests.unit.calls.call_story import CHANNEL, CallStory

OTHER, THIRD = "caller-2", "caller-3"


async def test_a_call_too_many_goes_to_people_unanswered(story: CallStory) -> None:
    story.rings()
    story.rings(OTHER)
    await story.hears("disclosure", line=1)
    story.rings(THIRD)
    await story.eventually(lambda: THIRD in story.telephone.left)
    assert story.telephone.left[THIRD] == (Exit.OVERLOAD, {"SEGUE_REASON": "full"})
    assert ("answer", THIRD) not in story.telephone.requests
    assert len(story.calls.live) == 2


async def test_a_call_that_ends_makes_room(story: CallStory) -> None:
    story.rings()
    story.rings(OTHER)
    await story.hears("disclosure", line=1)
    story.hangs_up()
    await story.eventually(lambda: len(story.calls.live) == 1)
    story.rings(THIRD)
    await story.hears("disclosure", line=2)


async def test_a_call_that_enters_twice_is_one_call(story: CallStory) -> None:
    story.rings()
    story.rings()
    await story.hears("disclosure")
    assert len(story.calls.live) == 1
    assert len(story.lines.opened) == 1


async def test_two_calls_do_not_mix(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.rings(OTHER, caller="+12025550124")
    await story.hears_out("disclosure", "what", line=1)
    story.says("what are your opening hours", line=0)
    story.presses("2", OTHER)
    await story.hears("offer_hours", line=0)
    await story.hears("offer_reschedule", line=1)


async def test_signals_of_channels_that_are_not_ours_are_nobodys(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.presses("0", "somebody-else")
    story.calls.caller_gone("somebody-else", "hangup")
    await story.hears_out("disclosure", "what")
    assert len(story.calls.live) == 1


# -- the link to Asterisk ---------------------------------------------------------------------


async def test_a_call_survives_a_lost_event_stream(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.calls.pbx_lost()
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    story.calls.pbx_back(frozenset({CHANNEL}), [])
    story.presses("1")
    await story.hears_out("promised")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_a_call_that_ended_unheard_ends_when_the_stream_is_back(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.calls.pbx_lost()
    story.calls.pbx_back(frozenset(), [])
    await story.is_over()
    (ended,) = [e for e in await story.log() if isinstance(e, CallEnded)]
    assert ended.cause == "lost while the event stream was down"
    assert story.nothing_is_left_open()
    assert CHANNEL not in story.telephone.left


async def test_callers_whom_nobody_serves_go_to_the_dialplan(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.calls.pbx_back(
        frozenset({CHANNEL, "stranded-1", "stranded-2"}),
        [FoundCall("stranded-1"), FoundCall("stranded-2")],
    )
    await story.eventually(lambda: len(story.telephone.left) == 2)
    assert story.telephone.left == {
        "stranded-1": (Exit.ERROR, {}),
        "stranded-2": (Exit.ERROR, {}),
    }
    assert len(story.calls.live) == 1


async def test_a_caller_who_cannot_be_given_back_costs_nobody_anything(story: CallStory) -> None:
    story.telephone.gone.add("stranded")
    story.calls.pbx_back(frozenset({"stranded"}), [FoundCall("stranded")])
    await story.eventually(lambda: ("leave", "stranded") in story.telephone.requests)
    story.rings()
    await story.hears("disclosure")


# -- the end ----------------------------------------------------------------------------------


async def test_a_service_that_stops_lets_its_calls_finish(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    stopping = asyncio.create_task(story.calls.drain(60.0))
    await asyncio.sleep(0)
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    assert not stopping.done()
    story.says("yes please")
    await story.hears_out("promised")
    await stopping
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_a_service_that_stops_takes_no_more_calls(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    stopping = asyncio.create_task(story.calls.drain(60.0))
    await asyncio.sleep(0)
    story.rings(OTHER)
    await story.eventually(lambda: OTHER in story.telephone.left)
    assert story.telephone.left[OTHER][0] is Exit.OVERLOAD
    story.hangs_up()
    await stopping


async def test_calls_that_do_not_finish_in_time_go_to_people(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    await story.calls.drain(0.0)
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert story.nothing_is_left_open()
    assert not story.calls.live


async def test_a_service_without_calls_stops_at_once(story: CallStory) -> None:
    await story.calls.drain(60.0)


async def test_a_decision_under_way_does_not_change_where_a_stopped_call_goes(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    await story.logged("AgentSpoke")
    deciding = len(story.gates.passed) + 2
    story.gates.at(deciding, story.gates.close)
    story.presses("1")  # leads to a text and a goodbye
    await story.eventually(lambda: len(story.gates.passed) == deciding)
    stopping = asyncio.create_task(story.calls.drain(0.0))
    done, _ = await asyncio.wait([stopping], timeout=0.05)
    assert not done
    story.gates.open()
    await stopping
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR


async def test_what_a_call_was_told_last_is_in_its_log(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    await story.calls.drain(0.0)
    log = await story.log()
    assert [e.text for e in log if isinstance(e, CallerSpoke)] == ["what are your opening hours"]
    assert [e.rule for e in log if isinstance(e, DecisionMade)] == ["greeting", "hours"]
