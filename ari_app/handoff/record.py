"""The hand-off record, version 1: what the receiver needs so that nothing is asked twice."""

from __future__ import annotations

from typing import Any

from ari_app.conversation.state import Conversation

VERSION = 1


def make_record(
    handoff: str, stream: str, state: Conversation, outcome: str, reason: str, at: int
) -> dict[str, Any]:
    """A JSON-ready record of the conversation as it is now; `at` in UTC microseconds."""
    commitments = [
        {"kind": "text", "message": id, "template": m.template, "state": m.state.value}
        for id, m in state.messages.items()
    ]
    return {
        "schema": "segue.handoff",
        "version": VERSION,
        "handoff": handoff,
        "conversation": stream,
        "at": at,
        "outcome": outcome,
        "reason": reason,
        "caller": {"number": state.number, "did": state.did, "language": state.language},
        "topic": state.topic,
        "slots": [
            {"name": question, "value": choice, "confidence": 1.0}
            for question, choice in state.choices.items()
        ],
        "commitments": commitments,
        "consent": dict(state.consent),
        "proofs": [
            {"what": p.what, "how": p.how, "level": p.level, "at": p.at, "until": p.until}
            for p in state.verification.proofs
            if p.holds(at)
        ],
        "preferences": {what: p.value for what, p in state.preferences.items()},
        "transcript": {"stream": stream, "up_to": state.sequence, "turns": state.turns_taken},
        "last_words": state.turns[-1].text if state.turns else "",
        "next": _recommended(state, outcome),
        "priority": "high" if outcome == "to people" else "normal",
        # The person has agreed to share this record with nobody beyond the premises.
        "recipients": ["premises"],
    }


def _recommended(state: Conversation, outcome: str) -> list[str]:
    if outcome == "to people":
        return ["greet by the topic", "do not ask again what the turns say"]
    if outcome == "wants a person":
        return ["write or call back"]
    if state.choices:
        return ["enter the choice"]
    if state.messages:
        return ["wait for the reply by text"]
    return []
