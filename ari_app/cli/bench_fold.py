"""How fast stored events become a conversation again; the life that benchmarks are made of."""

from __future__ import annotations

import json
import time

from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ConsentGiven,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Envelope,
    Event,
    ReceiptReceived,
    TextPromised,
    TextReceived,
    TextSubmitted,
    from_payload,
    name_of,
    to_payload,
)
from ari_app.conversation.state import Conversation, fold

_CALL = "call_0190f5a0-0000-7000-8000-000000000001"
_TEXT = "msg_0190f5a0-0000-7000-8000-000000000002"
_NUMBER = "+12025550123"
# Neighbours only ever make a round slower, so the best of many is what the code costs.
_ROUNDS = 150
_TIMES = 20


def fold_rate() -> float:
    """Events for each second, from payload text to state, without the reading of the disk."""
    return len(_STORED) / _seconds(_STORED)


def rehydrate_microseconds() -> float:
    """What the first ten events of a conversation take, from payload text to state."""
    return _seconds(_STORED[:10]) * 1e6


_Stored = list[tuple[int, str, int, str]]


def _seconds(stored: _Stored) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            _rehydrate(stored)
        rounds.append((time.perf_counter() - began) / _TIMES)
    return min(rounds)


def _rehydrate(stored: _Stored) -> Conversation:
    return fold(
        Envelope(
            id="evt_0190f5a0-0000-7000-8000-000000000003",
            stream="conv_0190f5a0-0000-7000-8000-000000000004",
            sequence=sequence,
            at=sequence,
            actor="calls",
            cause=None,
            event=from_payload(name, version, json.loads(text)),
        )
        for sequence, name, version, text in stored
    )


def said(text: str) -> CallerSpoke:
    """A turn of the caller with these words."""
    words = tuple((w, n * 0.31, n * 0.31 + 0.28, 0.93) for n, w in enumerate(text.split()))
    return CallerSpoke(call=_CALL, text=text, words=words, confidence=0.93, endpoint_ms=420)


def _spoke(prompt: str, text: str) -> AgentSpoke:
    return AgentSpoke(call=_CALL, prompt=prompt, text=text, answer_ms=310)


def _decided(rule: str, *actions: str, question: str | None = None) -> DecisionMade:
    return DecisionMade(
        bundle="harbour-clinic@7f3a",
        rule=rule,
        reason="opening hours can be read",
        actions=actions,
        inputs={"by": "speech", "misses": 0, "hearing": True},
        intent="hours",
        confidence=0.93,
        alternatives=(("hours", 0.93), ("booking", 0.04), ("other", 0.03)),
        topic="hours",
        question=question,
    )


def _receipt(id: str) -> ReceiptReceived:
    return ReceiptReceived(message=_TEXT, carrier="main", id=id, state="DELIVRD", error="000")


#: A call as they are: two turns of speech, a text of two segments, a word of thanks.
LIFE: list[Event] = [
    ConversationOpened(channel="voice", did="100", language="en", number=_NUMBER),
    CallReceived(call=_CALL, channel="PJSIP/carrier-00000001", did="100"),
    CallAnswered(call=_CALL),
    _spoke("greeting", "Hello, you are speaking with a machine."),
    DisclosurePlayed(call=_CALL, prompt="greeting", wording="v3"),
    said("hello what are your opening hours please"),
    _decided("offer_text", "ask offer_hours", question="offer_hours"),
    _spoke("offer_hours", "Shall I text you our opening hours?"),
    said("yes please"),
    ConsentGiven(purpose="texts", channel="voice", how="speech", confidence=0.9, wording="v1"),
    _decided("send_text", "text hours", "end"),
    TextPromised(message=_TEXT, template="hours", to=_NUMBER, body="We are open from 9 to 5."),
    _spoke("goodbye", "It is on its way. Goodbye."),
    CallLeft(call=_CALL, exit="done", reason="texted"),
    CallEnded(call=_CALL, cause="Normal Clearing", statistics={"packets": 912, "lost": 2}),
    TextSubmitted(message=_TEXT, carrier="main", ids=("a1", "a2"), attempts=1),
    _receipt("a1"),
    _receipt("a2"),
    TextReceived(carrier="main", recipient="100", sender=_NUMBER, body="thanks"),
    _decided("thanks", "end"),
]
_STORED: _Stored = [
    (n, *name_of(event), json.dumps(to_payload(event))) for n, event in enumerate(LIFE, start=1)
]
