"""The tables of the read models: made of the log, by nobody but the projections.

Columns are in the order of the rows in projections/ports.py. Pages are in the order of columns
that never change, so that no row is missed or repeated while new ones come; each such order, and
each filter before it, has an index.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Text, text
from sqlmodel import Field

from ari_app.store.schema import Table, partial


def _time() -> Column[int]:
    return Column(BigInteger, nullable=False)


def _maybe() -> Column[int]:
    return Column(BigInteger, nullable=True)


class ConversationView(Table, table=True):
    """Conversations as they are now."""

    __tablename__ = "conversation_view"
    __table_args__ = (
        Index("conversation_view_opened", "opened_at", "stream"),
        Index("conversation_view_state", "state", "opened_at", "stream"),
        Index("conversation_view_channel", "channel", "opened_at", "stream"),
        Index("conversation_view_both", "state", "channel", "opened_at", "stream"),
        Index("conversation_view_subject", "subject", "opened_at", "stream"),
        partial("conversation_view_callbacks", "stream", "callbacks <> ''"),
    )

    stream: str = Field(primary_key=True)
    subject: str | None
    opened_at: int = Field(sa_column=_time())
    touched: int = Field(sa_column=_time())
    sequence: int
    state: str
    channel: str
    channels: str
    language: str
    did: str
    on_the_line: str | None
    intent: str | None
    topic: str | None
    turns: int
    calls: int
    texts_in: int
    texts_out: int
    handoff: str | None
    consent: str | None
    consent_at: int | None = Field(sa_column=_maybe())
    unanswered: int
    texts_pending: int
    handoffs_pending: int
    callbacks: str = Field(sa_column=Column(String, nullable=False, server_default=text("''")))


class CallView(Table, table=True):
    """Calls."""

    __tablename__ = "call_view"
    __table_args__ = (
        Index("call_view_received", "received_at", "call"),
        Index("call_view_subject", "subject", "received_at", "call"),
        Index("call_view_cause", "cause", "received_at", "call"),
        Index("call_view_stream", "stream"),
    )

    call: str = Field(primary_key=True)
    stream: str
    subject: str | None
    did: str
    received_at: int = Field(sa_column=_time())
    answered_at: int | None = Field(sa_column=_maybe())
    ended_at: int | None = Field(sa_column=_maybe())
    cause: str | None
    exit: str | None
    turns: int
    interruptions: int
    statistics: str | None = Field(sa_column=Column(Text))


class MessageView(Table, table=True):
    """Texts of ours."""

    __tablename__ = "message_view"
    __table_args__ = (
        Index("message_view_promised", "promised_at", "message"),
        Index("message_view_state", "state", "promised_at", "message"),
        Index("message_view_subject", "subject", "promised_at", "message"),
        Index("message_view_stream", "stream"),
    )

    message: str = Field(primary_key=True)
    stream: str
    subject: str | None
    template: str
    state: str
    promised_at: int = Field(sa_column=_time())
    submitted_at: int | None = Field(sa_column=_maybe())
    final_at: int | None = Field(sa_column=_maybe())
    carrier: str | None
    segments: int
    attempts: int
    arrived: str = Field(sa_column=Column(Text, nullable=False))
    overdue: int


class HandoffView(Table, table=True):
    """Hand-offs."""

    __tablename__ = "handoff_view"
    __table_args__ = (
        Index("handoff_view_recorded", "recorded_at", "handoff"),
        Index("handoff_view_state", "state", "recorded_at", "handoff"),
        Index("handoff_view_stream", "stream"),
    )

    handoff: str = Field(primary_key=True)
    stream: str
    subject: str | None
    route: str
    state: str
    recorded_at: int = Field(sa_column=_time())
    settled_at: int | None = Field(sa_column=_maybe())


class SubjectView(Table, table=True):
    """Subjects over all their conversations: always counted anew from `conversation_view`."""

    __tablename__ = "subject_view"
    __table_args__ = (Index("subject_view_seen", "last_seen", "subject"),)

    subject: str = Field(primary_key=True)
    first_seen: int = Field(sa_column=_time())
    last_seen: int = Field(sa_column=_time())
    conversations: int
    calls: int
    texts_in: int
    texts_out: int
    consent: str | None


class MetricView(Table, table=True):
    """How often what happened in each hour."""

    __tablename__ = "metric_view"
    __table_args__ = (Index("metric_view_name", "name", "hour", "label"),)

    hour: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    name: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    value: int = Field(sa_column=_time())
