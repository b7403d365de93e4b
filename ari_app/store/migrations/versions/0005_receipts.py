"""What receipts and parts of long texts need: filled in below."""

from __future__ import annotations

from ari_app.store.migrations import Expand

revision = "0005"
down_revision = "0004"
kind = Expand()


def upgrade() -> None:
    """Nothing yet."""
