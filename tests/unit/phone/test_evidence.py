"""What the log must say of a synthetic call, and how a lack of it is put into words."""

from __future__ import annotations

from dataclasses import replace

from ari_app.agent.turn import Agent, Heard
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallReceived,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Event,
    HandoffRecorded,
    HearingLost,
    KeyPressed,
    TextPromised,
)
from ari_app.conversation.state import Conversation, apply
from ari_app.phone.evidence import exactly, is_complete, missing
from ari_app.phone.rehearsal import Expected, rehearse
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock

NUMBER, DID = "+12025550190", "+15550100"
SENTENCE = "i would like to reschedule my appointment"
AGENT = Agent(demo_bundle(), demo_intents(), FakeClock(), lambda: True)


def expected(*lines: str) -> Expected:
    return rehearse(AGENT, lines, NUMBER, DID)


def log(*heard: Event) -> list[Event]:
    """The events of a call in which this was heard, as the service writes them."""
    events: list[Event] = [
        ConversationOpened(channel="voice", did=DID, language="en", number=NUMBER),
        CallReceived(call="c", channel="1", did=DID),
        CallAnswered(call="c"),
        AGENT.open_question(),
        DisclosurePlayed(call="c", prompt="disclosure", wording="w"),
    ]
    for event in heard:
        events.append(event)
        state = Conversation()
        for earlier in events:
            state = apply(state, earlier)
        match event:
            case CallerSpoke(text=text):
                turn = AGENT.take_turn("conv_x", state, Heard("voice", "speech", text))
            case KeyPressed(key=key):
                turn = AGENT.take_turn("conv_x", state, Heard("voice", "key", key))
            case _:
                continue
        events += turn.events
        events += [AgentSpoke(call="c", prompt=s.prompt, text=s.text) for s in turn.speech]
    ended = CallEnded(call="c", cause="hangup", statistics={})
    return [*events, ended, HandoffRecorded(handoff="hand_x", route="first", record={})]


def spoke(text: str) -> CallerSpoke:
    return CallerSpoke(call="c", text=text, words=(), confidence=0.9, endpoint_ms=1)


def test_a_call_as_it_was_rehearsed_lacks_nothing() -> None:
    events = log(spoke(SENTENCE))
    assert missing(events, expected(SENTENCE), may_text=False) == []
    assert exactly(events, expected(SENTENCE))


def test_keys_are_compared_too() -> None:
    events = log(KeyPressed(call="c", key="1"))
    assert missing(events, expected("1"), may_text=False) == []
    assert missing(events, expected("2"), may_text=False) == [
        "line 1: another key, or a key instead of words, was heard"
    ]


def test_other_words_of_the_same_meaning_are_good_enough() -> None:
    events = log(spoke("i need to move my appointment"))
    assert missing(events, expected(SENTENCE), may_text=False) == []
    assert not exactly(events, expected(SENTENCE))


def test_words_of_another_meaning_are_a_fault_that_names_no_words() -> None:
    (fault,) = missing(log(spoke("where are you")), expected(SENTENCE), may_text=False)
    assert fault == "line 1: other words with another meaning were heard"


def test_a_line_that_was_not_heard_is_a_fault() -> None:
    (fault,) = missing(log(), expected(SENTENCE), may_text=False)
    assert fault == "line 1: nothing of it was heard"


def test_every_event_of_a_call_is_asked_for_by_its_name() -> None:
    for kind, name in (
        (ConversationOpened, "conversation.opened"),
        (CallReceived, "call.received"),
        (CallAnswered, "call.answered"),
        (DisclosurePlayed, "disclosure.played"),
        (CallEnded, "call.ended"),
        (HandoffRecorded, "handoff.recorded"),
    ):
        events = [event for event in log(spoke(SENTENCE)) if not isinstance(event, kind)]
        assert missing(events, expected(SENTENCE), may_text=False) == [f"no {name} event"]


def test_another_rule_or_another_prompt_is_a_fault() -> None:
    events = log(spoke(SENTENCE))
    place = next(i for i, e in enumerate(events) if isinstance(e, CallerSpoke)) + 1
    decision = events[place]
    assert isinstance(decision, DecisionMade)
    other: list[Event] = [*events]
    other[place] = replace(decision, rule="heard_badly")
    (fault,) = missing(other, expected(SENTENCE), may_text=False)
    assert fault == "line 1: the rule heard_badly decided instead of reschedule"

    unspoken = [event for event in events if not isinstance(event, AgentSpoke)]
    (fault,) = missing(unspoken, expected(SENTENCE), may_text=False)
    assert fault == "line 1: the prompts (none) were started"

    undecided = [event for event in events if event is not decision]
    (fault,) = missing(undecided, expected(SENTENCE), may_text=False)
    assert fault == "line 1: nothing was decided"


def test_lost_hearing_is_a_fault_even_if_a_key_went_on() -> None:
    events = log(HearingLost(call="c"), KeyPressed(call="c", key="1"))
    faults = missing(events, expected("1"), may_text=False)
    assert faults == ["speech recognition was lost in the call (hearing.lost)"]


def test_a_text_that_nobody_allowed_is_a_fault_and_one_that_is_wanted_must_come() -> None:
    lines = ("what are your opening hours", "yes please", "yes please")
    events = log(*map(spoke, lines))
    assert missing(events, expected(*lines), may_text=True) == []
    (fault,) = missing(events, expected(*lines), may_text=False)
    assert fault == "a text was promised, which this probe was not told to cause"
    silent = [event for event in events if not isinstance(event, TextPromised)]
    assert missing(silent, expected(*lines), may_text=True) == ["0 of 1 texts were promised"]


def test_a_call_is_complete_once_it_has_ended_and_was_handed_on() -> None:
    events = log(spoke(SENTENCE))
    assert is_complete(events)
    assert not is_complete(events[:-1])
    assert not is_complete([event for event in events if not isinstance(event, CallEnded)])
