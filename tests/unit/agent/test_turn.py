"""A conversation turn by turn, on the phone and by text, under the example bundle."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ari_app.agent.turn import Agent, Heard, Turn
from ari_app.conversation.events import (
    CallAnswered,
    CallerSilent,
    CallerSpoke,
    CallReceived,
    ChoiceMade,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    Event,
    HandoffRecorded,
    HearingLost,
    KeyPressed,
    TextPromised,
    TextReceived,
)
from ari_app.conversation.state import Conversation, apply, fold
from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.understanding.intents import Intents
from tests.support.bundle import demo_bundle, demo_intents, demo_text
from tests.support.clock import NOON, SECOND, FakeClock
from tests.support.events import in_a_stream

CALLER = "+12025550123"
TIMES = (
    "Monday 30 November at 9:00",
    "Tuesday 1 December at 14:30",
    "Thursday 3 December at 11:15",
)


class Talk:
    """One conversation; what is heard goes into its stream, then the agent takes its turn."""

    def __init__(self, number: str | None = CALLER, *, bundle: Bundle | None = None) -> None:
        self.bind_up = True
        self.clock = FakeClock()
        self.agent = Agent(
            bundle or demo_bundle(), demo_intents(), self.clock, lambda: self.bind_up, 900.0
        )
        opened = ConversationOpened(channel="voice", did="100", language="en", number=number)
        received = CallReceived(call="c", channel="SIP/1", did="100")
        self.events: list[Event] = [opened, received, CallAnswered(call="c")]
        self.events.append(self.agent.open_question())

    @property
    def state(self) -> Conversation:
        return fold(in_a_stream(self.events))

    def says(self, text: str, confidence: float = 0.9) -> Turn:
        spoke = CallerSpoke(call="c", text=text, words=(), confidence=confidence, endpoint_ms=0)
        return self._turn(spoke, Heard("voice", "speech", text, confidence))

    def presses(self, key: str) -> Turn:
        return self._turn(KeyPressed(call="c", key=key), Heard("voice", "key", key))

    def is_silent(self) -> Turn:
        return self._turn(CallerSilent(call="c"), Heard("voice", "silence"))

    def loses_hearing(self) -> Turn:
        return self._turn(HearingLost(call="c"), Heard("voice", "hearing_lost"))

    def writes(self, body: str) -> Turn:
        received = TextReceived(carrier="main", recipient="1", sender=CALLER, body=body)
        return self._turn(received, Heard("sms", "text", body))

    def is_asked(self, question: str, topic: str | None = None) -> None:
        """As if the dialogue had come to this question."""
        open_question = self.agent.open_question()
        changed = {f: getattr(open_question, f) for f in open_question.__slots__}
        self.events.append(type(open_question)(**{**changed, "topic": topic, "question": question}))

    def _turn(self, happened: Event, heard: Heard) -> Turn:
        self.events.append(happened)
        turn = self.agent.take_turn("conv_1", self.state, heard)
        self.events.extend(turn.events)
        return turn


def prompts(turn: Turn) -> list[str]:
    return [said.prompt for said in turn.speech]


def only(kind: type[Any], turn: Turn) -> Any:
    (found,) = [e for e in turn.events if isinstance(e, kind)]
    return found


def texts(turn: Turn) -> list[str]:
    return [str(e.payload["body"]) for e in turn.effects if e.kind == "sms"]


# -- on the phone -----------------------------------------------------------------------------


def test_a_call_begins_with_who_is_speaking_and_a_question() -> None:
    talk = Talk()
    disclosure, question = talk.agent.greeting()
    assert "automated assistant of Harbour Clinic" in disclosure.text
    assert question.text == "How can I help you?"
    assert talk.state.question == "how_can_i_help"


def test_a_caller_moves_an_appointment_to_text_without_repeating_a_word() -> None:
    talk = Talk()
    asked = talk.says("hi i would like to reschedule my appointment")
    assert prompts(asked) == ["how_reschedule"]
    assert (asked.decision.topic, asked.question, asked.profile) == (
        "reschedule",
        "how_reschedule",
        "open",
    )

    offered = talk.says("can you text me the times")
    assert prompts(offered) == ["offer_reschedule"]
    assert offered.profile == "yes_no"
    assert not offered.effects

    promised = talk.says("yes please")
    assert prompts(promised) == ["promised"]
    assert promised.end
    assert [e.kind for e in promised.effects] == ["sms"]
    assert all(time in texts(promised)[0] for time in TIMES)
    assert talk.state.question == "reply_reschedule"
    assert talk.state.consent == {"texts": True}

    chosen = talk.writes("2")
    assert only(ChoiceMade, chosen) == ChoiceMade(
        question="reply_reschedule", choice="2", value=TIMES[1]
    )
    assert texts(chosen) == [f"Harbour Clinic: your appointment is now {TIMES[1]}. See you then!"]
    assert only(HandoffRecorded, chosen).record["outcome"] == "rescheduled"


def test_every_decision_says_why_and_by_what() -> None:
    decision = Talk().says("when do you open on monday").decision
    assert decision.bundle == demo_bundle().hash
    assert (decision.rule, decision.reason) == ("hours", "the caller asked for the opening hours")
    assert decision.actions == ("topic hours", "ask how_hours")
    assert decision.inputs["heard"] == 0.9
    assert decision.intent == "hours"
    assert len(decision.alternatives) == 3


def test_consent_keeps_what_was_agreed_to_and_how() -> None:
    talk = Talk()
    talk.is_asked("offer_hours", "hours")
    given = only(ConsentGiven, talk.says("yes please", 0.77))
    assert given == ConsentGiven(
        purpose="texts",
        channel="voice",
        how="speech",
        confidence=0.77,
        wording=f"{demo_bundle().hash}/offer_hours",
    )


def test_consent_by_key_says_so() -> None:
    talk = Talk()
    talk.is_asked("offer_hours", "hours")
    given = only(ConsentGiven, talk.presses("1"))
    assert (given.how, given.confidence) == ("key", 1.0)


def test_a_no_to_one_offer_is_no_refusal_of_all_texts_and_the_call_goes_on() -> None:
    talk = Talk()
    talk.is_asked("offer_hours", "hours")
    turn = talk.says("no thanks")
    assert prompts(turn) == ["not_texting", "anything_else"]
    assert talk.state.consent == {}
    assert not turn.effects


def test_who_wants_no_texts_at_all_is_recorded_with_how_it_was_said() -> None:
    talk = Talk()
    turn = talk.says("do not text me")
    refused = only(ConsentRefused, turn)
    assert (refused.purpose, refused.channel, refused.how) == ("texts", "voice", "speech")
    assert prompts(turn) == ["no_more_texts", "anything_else"]
    assert talk.state.consent == {"texts": False}
    assert not turn.effects


def test_the_promise_and_its_reminder_have_the_same_id() -> None:
    talk = Talk()
    talk.is_asked("offer_hours", "hours")
    turn = talk.presses("1")
    (effect,), (timer,) = turn.effects, turn.timers
    assert effect.id == only(TextPromised, turn).message
    assert effect.due == NOON
    assert (timer.id, timer.stream, timer.due) == (
        f"receipt:{effect.id}",
        "conv_1",
        NOON + 900 * SECOND,
    )


def test_what_was_not_heard_well_is_asked_again_in_other_words_then_goes_to_people() -> None:
    talk = Talk()
    first = talk.says("yes please", 0.4)
    assert prompts(first) == ["did_not_hear", "how_can_i_help"]
    assert first.speech[1].text != talk.agent.greeting()[1].text
    second = talk.says("yes please", 0.59)
    assert prompts(second) == ["did_not_hear", "how_can_i_help"]
    assert second.speech[0].text != first.speech[0].text
    assert talk.says("yes please", 0.59).people == "not heard"


def test_confidence_just_below_the_threshold_is_not_rounded_up() -> None:
    talk = Talk()
    talk.is_asked("offer_hours", "hours")
    assert prompts(talk.says("yes please", 0.5999)) == ["did_not_hear", "offer_hours"]


def test_what_means_nothing_ends_with_a_person_after_three_turns() -> None:
    talk = Talk()
    for _ in range(2):
        assert prompts(talk.says("who painted the mona lisa"))[0] == "not_understood"
    turn = talk.says("who painted the mona lisa")
    assert turn.people == "not understood"
    assert prompts(turn) == ["connecting"]


def test_silence_ends_with_a_person_too() -> None:
    talk = Talk()
    first, second = talk.is_silent(), talk.is_silent()
    assert prompts(first) == prompts(second) == ["still_there", "how_can_i_help"]
    assert first.speech[0].text != second.speech[0].text
    assert talk.is_silent().people == "silent caller"


def test_who_is_silent_and_misheard_in_turn_reaches_a_person() -> None:
    talk = Talk()
    for _ in range(5):
        if talk.is_silent().people or talk.says("mumble", 0.1).people:
            return
    pytest.fail("nobody came")


def test_a_caller_who_cannot_be_heard_uses_the_keys() -> None:
    talk = Talk()
    assert prompts(talk.loses_hearing()) == ["by_keys", "how_can_i_help"]
    assert prompts(talk.presses("1")) == ["how_hours"]
    assert prompts(talk.presses("1")) == ["offer_hours"]
    assert texts(talk.presses("1"))[0].startswith("Harbour Clinic is open")


SPOKEN = sorted(
    name for name, q in demo_bundle().questions.items() if q.prompt in demo_bundle().prompts
)
TOPIC_OF = {name: name.partition("_")[2] for name in SPOKEN if name.startswith(("how_", "offer_"))}


@pytest.mark.parametrize("bind_up", [True, False])
@pytest.mark.parametrize("key", ["1", "2", "0", "9"])
@pytest.mark.parametrize("question", [q for q in SPOKEN if not demo_bundle().questions[q].code])
def test_every_key_of_the_menu_leads_somewhere(question: str, key: str, bind_up: bool) -> None:
    talk = Talk()
    talk.bind_up = bind_up
    topic = TOPIC_OF.get(question)
    talk.is_asked(question, topic if topic in demo_bundle().topics else None)
    assert not talk.presses(key).decision.rule.startswith("not_understood")


@pytest.mark.parametrize(("key", "question"), [("1", "how_hours"), ("2", "how_reschedule")])
def test_the_menu_of_the_first_question_stays_what_it_says(key: str, question: str) -> None:
    for topic in (None, "balance"):
        talk = Talk()
        talk.is_asked("how_can_i_help", topic)
        assert prompts(talk.presses(key)) == [question]


@pytest.mark.parametrize("key", ["3", "*", "#", "D"])
def test_a_key_that_means_nothing_is_not_understood(key: str) -> None:
    assert Talk().presses(key).decision.rule == "not_understood"


def test_a_person_is_always_one_word_away() -> None:
    for question in SPOKEN:
        talk = Talk()
        talk.is_asked(question, TOPIC_OF.get(question))
        turn = talk.says("i want to speak to someone")
        assert turn.people == "asked for a person"


def test_a_caller_without_a_number_is_never_promised_a_text() -> None:
    talk = Talk(number=None)
    talk.says("when are you open")
    turn = talk.says("yes please")
    assert prompts(turn) == ["cannot_text", "connecting"]
    assert turn.people == "text not possible"


@pytest.mark.parametrize("question", SPOKEN)
def test_nobody_is_offered_a_text_while_none_can_leave(question: str) -> None:
    talk = Talk()
    talk.bind_up = False
    topic = TOPIC_OF.get(question)
    talk.is_asked(question, topic if topic in demo_bundle().topics else None)
    assert prompts(talk.says("can you text me")) == ["cannot_text", "connecting"]


# -- the hand-off record ----------------------------------------------------------------------


def test_a_call_for_people_takes_its_context_along() -> None:
    talk = Talk()
    talk.says("hi i would like to reschedule my appointment")
    turn = talk.says("let me talk to a real person")
    record = only(HandoffRecorded, turn).record
    (effect,) = turn.effects
    assert effect.kind == "handoff"
    assert effect.id == record["handoff"] == only(HandoffRecorded, turn).handoff
    assert effect.payload == record
    assert (record["schema"], record["version"]) == ("segue.handoff", 1)
    assert (record["conversation"], record["at"]) == ("conv_1", NOON)
    assert (record["outcome"], record["reason"]) == ("to people", "asked for a person")
    assert record["caller"] == {"number": CALLER, "did": "100", "language": "en"}
    assert record["topic"] == "reschedule"
    assert record["priority"] == "high"
    assert record["last_words"] == "let me talk to a real person"
    assert record["next"] == ["greet by the topic", "do not ask again what the turns say"]
    assert json.loads(json.dumps(record)) == record


def test_the_record_of_a_choice_names_it_and_the_texts_that_were_promised() -> None:
    talk = Talk()
    talk.is_asked("offer_reschedule", "reschedule")
    promised = only(TextPromised, talk.says("yes please")).message
    turn = talk.writes("the third one")
    record = only(HandoffRecorded, turn).record
    confirmed = only(TextPromised, turn).message
    assert record["slots"] == [{"name": "reply_reschedule", "value": "3", "confidence": 1.0}]
    assert [c["message"] for c in record["commitments"]] == [promised, confirmed]
    assert record["consent"] == {"texts": True}
    assert record["next"] == ["enter the choice"]
    assert record["priority"] == "normal"
    # The record points at everything before itself.
    assert record["transcript"]["up_to"] == len(talk.events) - 1
    assert record["transcript"]["turns"] == 2


def test_the_end_of_a_call_can_be_handed_off_too() -> None:
    talk = Talk()
    recorded, effect = talk.agent.hand_off("conv_1", talk.state, "text promised", "done")
    assert recorded.record == effect.payload
    assert recorded.record["last_words"] == ""
    assert recorded.record["transcript"]["up_to"] == talk.state.sequence


# -- by text ----------------------------------------------------------------------------------


def texted(question: str | None = "reply_reschedule") -> Talk:
    """After a call that ended with a text."""
    talk = Talk()
    talk.is_asked("offer_reschedule", "reschedule")
    talk.presses("1")
    if question is not None and question != "reply_reschedule":
        talk.is_asked(question, "hours")
    return talk


def test_an_answer_that_names_nothing_is_asked_again_once_then_read_by_a_person() -> None:
    talk = texted()
    assert "which one?" in texts(talk.writes("hm let me see"))[0]
    turn = talk.writes("my cat is ill")
    assert "will get back to you" in texts(turn)[0]
    assert only(HandoffRecorded, turn).record["outcome"] == "wants a person"


def test_a_second_try_after_being_asked_again_counts() -> None:
    talk = texted()
    talk.writes("hm let me see")
    assert only(ChoiceMade, talk.writes("1 please")).choice == "1"


def test_another_wish_by_text_is_understood_as_on_the_phone() -> None:
    talk = texted()
    assert texts(talk.writes("when are you open?"))[0].startswith("Harbour Clinic is open")
    assert "14 Station Road" in texts(talk.writes("1"))[0]
    assert only(HandoffRecorded, talk.writes("2")).record["outcome"] == "wants a person"


def test_thanks_need_no_answer() -> None:
    turn = texted().writes("Thank you, goodbye")
    assert not turn.effects
    assert turn.decision.rule == "sms_thanks"


@pytest.mark.parametrize("body", ["STOP", "stop", " Stop. ", "UNSUBSCRIBE", "no more texts please"])
def test_stop_is_honoured_and_confirmed_once(body: str) -> None:
    talk = texted()
    turn = talk.writes(body)
    refused = only(ConsentRefused, turn)
    assert (refused.purpose, refused.channel, refused.how) == ("texts", "sms", "text")
    (effect,) = turn.effects
    assert effect.payload["despite_refusal"] is True
    assert effect.payload["body"] == "Harbour Clinic: you will get no more texts from us."


def test_after_stop_nothing_is_promised_that_could_leave() -> None:
    talk = texted()
    talk.writes("STOP")
    for body in ("2", "when are you open", "hello?", "STOP"):
        turn = talk.writes(body)
        assert talk.state.consent == {"texts": False}
        assert not [e for e in turn.effects if e.payload.get("despite_refusal")], body


def test_a_text_from_a_sender_that_cannot_be_answered_still_reaches_a_person() -> None:
    talk = Talk(number=None)
    turn = talk.writes("hello")
    assert [e.kind for e in turn.effects] == ["handoff"]


# -- bundles change ---------------------------------------------------------------------------


def test_a_question_of_a_former_bundle_is_not_open_any_more() -> None:
    for question in ("asked_last_year", "reply_reschedule_v1"):
        talk = texted(None)
        talk.is_asked(question, "fax")
        turn = talk.writes("2")
        assert turn.decision.inputs["question"] is None
        assert turn.decision.topic is None
        assert "will get back to you" in texts(turn)[0]


def test_a_question_that_only_a_text_asks_is_never_met_with_silence_on_the_phone() -> None:
    talk = Talk()
    talk.is_asked("reply_reschedule", "reschedule")
    turn = talk.is_silent()
    assert prompts(turn) == ["still_there", "how_can_i_help"]


def test_an_agent_speaks_by_its_own_bundle() -> None:
    text = demo_text().replace("brand: Harbour Clinic", "brand: Hill Clinic")
    bundle = read_bundle(text)
    agent = Agent(bundle, Intents(bundle.intents), FakeClock(), lambda: True)
    assert agent.bundle is bundle
    assert "Hill Clinic" in agent.greeting()[0].text


def test_taking_a_turn_writes_nothing() -> None:
    talk = Talk()
    state = talk.state
    agent, heard = talk.agent, Heard("voice", "speech", "when are you open", 0.9)
    first = agent.take_turn("conv_1", state, heard)
    assert agent.take_turn("conv_1", state, heard) == first
    assert apply(state, first.decision) != state
    assert talk.state == state
