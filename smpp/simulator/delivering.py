"""Store and forward: each deliver_sm again and again, until an ESME has taken it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from smpp.constants import Status
from smpp.errors import SmppError
from smpp.pdu import DataSm, DeliverSm
from smpp.simulator.connection import Connection


class Delivering:
    """Finds a bind for what is to be delivered; waits for one if there is none."""

    def __init__(
        self, connections: Collection[Connection], retry_delay: float, answer_timeout: float
    ) -> None:
        self._connections = connections
        self._retry_delay = retry_delay
        self._answer_timeout = answer_timeout
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order they came

    async def deliver(
        self,
        pdu: DeliverSm | DataSm,
        attempts: int,
        *,
        system_id: str | None = None,
        origin: Connection | None = None,
        elsewhere: bool = False,
    ) -> int:
        """The status of the last answer; what is answered ESME_RX_T_APPN, or not, is repeated.

        To binds of `system_id` only, if one is given: to `origin` first, or last if `elsewhere`.
        """
        while True:
            connection = self._receiver(system_id, origin, elsewhere)
            if connection is None:
                await self._another()
                continue
            attempts -= 1
            try:
                status = await connection.deliver(pdu, self._answer_timeout)
            except (SmppError, TimeoutError):
                status = int(Status.ESME_RX_T_APPN)
            if status != Status.ESME_RX_T_APPN or attempts <= 0:
                return status
            await asyncio.sleep(self._retry_delay)

    def ready(self) -> None:
        """There is a new bind, or one that reads again: what waits may go."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _another(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await future
        finally:
            self._waiting.pop(future, None)

    def _receiver(
        self, system_id: str | None, origin: Connection | None, elsewhere: bool
    ) -> Connection | None:
        if origin is not None and not elsewhere and origin.usable:
            return origin
        usable = [
            connection
            for connection in self._connections
            if connection.usable and system_id in (None, connection.system_id)
        ]
        others = [connection for connection in usable if connection is not origin]
        # The one with the fewest unanswered, the oldest of equals.
        return min(others or usable, key=lambda one: (one.waiting, one.number), default=None)
