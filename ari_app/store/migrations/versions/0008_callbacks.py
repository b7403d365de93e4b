"""Conversations with a call-back that is open are open, and can be counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0008"
down_revision = "0007"
kind = Expand()

_OPEN = sa.text("callbacks <> ''")
# As projecting.py begins a rebuild; where nothing was projected yet there is nothing to rebuild.
_AGAIN = """
    INSERT INTO checkpoint (consumer, position)
    SELECT 'projections.rebuild', 1 FROM checkpoint WHERE consumer = 'projections'
    ON CONFLICT (consumer) DO UPDATE SET position = 1"""
_FROM_THE_BEGINNING = "UPDATE checkpoint SET position = 0 WHERE consumer = 'projections'"


def upgrade() -> None:
    """Add the column; what was promised before is found when the views are made anew."""
    op.add_column(
        "conversation_view",
        sa.Column("callbacks", sa.String, nullable=False, server_default=sa.text("''")),
    )
    op.create_index(
        "conversation_view_callbacks",
        "conversation_view",
        ["stream"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.execute(_AGAIN)
    op.execute(_FROM_THE_BEGINNING)
