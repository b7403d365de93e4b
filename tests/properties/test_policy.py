"""What holds for every turn under the example bundle, and for every text that is read as one."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.agent.turn import Agent, Heard, Turn
from ari_app.conversation.events import ConsentGiven, TextPromised
from ari_app.conversation.state import Conversation, Message
from ari_app.errors import BundleError
from ari_app.policy.bundle import read_bundle
from ari_app.policy.rules import decide
from tests.support.bundle import demo_bundle, demo_intents, demo_text
from tests.support.clock import FakeClock

BUNDLE = demo_bundle()
SAID = st.sampled_from(sorted(e for texts in BUNDLE.intents.values() for e in texts))
# What leads to a text comes often, or a hundred examples would hardly see one.
SAID = st.sampled_from(["yes please", "text me", "send it by text"]) | SAID
WORDS = SAID | st.sampled_from(["1", "2", "3", "4", "two please"]) | st.text(max_size=30)
VOICE = st.one_of(
    st.builds(Heard, st.just("voice"), st.just("speech"), WORDS, st.floats(0, 1)),
    st.builds(Heard, st.just("voice"), st.just("key"), st.sampled_from("1120123456789*#ABCD")),
    st.builds(Heard, st.just("voice"), st.sampled_from(["silence", "hearing_lost"])),
)
TEXTS = st.builds(Heard, st.just("sms"), st.just("text"), WORDS)
# Of this bundle, or of one that was in force when the conversation began.
QUESTIONS = st.sampled_from(["offer_hours", "how_hours"]) | st.sampled_from(
    [None, "asked_last_year", *sorted(BUNDLE.questions)]
)
TOPICS = st.sampled_from([None, "fax", *sorted(BUNDLE.topics)])
STATES = st.builds(
    Conversation,
    number=st.sampled_from(["+12025550123", "+12025550123", None, "+33123456789"]),
    question=QUESTIONS,
    topic=TOPICS,
    misses=st.integers(0, 4),
    silences=st.integers(0, 4),
    hearing=st.booleans(),
    consent=st.sampled_from([{}, {"texts": True}, {"texts": False}]),
    messages=st.sampled_from([{}, {"msg_1": Message("hours", "open")}]),
)
# One good word away from a text.
READY = st.builds(
    Conversation,
    number=st.just("+12025550123"),
    question=st.sampled_from(["offer_hours", "offer_reschedule"]),
    topic=st.just("hours"),
    misses=st.integers(0, 4),
)
BELOW = st.floats(0, 0.6, exclude_max=True)


def turn(state: Conversation, heard: Heard, up: bool = True) -> Turn:
    agent = Agent(BUNDLE, demo_intents(), FakeClock(), lambda: up)
    return agent.take_turn("conv_1", state, heard)


@settings(max_examples=200)
@given(STATES, VOICE | TEXTS, st.booleans())
def test_every_turn_is_decided_and_everything_it_names_is_there(
    state: Conversation, heard: Heard, up: bool
) -> None:
    taken = turn(state, heard, up)
    assert taken.question is None or taken.question in BUNDLE.questions
    assert all(said.text for said in taken.speech)
    assert all(e.body for e in taken.events if isinstance(e, TextPromised))
    json.dumps([effect.payload for effect in taken.effects])


@settings(max_examples=100)
@given(STATES, VOICE, st.booleans())
def test_a_caller_always_hears_something_and_knows_how_to_go_on(
    state: Conversation, heard: Heard, up: bool
) -> None:
    taken = turn(state, heard, up)
    assert taken.speech
    assert taken.question is not None or taken.end or taken.people
    if taken.question is not None and not taken.end:
        assert BUNDLE.questions[taken.question].prompt in {said.prompt for said in taken.speech}


@settings(max_examples=100)
@given(STATES | READY, WORDS, st.sampled_from([0.3, 0.45, 0.55, 0.5999]) | BELOW)
def test_what_was_not_heard_well_never_leads_to_a_text(
    state: Conversation, words: str, heard: float
) -> None:
    taken = turn(state, Heard("voice", "speech", words, heard))
    assert not [e for e in taken.effects if e.kind == "sms"]
    assert not [e for e in taken.events if isinstance(e, TextPromised | ConsentGiven)]


@settings(max_examples=100)
@given(STATES | READY, VOICE, st.booleans())
def test_a_call_promises_a_text_only_with_consent_given_just_before(
    state: Conversation, heard: Heard, up: bool
) -> None:
    taken = turn(state, heard, up)
    kinds = [type(e) for e in taken.events if isinstance(e, TextPromised | ConsentGiven)]
    assert kinds in ([], [ConsentGiven, TextPromised])
    if kinds:
        assert up
        assert state.number == "+12025550123"  # the other one is a fixed line


@settings(max_examples=100)
@given(STATES, VOICE | TEXTS)
def test_a_decision_is_made_again_from_what_was_recorded(state: Conversation, heard: Heard) -> None:
    made = turn(state, heard).decision
    recorded = json.loads(json.dumps(made.inputs))
    assert decide(BUNDLE.rules, recorded).name == made.rule
    assert made.bundle == BUNDLE.hash


@settings(max_examples=100)
@given(STATES, VOICE | TEXTS)
def test_each_promise_is_an_event_and_an_effect_with_one_id(
    state: Conversation, heard: Heard
) -> None:
    taken = turn(state, heard)
    promised = [e.message for e in taken.events if isinstance(e, TextPromised)]
    assert promised == [e.id for e in taken.effects if e.kind == "sms"]
    assert all(e.to == state.number for e in taken.events if isinstance(e, TextPromised))
    assert not promised or state.number is not None
    assert [f"receipt:{id}" for id in promised] == [timer.id for timer in taken.timers]


@given(st.text(max_size=60))
def test_any_text_is_a_bundle_or_is_refused(text: str) -> None:
    with contextlib.suppress(BundleError):
        read_bundle(text)


LINES = demo_text().splitlines()
PIECES = st.text("abc{}[]:,-\"'%0123 \n", max_size=12) | st.sampled_from(
    ["!!timestamp x", "- [", "{{ x }}", "{% for %}", "2020-13-45", "&a [*a]", "~", "null:", "yes:"]
)


@settings(max_examples=25)
@given(st.integers(0, len(LINES) - 1), st.integers(0, 3), PIECES)
def test_a_damaged_bundle_is_read_or_refused_and_never_crashes(
    line: int, missing: int, piece: str
) -> None:
    damaged = [*LINES[:line], piece, *LINES[line + missing :]]
    with contextlib.suppress(BundleError):
        bundle = read_bundle("\n".join(damaged))
        assert decide(bundle.rules, {"channel": "voice"}).name
        assert decide(bundle.rules, {"channel": "sms"}).name
