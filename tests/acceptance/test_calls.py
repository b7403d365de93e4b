"""Whole calls on real parts, told from the caller's side."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import (
    CallEnded,
    CallerSpoke,
    ChoiceMade,
    ConsentGiven,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    IdentityProved,
    KeyPressed,
    PromptInterrupted,
    TextPromised,
)
from tests.support.callers import Story, kinds, only, together

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

HOURS = "Quay is open from 8 to 6. Reply 2 for a person."
TIMES = "Quay: 1) Monday at 9 2) Tuesday at 2. Reply 1 or 2."


async def test_a_call_becomes_a_text_whose_reply_is_answered(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.says("i would like to reschedule my appointment")
    await caller.hears("offer_reschedule")
    await caller.says("yes please")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert await story.texts(caller) == [TIMES]

    await caller.writes("2")
    assert await story.texts(caller, 2) == [TIMES, "Quay: it is now Tuesday at 2."]

    log = await story.log(caller)
    assert [kind for kind in kinds(log) if kind != "HandoffAcknowledged"] == [
        *("ConversationOpened", "CallReceived", "CallAnswered", "DecisionMade"),
        "DisclosurePlayed",
        *("CallerSpoke", "DecisionMade", "AgentSpoke"),
        *("CallerSpoke", "DecisionMade", "ConsentGiven", "TextPromised", "AgentSpoke"),
        *("TextSubmitted", "ReceiptReceived"),
        *("CallLeft", "CallEnded", "HandoffRecorded"),
        *("TextReceived", "DecisionMade", "ChoiceMade", "TextPromised", "HandoffRecorded"),
        *("TextSubmitted", "ReceiptReceived"),
    ]
    consent = only(log, ConsentGiven)
    assert (consent.purpose, consent.channel, consent.how) == ("texts", "voice", "speech")
    assert only(log, ChoiceMade).value == "Tuesday at 2"
    after_the_call, after_the_reply = story.records(log)
    assert after_the_call["outcome"] == "text promised"
    assert after_the_reply["outcome"] == "rescheduled"
    assert after_the_reply["slots"][0]["value"] == "2"
    assert await story.house.conversations_of(caller.number) == 1


async def test_the_first_that_a_caller_hears_is_who_is_speaking(story: Story) -> None:
    caller = await story.caller_at("what")
    before, _, _ = caller.sound().partition(await story.house.prompt("disclosure"))
    assert set(before) <= {0xFF}  # silence
    await caller.hangs_up()
    log = await story.log(caller)
    assert only(log, DisclosurePlayed).wording == story.house.bundle.hash


async def test_other_words_in_another_voice_are_understood(story: Story) -> None:
    caller = await story.caller_at("what", variant="m4")
    await caller.says("when are you open")
    await caller.hears("offer_hours")
    await caller.says("okay")
    await caller.hears("promised")
    assert await story.texts(caller) == [HOURS]


async def test_a_caller_who_says_nothing_can_do_it_all_by_keys(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.presses("2")
    await caller.hears("offer_reschedule")
    await caller.presses("1")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert await story.texts(caller) == [TIMES]
    log = await story.log(caller)
    assert CallerSpoke not in map(type, log)
    assert only(log, ConsentGiven).how == "key"


async def test_keys_that_are_only_tones_in_the_audio_count_as_well(story: Story) -> None:
    caller = await story.caller(telephone_events=False)
    await caller.dials()
    await caller.hears("what")
    await story.agrees_to_a_text(caller)
    assert await story.texts(caller) == [HOURS]
    log = await story.log(caller)
    assert [e.key for e in log if isinstance(e, KeyPressed)] == ["1", "1"]
    assert CallerSpoke not in map(type, log)


async def test_a_caller_proves_once_who_they_are_by_the_keys_of_a_texted_code(
    story: Story,
) -> None:
    caller = await story.caller_at("what")
    await caller.presses("5")
    await caller.hears("code")
    (text,) = await story.texts(caller)
    code = text.removeprefix("Quay: ")
    for key in code:
        await caller.presses(key)
    await caller.hears("account")
    await caller.hangs_up()
    log = await story.log(caller)
    assert only(log, IdentityProved).how == "texted_code"
    assert code not in repr(log)

    again = await story.caller(number=caller.number)
    await again.dials()
    await again.hears("what")
    await again.presses("5")
    await again.hears("account")
    await again.hangs_up()
    assert await story.house.texts_to(caller.number) == [text]
    assert await story.house.conversations_of(caller.number) == 2


async def test_a_caller_who_refuses_gets_no_text(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.presses("1")
    await caller.hears("offer_hours")
    await caller.says("no thank you")
    await caller.hears("goodbye")
    await caller.is_hung_up()
    log = await story.log(caller)
    assert "ConsentRefused" in kinds(log)
    assert await story.house.texts_to(caller.number) == []


async def test_words_over_a_long_prompt_stop_it(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.presses("9")
    await caller.begins_to_hear("everything")
    await caller.says("what are your opening hours")
    await caller.hears("offer_hours")
    assert not await caller.has_heard_all_of("everything")
    await caller.hangs_up()
    cut = only(await story.log(caller), PromptInterrupted)
    assert cut.prompt == "everything"
    assert cut.after_ms < len(await story.house.prompt("everything")) / 8


async def test_the_disclosure_is_heard_in_full_and_words_over_it_are_answered(
    story: Story,
) -> None:
    caller = await story.caller()
    await caller.dials()
    await caller.begins_to_hear("disclosure")
    await caller.says("when are you open")
    await caller.hears("offer_hours")
    assert await caller.has_heard_all_of("disclosure")
    await caller.hangs_up()
    assert only(await story.log(caller), CallerSpoke).text == "when are you open"


async def test_a_caller_who_asks_for_a_person_meets_one(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.says("can i talk to a person")
    await caller.hears("connecting")
    stream = await story.stream(caller)
    await story.people_take_the_call("handoff", Conversation=stream)
    answered = await story.house.user_event("FakePersonAnswered", Conversation=stream)
    assert answered["Caller"] == caller.number
    assert caller.phone.up
    await caller.hangs_up()
    (record,) = story.records(await story.log(caller))
    assert (record["outcome"], record["conversation"]) == ("to people", stream)


async def test_a_caller_who_stays_silent_meets_a_person_in_the_end(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.hears("still_there")
    await caller.hears("what", again=1)
    await caller.hears("still_there")
    await caller.hears("what", again=2)
    await caller.hears("connecting")
    await story.people_take_the_call("handoff", Conversation=await story.stream(caller))
    await caller.hangs_up()
    (record,) = story.records(await story.log(caller))
    assert record["reason"] == "silent caller"


async def test_an_anonymous_caller_is_not_offered_a_text(story: Story) -> None:
    caller = await story.caller(number="")
    await caller.dials()
    await caller.hears("disclosure", "what")
    await caller.says("what are your opening hours")
    await caller.hears("cannot_text", "connecting")
    await story.people_take_the_call("handoff", Conversation=await story.stream(caller))
    await caller.hangs_up()
    log = await story.log(caller)
    assert only(log, ConversationOpened).number is None
    assert TextPromised not in map(type, log)


async def test_two_calls_at_once_do_not_mix(story: Story) -> None:
    one = await story.caller("f4")
    other = await story.caller("m4")
    await together(one.dials(), other.dials())
    await together(one.hears("disclosure", "what"), other.hears("disclosure", "what"))
    await together(
        one.says("what are your opening hours"), other.says("i need to move my appointment")
    )
    await together(one.hears("offer_hours"), other.hears("offer_reschedule"))
    await together(one.says("yes please"), other.presses("1"))
    await together(one.hears("promised"), other.hears("promised"))
    assert await story.texts(one) == [HOURS]
    assert await story.texts(other) == [TIMES]
    assert only(await story.log(one), ConsentGiven).how == "speech"
    assert only(await story.log(other), ConsentGiven).how == "key"


async def test_the_dialplan_learns_by_fastagi_that_a_caller_agreed(story: Story) -> None:
    caller = await story.caller_at("what")
    assert await story.consent_of(caller) == "unknown"
    await story.agrees_to_a_text(caller)
    assert await story.consent_of(caller) == "granted"


async def test_the_dialplan_learns_by_fastagi_that_a_caller_wants_no_more_texts(
    story: Story,
) -> None:
    caller = await story.caller_at("what")
    await story.agrees_to_a_text(caller)
    await caller.writes("stop")
    assert await story.texts(caller, 2) == [HOURS, "Quay: no more texts."]
    assert await story.consent_of(caller) == "denied"


async def test_every_packet_of_a_call_is_accounted_for(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.hangs_up()
    statistics = only(await story.log(caller), CallEnded).statistics
    assert statistics["received"] > 0
    assert statistics["sent"] >= len(caller.phone.packets)
    assert statistics["refused"] == 0


async def test_every_decision_says_why(story: Story) -> None:
    caller = await story.caller_at("what")
    await caller.says("when are you open")
    await caller.hears("offer_hours")
    await caller.hangs_up()
    greeting, decided = [e for e in await story.log(caller) if isinstance(e, DecisionMade)]
    assert greeting.rule == "greeting"
    assert (decided.rule, decided.intent, decided.inputs["can_text"]) == ("hours", "hours", True)
    assert {greeting.bundle, decided.bundle} == {story.house.bundle.hash}
