"""What the read models hold, row by row, and the pages and findings that their readers get.

No row has anything of a person in the clear: subjects are pseudonyms. Times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

_R = TypeVar("_R")

#: The checkpoint and the lease of the projections.
CONSUMER = "projections"


class ConversationRow(NamedTuple):
    """A conversation as it is now."""

    stream: str
    subject: str | None  # None for an anonymous caller
    opened_at: int
    touched: int  # its latest event
    sequence: int  # how many events it has
    state: str  # `live`: on the telephone; `open`: something is owed or in flight; `closed`
    channel: str  # that it was opened on; "" if nobody said
    channels: str  # all so far: "sms,voice"
    language: str
    did: str
    on_the_line: str | None  # the live call
    intent: str | None  # of the last decision
    topic: str | None
    turns: int  # of the person
    calls: int
    texts_in: int
    texts_out: int  # promised
    handoff: str | None  # where the hand-off that moved last is
    consent: str | None  # to texts: `given`, `refused`, None if never asked
    consent_at: int | None
    unanswered: int  # 1 while the person has turned to us and nothing was decided
    texts_pending: int  # whose fate is still to come
    handoffs_pending: int  # neither acknowledged nor escalated
    callbacks: str  # ids of the call-backs that are open, as JSON; "" if none is


class CallRow(NamedTuple):
    """A call."""

    call: str
    stream: str
    subject: str | None
    did: str
    received_at: int
    answered_at: int | None
    ended_at: int | None
    cause: str | None  # as CallEnded says
    exit: str | None  # SEGUE_EXIT, if it went back to the dialplan
    turns: int  # of the caller, by voice or key
    interruptions: int  # prompts that were spoken over
    statistics: str | None  # of its audio, as JSON


class MessageRow(NamedTuple):
    """A text of ours."""

    message: str
    stream: str
    subject: str | None
    template: str
    state: str  # the value of a MessageState
    promised_at: int
    submitted_at: int | None
    final_at: int | None
    carrier: str | None
    segments: int  # 0 until it was submitted
    attempts: int
    arrived: str  # ids of segments that came to an end, as JSON; "" before, and once delivered
    overdue: int  # 1 once the wait for its receipts was given up


class HandoffRow(NamedTuple):
    """A hand-off."""

    handoff: str
    stream: str
    subject: str | None
    route: str  # the latest
    state: str  # recorded, acknowledged, delayed, escalated
    recorded_at: int
    settled_at: int | None


class SubjectRow(NamedTuple):
    """Somebody, over all conversations."""

    subject: str
    first_seen: int
    last_seen: int
    conversations: int
    calls: int
    texts_in: int
    texts_out: int
    consent: str | None  # to texts, the latest of all conversations; refused if two are at once


class MetricRow(NamedTuple):
    """How often something happened in an hour."""

    hour: int  # when it began
    name: str  # calls, answered, ended, left, turns, misses, texts, handoffs, decisions
    label: str  # the cause, exit, state or rule; "" where there is none
    value: int


@dataclass(frozen=True, slots=True)
class Page(Generic[_R]):
    """Some rows, newest first; `next` asks for those after them, None if there are none."""

    rows: Sequence[_R]
    next: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a view is not what the log says. Only a rebuild repairs it."""

    view: str
    key: str
    column: str  # "" if the whole row is missing or should not be there
    expected: Any  # by the log; None for a row that should not be there
    found: Any  # in the view; None for a row that is missing
