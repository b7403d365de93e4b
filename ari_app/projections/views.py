"""From a fact and the rows it concerns to the rows as they are after it.

No clock, no database: the same facts in the order of the log give the same rows, in pages of any
size. An event concerns its conversation and at most one call, text or hand-off. One that is not
known here only touches its conversation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ari_app.conversation.events import (
    CallAnswered,
    CallbackEnded,
    CallbackReached,
    CallBackRequested,
    CallEnded,
    CallerSpoke,
    CallLeft,
    CallReceived,
    CallResumed,
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
    TextBlocked,
    TextCancelled,
    TextDelayed,
    TextExpired,
    TextPromised,
    TextReceived,
    TextRefused,
    TextResent,
    TextSightLost,
    TextSubmitted,
)
from ari_app.projections.figures import figures_of
from ari_app.projections.parts import Part, part_after
from ari_app.projections.plain import plain
from ari_app.projections.ports import CallRow, ConversationRow, HandoffRow, MessageRow

_HOUR = 3_600_000_000

# Where an event says which call, text or hand-off it is about.
_CALL, _MESSAGE, _HANDOFF = "call", "message", "handoff"
_PLACES: dict[type[Any], str] = {
    CallReceived: _CALL,
    CallAnswered: _CALL,
    CallerSpoke: _CALL,
    KeyPressed: _CALL,
    PromptInterrupted: _CALL,
    CallLeft: _CALL,
    CallEnded: _CALL,
    TextPromised: _MESSAGE,
    TextSubmitted: _MESSAGE,
    TextDelayed: _MESSAGE,
    TextRefused: _MESSAGE,
    TextSightLost: _MESSAGE,
    TextResent: _MESSAGE,
    TextExpired: _MESSAGE,
    TextBlocked: _MESSAGE,
    TextCancelled: _MESSAGE,
    ReceiptReceived: _MESSAGE,
    ReceiptOverdue: _MESSAGE,
    HandoffRecorded: _HANDOFF,
    HandoffAcknowledged: _HANDOFF,
    HandoffDelayed: _HANDOFF,
    HandoffEscalated: _HANDOFF,
}
#: The classes whose fields are looked at; of all others it is enough that they happened.
CONCERNS: frozenset[type[Any]] = frozenset(_PLACES) | {
    CallbackEnded,
    CallbackReached,
    CallBackRequested,
    ConversationOpened,
    ConsentGiven,
    ConsentRefused,
    DecisionMade,
    TextReceived,
}


class Fact(NamedTuple):
    """An event in its place; the event is None if its fields need not, or cannot, be read."""

    stream: str
    sequence: int
    at: int
    subject: str | None  # whose the stream is
    event: Event | None


#: (which of the views, the key of the row in it).
Place: TypeAlias = tuple[str, str]
#: (hour, name, label) of a figure.
Figure: TypeAlias = tuple[int, str, str]


@dataclass(slots=True)
class Rows:
    """Rows by their keys."""

    conversations: dict[str, ConversationRow] = field(default_factory=dict)
    calls: dict[str, CallRow] = field(default_factory=dict)
    messages: dict[str, MessageRow] = field(default_factory=dict)
    handoffs: dict[str, HandoffRow] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What a page of facts has made of the rows."""

    rows: Rows = field(default_factory=Rows)
    figures: Counter[Figure] = field(default_factory=Counter)  # to be added


def is_conversation(stream: str) -> bool:
    """Whether the stream is one; the others are of subjects, and no view is of them."""
    return stream.startswith("conv_")


def place_of(event: Event | None) -> Place | None:
    """The row that the event concerns besides its conversation."""
    view = _PLACES.get(type(event))
    return (view, plain(getattr(event, view))) if view else None


def fold(facts: Iterable[Fact], known: Rows) -> Changes:
    """All rows that these facts change; `known` has those that there were before."""
    changes = Changes()
    after: dict[str, dict[str, Any]] = {
        _CALL: changes.rows.calls,
        _MESSAGE: changes.rows.messages,
        _HANDOFF: changes.rows.handoffs,
    }
    before: dict[str, dict[str, Any]] = {
        _CALL: known.calls,
        _MESSAGE: known.messages,
        _HANDOFF: known.handoffs,
    }
    conversations, figures = changes.rows.conversations, changes.figures
    for fact in facts:
        stream = fact.stream
        if not is_conversation(stream):
            continue
        row = conversations.get(stream) or known.conversations.get(stream)
        part = moved = None
        if place := place_of(fact.event):
            view, key = place
            part = after[view].get(key) or before[view].get(key)
            moved = part_after(part, key, fact.stream, fact.at, fact.subject, fact.event)
            if moved is not None:
                after[view][key] = moved
        conversations[stream] = conversation_after(row, fact, part, moved)
        hour = fact.at - fact.at % _HOUR
        for name, label in figures_of(fact.event, part, moved):
            figures[hour, name, label] += 1
    return changes


def conversation_after(
    row: ConversationRow | None, fact: Fact, before: Part | None, after: Part | None
) -> ConversationRow:
    """The conversation after the fact, which has moved a call, text or hand-off like this."""
    if row is None:
        row = _opened(fact)
    changed: dict[str, Any] = {
        "subject": fact.subject,
        # The clocks of two workers differ: neither ever goes back.
        "touched": max(row.touched, fact.at),
        "sequence": max(row.sequence, fact.sequence),
    }
    if after is not None:
        changed |= _moved(row, before, after)
    if fact.event is not None:
        changed |= _told(row, fact.event, fact.at)
    row = row._replace(**changed)
    state = _state(row)
    return row if state == row.state else row._replace(state=state)


def _opened(fact: Fact) -> ConversationRow:
    return ConversationRow(
        stream=fact.stream,
        subject=fact.subject,
        opened_at=fact.at,
        touched=fact.at,
        sequence=fact.sequence,
        state="closed",
        channel="",
        channels="",
        language="",
        did="",
        on_the_line=None,
        intent=None,
        topic=None,
        turns=0,
        calls=0,
        texts_in=0,
        texts_out=0,
        handoff=None,
        consent=None,
        consent_at=None,
        unanswered=0,
        texts_pending=0,
        handoffs_pending=0,
        callbacks="",
    )


def _state(row: ConversationRow) -> str:
    if row.on_the_line is not None:
        return "live"
    owed = row.unanswered or row.texts_pending or row.handoffs_pending or row.callbacks
    return "open" if owed else "closed"


def _told(row: ConversationRow, event: Event, at: int) -> dict[str, Any]:
    match event:
        case ConversationOpened(channel=channel, did=did, language=language):
            return {
                "channel": plain(channel),
                "channels": _with(row.channels, plain(channel)),
                "did": plain(did),
                "language": plain(language),
                "unanswered": 1,
            }
        case CallAnswered(call=call) | CallResumed(call=call):
            return {"on_the_line": plain(call), "channels": _with(row.channels, "voice")}
        case CallerSpoke() | KeyPressed():
            return {"turns": row.turns + 1}
        case TextReceived():
            return {
                "turns": row.turns + 1,
                "texts_in": row.texts_in + 1,
                "channels": _with(row.channels, "sms"),
                "unanswered": 1,
            }
        case DecisionMade(intent=intent, topic=topic):
            return {
                "intent": intent and plain(intent),
                "topic": topic and plain(topic),
                "unanswered": 0,
            }
        case ConsentGiven(purpose="texts"):
            return {"consent": "given", "consent_at": at}
        case ConsentRefused(purpose="texts"):
            return {"consent": "refused", "consent_at": at}
        case CallBackRequested(callback=callback):
            return {"callbacks": _callbacks(row.callbacks, callback, open=True)}
        case CallbackReached(callback=callback) | CallbackEnded(callback=callback):
            return {"callbacks": _callbacks(row.callbacks, callback, open=False)}
        case CallLeft(call=call) | CallEnded(call=call):
            # The end of a call may be told when the next one is on the line.
            line = None if row.on_the_line == plain(call) else row.on_the_line
            return {"on_the_line": line, "unanswered": 0}
        case _:
            return {}


def _moved(row: ConversationRow, before: Part | None, after: Part) -> dict[str, Any]:
    match after:
        case CallRow():
            return {"calls": row.calls + 1} if before is None else {}
        case MessageRow():
            return {
                "texts_out": row.texts_out + (before is None),
                "texts_pending": row.texts_pending + _pending(after) - _pending(before),
            }
        case HandoffRow():
            return {
                "handoff": after.state,
                "handoffs_pending": row.handoffs_pending + _pending(after) - _pending(before),
            }


def _pending(part: Part | None) -> int:
    match part:
        case MessageRow(state="promised" | "submitted", overdue=0):
            return 1
        case HandoffRow(settled_at=None):
            return 1
        case _:
            return 0


def _callbacks(known: str, callback: str, *, open: bool) -> str:
    ids = set(json.loads(known)) if known else set()
    left = (ids | {plain(callback)}) if open else (ids - {plain(callback)})
    return json.dumps(sorted(left)) if left else ""


def _with(channels: str, channel: str) -> str:
    known = set(channels.split(",")) if channels else set()
    return channels if channel in known else ",".join(sorted(known | {channel}))
