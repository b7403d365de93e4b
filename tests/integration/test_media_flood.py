"""A call while strangers flood its port, on real sockets, the flood from a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from ari_app.media.g711 import ulaw_decode
from ari_app.media.line import RtpLine, RtpLines
from ari_app.media.rtp import RtpPacket
from tests.unit.media.line_story import Counts, Ear, free_range

SECONDS = 2.0
RATE = 10_000  # datagrams a second

_FLOOD = """
import socket, sys, time
host, port, rate, spoof = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, fileno=spoof if spoof >= 0 else None)
junk = bytes.fromhex(sys.argv[5])
print("up", flush=True)
began, sent = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * rate)
    while sent < due:
        try:
            sock.sendto(junk, (host, port))
        except OSError:
            pass
        sent += 1
    time.sleep(0.001)
"""


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


@contextmanager
def flood(port: int, junk: bytes, spoof: socket.socket | None = None) -> Iterator[None]:
    """So many datagrams a second at the port; from the peer's own socket if it is given."""
    fd = -1 if spoof is None else spoof.fileno()
    process = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-c",
            _FLOOD,
            "127.0.0.1",
            str(port),
            str(RATE),
            str(fd),
            junk.hex(),
        ],
        pass_fds=[] if spoof is None else [fd],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def a_call() -> AsyncIterator[tuple[RtpLine, Ear, socket.socket]]:
    ear = Ear()
    lines = RtpLines("127.0.0.1", "127.0.0.1", free_range(), Counts(), SystemClock())
    line = await lines.open(ear, "ulaw")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.bind(("127.0.0.1", 0))
        line.connect(peer.getsockname())
        yield line, ear, peer
    await line.aclose()


async def talk(line: RtpLine, peer: socket.socket, first: int = 0) -> int:
    """A packet each 20 ms for two seconds; how many."""
    began, count = time.monotonic(), int(SECONDS * 50)
    for n in range(count):
        packet = RtpPacket(0, first + n, (first + n) * 160, 7, bytes([1 + n % 100]) * 160)
        peer.sendto(packet.serialize(), ("127.0.0.1", line.port))
        await asyncio.sleep(max(0.0, began + (n + 1) * 0.02 - time.monotonic()))
    return count


JUNK = (b"\xff" * 40, RtpPacket(0, 1, 1, 666, bytes(160)).serialize())


@pytest.mark.parametrize("junk", JUNK, ids=["noise", "rtp"])
async def test_a_flood_by_strangers_costs_the_call_no_packet(junk: bytes) -> None:
    async with a_call() as (line, ear, peer):
        said = await talk(line, peer)
        with flood(line.port, junk):
            before = line.statistics()["sent"]
            said += await talk(line, peer, said)
            sent = line.statistics()["sent"] - before
        async with asyncio.timeout(10.0):  # the last packet may be on its way
            while line.statistics()["received"] < said:  # noqa: ASYNC110 - a line has no Event
                await asyncio.sleep(0.001)
        statistics = line.statistics()
    assert (statistics["received"], statistics["lost"]) == (said, 0)
    assert len(ear.frames) == said
    # Counted, but not one by one: most of them never reached us.
    assert statistics["shielded"] >= 1
    assert 100 <= statistics["refused_source"] < RATE * SECONDS / 4
    assert sent >= SECONDS * 50 * 0.9


async def test_a_flood_from_asterisks_own_address_is_read_and_refused() -> None:
    junk = RtpPacket(0, 1, 1, 666, bytes(160)).serialize()
    async with a_call() as (line, ear, peer):
        said = await talk(line, peer)
        with flood(line.port, junk, spoof=peer):
            said += await talk(line, peer, said)
        await asyncio.sleep(0.1)
        statistics = line.statistics()
    # The kernel's buffer is shared with the flood, so some may be lost; none is replaced.
    assert statistics["received"] >= 0.9 * said
    assert statistics.get("sources", 0) == 0
    injected = ulaw_decode(bytes(160)).tobytes()
    assert injected not in ear.frames
    assert statistics["refused_ssrc"] > RATE
