"""The parts of long texts, and the order in which they are kept, joined and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ari_app.ports import Arrival, Receipt
from ari_app.sms import parts as parts_module
from ari_app.sms.dedupe import DedupeKeys
from ari_app.sms.parts import Parts
from smpp.address import Address
from smpp.ids import IdRule
from smpp.pdu import DeliverSm
from smpp.segmentation import Whole, split
from tests.support.clock import FakeClock


class SlowDisk:
    """The port SmsArrivals; the first of all writes takes until `first` is set."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.done: list[str] = []
        self._begun = 0

    async def keep(self, arrivals: Sequence[Arrival]) -> None:
        self._begun += 1
        if self._begun == 1:
            await self.first.wait()
        self.done += [f"{arrival.kind} kept" for arrival in arrivals]

    async def move(self, ids: Sequence[str], kind: str, at: int) -> None:
        self.done.append(f"{len(ids)} {kind}")

    async def kept(self, carrier: str) -> list[Arrival]:
        return []

    async def forget(self, carrier: str, kind: str, before: int) -> None:
        pass

    async def receipts(self, receipts: Sequence[Receipt]) -> list[bool]:
        return []

    async def give_id_rule(self, carrier: str, rule: IdRule | None) -> None:
        pass


def made(disk: SlowDisk | None, clock: FakeClock) -> Parts:
    return Parts("main", disk, clock, DedupeKeys(b"k"), patience=300.0)


def two(reference: int, body: str = "x" * 200) -> list[DeliverSm]:
    source = Address.of("+33123456789")
    return [
        DeliverSm(source=source, esm_class=segment.esm_class, short_message=segment.octets)
        for segment in split(body, reference)
    ]


async def joined(parts: Parts, *pdus: DeliverSm) -> Whole:
    wholes = [await parts.add(pdu) for pdu in pdus]
    (whole,) = (whole for whole in wholes if whole is not None)
    return whole


async def test_no_part_is_kept_after_its_text_was_joined() -> None:
    disk = SlowDisk()
    parts = made(disk, FakeClock())
    first, second = two(1)
    slow = asyncio.create_task(parts.add(first))
    await asyncio.sleep(0)

    async def completes() -> None:
        whole = await parts.add(second)
        assert whole is not None
        await parts.settled(whole)

    quick = asyncio.create_task(completes())
    for _ in range(10):
        await asyncio.sleep(0)
    disk.first.set()
    await asyncio.gather(slow, quick)
    assert disk.done == ["part kept", "part kept", "2 joined"]


async def test_texts_that_were_joined_are_known_for_as_long_as_they_may_be_repeated() -> None:
    clock = FakeClock()
    parts = made(None, clock)
    pdus = two(1)
    await parts.settled(await joined(parts, *pdus))
    assert [await parts.add(pdu) for pdu in pdus] == [None, None]
    assert parts.next_deadline() == clock.monotonic() + 300.0
    clock.advance(301)
    await parts.tidy()
    assert parts.next_deadline() is None
    assert (await joined(parts, *pdus)).complete


async def test_not_more_joined_texts_are_known_than_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts_module, "_MOST_JOINED", 3)
    parts = made(None, FakeClock())
    for reference in range(10):
        await parts.settled(await joined(parts, *two(reference)))
    assert len(parts._texts) == 3


async def test_two_texts_of_one_reference_have_two_keys() -> None:
    clock = FakeClock()
    parts = made(None, clock)
    first = await joined(parts, *two(1))
    key = parts.key(first)
    assert parts.key(first) == key
    await parts.settled(first)
    clock.advance(1)
    assert parts.key(await joined(parts, *two(1, "y" * 200))) != key
