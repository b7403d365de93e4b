"""What the rules before the wire remember: filled in below."""

from __future__ import annotations

from ari_app.store.migrations import Expand

revision = "0007"
down_revision = "0006"
kind = Expand()


def upgrade() -> None:
    """Nothing yet."""
