"""For those who watch the simulated SMSC: a queue that is bounded, and says what it lost."""

from __future__ import annotations

import asyncio
from typing import get_args

from smpp.simulator.notices import Notice, Told

KEPT = 10_000
_NOTICES = get_args(Notice)


class Watch:
    """What happened, oldest first; one that is not read loses the oldest and counts them."""

    def __init__(self, *, everything: bool = False) -> None:
        """Texts and receipts, or `everything`."""
        self.missed = 0
        self._everything = everything
        self._queue: asyncio.Queue[Told] = asyncio.Queue(KEPT)

    def put(self, told: Told) -> None:
        """It happened."""
        if not self._everything and not isinstance(told, _NOTICES):
            return
        if self._queue.full():
            self._queue.get_nowait()
            self.missed += 1
        self._queue.put_nowait(told)

    async def get(self) -> Told:
        """The next one, as soon as there is one."""
        return await self._queue.get()

    def get_nowait(self) -> Told:
        """The next one; asyncio.QueueEmpty if there is none."""
        return self._queue.get_nowait()

    def qsize(self) -> int:
        """How many wait."""
        return self._queue.qsize()

    def empty(self) -> bool:
        """Whether none waits."""
        return self._queue.empty()
