"""Our SMSC as smpplib's own client sees it: blocking, in a thread, another's code end to end."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from smpplib import consts, exceptions, gsm
from smpplib.client import Client

from smpp.codec import FrameReader, decode, encode
from smpp.constants import Status
from smpp.errors import NotSent
from smpp.pdu import GenericNack, Unknown
from smpp.simulator import Smsc


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc(accounts={"smpplib": "secret"}, retry_delay=0.01)
    await smsc.start()
    yield smsc
    await smsc.aclose()


class Foreigner:
    """smpplib's client, told to do one thing after another."""

    def __init__(self, port: int) -> None:
        self.client = Client("127.0.0.1", port, timeout=5, allow_unknown_opt_params=True)
        self.delivered: list[Any] = []
        self.sent: list[Any] = []
        self.client.set_message_received_handler(self._received)
        self.client.set_message_sent_handler(lambda pdu: self.sent.append(pdu))

    def _received(self, pdu: Any) -> None:
        self.delivered.append(pdu)

    def bind(self, password: str = "secret") -> None:
        self.client.connect()
        try:
            self.client.bind_transceiver(system_id="smpplib", password=password)
        except exceptions.PDUError:
            self.close()
            raise

    def text(self, text: str) -> int:
        parts, coding, esm_class = gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM,
                source_addr="Other",
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr="33123456789",
                short_message=part,
                data_coding=coding,
                esm_class=esm_class,
                registered_delivery=True,
            )
        return len(parts)

    def read(self, pdus: int) -> None:
        for _ in range(pdus):
            self.client.read_once()

    def close(self) -> None:
        self.client.state = consts.SMPP_CLIENT_STATE_OPEN
        self.client.disconnect()


async def test_smpplib_binds_sends_reads_the_receipt_and_unbinds(smsc: Smsc) -> None:
    foreigner = Foreigner(smsc.port)

    def life() -> None:
        foreigner.bind()
        foreigner.text("hello €")
        foreigner.read(2)
        foreigner.client.unbind()
        foreigner.close()

    watch = smsc.watch()
    await asyncio.to_thread(life)
    (text,) = smsc.accepted
    assert (text.text, text.sender, text.recipient) == ("hello €", "Other", "33123456789")
    assert text.registered_delivery == 1
    (answer,) = foreigner.sent
    (receipt,) = foreigner.delivered
    assert answer.message_id.decode() == text.ids[0]
    assert receipt.receipted_message_id == answer.message_id
    assert receipt.message_state == consts.SMPP_MESSAGE_STATE_DELIVERED
    assert b"stat:DELIVRD" in receipt.short_message
    assert watch.qsize() == 3


@pytest.mark.parametrize("text", ["long " * 60, "длинный " * 30])
async def test_smpplibs_long_text_is_joined(smsc: Smsc, text: str) -> None:
    foreigner = Foreigner(smsc.port)

    def life() -> int:
        foreigner.bind()
        parts = foreigner.text(text)
        foreigner.read(2 * parts)
        foreigner.close()
        return parts

    parts = await asyncio.to_thread(life)
    (accepted,) = smsc.accepted
    assert accepted.text == text
    assert len(accepted.ids) == parts


async def test_a_long_text_from_a_handset_reaches_smpplib_in_parts(smsc: Smsc) -> None:
    foreigner = Foreigner(smsc.port)
    text = "x" * 300

    def life() -> None:
        foreigner.bind()
        foreigner.read(2)
        foreigner.close()

    living = asyncio.create_task(asyncio.to_thread(life))
    assert await smsc.send_mo("+33123456789", "36200", text) == 0
    await living
    assert [pdu.esm_class for pdu in foreigner.delivered] == [0x40, 0x40]
    assert b"".join(pdu.short_message[6:] for pdu in foreigner.delivered) == text.encode()


@pytest.mark.parametrize("status", [0, Status.ESME_RBINDFAIL])
async def test_smpplib_is_refused_with_the_right_status(smsc: Smsc, status: int) -> None:
    smsc.faults.bind_status = status
    foreigner = Foreigner(smsc.port)
    with pytest.raises(exceptions.PDUError) as refusal:
        await asyncio.to_thread(foreigner.bind, "wrong")
    assert refusal.value.args[1] == (status or Status.ESME_RINVPASWD)


async def test_a_stranger_is_told_that_nobody_knows_him() -> None:
    smsc = Smsc(accounts={"another": "secret"})
    await smsc.start()
    with pytest.raises(exceptions.PDUError) as refusal:
        await asyncio.to_thread(Foreigner(smsc.port).bind)
    await smsc.aclose()
    assert refusal.value.args[1] == Status.ESME_RINVSYSID


async def test_garbage_from_an_esme_closes_its_connection_only(smsc: Smsc) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", smsc.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", smsc.port)
    writer.write(encode(Unknown(sequence=4, command_id=0x10203, status=0)))
    writer.write(struct.pack(">IIII", 20, 4, 0, 5) + b"\0\1\1x")
    frames = FrameReader()
    answers = list(frames.feed(await reader.readexactly(32)))
    assert decode(answers[0]) == GenericNack(sequence=4, status=Status.ESME_RINVCMDID)
    assert decode(answers[1]) == GenericNack(sequence=5, status=Status.ESME_RINVCMDLEN)
    writer.close()
    await writer.wait_closed()


async def test_a_text_that_no_esme_takes_is_given_back(smsc: Smsc) -> None:
    with pytest.raises(NotSent):
        await smsc.send_mo("+33123456789", "36200", "2", timeout=0.02)
