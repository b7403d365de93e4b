"""Which worker has the binds: each is under a lease, and all of them are with one worker.

Together, since the parts of a text from a handset, the repetitions of one, the order of the texts
to one person and the choice of a carrier are judged in one place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ari_app.errors import StoreUnavailable
from ari_app.ports import Fence
from ari_app.sms.gateway import SmppGateway

logger = logging.getLogger(__name__)

#: The kind of these leases; their names are `smpp:<carrier>:<number of the bind>`.
BINDS = "smpp"
#: `smpp-up:<carrier>`: held by whoever has its binds, while one is up that can send.
UP = "smpp-up"

# Seconds for answers that are under way: soon another worker may make the bind.
_DRAIN = 0.25


class Holder(Protocol):
    """Keeps the leases of this worker."""

    async def fence(self, name: str) -> Fence | None:
        """It is ours, or taken if it is free; None while another worker has it."""

    def sure(self, name: str) -> bool:
        """Whether nobody else can have it yet."""

    async def give_up(self, name: str) -> None:
        """Let another worker have it."""


class BindLeases:
    """Makes a bind when its lease is ours, and lets go of it before another worker may have it."""

    def __init__(
        self,
        gateways: Sequence[SmppGateway],
        holder: Holder,
        held: Callable[[str], Awaitable[dict[str, str]]],
    ) -> None:
        """`held` is as in the port `Leases`. Call `run_once` about eight times in the time that a
        lease lasts.
        """
        self._gateways = gateways
        self._holder = holder
        self._held = held
        # The first of them is the right to have the others.
        self._binds = [
            (f"{BINDS}:{gateway.name}:{number}", gateway, bind)
            for gateway in gateways
            for number, bind in enumerate(gateway.binds, 1)
        ]
        self._ours: set[str] = set()
        self._elsewhere = False
        self._told_up: set[str] = set()

    @property
    def ours(self) -> bool:
        """Whether this worker has binds."""
        return bool(self._ours)

    @property
    def up(self) -> bool:
        """Whether texts can be sent now, by whichever worker."""
        return any(gateway.up for gateway in self._gateways) or self._elsewhere

    async def run_once(self) -> None:
        """Take what is free, and let go of what is not sure any more."""
        try:
            await self._take()
            await self._tell()
        except StoreUnavailable as error:
            logger.error("leases of binds cannot be taken: %s", error)
        await self._let_go()

    def only(self, run: Callable[[Fence], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Does nothing while another worker has the binds."""

        async def tick() -> None:
            fence = await self._holder.fence(self._binds[0][0]) if self.ours else None
            if fence is not None:
                await run(fence)

        return tick

    async def _take(self) -> None:
        for name, gateway, bind in self._binds:
            if await self._holder.fence(name) is None or not self._holder.sure(name):
                if name == self._binds[0][0]:
                    return
                continue
            if name not in self._ours:
                self._ours.add(name)
                logger.info("this worker makes the bind %s of %s", bind, gateway.name)
                gateway.start(bind)

    async def _tell(self) -> None:
        """Say to the workers that stand by what is up; or hear it."""
        if not self.ours:
            self._told_up.clear()
            self._elsewhere = bool(await self._held(UP))
            return
        self._elsewhere = False
        for gateway in self._gateways:
            name = f"{UP}:{gateway.name}"
            if gateway.up:
                self._told_up.add(name)
                await self._holder.fence(name)
            elif name in self._told_up:
                self._told_up.discard(name)
                await self._holder.give_up(name)

    async def _let_go(self) -> None:
        """All of them if the first is lost."""
        first = self._binds[0][0]
        lost = [
            one
            for one in self._binds
            if one[0] in self._ours and not (self._holder.sure(one[0]) and self._holder.sure(first))
        ]
        if not lost:
            return
        logger.warning("%d binds are let go: another worker may have them", len(lost))
        await asyncio.gather(*(gateway.rest(bind, _DRAIN) for _, gateway, bind in lost))
        self._ours -= {name for name, _, _ in lost}
        for name, _, _ in lost:
            try:
                await self._holder.give_up(name)
            except StoreUnavailable as error:
                logger.warning("the lease %s could not be given up: %s", name, error)
