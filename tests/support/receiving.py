"""A process that is bound to an SMSC until it is killed: `python -m tests.support.receiving …`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ari_app.ports import Clock
from ari_app.sms.gateway import SmppGateway
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.threads.inbox import Inbox
from tests.support.gateway import OURS, carrier
from tests.support.meter import RecordingMeter
from tests.support.store import opened

KEY = b"k" * 32


@contextlib.asynccontextmanager
async def bound(
    port: int, store: EventStore, clock: Clock | None = None, **options: Any
) -> AsyncIterator[tuple[SmppGateway, RecordingMeter]]:
    """The gateway as the service has it, on this store."""
    clock, meter = clock or SystemClock(), RecordingMeter()
    part_patience = options.pop("part_patience", 300.0)
    gateway = SmppGateway(
        carrier(port, **options),
        OURS,
        source="36200",
        inbox=Inbox(store, clock, meter, KEY),
        arrivals=store,
        clock=clock,
        meter=meter,
        secret=KEY,
        part_patience=part_patience,
    )
    gateway.start()
    try:
        await gateway.wait_up(10.0)
        yield gateway, meter
    finally:
        await gateway.aclose()


async def receives(port: int, folder: Path) -> None:
    """Takes what comes, for ever."""
    async with opened(folder) as store, bound(port, store):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(receives(int(sys.argv[1]), Path(sys.argv[2])))
