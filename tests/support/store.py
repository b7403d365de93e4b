"""The real SQLite store in a folder of the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from ari_app.store.sqlite import SqliteStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter


@contextlib.asynccontextmanager
async def opened(
    folder: Path, clock: FakeClock | None = None, *, busy_ms: int = 5000
) -> AsyncIterator[SqliteStore]:
    """`segue.db` in the folder, made or found; closed at the end."""
    path = folder / "segue.db"
    store = SqliteStore(path, clock or FakeClock(), RecordingMeter(), busy_ms=busy_ms)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()
