"""The read models: what people look at, made of the log by the projections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0003"
down_revision = "0002"
kind = Expand()


def upgrade() -> None:
    """Make the tables; they are filled from the log."""
    _conversation_views()
    _call_views()
    _message_views()
    _handoff_views()
    _subject_views()
    _metric_views()


def _conversation_views() -> None:
    op.create_table(
        "conversation_view",
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("subject", sa.String),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("touched", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("channels", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("did", sa.String, nullable=False),
        sa.Column("on_the_line", sa.String),
        sa.Column("intent", sa.String),
        sa.Column("topic", sa.String),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("texts_in", sa.Integer, nullable=False),
        sa.Column("texts_out", sa.Integer, nullable=False),
        sa.Column("handoff", sa.String),
        sa.Column("consent", sa.String),
        sa.Column("consent_at", sa.BigInteger),
        sa.Column("unanswered", sa.Integer, nullable=False),
        sa.Column("texts_pending", sa.Integer, nullable=False),
        sa.Column("handoffs_pending", sa.Integer, nullable=False),
    )
    op.create_index(
        "conversation_view_both", "conversation_view", ["state", "channel", "opened_at", "stream"]
    )
    op.create_index(
        "conversation_view_channel", "conversation_view", ["channel", "opened_at", "stream"]
    )
    op.create_index("conversation_view_opened", "conversation_view", ["opened_at", "stream"])
    op.create_index(
        "conversation_view_state", "conversation_view", ["state", "opened_at", "stream"]
    )
    op.create_index(
        "conversation_view_subject", "conversation_view", ["subject", "opened_at", "stream"]
    )


def _call_views() -> None:
    op.create_table(
        "call_view",
        sa.Column("call", sa.String, primary_key=True),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("did", sa.String, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("cause", sa.String),
        sa.Column("exit", sa.String),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("interruptions", sa.Integer, nullable=False),
        sa.Column("statistics", sa.Text),
    )
    op.create_index("call_view_cause", "call_view", ["cause", "received_at", "call"])
    op.create_index("call_view_received", "call_view", ["received_at", "call"])
    op.create_index("call_view_stream", "call_view", ["stream"])
    op.create_index("call_view_subject", "call_view", ["subject", "received_at", "call"])


def _message_views() -> None:
    op.create_table(
        "message_view",
        sa.Column("message", sa.String, primary_key=True),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("template", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("promised_at", sa.BigInteger, nullable=False),
        sa.Column("submitted_at", sa.BigInteger),
        sa.Column("final_at", sa.BigInteger),
        sa.Column("carrier", sa.String),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("arrived", sa.Text, nullable=False),
        sa.Column("overdue", sa.Integer, nullable=False),
    )
    op.create_index("message_view_promised", "message_view", ["promised_at", "message"])
    op.create_index("message_view_state", "message_view", ["state", "promised_at", "message"])
    op.create_index("message_view_stream", "message_view", ["stream"])
    op.create_index("message_view_subject", "message_view", ["subject", "promised_at", "message"])


def _handoff_views() -> None:
    op.create_table(
        "handoff_view",
        sa.Column("handoff", sa.String, primary_key=True),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
    )
    op.create_index("handoff_view_recorded", "handoff_view", ["recorded_at", "handoff"])
    op.create_index("handoff_view_state", "handoff_view", ["state", "recorded_at", "handoff"])
    op.create_index("handoff_view_stream", "handoff_view", ["stream"])


def _subject_views() -> None:
    op.create_table(
        "subject_view",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("conversations", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("texts_in", sa.Integer, nullable=False),
        sa.Column("texts_out", sa.Integer, nullable=False),
        sa.Column("consent", sa.String),
    )
    op.create_index("subject_view_seen", "subject_view", ["last_seen", "subject"])


def _metric_views() -> None:
    op.create_table(
        "metric_view",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("label", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_index("metric_view_name", "metric_view", ["name", "hour", "label"])
