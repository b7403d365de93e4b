"""Receipts and replies end to end: a real SMSC on a socket, the gateway, and the store on disk."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    Event,
    ReceiptReceived,
    TextPromised,
    TextReceived,
    TextSubmitted,
)
from ari_app.conversation.identity import E164
from ari_app.conversation.message import MessageState
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect, OutgoingText, SmsGateway
from ari_app.sms import inbound as inbound_module
from ari_app.sms.dedupe import DedupeKeys
from ari_app.sms.parts import Parts
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from smpp.address import Address
from smpp.constants import Status, Tag
from smpp.errors import SmppError
from smpp.ids import IdRule
from smpp.pdu import DataSm, DeliverSm
from smpp.segmentation import split
from smpp.simulator import Smsc
from tests.support.clock import DAY, FakeClock
from tests.support.killing import killed_at
from tests.support.receiving import KEY, bound
from tests.support.store import opened, running, sqlite_store
from tests.support.wait import PATIENCE

ALICE = E164("+33123456789")
LONG = "Bring your papers, please. " * 15  # three parts
NEVER = 3600.0
_NUMBERS = count(1)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    """It sends no receipts of its own accord in the time of a test."""
    smsc = Smsc(accounts={"segue": "secret"}, retry_delay=0.01, receipt_delay=NEVER)
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    async with opened(tmp_path) as store:
        yield store


async def until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.002)


async def until_there(store: EventStore, stream: str, how_many: int) -> None:
    async with asyncio.timeout(10.0):
        while len(await receipts(store, stream)) < how_many:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.005)


async def send(store: EventStore, gateway: SmsGateway, body: str = "hello") -> tuple[str, ...]:
    """As the outbox does it; the message is msg_N in the stream conv_N."""
    number = next(_NUMBERS)
    id, stream = f"msg_{number}", f"conv_{number}"
    promised = TextPromised(message=id, template="t", to=ALICE.value, body=body)
    payload: dict[str, object] = {"to": ALICE.value, "body": body}
    await store.append(stream, [promised], effects=[Effect("sms", id, 0, payload)])
    (job,) = await store.claim("sms", 1)
    await store.sending(job)
    accepted = await gateway.send(OutgoingText(id, ALICE, body))
    submitted = TextSubmitted(message=id, carrier="main", ids=accepted.ids, attempts=1)
    await store.settle(job, [submitted], wire=("main", accepted.ids))
    return stream, *accepted.ids


async def receipts(store: EventStore, stream: str) -> list[tuple[str, str]]:
    events = [e.event for e in await store.read(stream)]
    return [(e.id, e.state) for e in events if isinstance(e, ReceiptReceived)]


async def state(store: EventStore, stream: str) -> MessageState:
    return (await store.state(stream)).messages[stream.replace("conv", "msg")].state


async def texts(store: EventStore) -> list[str]:
    found: list[Event] = []
    for stream, _ in await store.recent(100):
        found += [e.event for e in await store.read(stream)]
    return [e.body for e in found if isinstance(e, TextReceived)]


def receipt(id: str, stat: str = "DELIVRD") -> DeliverSm:
    written = f"id:{id} sub:001 dlvrd:001 done date:2611201157 stat:{stat} err:000 text:"
    source, destination = Address.of(ALICE.value), Address.of("36200")
    return DeliverSm(
        source=source, destination=destination, esm_class=4, short_message=written.encode()
    )


def parts_of(text: str, reference: int = 7) -> list[DeliverSm]:
    return [
        DeliverSm(
            source=Address.of(ALICE.value),
            destination=Address.of("36200"),
            esm_class=segment.esm_class,
            data_coding=segment.data_coding,
            short_message=segment.octets,
        )
        for segment in split(text, reference)
    ]


async def insist(smsc: Smsc, pdu: DeliverSm) -> int:
    """As an SMSC does it: again on the next bind if there was no answer on this one."""
    while True:
        await until(lambda: any(one.receives for one in smsc.connections), 30.0)
        connection = next(one for one in smsc.connections if one.receives)
        with contextlib.suppress(SmppError, TimeoutError):
            return await connection.deliver(pdu, 10.0)


async def deliver(smsc: Smsc, *pdus: DeliverSm) -> list[int]:
    """All at once, on the only bind; what each is answered."""
    (connection,) = smsc.connections
    return await asyncio.gather(*(connection.deliver(pdu, 30.0) for pdu in pdus))


# -- receipts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tlvs", [True, False])
async def test_decimal_receipts_of_hexadecimal_ids_find_their_texts(
    smsc: Smsc, store: EventStore, tlvs: bool
) -> None:
    smsc.faults.hex_ids, smsc.faults.receipt_tlvs, smsc.receipt_delay = True, tlvs, 0.0
    async with bound(smsc.port, store) as (gateway, meter):
        for _ in range(5):
            stream, id = await send(store, gateway)
            await until_there(store, stream, 1)
            assert await receipts(store, stream) == [(id, "DELIVRD")]
            assert await state(store, stream) is MessageState.DELIVERED
    assert meter.counts["segue_smpp_received_total", "main", "receipt"] == 5


async def test_hexadecimal_receipts_of_decimal_ids_find_their_texts(
    smsc: Smsc, store: EventStore
) -> None:
    async with bound(smsc.port, store) as (gateway, meter):
        for _ in range(5):
            stream, id = await send(store, gateway)
            assert await deliver(smsc, receipt(f"{int(id):08x}")) == [0]
            assert await receipts(store, stream) == [(id, "DELIVRD")]
    assert meter.counts["segue_sms_receipts_total", "true"] == 5


async def test_a_receipt_may_come_as_data_sm(smsc: Smsc, store: EventStore) -> None:
    async with bound(smsc.port, store) as (gateway, _):
        stream, id = await send(store, gateway)
        (connection,) = smsc.connections
        payload = (int(Tag.MESSAGE_PAYLOAD), f"id:{id} stat:DELIVRD".encode("utf-16-be"))
        connection.send(DataSm(sequence=77, esm_class=4, data_coding=8, tlvs=(payload,)))
        await until_there(store, stream, 1)
        assert await state(store, stream) is MessageState.DELIVERED


async def test_the_carriers_word_counts_for_its_receipts(smsc: Smsc, store: EventStore) -> None:
    rule = IdRule.RECEIPT_DECIMAL
    async with bound(smsc.port, store, id_rule=rule) as (gateway, meter):
        stream, id = await send(store, gateway)
        await deliver(smsc, receipt(id))  # in decimal it is another text's
        assert meter.counts["segue_sms_receipts_total", "false"] == 1
        await deliver(smsc, receipt(str(int(id, 16))))
        assert await receipts(store, stream) == [(id, "DELIVRD")]


async def test_a_receipt_comes_after_a_restart(smsc: Smsc, tmp_path: Path) -> None:
    smsc.faults.hex_ids = True
    async with opened(tmp_path) as store, bound(smsc.port, store) as (gateway, _):
        stream, id = await send(store, gateway)
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await deliver(smsc, receipt(str(int(id, 16)))) == [0]
        assert await state(store, stream) is MessageState.DELIVERED


async def test_a_receipt_before_its_response_waits_for_it_through_a_restart(
    smsc: Smsc, tmp_path: Path
) -> None:
    async with opened(tmp_path) as store, bound(smsc.port, store) as (_, meter):
        assert await deliver(smsc, receipt("1000001"), receipt("1000001")) == [0, 0]
        assert meter.counts["segue_sms_receipts_total", "false"] == 2
    smsc.faults.hex_ids = True
    async with opened(tmp_path) as store, bound(smsc.port, store) as (gateway, _):
        stream, id = await send(store, gateway)
        assert id == f"{1000001:X}"
        assert await receipts(store, stream) == [(id, "DELIVRD")]


@pytest.mark.parametrize("hex_ids", [True, False])
async def test_an_smsc_that_reports_before_it_answers_loses_nothing(
    smsc: Smsc, store: EventStore, hex_ids: bool
) -> None:
    smsc.faults.receipt_first, smsc.faults.hex_ids = True, hex_ids
    async with bound(smsc.port, store) as (gateway, _):
        for _ in range(5):
            stream, id = await send(store, gateway)
            await until_there(store, stream, 1)
            assert await state(store, stream) is MessageState.DELIVERED


async def test_a_receipt_may_come_on_another_bind_and_to_another_process(
    smsc: Smsc, tmp_path: Path
) -> None:
    async with (
        opened(tmp_path) as ours,
        opened(tmp_path) as theirs,
        bound(smsc.port, ours) as (gateway, _),
    ):
        (first,) = smsc.connections
        async with bound(smsc.port, theirs):
            stream, id = await send(ours, gateway)
            (second,) = smsc.connections - {first}
            assert await second.deliver(receipt(id), 10.0) == 0
            assert await state(ours, stream) is MessageState.DELIVERED


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
async def test_a_long_text_is_delivered_when_its_last_part_is(
    smsc: Smsc, store: EventStore, order: Sequence[int]
) -> None:
    async with bound(smsc.port, store) as (gateway, _):
        stream, *ids = await send(store, gateway, LONG)
        assert len(ids) == 3
        for place in order[:2]:
            await deliver(smsc, receipt(ids[place]), receipt(ids[place]))
            assert await state(store, stream) is MessageState.SUBMITTED
        await deliver(smsc, receipt(ids[order[2]]))
        assert await state(store, stream) is MessageState.DELIVERED
        assert await receipts(store, stream) == [(ids[place], "DELIVRD") for place in order]


async def test_a_state_that_is_not_final_does_not_undo_one_that_is(
    smsc: Smsc, store: EventStore
) -> None:
    async with bound(smsc.port, store) as (gateway, _):
        stream, id = await send(store, gateway)
        for stat in ("ACCEPTD", "DELIVRD", "ENROUTE", "DELIVRD", "BUFFERED"):
            await deliver(smsc, receipt(id, stat))
        assert await state(store, stream) is MessageState.DELIVERED
        assert len(await receipts(store, stream)) == 4  # the repetition is none


async def test_a_thousand_receipts_of_unknown_texts_are_answered_and_kept(
    smsc: Smsc, store: EventStore
) -> None:
    numbers = list(range(1_000_001, 1_001_001))
    random.Random(1).shuffle(numbers)
    async with bound(smsc.port, store) as (gateway, meter):
        assert set(await deliver(smsc, *(receipt(str(n)) for n in numbers))) == {0}
        assert meter.counts["segue_sms_receipts_total", "false"] == 1000
        for _ in range(20):  # the simulator counts up from there
            stream, id = await send(store, gateway)
            assert await receipts(store, stream) == [(id, "DELIVRD")]


async def test_a_storm_of_receipts_is_stored_in_few_commits(smsc: Smsc, store: EventStore) -> None:
    smsc.faults.hex_ids = True
    async with bound(smsc.port, store) as (gateway, meter):
        sent = [await send(store, gateway) for _ in range(50)]
        storm = [receipt(str(int(id, 16)), stat=f"STATE{n}") for n in range(100) for _, id in sent]
        random.Random(1).shuffle(storm)
        commits = len(store._meter.observed["segue_store_group_size"])  # type: ignore[attr-defined]
        assert set(await deliver(smsc, *storm)) == {0}
        commits -= len(store._meter.observed["segue_store_group_size"])  # type: ignore[attr-defined]
        for stream, _ in sent:
            assert len(await receipts(store, stream)) == 100
    assert meter.counts["segue_sms_receipts_total", "true"] == 5000
    assert -commits < 500


async def test_what_cannot_be_stored_is_not_acknowledged(smsc: Smsc, tmp_path: Path) -> None:
    pdus = [receipt("7"), *parts_of("hello"), parts_of(LONG)[0]]
    pdus.append(DeliverSm(source=Address.of(ALICE.value), esm_class=4, short_message=b"?"))
    store = sqlite_store(tmp_path / "segue.db", busy_ms=10)
    async with running(store), bound(smsc.port, store) as (_, meter):
        await deliver(smsc, *parts_of("first"))
        with contextlib.closing(sqlite3.connect(tmp_path / "segue.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await deliver(smsc, *pdus) == [Status.ESME_RX_T_APPN] * 4
            other.rollback()
        assert meter.counts["segue_smpp_received_total", "main", "text"] == 1
        assert await deliver(smsc, *pdus) == [Status.ESME_ROK] * 4
        assert sorted(await texts(store)) == ["first", "hello"]
        kinds = [row.kind for row in await store.kept("main")]
        assert sorted(kinds) == ["begun", "begun", "part", "unreadable"]


async def test_a_receipt_that_nobody_can_read_is_answered_kept_and_counted(
    smsc: Smsc, store: EventStore
) -> None:
    odd = DeliverSm(
        source=Address.of(ALICE.value),
        esm_class=4,
        data_coding=3,
        short_message=b"Zustellbericht",
        tlvs=((Tag.NETWORK_ERROR_CODE, b"\x03\x00\x01"),),
    )
    async with bound(smsc.port, store) as (_, meter):
        assert await deliver(smsc, odd, odd, receipt("7")) == [0, 0, 0]
    assert meter.counts["segue_smpp_received_total", "main", "unreadable_receipt"] == 2
    (kept,) = await store.kept("main")
    assert kept.kind == "unreadable"
    assert kept.payload == {
        "esm_class": 4,
        "data_coding": 3,
        "short_message": "WnVzdGVsbGJlcmljaHQ=",
        "tlvs": [[0x0423, "AwAB"]],
    }


async def test_an_unreadable_receipt_is_kept_for_a_month(smsc: Smsc, tmp_path: Path) -> None:
    clock = FakeClock()
    odd = DeliverSm(esm_class=4, short_message=b"?")
    for days, kept in ((0, 1), (29, 1), (2, 0)):
        clock.advance(days * DAY)
        async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock):
            assert await deliver(smsc, receipt("7")) == [0]  # so it has begun
            if not days:
                await deliver(smsc, odd)
            assert len(await store.kept("main")) == kept


async def test_traces_of_texts_do_not_gather(
    smsc: Smsc, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_module, "_FORGET_EVERY", 5)
    clock = FakeClock()
    async with bound(smsc.port, store, clock):
        for n in range(5):
            await deliver(smsc, *parts_of(f"text {n}"))
            clock.advance(61)
        assert len(await store.kept("main")) == 2


# -- parts ------------------------------------------------------------------------------------


async def test_a_long_text_whose_parts_come_around_a_restart_is_whole(
    smsc: Smsc, tmp_path: Path
) -> None:
    first, second, third = parts_of(LONG)
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await deliver(smsc, third, first) == [0, 0]
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await deliver(smsc, second) == [0]
        assert await texts(store) == [LONG]


async def test_a_part_that_is_repeated_after_its_text_was_stored_is_dropped(
    smsc: Smsc, tmp_path: Path
) -> None:
    parts = parts_of(LONG)
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await deliver(smsc, *parts) == [0, 0, 0]
        assert await deliver(smsc, parts[2]) == [0]
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await deliver(smsc, parts[0], parts[2]) == [0, 0]
        assert await texts(store) == [LONG]
        assert {row.kind for row in await store.kept("main")} == {"joined"}
        other = LONG.replace("papers", "PAPERS")
        assert await deliver(smsc, *parts_of(other)) == [0, 0, 0]  # the reference comes round
        assert sorted(await texts(store)) == sorted([LONG, other])


async def test_a_text_whose_parts_were_all_kept_when_we_died_is_stored_at_the_next_start(
    smsc: Smsc, tmp_path: Path
) -> None:
    parts = parts_of(LONG)
    async with opened(tmp_path) as store:
        dying = Parts("main", store, FakeClock(), DedupeKeys(KEY), patience=300.0)
        for part in parts:
            await dying.add(part)
    async with opened(tmp_path) as store, bound(smsc.port, store, FakeClock()) as (_, meter):
        await until(lambda: bool(meter.counts["segue_smpp_received_total", "main", "text"]))
        assert await deliver(smsc, parts[2]) == [0]
        assert await texts(store) == [LONG]


async def test_what_came_of_a_text_is_stored_when_time_is_up_also_after_a_restart(
    smsc: Smsc, tmp_path: Path
) -> None:
    clock = FakeClock()
    first, _, third = parts_of(LONG)
    async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock):
        assert await deliver(smsc, first, third) == [0, 0]
    clock.advance(301)
    async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock) as (_, meter):
        await until(lambda: bool(meter.counts["segue_sms_replies_total",]))
        (text,) = await texts(store)
        assert text == f"{LONG[:153]}[…]{LONG[306:]}"
        await until(lambda: bool(meter.counts[_GAPS]))
        # Whatever was stored with its gap is not stored again.
    async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock):
        assert await deliver(smsc, third) == [0]
        assert await texts(store) == [text]


_GAPS = ("segue_smpp_received_total", "main", "text_with_gaps")


async def test_a_text_that_is_repeated_after_a_restart_is_there_once(
    smsc: Smsc, tmp_path: Path
) -> None:
    clock = FakeClock()
    clock.advance(60)
    (text,) = parts_of("2")
    async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock):
        assert await deliver(smsc, text) == [0]
        assert await deliver(smsc, text) == [0]  # said again
    clock.advance(119)  # in whatever span of time that is
    async with opened(tmp_path, clock) as store, bound(smsc.port, store, clock):
        assert await deliver(smsc, text) == [0]
        assert await texts(store) == ["2", "2"]
        clock.advance(121)
        assert await deliver(smsc, text) == [0]
        assert await texts(store) == ["2", "2", "2"]


async def test_the_parts_of_stored_texts_do_not_stay_for_ever(smsc: Smsc, tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as store:
        async with bound(smsc.port, store, clock):
            assert await deliver(smsc, *parts_of(LONG)) == [0, 0, 0]
        assert len(await store.kept("main")) == 3
        clock.advance(301)
        async with bound(smsc.port, store, clock, part_patience=300.0):
            async with asyncio.timeout(10.0):
                while await store.kept("main"):  # noqa: ASYNC110  # the gateway says nothing
                    await asyncio.sleep(0.005)


async def test_what_is_for_a_program_on_the_handset_is_no_text(
    smsc: Smsc, store: EventStore
) -> None:
    to_a_port = DeliverSm(
        source=Address.of(ALICE.value),
        esm_class=0x40,
        data_coding=4,
        short_message=b"\x06\x05\x04\x0b\x84\x23\xf0\x01\x02",
    )
    async with bound(smsc.port, store) as (_, meter):
        assert await deliver(smsc, to_a_port) == [0]
        assert await texts(store) == []
    assert meter.counts["segue_smpp_received_total", "main", "data"] == 1


# -- kill -9 ----------------------------------------------------------------------------------


async def test_killed_after_a_receipt_it_counts_once(smsc: Smsc, tmp_path: Path) -> None:
    async with opened(tmp_path) as store, bound(smsc.port, store) as (gateway, _):
        stream, id = await send(store, gateway)
    story = ("-m", "tests.support.receiving", str(smsc.port), tmp_path)
    dying = asyncio.create_task(asyncio.to_thread(killed_at, "sms.after_receipt", *story))
    repeated = asyncio.create_task(insist(smsc, receipt(id)))
    await dying
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await repeated == 0
        assert await receipts(store, stream) == [(id, "DELIVRD")]
        assert await state(store, stream) is MessageState.DELIVERED


async def test_killed_after_a_part_the_text_is_whole_and_there_once(
    smsc: Smsc, tmp_path: Path
) -> None:
    story = ("-m", "tests.support.receiving", str(smsc.port), tmp_path)
    sending = asyncio.create_task(smsc.send_mo(ALICE.value, "36200", LONG))
    for _ in range(2):  # each is killed at the first part that comes: stored, and not answered
        await asyncio.to_thread(killed_at, "sms.after_part", *story)
    async with opened(tmp_path) as store, bound(smsc.port, store):
        assert await sending == 0
        assert await texts(store) == [LONG]


# -- a response that comes after its deadline ---------------------------------------------------


async def test_a_receipt_finds_a_text_whose_answer_came_too_late(
    smsc: Smsc, store: EventStore
) -> None:
    smsc.faults.answer_delay = "0.5"
    promised = TextPromised(message="msg_late", template="t", to=ALICE.value, body="b")
    clock = SystemClock()
    effect = Effect("sms", "msg_late", clock.now(), {"to": ALICE.value, "body": "b"})
    await store.append("conv_late", [promised], effects=[effect])
    async with bound(smsc.port, store, response_timeout=0.1) as (gateway, meter):
        sender = TextSender(gateway, store, clock, meter, RetryPolicy())
        await Relay(store, clock, meter, {"sms": sender}).run_once()
        assert await state(store, "conv_late") is MessageState.UNKNOWN
        async with asyncio.timeout(PATIENCE):
            while await state(store, "conv_late") is not MessageState.SUBMITTED:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)
        (sent,) = [
            e.event for e in await store.read("conv_late") if e.event.__class__ is TextSubmitted
        ]
    # By another connection, as after a restart.
    async with bound(smsc.port, store):
        assert isinstance(sent, TextSubmitted)
        await deliver(smsc, receipt(sent.ids[0]))
        await until_there(store, "conv_late", 1)
    assert await state(store, "conv_late") is MessageState.DELIVERED
