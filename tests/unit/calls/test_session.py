"""One call from the first ring to the hand-off record, whatever becomes of its parts."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import (
    AgentSpoke,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    HandoffRecorded,
    HearingLost,
    PromptInterrupted,
    TextPromised,
)
from ari_app.ports import Exit
from tests.unit.calls.call_story import CALLER, CHANNEL, CallStory, kinds


async def a_whole_call(story: CallStory) -> None:
    """By words, from the first ring to the goodbye."""
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    story.says("yes please")
    await story.hears_out("promised")


async def test_a_call_leads_to_a_text(story: CallStory) -> None:
    await a_whole_call(story)
    await story.is_over()
    log = await story.log()
    assert kinds(log) == [
        *("ConversationOpened", "CallReceived", "CallAnswered", "DecisionMade"),
        "DisclosurePlayed",
        *("CallerSpoke", "DecisionMade", "AgentSpoke"),
        *("CallerSpoke", "DecisionMade", "ConsentGiven", "TextPromised", "AgentSpoke"),
        *("CallLeft", "CallEnded", "HandoffRecorded"),
    ]
    (promised,) = [e for e in log if isinstance(e, TextPromised)]
    assert (promised.to, promised.template) == (CALLER, "hours")
    assert [r[0] for r in story.telephone.requests] == [
        *("mark", "answer", "connect_media"),
        *("trunk_audio", "release", "leave"),
    ]
    exit, variables = story.telephone.left[CHANNEL]
    assert exit is Exit.DONE
    assert variables["SEGUE_CONVERSATION"].startswith("conv_")
    await story.no_task_is_left()


async def test_the_dialplan_learns_no_word_of_the_caller(story: CallStory) -> None:
    await a_whole_call(story)
    await story.is_over()
    _, variables = story.telephone.left[CHANNEL]
    assert set(variables) == {"SEGUE_CONVERSATION", "SEGUE_BRIEF"}
    assert variables["SEGUE_BRIEF"] == "hours offer_accepted"
    assert CALLER not in str(variables)


# -- the caller hangs up ----------------------------------------------------------------------

PORT_CALLS = 27  # of a whole call


async def test_a_whole_call_asks_its_ports_so_often(story: CallStory) -> None:
    await a_whole_call(story)
    await story.is_over()
    assert len(story.gates.passed) == PORT_CALLS


@pytest.mark.parametrize("nth", range(1, PORT_CALLS + 1))
async def test_a_caller_may_hang_up_at_any_moment(story: CallStory, nth: int) -> None:
    story.gates.at(nth, story.hangs_up)
    await story.is_over(meanwhile=a_whole_call(story))

    assert len(story.gates.passed) >= nth
    assert story.nothing_is_left_open()
    assert "release" in [r[0] for r in story.telephone.requests]
    log = await story.log()
    assert kinds(log).count("CallEnded") == 1
    assert kinds(log).count("HandoffRecorded") == 1
    await story.no_task_is_left()


async def test_a_caller_who_hangs_up_is_not_given_to_anybody(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.hangs_up()
    await story.is_over()
    assert CHANNEL not in story.telephone.left
    log = await story.log()
    assert CallLeft not in map(type, log)
    (ended,) = [e for e in log if isinstance(e, CallEnded)]
    assert ended.cause == "hangup"


async def test_a_disclosure_that_was_cut_short_is_not_called_heard(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.hangs_up()
    await story.is_over()
    assert DisclosurePlayed not in map(type, await story.log())


# -- what is heard ----------------------------------------------------------------------------


async def test_words_over_a_prompt_stop_it_and_are_answered(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure")
    await story.hears("what")
    story.says("what are your opening hours")
    await story.hears("offer_hours")
    (cut,) = [e for e in await story.log() if isinstance(e, PromptInterrupted)]
    assert (cut.prompt, cut.after_ms) == ("what", 120)


async def test_a_noise_stops_no_prompt(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure")
    await story.hears("what")
    story.speaks()
    story.pauses()
    await story.hears_out("what")
    assert PromptInterrupted not in map(type, await story.log())


async def test_words_said_during_the_disclosure_are_answered_after_it(story: CallStory) -> None:
    story.rings()
    await story.hears("disclosure")
    story.says("what are your opening hours")
    await story.hears_out("disclosure")
    await story.hears_out("what")
    await story.hears("offer_hours")
    assert DisclosurePlayed in map(type, await story.log())


@pytest.mark.parametrize("confidence", [0.0, 0.3, 0.59])
async def test_words_that_are_heard_badly_never_lead_to_a_text(
    story: CallStory, confidence: float
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    for again in (0, 1):
        story.says("yes please", confidence)
        await story.hears_out("did_not_hear")
        await story.hears_out("offer_hours", again=again + 1)
    story.says("yes please", confidence)
    await story.hears_out("connecting")
    await story.is_over()
    assert TextPromised not in map(type, await story.log())
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF


async def test_silence_is_asked_about_twice_and_then_people_take_over(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    for again in (1, 2):
        story.is_silent()
        await story.hears_out("still_there", again=again - 1)
        await story.hears_out("what", again=again)
    story.is_silent()
    await story.hears_out("connecting")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF
    log = await story.log()
    assert kinds(log).count("CallerSilent") == 3
    assert kinds(log).count("HandoffRecorded") == 1


async def test_an_answer_to_silence_is_not_timed_as_an_answer_to_speech(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.pauses()  # a cough
    await story.eventually(lambda: "recogniser.finish" in story.gates.passed)
    story.is_silent()
    await story.hears("still_there")
    await story.logged("AgentSpoke")
    spoke = [e for e in await story.log() if isinstance(e, AgentSpoke)]
    assert [(e.prompt, e.answer_ms) for e in spoke] == [("still_there", None), ("what", None)]


async def test_an_anonymous_caller_is_not_offered_a_text(story: CallStory) -> None:
    story.rings(caller="")
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears_out("cannot_text", "connecting")
    await story.is_over()
    log = await story.log()
    assert TextPromised not in map(type, log)
    (opened,) = [e for e in log if isinstance(e, ConversationOpened)]
    assert opened.number is None


async def test_without_a_carrier_no_text_is_offered(story: CallStory) -> None:
    story.carrier_up = False
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("cannot_text", "connecting")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF


# -- signals that come at the same time -------------------------------------------------------


async def test_words_that_end_with_a_key_do_not_revive_a_call_that_is_over(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("1")
    story.says("yes please")
    await story.logged("CallerSpoke")
    await story.hears_out("promised")
    await story.is_over()
    log = await story.log()
    assert kinds(log).count("TextPromised") == 1
    assert "yes please" in [e.text for e in log if isinstance(e, CallerSpoke)]
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_silence_that_ends_with_a_key_does_not_revive_a_call_that_is_over(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    await story.logged("DisclosurePlayed")
    asked = len(story.gates.passed) + 4
    story.gates.at(asked, story.gates.close)  # the session is busy with its log
    story.presses("1")
    await story.eventually(lambda: len(story.gates.passed) == asked)
    await story.hears_out("offer_hours")
    story.presses("1")
    story.is_silent()
    await story.a_tick_passes()
    story.gates.open()
    await story.hears_out("promised")
    await story.is_over()
    assert CallerSilent not in map(type, await story.log())
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_a_key_that_nobody_waits_for_any_more_changes_nothing(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("1")
    await story.hears("promised")
    story.presses("2")
    await story.hears_out("promised")
    await story.is_over()
    assert ConsentRefused not in map(type, await story.log())


async def test_a_decision_is_made_again_when_somebody_else_was_faster(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    story.store.faster = [ConsentRefused(purpose="texts", channel="sms", how="text")]
    story.says("yes please")
    await story.hears_out("promised")
    await story.is_over()
    log = await story.log()
    (decided,) = [e for e in log if isinstance(e, DecisionMade) and e.rule == "offer_accepted"]
    assert decided.inputs["consent"] == "refused"  # it saw what had come in between
    assert kinds(log).count("TextPromised") == 1
    assert kinds(log).count("ConsentGiven") == 1


# -- hearing is lost --------------------------------------------------------------------------


async def by_keys_to_the_end(story: CallStory) -> None:
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("1")
    await story.hears_out("promised")
    await story.is_over()
    log = await story.log()
    (given,) = [e for e in log if isinstance(e, ConsentGiven)]
    assert given.how == "key"
    assert kinds(log).count("TextPromised") == 1
    assert kinds(log).count("HearingLost") == 1
    assert story.nothing_is_left_open()


async def test_a_call_that_loses_its_recogniser_goes_on_by_keys(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.hearing_is_lost()
    await story.hears_out("by_keys", "what")
    await by_keys_to_the_end(story)


async def test_a_recogniser_that_is_lost_with_the_callers_words_is_told_once(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.recognisers.opened[0].dead = True
    story.pauses()
    await story.eventually(lambda: "recogniser.finish" in story.gates.passed)
    story.hearing_is_lost()
    await story.hears_out("by_keys", "what")
    await by_keys_to_the_end(story)


async def test_a_call_without_a_recogniser_discloses_first_and_goes_on_by_keys(
    story: CallStory,
) -> None:
    story.recognisers.none_alive = True
    story.rings()
    await story.hears_out("disclosure", "by_keys", "what")
    await story.logged("DisclosurePlayed")
    await by_keys_to_the_end(story)


async def test_hearing_that_is_lost_during_the_disclosure_does_not_cut_it(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears("disclosure")
    story.hearing_is_lost()
    await story.logged("HearingLost")
    await story.hears_out("disclosure", "by_keys", "what")
    assert DisclosurePlayed in map(type, await story.log())
    await by_keys_to_the_end(story)


async def test_hearing_that_is_lost_during_the_goodbye_does_not_revive_the_call(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("1")
    await story.hears("promised")
    story.hearing_is_lost()
    await story.logged("HearingLost")
    await story.hears_out("promised")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    assert HearingLost in map(type, await story.log())


async def test_hearing_that_is_lost_with_the_end_of_the_goodbye_does_not_revive_the_call(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    await story.logged("AgentSpoke")
    before = len(story.gates.passed)
    story.presses("1")
    await story.eventually(lambda: len(story.gates.passed) == before + 4)
    story.gates.at(before + 5, story.gates.close)  # while the loss is being written
    story.hearing_is_lost()
    await story.eventually(lambda: story.gates.closed)
    await story.hears_out("promised")
    story.gates.open()
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_a_caller_who_spoke_when_hearing_was_lost_and_has_no_keys_meets_people(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    story.hearing_is_lost()
    await story.hears_out("by_keys", "what")
    for again in (0, 1):
        story.is_silent()
        await story.hears_out("still_there", again=again)
        await story.hears_out("what", again=again + 1)
    story.is_silent()
    await story.hears_out("connecting")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF


# -- other parts fail -------------------------------------------------------------------------


async def assert_the_dialplan_takes_over(story: CallStory) -> None:
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert story.nothing_is_left_open()
    await story.no_task_is_left()


async def test_without_a_voice_the_dialplan_takes_over(story: CallStory) -> None:
    story.voice.speechless.add(story.bundle.prompt("disclosure"))
    story.rings()
    await assert_the_dialplan_takes_over(story)
    assert kinds(await story.log())[-3:] == ["CallLeft", "CallEnded", "HandoffRecorded"]


async def test_a_goodbye_that_cannot_be_spoken_is_left_to_the_dialplan(story: CallStory) -> None:
    story.voice.speechless.add(story.bundle.prompt("promised"))
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("1")
    await assert_the_dialplan_takes_over(story)
    log = await story.log()
    (record,) = [e for e in log if isinstance(e, HandoffRecorded)]
    assert record.record["outcome"] == "text promised"


async def test_people_are_reached_also_when_it_cannot_be_said(story: CallStory) -> None:
    story.voice.speechless.add(story.bundle.prompt("connecting"))
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("0")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.HANDOFF
    assert kinds(await story.log()).count("HandoffRecorded") == 1


@pytest.mark.parametrize("request_", ["answer", "connect_media"])
async def test_what_asterisk_refuses_ends_in_the_dialplan(story: CallStory, request_: str) -> None:
    story.telephone.refuses.add(request_)
    story.rings()
    await assert_the_dialplan_takes_over(story)


async def test_a_call_that_cannot_be_given_back_is_over_all_the_same(story: CallStory) -> None:
    story.telephone.refuses |= {"answer", "leave"}
    story.rings()
    await story.is_over()
    assert story.nothing_is_left_open()
    assert "CallEnded" in kinds(await story.log())


async def test_without_a_port_for_its_audio_a_call_ends_in_the_dialplan(story: CallStory) -> None:
    story.lines.none_free = True
    story.rings()
    await assert_the_dialplan_takes_over(story)
    assert "answer" not in [r[0] for r in story.telephone.requests]


async def test_a_store_that_breaks_sends_a_new_call_to_the_dialplan(story: CallStory) -> None:
    story.store.broken = True
    story.rings()
    await assert_the_dialplan_takes_over(story)


async def test_a_store_that_breaks_sends_a_running_call_to_the_dialplan(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.store.broken = True
    story.says("what are your opening hours")
    await assert_the_dialplan_takes_over(story)


async def test_a_call_that_loses_its_sense_of_time_goes_to_the_dialplan(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.detectors[0].broken = True
    await assert_the_dialplan_takes_over(story)


# -- hearing comes back -----------------------------------------------------------------------


async def test_a_caller_is_heard_again_when_there_is_a_recogniser_again(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.hearing_is_lost()
    await story.hears_out("by_keys", "what")
    await story.logged("HearingBack")
    story.says("what are your opening hours", recogniser=1)
    await story.hears_out("offer_hours")
    story.says("yes please", recogniser=1)
    await story.hears_out("promised")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE
    assert [r.closed for r in story.recognisers.opened] == [True, True]


# -- nothing comes from the phone -------------------------------------------------------------


async def test_a_caller_from_whom_nothing_comes_is_told_of_keys_and_then_meets_people(
    story: CallStory,
) -> None:
    story.rings()
    await story.hears("disclosure")
    story.lines.opened[0].sink.no_audio(story.clock.monotonic())
    await story.logged("AudioMissing")
    await story.hears_out("disclosure", "by_keys", "what")
    story.clock.advance(10.0)
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    log = await story.log()
    (left,) = [e for e in log if isinstance(e, CallLeft)]
    assert left.reason == "no audio comes from the phone"


async def test_a_caller_whose_audio_comes_late_is_heard(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.lines.opened[0].sink.no_audio(story.clock.monotonic())
    await story.hears_out("by_keys", "what")
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    await story.logged("HearingBack")
    story.clock.advance(5.0)
    story.says("yes please")
    await story.hears_out("promised")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


async def test_a_caller_who_presses_keys_without_audio_is_not_sent_away(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.lines.opened[0].sink.no_audio(story.clock.monotonic())
    await story.hears_out("by_keys", "what")
    story.presses("1")
    await story.hears("offer_hours")
    story.clock.advance(11.0)
    story.hears_the_end()
    await story.a_tick_passes()
    story.presses("1")
    await story.hears_out("promised")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.DONE


# -- the media leg ----------------------------------------------------------------------------


async def test_a_call_that_loses_its_leg_gets_another_and_asks_again(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    (call,) = story.calls.live
    story.calls.media_gone(call)
    await story.hears_out("what")
    assert [r[0] for r in story.telephone.requests].count("connect_media") == 2
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")


async def test_a_call_that_loses_leg_after_leg_goes_to_people(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    (call,) = story.calls.live
    for _ in range(4):
        story.calls.media_gone(call)
    story.calls.media_gone("call_of_nobody")
    await story.is_over()
    assert story.telephone.left[CHANNEL][0] is Exit.ERROR
    assert story.nothing_is_left_open()
