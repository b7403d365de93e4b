"""What a carrier brings: receipts, texts, and what is neither; every answer after its storing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.errors import StoreUnavailable
from ari_app.ports import IncomingText, Receipt
from ari_app.sms import inbound as inbound_module
from ari_app.sms.inbound import Inbound
from ari_app.store.engine import Link
from ari_app.store.wire import KNOW, known_row
from smpp.address import Address
from smpp.constants import Status
from smpp.pdu import DeliverSm
from smpp.segmentation import split
from tests.support.clock import NOON, FakeClock
from tests.support.meter import RecordingMeter
from tests.support.store import opened

ALICE, BEN = "+33123456789", "+33987654321"
OK, AGAIN = Status.ESME_ROK, Status.ESME_RX_T_APPN


class Inbox:
    """Keeps what comes in; `broken` for some senders."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.texts: list[IncomingText] = []
        self.broken: set[str] = set()
        self.stuck_at = ""

    async def receipt(self, receipt: Receipt) -> None:
        if "receipts" in self.broken:
            raise StoreUnavailable("locked")
        self.receipts.append(receipt)

    async def text(self, text: IncomingText) -> None:
        await asyncio.sleep(0)
        if text.sender == self.stuck_at:
            await asyncio.Event().wait()
        if text.sender in self.broken:
            raise StoreUnavailable("locked")
        self.texts.append(text)


class Story:
    """An Inbound without a store of its own: all in memory."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.clock = FakeClock()
        self.meter = RecordingMeter()
        self.inbound = Inbound(
            carrier="main",
            inbox=self.inbox,
            clock=self.clock,
            meter=self.meter,
            secret=b"k",
            link=lambda: 1,
        )

    async def comes(self, *pdus: DeliverSm) -> list[int]:
        return list(await self.inbound.take_all(pdus))

    def received(self, kind: str) -> int:
        return self.meter.counts["segue_smpp_received_total", "main", kind]


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    story = Story()
    story.inbound.start()
    yield story
    await story.inbound.aclose()


def text(body: str, sender: str = ALICE, esm_class: int = 0) -> DeliverSm:
    return DeliverSm(
        source=Address.of(sender),
        destination=Address.of("36200"),
        esm_class=esm_class,
        short_message=body.encode("ascii"),
    )


def receipt(id: str) -> DeliverSm:
    return text(f"id:{id} stat:DELIVRD err:000", esm_class=4)


def parts(body: str, reference: int) -> list[DeliverSm]:
    return [
        DeliverSm(source=Address.of(ALICE), esm_class=s.esm_class, short_message=s.octets)
        for s in split(body, reference)
    ]


async def test_one_read_brings_all_kinds_and_each_is_stored(story: Story) -> None:
    read = [text("a"), receipt("7"), text("b", BEN), receipt("8"), text("c")]
    assert await story.comes(*read) == [OK] * 5
    assert [r.id for r in story.inbox.receipts] == ["7", "8"]
    assert [t.body for t in story.inbox.texts if t.sender == ALICE] == ["a", "c"]
    assert story.received("receipt") == 2
    assert story.received("text") == 3


async def test_only_what_was_not_stored_is_to_come_again(story: Story) -> None:
    story.inbox.broken = {BEN}
    assert await story.comes(text("a"), text("b", BEN), receipt("7")) == [OK, AGAIN, OK]
    story.inbox.broken = {"receipts"}
    assert await story.comes(receipt("7"), text("c"), receipt("8")) == [AGAIN, OK, AGAIN]
    story.inbox.broken = set()
    assert await story.comes(text("b", BEN)) == [OK]
    assert sorted(t.body for t in story.inbox.texts) == ["a", "b", "c"]


async def test_the_texts_of_one_person_keep_their_order(story: Story) -> None:
    bodies = [str(n) for n in range(20)]
    await story.comes(*(text(body) for body in bodies))
    assert [t.body for t in story.inbox.texts] == bodies


async def test_what_was_stored_in_vain_is_known_when_it_comes_again(story: Story) -> None:
    story.inbox.stuck_at = BEN
    taking = asyncio.create_task(story.comes(text("a"), text("b", BEN)))
    while not story.inbox.texts:  # noqa: ASYNC110  # the inbox says nothing
        await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    story.inbox.stuck_at = ""
    assert await story.comes(text("a"), text("b", BEN)) == [OK, OK]
    assert await story.comes(text("a")) == [OK]  # said again
    keys = [t.dedupe for t in story.inbox.texts if t.sender == ALICE]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("esm_class", [0x04, 0x20, 0x08, 0x10])
async def test_receipts_of_every_kind_are_receipts(story: Story, esm_class: int) -> None:
    assert await story.comes(text("id:7 stat:DELIVRD", esm_class=esm_class)) == [OK]
    assert [r.state for r in story.inbox.receipts] == ["DELIVRD"]


async def test_an_automatic_acknowledgement_is_no_text_and_what_a_person_answered_is(
    story: Story,
) -> None:
    assert await story.comes(text("ack", esm_class=0x08), text("", esm_class=0x10)) == [OK, OK]
    assert story.received("acknowledgement") == 2
    assert story.inbox.texts == []
    assert await story.comes(text("yes", esm_class=0x10)) == [OK]
    assert [t.body for t in story.inbox.texts] == ["yes"]


async def test_a_text_about_receipts_is_a_text(story: Story) -> None:
    assert await story.comes(text("id:7 stat:DELIVRD")) == [OK]
    assert story.inbox.receipts == []


async def test_more_parts_than_can_be_held_are_to_come_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.inbox.broken = {ALICE}  # nothing can be settled
    body = "x" * 400
    statuses = [await story.comes(parts(body, n)[0]) for n in range(256)]
    assert statuses == [[OK]] * 256
    monkeypatch.setattr(story.inbound._parts._joiner, "_most", 100)
    other = DeliverSm(source=Address.of(BEN), esm_class=0x40, short_message=b"\5\0\3\1\2\1x")
    assert await story.comes(other) == [AGAIN]
    assert len(story.inbound._parts._texts) == 256


async def test_a_receipt_that_crossed_its_response_is_looked_for_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_module, "_LOOK_AGAIN", 0.05)
    story = Story()
    async with opened(tmp_path, story.clock) as store:
        inbound = Inbound(
            carrier="main",
            inbox=story.inbox,
            arrivals=store,
            clock=story.clock,
            meter=story.meter,
            secret=b"k",
            link=lambda: 1,
        )
        assert await inbound.take_all([receipt("7")]) == [OK]

        def as_another_worker_committed_it(link: Link) -> None:
            link.bulk(KNOW, [known_row("main", "7", "msg_1", "conv_1", NOON)])

        await store._writer.run(as_another_worker_committed_it)
        story.clock.advance(3)
        async with asyncio.timeout(10.0):
            while not await store.read("conv_1"):  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.01)
        await inbound.aclose()
