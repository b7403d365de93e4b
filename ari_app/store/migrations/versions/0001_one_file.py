"""The log, its outbox and its seals, as they were when SQLite was the only engine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Contract

revision = "0001"
down_revision = None
kind = Contract(oldest="0001")

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _log()
    _promises()
    _receipts()
    _seals()
    op.create_table(
        "meta",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )


def _log() -> None:
    op.create_table(
        "event",
        sa.Column("position", _NUMBER, primary_key=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("cause", sa.String),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text),
        sa.Column("payload_hash", sa.LargeBinary(32)),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.Column("dedupe", sa.String),
        sa.UniqueConstraint("stream", "sequence"),
        sa.UniqueConstraint("dedupe"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "stream",
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.Column("subject", sa.String),
        sa.Column("turned", sa.BigInteger, nullable=False),
        sa.Column("touched", sa.BigInteger, nullable=False),
    )
    op.create_index("stream_of_subject", "stream", ["subject", "turned"])
    op.create_table(
        "checkpoint",
        sa.Column("consumer", sa.String, primary_key=True),
        sa.Column("position", _NUMBER, nullable=False),
    )


def _promises() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("outbox_due", "outbox", ["state", "kind", "due"])
    op.create_table(
        "timer",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("stream", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_timer_due", "timer", ["due"])


def _receipts() -> None:
    op.create_table(
        "wire",
        sa.Column("carrier", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
    )
    op.create_table(
        "early_receipt",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("carrier", sa.String, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_early_receipt_carrier", "early_receipt", ["carrier"])
    op.create_index("ix_early_receipt_at", "early_receipt", ["at"])


def _seals() -> None:
    op.create_table(
        "seal",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("tree", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tile",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary(32)),
    )
