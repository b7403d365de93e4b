"""Snapshots of the state of long conversations; early receipts are found by their id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0004"
down_revision = "0003"
kind = Expand()


def upgrade() -> None:
    """Make the table; it is filled as conversations grow."""
    op.create_table(
        "snapshot",
        sa.Column("stream", sa.String, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("ix_early_receipt_id", "early_receipt", ["id"])
