"""What the receiver needs so that nothing is asked twice."""

from __future__ import annotations

import json

import pytest

from ari_app.conversation.message import MessageState
from ari_app.conversation.preferences import Preference
from ari_app.conversation.state import Conversation, Message, Said
from ari_app.conversation.verification import Proof, Verification
from ari_app.handoff.record import make_record

STATE = Conversation(
    sequence=17,
    number="+12025550123",
    did="+15550100",
    topic="reschedule",
    turns=(Said("voice", "hello", 0.9), Said("sms", "2", 1.0)),
    consent={"texts": True},
    choices={"reply_reschedule": "2"},
    messages={"msg_1": Message("reschedule", "free times", MessageState.DELIVERED)},
    verification=Verification(
        proofs=(
            Proof("number", "texted_code", 2, at=40, until=43, origin="conv_0"),
            Proof("number", "operator", 3, at=2, until=42),
        )
    ),
    preferences={"channel": Preference("sms", 40)},
)


def test_a_record_says_all_that_is_known() -> None:
    record = make_record("hand_1", "conv_1", STATE, "rescheduled", "chose a time", 42)
    assert record == {
        "schema": "segue.handoff",
        "version": 1,
        "handoff": "hand_1",
        "conversation": "conv_1",
        "at": 42,
        "outcome": "rescheduled",
        "reason": "chose a time",
        "caller": {"number": "+12025550123", "did": "+15550100", "language": "en"},
        "topic": "reschedule",
        "slots": [{"name": "reply_reschedule", "value": "2", "confidence": 1.0}],
        "commitments": [
            {"kind": "text", "message": "msg_1", "template": "reschedule", "state": "delivered"}
        ],
        "consent": {"texts": True},
        "proofs": [
            {"what": "number", "how": "texted_code", "level": 2, "at": 40, "until": 43},
        ],
        "preferences": {"channel": "sms"},
        "transcript": {"stream": "conv_1", "up_to": 17, "turns": 2},
        "last_words": "2",
        "next": ["enter the choice"],
        "priority": "normal",
        "recipients": ["premises"],
    }
    assert json.loads(json.dumps(record)) == record


def test_a_record_of_nothing_is_one_too() -> None:
    record = make_record("hand_1", "conv_1", Conversation(), "ended without a text", "hangup", 0)
    assert record["caller"]["number"] is None
    assert (record["slots"], record["commitments"], record["next"]) == ([], [], [])
    assert record["last_words"] == ""


@pytest.mark.parametrize(
    ("outcome", "choices", "messages", "recommended"),
    [
        (
            "to people",
            {"q": "1"},
            {},
            ["greet by the topic", "do not ask again what the turns say"],
        ),
        ("wants a person", {}, {}, ["write or call back"]),
        ("rescheduled", {"q": "1"}, {}, ["enter the choice"]),
        ("text promised", {}, {"m": Message("t", "b")}, ["wait for the reply by text"]),
        ("ended without a text", {}, {}, []),
    ],
)
def test_the_next_step_follows_from_what_happened(
    outcome: str,
    choices: dict[str, str],
    messages: dict[str, Message],
    recommended: list[str],
) -> None:
    state = Conversation(choices=choices, messages=messages)
    assert make_record("h", "c", state, outcome, "", 0)["next"] == recommended


def test_a_person_who_waits_on_the_line_comes_first() -> None:
    record = make_record("h", "c", Conversation(), "to people", "asked for a person", 0)
    assert record["priority"] == "high"
