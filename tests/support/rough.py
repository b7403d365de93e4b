"""Telephone lines that lose and delay what a caller says."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

from ari_app.phone.call import Phone


class RoughLine:
    """A datagram transport that loses a share of the packets, and holds each for a while."""

    def __init__(
        self, line: asyncio.DatagramTransport, loss: float, jitter: float, seed: int
    ) -> None:
        self._line = line
        self._loss = loss
        self._jitter = jitter
        self._chance = random.Random(seed)
        self.lost = 0

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        if self._chance.random() < self._loss:
            self.lost += 1
            return
        late = self._chance.uniform(0.0, self._jitter)
        asyncio.get_running_loop().call_later(late, self._late, data, address)

    def _late(self, data: bytes, address: tuple[str, int]) -> None:
        if not self._line.is_closing():
            self._line.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


def roughen(phone: Phone, *, loss: float = 0.0, jitter: float = 0.0, seed: int = 7) -> RoughLine:
    """From now on the phone speaks over such a line; `jitter` is seconds at most."""
    sound = phone._sound
    assert sound._transport is not None
    line = RoughLine(sound._transport, loss, jitter, seed)
    sound._transport = cast(asyncio.DatagramTransport, line)
    return line
