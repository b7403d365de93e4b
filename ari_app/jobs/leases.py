"""Keeps the leases of this worker, and lets what there may be only one of run under one."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.ports import Fence, Leases, Meter

logger = logging.getLogger(__name__)

# Of the time that a lease lasts: so there is some left to let go of what is under it.
_SURE = 0.75


class Leaseholder:
    """Call `keep` about three times in each `ttl` seconds."""

    def __init__(
        self, leases: Leases, ttl: float, meter: Meter, on_lost: Callable[[str], None]
    ) -> None:
        """`on_lost` hears of leases that this process cannot live without (see `needs`)."""
        self._leases = leases
        self._ttl = ttl
        self._meter = meter
        self._on_lost = on_lost
        self._held: dict[str, Fence] = {}
        self._asked: dict[str, float] = {}  # when it was last taken or renewed, by our own clock
        self._needed: dict[str, str] = {}

    def needs(self, fence: Fence, loss: str) -> None:
        """Keep this one too; `loss` is said to `on_lost` when somebody else has it."""
        self._held[fence.name] = fence
        self._needed[fence.name] = loss

    async def fence(self, name: str) -> Fence | None:
        """The lease, taken if it is free; None while another worker has it."""
        asked = time.monotonic()
        fence = self._held.get(name) or await self._leases.lease(name, self._ttl)
        if fence is not None and name not in self._held:
            self._held[name] = fence
            self._asked[name] = asked
            logger.info("this worker has the lease %s now", name)
        self._meter.gauge("segue_lease_held", 0 if fence is None else 1, lease=_kind(name))
        return fence

    def sure(self, name: str) -> bool:
        """Whether nobody else can have it yet, even if the store was away since it was renewed."""
        if name not in self._held:
            return False
        return time.monotonic() - self._asked.get(name, 0.0) < _SURE * self._ttl

    async def give_up(self, name: str) -> None:
        """Let another worker have this one; without effect if it is not held."""
        fence = self._held.pop(name, None)
        if fence is not None:
            self._meter.gauge("segue_lease_held", 0, lease=_kind(name))
            await self._leases.release(fence)

    def only(
        self, name: str, run: Callable[[Fence], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Does nothing while another worker has the lease."""

        async def tick() -> None:
            fence = await self.fence(name)
            if fence is None:
                return
            try:
                await run(fence)
            except LeaseLost:
                self.lost(fence)

        return tick

    async def keep(self) -> None:
        """Renew all that are held."""
        if not self._held:
            return
        asked, fences = time.monotonic(), list(self._held.values())
        try:
            for lost in await self._leases.renew(fences, self._ttl):
                self.lost(lost)
            self._asked |= dict.fromkeys((fence.name for fence in fences), asked)
        except LeaseLost:
            for fence in list(self._held.values()):
                self.lost(fence)
        except StoreUnavailable as error:
            # Nobody else can take them either while the database is away.
            logger.error("leases cannot be renewed: %s", error)

    async def release(self) -> None:
        """Give all of them up, last taken first, so that the next worker need not wait."""
        while self._held:
            _, fence = self._held.popitem()
            self._meter.gauge("segue_lease_held", 0, lease=_kind(fence.name))
            try:
                await self._leases.release(fence)
            except (StoreUnavailable, LeaseLost) as error:
                logger.warning("the lease %s could not be given up: %s", fence.name, error)

    def lost(self, fence: Fence) -> None:
        """Forget one that a write has found to be somebody else's; ask for it again."""
        if self._held.pop(fence.name, None) is None:
            return
        self._meter.gauge("segue_lease_held", 0, lease=_kind(fence.name))
        logger.warning("the lease %s is lost: another worker has it", fence.name)
        if loss := self._needed.pop(fence.name, None):
            self._on_lost(loss)


def _kind(name: str) -> str:
    """Few enough for a label: `ari:http://…` is `ari`."""
    return name.partition(":")[0]
