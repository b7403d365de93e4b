"""From facts to rows: each event, and that the rows agree with the state of the conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallbackEnded,
    CallbackReached,
    CallBackRequested,
    CallEnded,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    Event,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
    HandoffRecorded,
    KeyPressed,
    PromptInterrupted,
    ReceiptOverdue,
    ReceiptReceived,
    TextDelayed,
    TextPromised,
    TextReceived,
    TextRefused,
    TextSightLost,
    TextSubmitted,
    Unrecognised,
)
from ari_app.conversation.state import fold as state_of
from ari_app.projections.plain import plain
from ari_app.projections.ports import CallRow, ConversationRow, HandoffRow, MessageRow
from ari_app.projections.views import Changes, Fact, Rows, fold, place_of
from tests.support.clock import NOON, SECOND
from tests.support.events import EVENTS, in_a_stream

HOUR = 3_600_000_000
OPENED = ConversationOpened(channel="voice", did="100", language="fr", number="+12025550123")
RECEIVED = CallReceived(call="call_1", channel="PJSIP/1", did="100")
ANSWERED = CallAnswered(call="call_1")
SPOKE = CallerSpoke(call="call_1", text="w", words=(), confidence=1.0, endpoint_ms=1)
LEFT = CallLeft(call="call_1", exit="handoff", reason="r")
ENDED = CallEnded(call="call_1", cause="hangup", statistics={"lost": 1, "received": 9})
WROTE = TextReceived(carrier="main", recipient="100", sender="+12025550123", body="b")
PROMISED = TextPromised(message="msg_1", template="hours", to="+12025550123", body="b")
RECORDED = HandoffRecorded(handoff="hand_1", route="desk", record={})
ACKNOWLEDGED = HandoffAcknowledged(handoff="hand_1", route="desk", receipt="r")
DELAYED = HandoffDelayed(handoff="hand_1", route="file", reason="r")
ESCALATED = HandoffEscalated(handoff="hand_1", reason="r")
WANTED = CallBackRequested(callback="back_1", number="+12025550123", did="100", due=1, reason="r")
GIVEN_UP = CallbackEnded(callback="back_1", reason="attempts", by="policy")
CONSENT = ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w")
REFUSED = ConsentRefused(purpose="texts", channel="voice", how="key")


def decided(*actions: str, intent: str | None = "hours", rule: str = "offer") -> DecisionMade:
    return DecisionMade(
        bundle="b",
        rule=rule,
        reason="r",
        actions=actions,
        inputs={},
        intent=intent,
        confidence=1.0,
        alternatives=(),
        topic="opening",
        question=None,
    )


def submitted(*ids: str, attempts: int = 1) -> TextSubmitted:
    return TextSubmitted(message="msg_1", carrier="main", ids=ids, attempts=attempts)


def receipt(id: str, state: str = "DELIVRD") -> ReceiptReceived:
    return ReceiptReceived(message="msg_1", carrier="main", id=id, state=state, error="000")


def at(n: int) -> int:
    return NOON + n * SECOND


def facts(events: Sequence[Event | None], subject: str | None = "subj_1") -> list[Fact]:
    """One each second, from NOON + 1 s on."""
    return [Fact("conv_1", n, at(n), subject, event) for n, event in enumerate(events, start=1)]


def after(*events: Event | None) -> Changes:
    return fold(facts(events), Rows())


def conversation(*events: Event | None) -> ConversationRow:
    return after(*events).rows.conversations["conv_1"]


def call(*events: Event) -> CallRow:
    return after(*events).rows.calls["call_1"]


def message(*events: Event) -> MessageRow:
    return after(*events).rows.messages["msg_1"]


def handoff(*events: Event) -> HandoffRow:
    return after(*events).rows.handoffs["hand_1"]


def counted(*events: Event) -> dict[tuple[str, str], int]:
    return {(name, label): n for (_, name, label), n in after(*events).figures.items()}


# -- conversations ----------------------------------------------------------------------------


def test_a_conversation_is_opened_by_its_first_event() -> None:
    row = conversation(OPENED, RECEIVED, None)
    assert (row.stream, row.subject, row.opened_at, row.touched) == (
        "conv_1",
        "subj_1",
        at(1),
        at(3),
    )
    assert (row.channel, row.channels, row.language, row.did) == ("voice", "voice", "fr", "100")
    assert (row.sequence, row.calls, row.turns) == (3, 1, 0)


def test_a_stream_of_a_subject_is_no_conversation() -> None:
    changes = fold([Fact("subj_1", 1, NOON, None, OPENED)], Rows())
    assert changes == Changes()


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([OPENED], "open"),
        ([OPENED, RECEIVED, ANSWERED], "live"),
        ([OPENED, RECEIVED, ANSWERED, LEFT], "closed"),
        ([OPENED, RECEIVED, ENDED], "closed"),
        ([OPENED, CallAnswered(call="call_2"), ENDED], "live"),
        ([OPENED, ANSWERED, PROMISED, ENDED], "open"),
        ([OPENED, ANSWERED, PROMISED, ENDED, submitted("a")], "open"),
        ([OPENED, ANSWERED, PROMISED, ENDED, submitted("a"), receipt("a")], "closed"),
        ([OPENED, ENDED, PROMISED, ReceiptOverdue(message="msg_1", state="submitted")], "closed"),
        ([OPENED, ENDED, PROMISED, TextSightLost(message="msg_1", reason="r")], "closed"),
        ([OPENED, ENDED, RECORDED], "open"),
        ([OPENED, ENDED, RECORDED, DELAYED], "open"),
        ([OPENED, ENDED, RECORDED, ACKNOWLEDGED], "closed"),
        ([OPENED, ENDED, RECORDED, ESCALATED], "closed"),
        ([OPENED, ENDED, WROTE], "open"),
        ([OPENED, ENDED, WROTE, decided("end")], "closed"),
        ([OPENED, ENDED, WANTED], "open"),
        ([OPENED, ENDED, WANTED, CallbackReached(callback="back_1", call="call_2")], "closed"),
        ([OPENED, ENDED, WANTED, GIVEN_UP, GIVEN_UP], "closed"),
        ([OPENED, ENDED, WANTED, WANTED, GIVEN_UP], "closed"),
        ([OPENED, ENDED, WANTED, replace(WANTED, callback="back_2"), GIVEN_UP], "open"),
    ],
)
def test_a_conversation_is_open_while_something_is_owed(events: list[Event], state: str) -> None:
    assert conversation(*events).state == state


def test_a_conversation_knows_what_was_decided_last() -> None:
    row = conversation(OPENED, decided(), decided(intent=None))
    assert (row.intent, row.topic) == (None, "opening")
    assert conversation(OPENED, decided()).intent == "hours"


def test_turns_and_texts_are_counted_on_every_channel() -> None:
    row = conversation(OPENED, SPOKE, KeyPressed(call="call_1", key="1"), WROTE, PROMISED, PROMISED)
    assert (row.turns, row.texts_in, row.texts_out) == (3, 1, 1)
    assert (row.channel, row.channels) == ("voice", "sms,voice")


def test_the_last_word_on_texts_is_the_consent() -> None:
    assert conversation(OPENED).consent is None
    row = conversation(OPENED, CONSENT)
    assert (row.consent, row.consent_at) == ("given", at(2))
    row = conversation(OPENED, CONSENT, REFUSED)
    assert (row.consent, row.consent_at) == ("refused", at(3))
    other = ConsentGiven(purpose="x", channel="voice", how="key", confidence=1.0, wording="w")
    assert conversation(OPENED, REFUSED, other).consent == "refused"


def test_an_event_of_a_clock_that_is_slow_turns_nothing_back() -> None:
    early, late = facts([OPENED, SPOKE])
    row = fold([late, early], Rows()).rows.conversations["conv_1"]
    assert (row.sequence, row.touched) == (2, at(2))


# -- calls ------------------------------------------------------------------------------------


def test_a_call_from_its_first_sign_to_its_end() -> None:
    interrupted = PromptInterrupted(call="call_1", prompt="p", after_ms=1)
    row = call(OPENED, RECEIVED, ANSWERED, interrupted, SPOKE, LEFT, ENDED)
    assert row == CallRow(
        "call_1",
        "conv_1",
        "subj_1",
        "100",
        at(2),
        at(3),
        at(7),
        "hangup",
        "handoff",
        1,
        1,
        '{"lost": 1, "received": 9}',
    )


def test_a_call_ends_once() -> None:
    lost = CallEnded(call="call_1", cause="lost", statistics={})
    assert call(RECEIVED, ENDED, lost) == call(RECEIVED, ENDED)
    assert counted(RECEIVED, ENDED, lost) == {("calls", ""): 1, ("ended", "hangup"): 1}


# -- texts ------------------------------------------------------------------------------------


def test_a_text_from_promise_to_handset() -> None:
    delayed = TextDelayed(message="msg_1", reason="r", attempts=1)
    row = message(PROMISED, delayed, submitted("a", "b", attempts=2), receipt("b"))
    assert (row.state, row.attempts, row.segments, row.carrier) == ("submitted", 2, 2, "main")
    assert (row.promised_at, row.submitted_at, row.final_at) == (at(1), at(3), None)
    assert row.arrived == '["b"]'
    again = message(PROMISED, delayed, submitted("a", "b"), receipt("b"), receipt("b"))
    assert again.state == "submitted"
    row = message(PROMISED, delayed, submitted("a", "b"), receipt("b"), receipt("a"))
    assert (row.state, row.final_at, row.arrived) == ("delivered", at(5), "")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([TextRefused(message="msg_1", reason="r", attempts=3)], "rejected"),
        ([TextSightLost(message="msg_1", reason="r")], "unknown"),
        ([submitted("a"), receipt("a", "UNDELIV")], "undeliverable"),
        ([submitted("a"), receipt("a", "EXPIRED"), receipt("a")], "expired"),
        ([submitted("a"), receipt("a", "ENROUTE")], "submitted"),
        ([TextSightLost(message="msg_1", reason="r"), receipt("a")], "delivered"),
    ],
)
def test_what_becomes_of_a_text(events: list[Event], state: str) -> None:
    assert message(PROMISED, *events).state == state


def test_a_text_that_nobody_promised_is_none() -> None:
    assert after(OPENED, submitted("a"), receipt("a")).rows.messages == {}


# -- hand-offs --------------------------------------------------------------------------------


def test_a_handoff_is_recorded_once_and_ends_once() -> None:
    assert handoff(RECORDED, RECORDED, DELAYED, RECORDED).state == "delayed"
    row = handoff(RECORDED, DELAYED, ACKNOWLEDGED, ESCALATED)
    assert row == HandoffRow("hand_1", "conv_1", "subj_1", "desk", "acknowledged", at(1), at(3))
    assert counted(RECORDED, DELAYED, DELAYED, ESCALATED) == {
        ("handoffs", "recorded"): 1,
        ("handoffs", "delayed"): 1,
        ("handoffs", "escalated"): 1,
    }


# -- figures ----------------------------------------------------------------------------------


def test_everything_is_counted_in_its_hour() -> None:
    events: list[Event] = [
        OPENED,
        RECEIVED,
        ANSWERED,
        SPOKE,
        decided("miss", rule="again"),
        PROMISED,
        LEFT,
    ]
    assert counted(*events, submitted("a"), receipt("a"), WROTE) == {
        ("calls", ""): 1,
        ("answered", ""): 1,
        ("left", "handoff"): 1,
        ("turns", ""): 2,
        ("decisions", "again"): 1,
        ("misses", ""): 1,
        ("texts", "promised"): 1,
        ("texts", "submitted"): 1,
        ("texts", "delivered"): 1,
        ("texts", "received"): 1,
    }
    late = Fact("conv_1", 1, NOON + HOUR - 1, None, WROTE)
    later = Fact("conv_1", 2, NOON + HOUR, None, WROTE)
    figures = fold([late, later], Rows()).figures
    assert {hour for hour, _, _ in figures} == {NOON, NOON + HOUR}


# -- what must always hold --------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        None,
        Unrecognised(name="call.teleported", version=1, payload={}),
        AgentSpoke(call="call_1", prompt="p", text="t"),
    ],
)
def test_what_is_not_known_only_touches_the_conversation(event: Event | None) -> None:
    before, row = conversation(OPENED), conversation(OPENED, event)
    assert row == before._replace(sequence=2, touched=at(2))
    assert after(event).rows.calls == {}
    assert place_of(event) is None


@given(st.lists(EVENTS, max_size=30))
def test_the_rows_agree_with_the_state_of_the_conversation(events: list[Event]) -> None:
    changes = fold(facts([OPENED, *events]), Rows())
    row = changes.rows.conversations["conv_1"]
    state = state_of(in_a_stream([OPENED, *events]))
    assert (row.turns, row.sequence) == (state.turns_taken, state.sequence)
    assert row.texts_out == len(changes.rows.messages)
    assert row.handoffs_pending == sum(h.settled_at is None for h in changes.rows.handoffs.values())
    assert (row.on_the_line is None) == (state.on_the_line is None)
    assert set(json.loads(row.callbacks or "[]")) == set(map(plain, state.callbacks))
    assert sorted(m.state for m in changes.rows.messages.values()) == sorted(
        m.state.value for m in state.messages.values()
    )
    assert len(changes.rows.handoffs) >= len(state.handoffs)


LIVES: list[Event] = [
    PROMISED,
    submitted("a", "b"),
    receipt("a"),
    receipt("b"),
    receipt("a", "UNDELIV"),
    TextSightLost(message="msg_1", reason="r"),
    TextRefused(message="msg_1", reason="r", attempts=1),
    ReceiptOverdue(message="msg_1", state="submitted"),
    RECORDED,
    DELAYED,
    ACKNOWLEDGED,
    ESCALATED,
]


@given(st.lists(st.sampled_from(LIVES), max_size=12))
def test_texts_and_handoffs_go_as_the_state_says(events: list[Event]) -> None:
    changes = fold(facts(events), Rows())
    state = state_of(in_a_stream(events))
    known = {id: m.state.value for id, m in state.messages.items()}
    assert {id: m.state for id, m in changes.rows.messages.items()} == known
    settled = {"acknowledged", "escalated"}
    for id, step in state.handoffs.items():
        row = changes.rows.handoffs[id]
        assert row.state == step or (step not in settled and row.state == "delayed")
        assert (row.settled_at is not None) == (step in settled)


@given(st.lists(EVENTS, max_size=10))
def test_no_row_has_what_a_database_would_refuse(events: list[Event]) -> None:
    rows = fold(facts(events), Rows()).rows
    everything: list[Any] = [
        *rows.conversations.values(),
        *rows.calls.values(),
        *rows.messages.values(),
        *rows.handoffs.values(),
    ]
    for value in (value for row in everything for value in row):
        if isinstance(value, str):
            assert value.isprintable()
        elif value is not None:
            assert abs(value) < 2**63
