"""A call, a text or a hand-off after one more fact."""

from __future__ import annotations

import json
from typing import Any, TypeAlias, TypeVar

from ari_app.conversation.events import (
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallLeft,
    CallReceived,
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
    TextRefused,
    TextResent,
    TextSightLost,
    TextSubmitted,
)
from ari_app.conversation.message import NEXT, Fate, MessageState, after_receipt
from ari_app.projections.plain import plain, small
from ari_app.projections.ports import CallRow, HandoffRow, MessageRow

Part: TypeAlias = CallRow | MessageRow | HandoffRow
_Row = TypeVar("_Row", CallRow, MessageRow)

_MOST_STATISTICS = 32


def part_after(
    row: Any, key: str, stream: str, at: int, subject: str | None, event: Event | None
) -> Part | None:
    """The row with this key after the event; None if it says nothing new of it.

    A call or a hand-off begins with whatever is told of it first, a text only with its promise.
    """
    match event:
        case (
            CallReceived()
            | CallAnswered()
            | CallerSpoke()
            | KeyPressed()
            | PromptInterrupted()
            | CallLeft()
            | CallEnded()
        ):
            call = row or CallRow(key, stream, subject, "", at, None, None, None, None, 0, 0, None)
            return _owned(_call(call, event, at), stream, subject)
        case HandoffRecorded() | HandoffAcknowledged() | HandoffDelayed() | HandoffEscalated():
            return _handoff(row, key, stream, at, subject, event)
        case TextPromised(template=template):
            if row is not None:
                return None
            state = MessageState.PROMISED.value
            return MessageRow(
                key, stream, subject, plain(template), state, at, None, None, None, 0, 0, "", 0
            )
        case _:
            moved = _message(row, event, at) if row is not None else None
            return _owned(moved, stream, subject) if moved is not None else None


def _owned(row: _Row, stream: str, subject: str | None) -> _Row:
    """Its own conversation says whose it is, no other that names it."""
    if row.stream != stream or row.subject == subject:
        return row
    return row._replace(subject=subject)


def _call(row: CallRow, event: Event, at: int) -> CallRow:
    match event:
        case CallReceived(did=did):
            return row._replace(did=plain(did))
        case CallAnswered():
            return row._replace(answered_at=at) if row.answered_at is None else row
        case CallerSpoke() | KeyPressed():
            return row._replace(turns=row.turns + 1)
        case PromptInterrupted():
            return row._replace(interruptions=row.interruptions + 1)
        case CallLeft(exit=exit):
            return row._replace(exit=plain(exit)) if row.exit is None else row
        case CallEnded(cause=cause, statistics=statistics):
            if row.ended_at is not None:
                return row
            some = sorted(statistics.items())[:_MOST_STATISTICS]
            text = json.dumps({plain(name): value for name, value in some})
            return row._replace(ended_at=at, cause=plain(cause), statistics=text)
        case _:
            return row


def _handoff(
    row: HandoffRow | None, key: str, stream: str, at: int, subject: str | None, event: Event
) -> HandoffRow | None:
    """As the state of a conversation has it: recorded once, ended once."""
    match event:
        case HandoffRecorded(route=route):
            state = "recorded"
        case HandoffAcknowledged(route=route):
            state = "acknowledged"
        case HandoffDelayed(route=route):
            state = "delayed"
        case _:
            state, route = "escalated", row.route if row else ""
    if row is not None and (row.settled_at is not None or state == "recorded"):
        return None
    settled = at if state in ("acknowledged", "escalated") else None
    recorded = row.recorded_at if row else at
    moved = HandoffRow(
        key, row.stream if row else stream, subject, plain(route), state, recorded, settled
    )
    return moved if row is None or row.stream == stream else moved._replace(subject=row.subject)


def _message(row: MessageRow, event: Event | None, at: int) -> MessageRow | None:
    match event:
        case TextSubmitted(carrier=carrier, ids=ids, attempts=attempts):
            row = row._replace(
                carrier=plain(carrier),
                segments=len(ids),
                attempts=small(attempts),
                submitted_at=at if row.submitted_at is None else row.submitted_at,
            )
            return _fate(row, Fate.TAKEN, at)
        case TextDelayed(attempts=attempts):
            return row._replace(attempts=small(attempts))
        case TextRefused(attempts=attempts):
            return _fate(row._replace(attempts=small(attempts)), Fate.REFUSED, at)
        case TextSightLost(segments=segments):
            return _fate(row._replace(segments=segments or row.segments), Fate.LOST_SIGHT, at)
        case TextResent(attempts=attempts):
            row = row._replace(attempts=small(attempts), arrived="")
            return _fate(row, Fate.RESENT, at)
        case TextExpired():
            return _fate(row, Fate.LAPSED, at)
        case TextBlocked():
            return _fate(row, Fate.BLOCKED, at)
        case TextCancelled():
            return _fate(row, Fate.CANCELLED, at)
        case ReceiptOverdue():
            return row._replace(overdue=1)
        case ReceiptReceived(id=id, state=state):
            return _receipt(row, id, state, at)
        case _:
            return None


def _fate(row: MessageRow, fate: Fate, at: int) -> MessageRow:
    """A fate that comes twice or too late changes nothing."""
    state = NEXT.get((MessageState(row.state), fate))
    return row if state is None else _at(row, state, at)


def _at(row: MessageRow, state: MessageState, at: int) -> MessageRow:
    """Settled at the first end that was told; a worse one of another segment may follow."""
    if not state.final:
        return row._replace(state=state.value)
    settled = at if row.final_at is None else row.final_at
    arrived = "" if state is MessageState.DELIVERED else row.arrived
    return row._replace(state=state.value, final_at=settled, arrived=arrived)


def _receipt(row: MessageRow, id: str, told: str, at: int) -> MessageRow | None:
    """As the state of a conversation has it."""
    before = frozenset(json.loads(row.arrived)) if row.arrived else frozenset()
    state, settled = after_receipt(MessageState(row.state), before, row.segments, id, told)
    if settled is before:
        return None
    return _at(row._replace(arrived=json.dumps(sorted(settled))), state, at)
