"""How long a prompt that is ready needs to the wire: a real line, its pacer, and UDP."""

from __future__ import annotations

import asyncio
import random
import socket

from ari_app.media.line import RtpLines
from ari_app.ports import EchoWatch
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.voices import a_voice

_TEXT = "What can I do for you?"
_PORTS = range(42_000, 42_100)
_HEADER = 12  # octets of RTP


class _Deaf(EchoWatch):
    def heard(self, pcm: bytes, at: float) -> None:
        """Nobody speaks."""

    def prompt_ended(self, at: float) -> None:
        """Nobody waits for it."""

    def sent(self, pcm: bytes, at: float) -> None:
        """Nothing comes back."""


async def first_packets(count: int) -> list[float]:
    """Seconds from the decision to the first packet of a cached prompt, so many times."""
    clock = SystemClock()
    loop = asyncio.get_running_loop()
    lines = RtpLines("127.0.0.1", "127.0.0.1", _PORTS, PrometheusMeter(), clock)
    found: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        line = await lines.open(_Deaf(), "ulaw")
        try:
            async with a_voice() as voice:
                await voice.prompt(_TEXT, "en")
                line.connect(peer.getsockname())
                for _ in range(count):
                    await asyncio.sleep(random.uniform(0.05, 0.09))  # noqa: S311
                    decided = clock.monotonic()
                    line.play((await voice.prompt(_TEXT, "en")).audio)
                    await _sound(loop, peer)
                    found.append(clock.monotonic() - decided)
                    line.stop()
                    await _silence(loop, peer)
        finally:
            await line.aclose()
    return found


async def _sound(loop: asyncio.AbstractEventLoop, peer: socket.socket) -> None:
    while not _sounds(await loop.sock_recv(peer, 2048)):
        pass


async def _silence(loop: asyncio.AbstractEventLoop, peer: socket.socket) -> None:
    while _sounds(await loop.sock_recv(peer, 2048)):
        pass


def _sounds(packet: bytes) -> bool:
    return packet[_HEADER:].strip(b"\xff") != b""
