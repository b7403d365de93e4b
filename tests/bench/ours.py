"""The package `smpp` alone, as a contestant: MODE PORT N WINDOW [OUTSTANDING].

Modes: `submit`, `latency`, `receive`; `matched` also takes the receipts and finds whose they are,
among those of so many other texts that are outstanding. Those that submit say by how many megabytes
the process has grown since the hundred thousandth answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from smpp.esme import Esme, Limits
from smpp.gsm0338 import encode_text
from smpp.ids import MessageIds
from smpp.pdu import DeliverSm
from smpp.receipt import Receipt, parse
from smpp.texts import Settled, Text
from tests.bench.traffic import PATIENCE, TEMPLATE, TEXT, Stopwatch, destination

_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK_EVERY = 100_000  # texts


class Sending:
    """A sink that keeps the bind busy until all is answered."""

    def __init__(self, esme: Esme, count: int, ahead: int, timed: bool) -> None:
        """`ahead` texts are in its hands at a time."""
        self.over = asyncio.get_running_loop().create_future()
        self.waits: list[float] = []
        self.sizes: list[int] = []  # octets, at each hundred thousandth answer
        self._esme, self._count, self._ahead, self._timed = esme, count, ahead, timed
        self._sent = self._answered = 0

    def more(self) -> None:
        until = min(self._count, self._answered + self._ahead)
        since = time.perf_counter() if self._timed else 0.0
        texts = [
            Text(to, (TEMPLATE.body(to, encode_text(TEXT)[1]),), (since,))
            for to in map(destination, range(self._sent, until))
        ]
        self._sent = until
        if texts:
            self._esme.submit_octets(texts, self)

    def settle(self, settled: Settled) -> None:
        assert not [*settled.refused, *settled.unknown, *settled.unsent]
        if self._timed:
            now = time.perf_counter()
            self.waits += [now - since for since, _ in settled.taken]
        before, self._answered = self._answered, self._answered + len(settled.taken)
        if self._answered // _LOOK_EVERY > before // _LOOK_EVERY:
            self.sizes.append(resident())
        self.taken(settled.taken)
        if self._answered == self._count:
            self.over.set_result(None)
        else:
            self.more()

    @property
    def grown(self) -> float:
        first, *rest = self.sizes or [0]
        return (max(rest, default=first) - first) / 1e6

    def taken(self, taken: Sequence[tuple[float, str]]) -> None:
        """For who wants the ids."""

    def wanted(self, tokens: Sequence[float]) -> bool:
        return True


class Matched(Sending):
    """...and until each has its receipt."""

    def __init__(self, esme: Esme, count: int, ahead: int, outstanding: int) -> None:
        super().__init__(esme, count, ahead, False)
        self.all_there = asyncio.get_running_loop().create_future()
        self._ids = MessageIds(most=max(100_000, 2 * outstanding))
        self._waiting: dict[str, float] = {}
        self._found = 0
        self._left = outstanding
        for number in range(outstanding):
            self.taken([(0.0, f"9{number:09x}")])

    @property
    def grown(self) -> float:
        first, *rest = self.sizes or [0]
        return (max(rest, default=first) - first) / 1e6

    def taken(self, taken: Sequence[tuple[float, str]]) -> None:
        for token, id in taken:
            self._ids.remember(id)
            self._waiting[id] = token

    async def store(self, batch: Sequence[DeliverSm]) -> None:
        for pdu in batch:
            receipt = parse(pdu)
            assert isinstance(receipt, Receipt)
            del self._waiting[self._ids.find(receipt.id)]
        self._found += len(batch)
        if self._found == self._count:
            assert len(self._waiting) == self._left
            self.all_there.set_result(None)


def resident() -> int:
    """Octets of memory that this process has (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def ignore(batch: Sequence[DeliverSm]) -> None:
    """Of a receipt nothing is wanted here but that it is answered."""


async def submit(port: int, count: int, window: int, timed: bool) -> None:
    esme = Esme(
        "127.0.0.1",
        port,
        system_id="fast",
        password="x",
        batch_handler=ignore,
        limits=Limits(window=window, handler_timeout=PATIENCE),
    )
    esme.start()
    await esme.wait_up(10)
    sending = Sending(esme, count, window if timed else 2 * window, timed)
    watch = Stopwatch()
    sending.more()
    await sending.over
    watch.tell(count, sending.waits, grown=sending.grown)
    await esme.aclose()


async def receive(port: int, count: int) -> None:
    received, over = 0, asyncio.get_running_loop().create_future()

    async def take(batch: Sequence[DeliverSm]) -> None:
        nonlocal received
        received += len(batch)
        if received == count:
            over.set_result(None)

    esme = Esme("127.0.0.1", port, system_id="fast", password="x", batch_handler=take)
    watch = Stopwatch()
    esme.start()
    await over
    watch.tell(count)
    await esme.aclose()


async def matched(port: int, count: int, window: int, outstanding: int) -> None:
    sending: Matched

    async def take(batch: Sequence[DeliverSm]) -> None:
        await sending.store(batch)

    esme = Esme(
        "127.0.0.1",
        port,
        system_id="fast",
        password="x",
        batch_handler=take,
        limits=Limits(window=window, handler_timeout=PATIENCE),
    )
    sending = Matched(esme, count, 2 * window, outstanding)
    esme.start()
    await esme.wait_up(10)
    watch = Stopwatch()
    sending.more()
    await sending.all_there
    watch.tell(count, grown=sending.grown)
    await esme.aclose()


def main(mode: str, port: int, count: int, window: int, outstanding: int = 0) -> None:
    if mode == "receive":
        asyncio.run(receive(port, count))
    elif mode == "matched":
        asyncio.run(matched(port, count, window, outstanding))
    else:
        asyncio.run(submit(port, count, window, mode == "latency"))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
