"""What the queue of texts needs: filled in below."""

from __future__ import annotations

from ari_app.store.migrations import Expand

revision = "0006"
down_revision = "0005"
kind = Expand()


def upgrade() -> None:
    """Nothing yet."""
