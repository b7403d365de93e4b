"""Carriers by name, each a `BatchCarrier`, as `Carriers` wants them."""

from __future__ import annotations

import asyncio
from typing import cast

from ari_app.ports import Accepted, OutgoingText, Receipt
from ari_app.sms.gateway import SmppGateway
from tests.support.carrier import BatchCarrier, Fate


class NamedCarrier(BatchCarrier):
    """What `Carriers` asks of a `SmppGateway`; takes everything at once until told otherwise."""

    def __init__(self, name: str, *, up: bool = True, room: int = 1000) -> None:
        super().__init__(room)
        self.name = name
        self.up = up
        self.latency = 0.0
        #: What it says to every text, if not taken.
        self.always: Fate | None = None
        self.started = self.closed = False
        self.bound = asyncio.Event()

    @property
    def as_gateway(self) -> SmppGateway:
        return cast(SmppGateway, self)

    def start(self) -> None:
        self.started = True

    def bind(self) -> None:
        self.up = True
        self.bound.set()

    async def wait_up(self, timeout: float) -> None:
        async with asyncio.timeout(timeout):
            await self.bound.wait()

    async def aclose(self) -> None:
        self.closed = True

    async def inquire(self, carrier: str, id: str) -> Receipt | None:
        return Receipt(carrier, id, "DELIVRD", "000")

    def _fate(self, text: OutgoingText) -> Fate:
        if said := self.says.get(text.message):
            return said.pop(0)
        return self.always or Accepted(self.name, (f"{self.name}-{text.message}",))
