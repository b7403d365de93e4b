"""Several workers: leases, who holds what, and a log that is read in a safe order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Contract

revision = "0002"
down_revision = "0001"
kind = Contract(oldest="0002")  # what is claimed now has a holder

# A place in the log of PostgreSQL: the transaction, then the number. What is there by now becomes
# part of the transaction of this migration, in the same order.
_PLACE = "pg_current_xact_id()::text::numeric * 17592186044416 + position"  # 2^44
_NOW = """
    CREATE OR REPLACE FUNCTION segue_now() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint'"""


def upgrade() -> None:
    """Make what workers need to know of each other."""
    op.create_table(
        "lease",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "once",
        sa.Column("job", sa.String, primary_key=True),
        sa.Column("slot", sa.String, primary_key=True),
    )
    op.add_column("stream", sa.Column("holder", sa.String))
    op.create_index("stream_holder", "stream", ["holder"])
    op.add_column("outbox", sa.Column("holder", sa.String))
    # Claimed by a program that knew no holders: gone by now, and nobody knows how far it came.
    op.execute("UPDATE outbox SET state = 'open' WHERE state = 'claimed'")
    if op.get_context().dialect.name == "postgresql":
        _order()
    else:
        _widen()


def _order() -> None:
    op.execute("ALTER TABLE event ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.create_index("event_order", "event", ["xid", "position"])
    for table in ("checkpoint", "seal"):
        op.alter_column(table, "position", type_=sa.Numeric(40, 0), postgresql_using=_PLACE)
    op.execute(_NOW)


def _widen() -> None:
    """SQLite keeps the same numbers; only the word for them is another."""
    for table, column in (("checkpoint", "position"), ("tile", "number")):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, type_=sa.BigInteger)
