"""The queue of texts: whose turn it is, how long, and what is done with an unknown fate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0006"
down_revision = "0005"
kind = Expand()

_WAITING = sa.text("state = 'due'")
_ACTIVE = sa.text("state <> 'done'")
_LIMITED = sa.text("until IS NOT NULL")
_CONSENT = sa.text("name IN ('consent.given', 'consent.refused')")


def upgrade() -> None:
    """Add the columns; what was promised before has no recipient, so it waits for nobody."""
    op.add_column("outbox", sa.Column("recipient", sa.String))
    op.add_column("outbox", sa.Column("turn", sa.BigInteger))
    op.add_column(
        "outbox", sa.Column("not_before", sa.BigInteger, nullable=False, server_default="0")
    )
    op.add_column("outbox", sa.Column("until", sa.BigInteger))
    op.add_column("outbox", sa.Column("priority", sa.Integer, nullable=False, server_default="1"))
    op.add_column(
        "outbox",
        sa.Column("message_class", sa.String, nullable=False, server_default="at_most_once"),
    )
    op.add_column("outbox", sa.Column("doubts", sa.Integer, nullable=False, server_default="0"))
    _index("outbox_waiting", "outbox", ["kind", "priority", "due", "turn"], _WAITING)
    _index("outbox_recipient", "outbox", ["recipient", "turn"], _ACTIVE)
    _index("outbox_until", "outbox", ["state", "until"], _LIMITED)
    _index("event_consent", "event", ["stream", "sequence"], _CONSENT)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
