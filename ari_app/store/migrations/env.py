"""What alembic runs between the connection and the steps; both come from `runner`."""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes.get("metadata"),
    on_version_apply=attributes.get("applied"),
)
# In the transaction that the runner has begun and will commit.
context.run_migrations()
