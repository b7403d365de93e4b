"""What the rules before the wire remember: who opted out, and what has left lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0007"
down_revision = "0006"
kind = Expand()


def upgrade() -> None:
    """Make the tables; nobody has opted out of a program that knew no way to."""
    op.create_table(
        "suppression",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("sender", sa.String, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("how", sa.String, nullable=False),
        sa.Column("word", sa.String, nullable=False),
        sa.Column("stream", sa.String, nullable=False),
    )
    op.create_table(
        "sending",
        sa.Column("message", sa.String, primary_key=True),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("prefix", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String, nullable=False),
    )
    op.create_index("sending_recipient", "sending", ["recipient", "at"])
    op.create_index("sending_at", "sending", ["at"])
    op.create_table(
        "sending_count",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("until", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.create_index("sending_count_until", "sending_count", ["until"])
