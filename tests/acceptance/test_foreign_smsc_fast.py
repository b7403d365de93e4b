"""The fast SMSC: figures taken with it are worth something only if it does what it says."""

from __future__ import annotations

import asyncio
import select
import socket
import struct

import pytest

from smpp.address import Address
from smpp.esme import Esme, Limits
from smpp.pdu import DeliverSm, SubmitSm
from tests.support.foreign.smsc import SmscFailed
from tests.support.foreign.smsc_c import FastSmsc
from tests.support.wait import until

HEADER = struct.Struct(">IIII")
TEXT = SubmitSm(
    source=Address.of("36200"),
    destination=Address.of("+33123456789"),
    short_message=b"hello",
    registered_delivery=1,
)


def test_an_argument_that_it_does_not_know_stops_it(fast_smsc: type[FastSmsc]) -> None:
    smsc = fast_smsc("--fast")
    with pytest.raises(SmscFailed, match="unknown argument or no value: --fast"):
        smsc.start()
    assert not smsc.home.exists()


async def _bound(smsc: FastSmsc, taken: list[DeliverSm]) -> Esme:
    async def take(pdu: DeliverSm) -> None:
        taken.append(pdu)

    esme = Esme(
        "127.0.0.1",
        smsc.port,
        system_id="segue",
        password="secret",
        handler=take,
        limits=Limits(window=50),
    )
    esme.start()
    await esme.wait_up(5.0)
    return esme


@pytest.mark.parametrize(
    ("arguments", "base"), [((), 16), (("--ids", "dec"), 10)], ids=["hexadecimal", "decimal"]
)
async def test_the_fast_one_takes_every_text_and_reports_on_each(
    fast_smsc: type[FastSmsc], arguments: tuple[str, ...], base: int
) -> None:
    taken: list[DeliverSm] = []
    with fast_smsc("--receipts", *arguments) as smsc:
        esme = await _bound(smsc, taken)
        ids = await asyncio.gather(*esme.submit_all([TEXT] * 1000))
        await until(lambda: len(taken) == 1000)
        await esme.aclose()
        assert smsc.hear("closed") == [["1000", "1000", "1000", "0"]]
    assert [int(id, base) for id in ids] == list(range(0x10000, 0x10000 + 1000))
    assert f"id:{ids[7]} ".encode() in taken[7].short_message
    assert (taken[0].source, taken[0].destination) == (TEXT.destination, TEXT.source)


@pytest.mark.parametrize("texts", [False, True], ids=["receipts", "texts"])
async def test_the_fast_one_pushes_what_it_is_told_to(
    fast_smsc: type[FastSmsc], texts: bool
) -> None:
    taken: list[DeliverSm] = []
    with fast_smsc("--push", "500", "--window", "7", *["--texts"] * texts) as smsc:
        esme = await _bound(smsc, taken)
        await until(lambda: len(taken) == 500)
        await esme.aclose()
        ((count, seconds),) = smsc.hear("pushed")
        assert smsc.hear("closed") == [["0", "500", "500", "0"]]
    assert int(count) == 500
    assert float(seconds) > 0
    assert {pdu.esm_class for pdu in taken} == {0 if texts else 4}


async def test_the_fast_one_can_wait_to_be_told_before_it_pushes(
    fast_smsc: type[FastSmsc],
) -> None:
    with fast_smsc("--push", "3", "--push-when-told") as smsc:
        reader, writer = await asyncio.open_connection("127.0.0.1", smsc.port)
        writer.write(HEADER.pack(23, 9, 0, 1) + b"\0\0\0\x34\0\0\0")
        writer.write(HEADER.pack(16, 0x15, 0, 2))
        async with asyncio.timeout(5.0):
            commands = [HEADER.unpack(await _frame(reader))[1] for _ in range(5)]
        writer.close()
    assert commands == [0x80000009, 0x80000015, 5, 5, 5]


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(16)
    await reader.readexactly(HEADER.unpack(head)[0] - 16)
    return head


def test_the_fast_one_answers_all_that_a_client_sent_before_it_read(
    fast_smsc: type[FastSmsc],
) -> None:
    count = 150_000  # more than all buffers between us can hold
    body = (
        b"\0\x01\x01"
        + b"36200\0"
        + b"\x01\x01"
        + b"33123456789\0"
        + bytes(9)
        + b"\x8c"
        + b"a" * 140
    )
    one = HEADER.pack(16 + len(body), 4, 0, 1) + body
    with fast_smsc("--receipts") as smsc, socket.create_connection(("127.0.0.1", smsc.port)) as us:
        us.setblocking(False)
        left = memoryview(one * count)
        # It stops reading when nobody reads it, so that its memory is bounded.
        while left and select.select([], [us], [], 0.3)[1]:
            left = left[us.send(left) :]
        assert left
        answers = receipts = 0
        heard = bytearray()
        while answers < count or receipts < count:
            readable, writable, _ = select.select([us], [us] if left else [], [], 5.0)
            assert readable or writable
            if writable:
                left = left[us.send(left) :]
            if readable:
                heard += us.recv(1 << 16)
            at = 0
            while len(heard) - at >= 16:
                length, command, _, _ = HEADER.unpack_from(heard, at)
                if len(heard) - at < length:
                    break
                answers += command == 0x80000004
                receipts += command == 5
                at += length
            del heard[:at]
    assert (answers, receipts) == (count, count)


def test_the_fast_one_hangs_up_on_nonsense_and_serves_the_next(fast_smsc: type[FastSmsc]) -> None:
    with fast_smsc() as smsc:
        for nonsense in (b"\0\0\0\x0f" + bytes(12), b"\xff" * 16):
            with socket.create_connection(("127.0.0.1", smsc.port), timeout=5.0) as us:
                us.sendall(nonsense)
                assert us.recv(1) == b""
        with socket.create_connection(("127.0.0.1", smsc.port), timeout=5.0) as us:
            us.sendall(HEADER.pack(16, 0x00010203, 0, 7) + HEADER.pack(16, 6, 0, 8))
            nack, goodbye = us.recv(16), us.recv(16)
    assert HEADER.unpack(nack) == (16, 0x80000000, 3, 7)
    assert HEADER.unpack(goodbye) == (16, 0x80000006, 0, 8)
