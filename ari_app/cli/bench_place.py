"""A store for benchmarks, as production has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.store.engine import Engine
from ari_app.store.keys import KeyDatabase
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter


@dataclass(frozen=True, slots=True)
class Place:
    """A store as production has it: chain and encryption on, joined under a lease."""

    store: EventStore
    vault: Vault
    engine: Engine


@contextlib.asynccontextmanager
async def place(folder: Path, engine: Engine) -> AsyncIterator[Place]:
    """Opened in the folder; closed at the end."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    clock = SystemClock()
    keys = KeyDatabase(folder / "keys.db", os.urandom(32), clock, os.urandom)
    keys.open()
    days = {"identity": 395, "words": 90, "texts": 90, "records": 395}
    vault = Vault(keys, Schedule(days), clock, os.urandom)
    store = EventStore(engine, clock, PrometheusMeter(), vault=vault)
    await store.open()
    try:
        await store.join(3600)
        yield Place(store, vault, engine)
    finally:
        await store.aclose()
        keys.close()
