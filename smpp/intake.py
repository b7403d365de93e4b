"""deliver_sm on their way to whoever stores them: in order, in batches, each answered in time."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from smpp.constants import Status
from smpp.pdu import DeliverSm

logger = logging.getLogger(__name__)

#: Stores what came, in order; the status of each, or None when all are stored.
BatchHandler: TypeAlias = Callable[[Sequence[DeliverSm]], Awaitable[Sequence[int] | None]]

#: Answers so many sequences with one status.
Answer: TypeAlias = Callable[[Sequence[int], int], None]

_MOST = 1000  # deliver_sm before we stop reading: more than any SMSC's window


class Intake:
    """Gives batches to a handler, one at a time, and answers them with what it says.

    What the handler does not store within `timeout` seconds of its arrival is answered
    ESME_RX_T_APPN, so that the SMSC repeats it: it would give up waiting at about that time.
    """

    def __init__(
        self,
        handler: BatchHandler,
        *,
        batch: int,
        timeout: float,
        answer: Answer,
        progress: Callable[[], None],
    ) -> None:
        """`progress` is called after each batch: the answers can be written."""
        self._handler = handler
        self._batch = batch
        self._timeout = timeout
        self._answer = answer
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        # By the time at which the SMSC gives them up; not yet given to the handler.
        self._waiting: deque[tuple[float, list[DeliverSm]]] = deque()
        self._work = asyncio.Event()
        self._handling = asyncio.create_task(self._handle())
        #: How many are taken and not answered.
        self.in_hand = 0

    @property
    def full(self) -> bool:
        """Whether no more should be read for now."""
        return self.in_hand >= _MOST

    def take(self, arrived: list[DeliverSm], now: float) -> None:
        """What came in one read; the list stays the caller's."""
        deadline = now + self._timeout
        for start in range(0, len(arrived), self._batch):
            self._waiting.append((deadline, arrived[start : start + self._batch]))
        self.in_hand += len(arrived)
        self._work.set()

    def forget(self) -> None:
        """The session is over: what is not answered comes again on the next bind."""
        self.in_hand -= sum(len(batch) for _, batch in self._waiting)
        self._waiting.clear()

    async def aclose(self) -> None:
        """Stop, also in the middle of a batch."""
        self._handling.cancel()
        await asyncio.wait([self._handling])

    async def _handle(self) -> None:
        # One batch at a time: two texts of one person must not overtake each other.
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                deadline, batch = self._next()
                try:
                    statuses = await self._store(batch, deadline)
                    if statuses is None:
                        self._answer([pdu.sequence for pdu in batch], Status.ESME_ROK)
                    else:
                        self._answer_each(batch, statuses)
                finally:
                    self.in_hand -= len(batch)
                self._progress()

    def _next(self) -> tuple[float, list[DeliverSm]]:
        """What came in several reads while the last was stored is one batch, if it fits."""
        deadline, batch = self._waiting.popleft()
        if self._waiting and len(batch) + len(self._waiting[0][1]) <= self._batch:
            batch = list(batch)
            while self._waiting and len(batch) + len(self._waiting[0][1]) <= self._batch:
                batch += self._waiting.popleft()[1]
        return deadline, batch

    async def _store(self, batch: Sequence[DeliverSm], deadline: float) -> Sequence[int] | None:
        """The status of each; None if all are stored."""
        again = [int(Status.ESME_RX_T_APPN)] * len(batch)
        if self._loop.time() >= deadline:
            logger.warning("%d deliver_sm waited too long: the SMSC is to repeat", len(batch))
            return again
        try:
            async with asyncio.timeout_at(deadline):
                statuses = await self._handler(batch)
        except TimeoutError:
            logger.warning("%d deliver_sm took too long: the SMSC is to repeat", len(batch))
            return again
        except Exception as error:  # noqa: BLE001  # whatever it was, it is not stored
            # The type only: the text of a foreign exception may quote the message.
            kind = type(error).__name__
            logger.warning("%d deliver_sm not stored (%s): the SMSC is to repeat", len(batch), kind)
            return again
        if statuses is None:
            return None
        if len(statuses) != len(batch) or not all(0 <= n <= 0xFFFFFFFF for n in statuses):
            logger.error("the handler gave no sound status for each of %d deliver_sm", len(batch))
            return again
        return statuses

    def _answer_each(self, batch: Sequence[DeliverSm], statuses: Sequence[int]) -> None:
        by_status: dict[int, list[int]] = {}
        for pdu, status in zip(batch, statuses, strict=True):
            by_status.setdefault(status, []).append(pdu.sequence)
        for status, sequences in by_status.items():
            self._answer(sequences, status)
