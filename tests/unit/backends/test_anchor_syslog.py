"""A checkpoint reaches a syslog whole, or the sentence says why it may not have."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ari_app.backends.anchor_syslog import AnchorSyslog
from ari_app.errors import Unavailable
from tests.support.clock import FakeClock
from tests.support.wait import PATIENCE

NOTE = "segue-demo\n7\nAAAA\n\n\N{EM DASH} segue-demo signature\n"

# RFC 5424, section 6: PRI, version, time, host, application, process, message id, no data.
HEADER = (
    r"<85>1 2026-11-20T12:00:00\.000000Z [!-~]{1,255} segue "
    rf"{os.getpid()} checkpoint - (.*)"
)


def note_in(message: bytes) -> str:
    found = re.fullmatch(HEADER, message.decode("ascii"))
    assert found, message
    note = json.loads(found[1])
    assert isinstance(note, str)
    return note


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(PATIENCE)
        receiver.bind(("127.0.0.1", 0))
        yield receiver


class Listener:
    """A syslog over TCP; `closes` says whether it hears that we are done."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.closes = True
        self.resets = False
        self._end = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._end.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.resets:
            writer.transport.abort()
            return
        writer.write(b"welcome, whoever you are\n" * 1000)
        self.got.append(await reader.read())
        if not self.closes:
            await self._end.wait()
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    await listener.start()
    yield listener
    await listener.stop()


async def test_a_datagram_is_one_message_of_rfc_5424(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    await AnchorSyslog(f"udp://127.0.0.1:{port}", FakeClock()).put(NOTE)
    assert note_in(receiver.recv(65_536)) == NOTE


async def test_the_facility_is_the_operators_choice(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    await AnchorSyslog(f"udp://localhost:{port}", FakeClock(), facility=16).put(NOTE)
    assert receiver.recv(65_536).startswith(b"<133>1 ")


async def test_the_log_of_this_machine_takes_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(PATIENCE)
        log.bind(str(tmp_path / "log"))
        await AnchorSyslog(f"unix://{tmp_path}/log", FakeClock()).put(NOTE)
        assert note_in(log.recv(65_536)) == NOTE


async def test_over_tcp_its_octets_are_counted(listener: Listener) -> None:
    anchor = AnchorSyslog(f"tcp://127.0.0.1:{listener.port}", FakeClock())
    await anchor.put(NOTE)
    await anchor.put("x" * 100_000)
    for got, note in zip(listener.got, [NOTE, "x" * 100_000], strict=True):
        length, _, message = got.partition(b" ")
        assert int(length) == len(message)
        assert note_in(message) == note


async def test_who_never_says_that_it_has_read_it_all_is_not_believed(listener: Listener) -> None:
    listener.closes = False
    anchor = AnchorSyslog(f"tcp://127.0.0.1:{listener.port}", FakeClock(), deadline=0.1)
    with pytest.raises(Unavailable, match=r"did not take the checkpoint within 0\.1 s"):
        await asyncio.wait_for(anchor.put(NOTE), PATIENCE)


async def test_who_hangs_up_at_once_has_not_kept_it(listener: Listener) -> None:
    listener.resets = True
    anchor = AnchorSyslog(f"tcp://127.0.0.1:{listener.port}", FakeClock())
    with pytest.raises(Unavailable, match="cannot be reached"):
        await anchor.put("x" * 20_000_000)


async def test_who_does_not_read_is_not_waited_for() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        anchor = AnchorSyslog(f"tcp://127.0.0.1:{deaf.getsockname()[1]}", FakeClock(), deadline=0.1)
        with pytest.raises(Unavailable, match="within"):
            await asyncio.wait_for(anchor.put("x" * 20_000_000), PATIENCE)


@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_where_nobody_listens_it_says_so(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free, socket.socket() as unheard:
        free.bind(("127.0.0.1", 0))
        unheard.bind(("127.0.0.1", 0))  # not listening: the port is ours, and refuses
        port = unheard.getsockname()[1]
        if kind == "udp":
            port = free.getsockname()[1]
            free.close()
        with pytest.raises(Unavailable, match=rf"{kind}://127.* .Connection refused.: start it"):
            await AnchorSyslog(f"{kind}://127.0.0.1:{port}", FakeClock()).put(NOTE)


async def test_a_log_that_is_not_there_or_is_no_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        await AnchorSyslog(f"unix://{tmp_path}/none", FakeClock()).put(NOTE)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(tmp_path / "stream"))
        stream.listen()
        with pytest.raises(Unavailable, match="it is no datagram socket"):
            await AnchorSyslog(f"unix://{tmp_path}/stream", FakeClock()).put(NOTE)


async def test_a_log_of_this_machine_that_is_full_is_waited_for_no_longer_than_told(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        anchor = AnchorSyslog(f"unix://{tmp_path}/log", FakeClock(), deadline=0.1)
        with pytest.raises(Unavailable, match="within"):
            await asyncio.wait_for(_fill(anchor), PATIENCE)


async def _fill(anchor: AnchorSyslog) -> None:
    while True:
        await anchor.put(NOTE)


async def test_a_note_too_long_for_a_datagram_is_not_cut(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    with pytest.raises(Unavailable, match="too long for a datagram of syslog: use tcp://"):
        await AnchorSyslog(f"udp://127.0.0.1:{port}", FakeClock()).put("x" * 3000)


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_nothing_is_sent_beyond_the_premises(
    kind: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", _never)
    bracketed = f"[{host}]" if ":" in host else host
    with pytest.raises(Unavailable, match="is not on the premises"):
        await AnchorSyslog(f"{kind}://{bracketed}:514", FakeClock()).put(NOTE)


def _never(*_: object) -> None:
    raise AssertionError("it connects")


@pytest.mark.parametrize(
    "address",
    [
        *("", "syslog", "udp://", "udp://:514", "udp://host:port", "http://host", "unix://dev/log"),
        *("tcp://user:secret@host", "udp://host/path", "udp://host:99999", "unix://"),
    ],
)
def test_an_address_that_is_none_is_told_at_once(address: str) -> None:
    with pytest.raises(ValueError, match=r"a syslog is udp://host:port, tcp://host:port or unix:"):
        AnchorSyslog(address, FakeClock())
