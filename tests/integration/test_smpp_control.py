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
from smpp.control import ControlClient, ControlError, ControlServer
from smpp.esme import Esme
from smpp.pdu import DeliverSm, SubmitSm
from smpp.simulator import Smsc

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
