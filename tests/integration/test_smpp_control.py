"""The simulator's remote control over real sockets."""

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smpp.address import Address
from smpp.codec import encode
from smpp.constants import Tag
from smpp.control import ControlClient, ControlError, ControlServer
from smpp.errors import CommandError
from smpp.esme import Esme
from smpp.pdu import (
    AlertNotification,
    DeliverSm,
    EnquireLink,
    GenericNack,
    SubmitSm,
    Unbind,
    Unknown,
)
from smpp.simulator import Smsc
from tests.support.raw_esme import bound

HELLO = SubmitSm(
    source=Address.of("36200"),
    destination=Address.of("+33123456789"),
    short_message=b"hello",
    registered_delivery=1,
)


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    smsc = Smsc()
    await smsc.start()
    yield smsc
    await smsc.aclose()


@pytest.fixture
async def control(smsc: Smsc) -> AsyncIterator[ControlClient]:
    server = ControlServer(smsc)
    await server.start()
    yield ControlClient(port=server.port)
    await server.aclose()


@pytest.fixture
async def received() -> list[DeliverSm]:
    return []


@pytest.fixture
async def esme(smsc: Smsc, received: list[DeliverSm]) -> AsyncIterator[Esme]:
    async def take(pdu: DeliverSm) -> None:
        received.append(pdu)

    esme = Esme("127.0.0.1", smsc.port, system_id="segue", password="", handler=take)
    esme.start()
    await esme.wait_up(5.0)
    yield esme
    await esme.aclose()


async def test_a_text_is_sent_from_a_handset(
    control: ControlClient, esme: Esme, received: list[DeliverSm]
) -> None:
    await control.mo("+33123456789", "36200", "2")
    assert [pdu.short_message for pdu in received] == [b"2"]


async def test_a_watcher_sees_the_text_and_its_receipt(control: ControlClient, esme: Esme) -> None:
    events: list[dict[str, object]] = []
    async with asyncio.timeout(5.0), contextlib.aclosing(control.watch()) as watch:
        async for event in watch:
            events.append(event)
            if event["event"] == "watching":
                await esme.submit(HELLO)
            if event["event"] == "receipt_acknowledged":
                break
    assert [event["event"] for event in events] == [
        "watching",
        "accepted",
        "receipt_sent",
        "receipt_acknowledged",
    ]
    assert events[1]["text"] == "hello"
    assert events[3]["status"] == 0


async def test_what_was_accepted_can_be_asked_for(control: ControlClient, esme: Esme) -> None:
    await esme.submit(HELLO)
    (message,) = await control.accepted()
    assert (message["text"], message["recipient"]) == ("hello", "33123456789")


async def test_faults_are_switched_and_nonsense_is_refused(
    smsc: Smsc, control: ControlClient
) -> None:
    await control.faults(throttle_first=3, drop_after=None, hex_ids=True)
    assert (smsc.faults.throttle_first, smsc.faults.hex_ids) == (3, True)
    with pytest.raises(ControlError, match="no such fault"):
        await control.faults(throttle_fast=3)
    with pytest.raises(ControlError, match="no such value"):
        await control.faults(throttle_first="three")


async def test_connections_are_dropped_on_demand(
    smsc: Smsc, control: ControlClient, esme: Esme
) -> None:
    await control.drop()
    async with asyncio.timeout(5.0):
        while smsc.binds < 2:  # noqa: ASYNC110  # the other side is a socket, not an event
            await asyncio.sleep(0.01)


async def test_a_text_that_nobody_takes_is_reported(control: ControlClient) -> None:
    with pytest.raises(ControlError, match="no ESME"):
        await control.mo("+33123456789", "36200", "2", timeout=0.02)
    with pytest.raises(ControlError, match="neither a number"):
        await control.mo("+1", "36200", "2")


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b"\xff\n", b'{"do":"mo","from":1}\n'])
async def test_a_line_that_is_no_command_is_answered(
    smsc: Smsc, control: ControlClient, line: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", control._port)
    writer.write(line)
    assert json.loads(await reader.readline()) == {"ok": False, "error": "no such command"}
    writer.close()
    await writer.wait_closed()


async def test_a_line_without_end_closes_the_connection(control: ControlClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", control._port)
    writer.write(b"x" * 200_000)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_unix_socket_is_its_owners_alone(smsc: Smsc, tmp_path: Path) -> None:
    path = str(tmp_path / "smsc.sock")
    server = ControlServer(smsc)
    await server.start(path=path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert await ControlClient(path=path).accepted() == []
    await server.aclose()


async def test_only_loopback_is_listened_on(smsc: Smsc) -> None:
    with pytest.raises(ControlError, match="loopback"):
        await ControlServer(smsc).start(host="0.0.0.0")


async def test_a_watcher_does_not_keep_the_server_open(smsc: Smsc) -> None:
    server = ControlServer(smsc)
    await server.start()
    async with contextlib.aclosing(ControlClient(port=server.port).watch()) as watch:
        assert await anext(watch) == {"event": "watching"}
        async with asyncio.timeout(5.0):
            await server.aclose()
            assert [event async for event in watch] == []


async def test_a_handset_writes_in_the_way_that_is_asked_for(
    control: ControlClient, esme: Esme, received: list[DeliverSm]
) -> None:
    await control.mo("+33123456789", "36200", "x" * 200, concatenation="sar")
    await control.mo("+33123456789", "36200", "5 €", alphabet="latin9", system_id="segue")
    await control.mo("+33123456789", "36200", "ğ" * 100, national=["turkish"])
    octets = {"do": "mo", "from": "+33123456789", "to": "36200", "octets": "00ff", "data_coding": 4}
    await control.ask(octets)
    assert received[0].tlv(Tag.SAR_TOTAL_SEGMENTS) == b"\2"
    assert received[2].short_message == b"5 \xa4"
    assert (received[3].data_coding, len(received)) == (0, 5)
    assert (received[4].data_coding, received[4].short_message) == (4, b"\0\xff")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"text": "2", "concatenation": "glue"}, "glue"),
        ({"text": "2", "alphabet": "greek"}, "greek"),
        ({"text": "2", "national": ["klingon"]}, "no such national table"),
        ({"octets": "zz"}, "hexadecimal"),
        ({"text": 2}, "no such command"),
        ({"text": "2", "timeout": "long"}, "could not convert"),
    ],
)
async def test_a_handset_that_cannot_write_so_is_told(
    control: ControlClient, more: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ControlError, match=complaint):
        await control.ask({"do": "mo", "from": "+33123456789", "to": "36200", **more})


async def test_switches_and_counts_can_be_asked_for(control: ControlClient, esme: Esme) -> None:
    await control.faults(refuse_status=0x45)
    answer = await control.ask({"do": "faults"})
    assert (answer["faults"]["refuse_status"], answer["faults"]["hex_ids"]) == (0x45, False)
    with pytest.raises(CommandError):
        await esme.submit(HELLO)
    counts = await control.counts()
    assert (counts["SubmitSm"], counts["refused"]) == (1, 1)


async def test_who_wants_everything_sees_binds_and_switches(
    smsc: Smsc, control: ControlClient
) -> None:
    events: list[str] = []
    async with asyncio.timeout(5.0), contextlib.aclosing(control.watch(everything=True)) as watch:
        async for event in watch:
            events.append(event["event"])
            if event["event"] == "watching":
                await control.faults(silent=False)
                async with bound(smsc.port):
                    pass
            if event["event"] == "connection_ended":
                break
    assert events == ["watching", "faults_changed", "bind", "connection_ended"]


async def test_everything_on_demand_is_there_by_remote_control(
    smsc: Smsc, control: ControlClient
) -> None:
    async with bound(smsc.port) as esme:
        await control.ask({"do": "enquire"})
        await esme.next(EnquireLink)
        await control.ask({"do": "strange"})
        await esme.next(Unknown)
        await esme.next(Unknown)
        await esme.next(GenericNack)
        numbers = {"from": "+33123456789", "to": "36200"}
        assert (await control.ask({"do": "flood", "count": 2, **numbers}))["receivers"] == 1
        assert [(await esme.next(DeliverSm)).short_message for _ in range(2)] == [b"1", b"2"]
        await control.ask({"do": "alert", **numbers})
        await esme.next(AlertNotification)
        frame = encode(EnquireLink(sequence=77))
        await control.ask({"do": "raw", "octets": frame.hex()})
        assert (await esme.next(EnquireLink)).sequence == 77
        await control.ask({"do": "unbind"})
        await esme.next(Unbind)
        await control.ask({"do": "cut"})
        assert len(await esme.reader.readexactly(8)) == 8
    with pytest.raises(ControlError, match="a flood is"):
        await control.ask({"do": "flood", "count": 0, **numbers})
    with pytest.raises(ControlError):
        await control.ask({"do": "outbind", "host": "127.0.0.1", "port": 1})
