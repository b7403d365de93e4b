"""Receipts are found by ids without case and zeros; parts of long texts outlive a restart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Expand

revision = "0005"
down_revision = "0004"
kind = Expand()

# As smpp.ids.folded. What an older program writes meanwhile has none, and is found by the very id.
_FOLD = "UPDATE {table} SET folded = coalesce(nullif(ltrim(lower(id), '0'), ''), '0')"


def upgrade() -> None:
    """Fold the ids that are there, and make what is learned and kept from now on."""
    op.add_column("wire", sa.Column("folded", sa.String))
    op.add_column("wire", sa.Column("at", sa.BigInteger))
    op.add_column("early_receipt", sa.Column("folded", sa.String))
    op.add_column(
        "early_receipt", sa.Column("looked", sa.Integer, nullable=False, server_default="0")
    )
    for table in ("wire", "early_receipt"):
        op.execute(_FOLD.format(table=table))
        op.create_index(f"{table}_folded", table, ["carrier", "folded"])
    op.create_index("early_receipt_looked", "early_receipt", ["looked", "at"])
    op.create_table(
        "id_rule",
        sa.Column("carrier", sa.String, primary_key=True),
        sa.Column("given", sa.String),
        *(
            sa.Column(rule, sa.BigInteger, nullable=False)
            for rule in ("same", "receipt_decimal", "receipt_hex")
        ),
    )
    op.create_table(
        "arrival",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("carrier", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_index("arrival_kind", "arrival", ["carrier", "kind", "at"])
