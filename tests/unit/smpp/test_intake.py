"""What comes while something is stored is stored together afterwards."""

import asyncio
from collections.abc import Sequence

import pytest

from smpp.constants import Status
from smpp.intake import Intake
from smpp.pdu import DeliverSm


class Shop:
    """An intake whose handler stores only when the test lets it."""

    def __init__(self, batch: int, timeout: float = 5.0) -> None:
        self.batches: list[list[int]] = []
        self.answered: list[int] = []
        self.open = asyncio.Event()
        self.intake = Intake(
            self._store, batch=batch, timeout=timeout, answer=self._answer, progress=lambda: None
        )

    def arrive(self, *sequences: int) -> None:
        now = asyncio.get_running_loop().time()
        self.intake.take([DeliverSm(sequence=n) for n in sequences], now)

    async def _store(self, pdus: Sequence[DeliverSm]) -> None:
        self.batches.append([pdu.sequence for pdu in pdus])
        await self.open.wait()

    def _answer(self, sequences: Sequence[int], status: int) -> None:
        assert status == Status.ESME_ROK
        self.answered += sequences

    async def until(self, answered: int) -> None:
        async with asyncio.timeout(5.0):
            while len(self.answered) < answered:  # noqa: ASYNC110  # told by a plain call
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("batch", "stored"),
    [
        (500, [[1], [2, 3, 4, 5]]),
        (3, [[1], [2, 3, 4], [5]]),
        (1, [[1], [2], [3], [4], [5]]),
    ],
)
async def test_several_reads_are_one_batch_if_it_fits(batch: int, stored: list[list[int]]) -> None:
    shop = Shop(batch)
    shop.arrive(1)
    while not shop.batches:  # noqa: ASYNC110  # told by a plain call
        await asyncio.sleep(0)
    shop.arrive(2)
    shop.arrive(3, 4)
    shop.arrive(5)
    assert shop.intake.in_hand == 5
    shop.open.set()
    await shop.until(5)
    assert shop.batches == stored
    assert shop.answered == [1, 2, 3, 4, 5]
    assert shop.intake.in_hand == 0
    await shop.intake.aclose()
