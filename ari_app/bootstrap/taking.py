"""Who has the calls of the PBX: one worker, until it is gone or another program takes them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from ari_app.ari.client import AriClient
from ari_app.bootstrap.life import Life
from ari_app.calls.registry import Calls
from ari_app.errors import StoreUnavailable
from ari_app.jobs.leases import Leaseholder
from ari_app.ports import Fence

logger = logging.getLogger(__name__)


class PbxCalls:
    """The calls of one PBX, under a lease."""

    def __init__(self, life: Life, leases: Leaseholder) -> None:
        pbx = life.settings.pbx
        self._life = life
        self._leases = leases
        self._lease = f"ari:{pbx.url.partition('://')[2]}:{pbx.app}"
        self._robbed: Callable[[], Awaitable[None]] | None = None

    async def take(self, client: AriClient, begin: Callable[[], Awaitable[None]]) -> None:
        """Take the calls of the PBX; or stand by until the worker that has them is gone."""
        life, leases, name = self._life, self._leases, self._lease
        pbx = life.settings.pbx
        life.at_end(client.aclose)

        async def start(fence: Fence) -> None:
            leases.needs(
                fence, f"another worker has taken the calls of {pbx.url}: restart this one"
            )
            await begin()

        fence = await leases.fence(name)
        if fence is not None:
            await start(fence)
            return
        logger.warning("another worker has the calls of %s: this one stands by", pbx.url)

        async def stand_by() -> None:
            while True:
                await asyncio.sleep(life.settings.store.lease / 4)
                try:
                    fence = await leases.fence(name)
                except StoreUnavailable as error:
                    logger.error("standing by waits: %s", error)
                    continue
                if fence is not None:
                    await start(fence)
                    logger.warning("this worker has the calls of %s now", pbx.url)
                    return

        life.spawn(stand_by, "standby")

    def stolen(self, client: AriClient) -> None:
        """Another program has our application: our callers are given to people by HTTP.

        Unless the calls are a worker's that has taken our lease: then they go on there.
        """

        async def give_back() -> None:
            with contextlib.suppress(StoreUnavailable):
                await self._leases.keep()
                if await self._leases.fence(self._lease) is None:
                    return
            client.give_back()

        self._robbed = give_back
        app = self._life.settings.pbx.app
        self._life.fail(f"another program has taken the Stasis application {app!r}")

    async def end(self, calls: Calls) -> None:
        """Let them finish; without events no call can go on."""
        if self._robbed is not None:
            await self._robbed()
        await calls.drain(0.0 if self._robbed else self._life.settings.calls.drain)
