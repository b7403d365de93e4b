"""A line, the peer it talks to over real loopback sockets, and time that a test moves."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence

from ari_app.media.line import RtpLine, RtpLines
from ari_app.media.rtp import RtpPacket

PATIENCE = 10.0  # seconds; only a failing test ever waits so long


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> int:
        return int(self.time * 1e6)

    def monotonic(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class Counts:
    """A meter that remembers its counters."""

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, ...]] = Counter()

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        self.counters[(name, *labels.values())] += n

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass

    def gauge(self, name: str, value: float, **labels: str) -> None:
        pass

    def rejected(self, reason: str) -> int:
        return self.counters["segue_rtp_rejected_packets_total", reason]


class Ear:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.times: list[float] = []
        self.ended: list[float] = []
        self.echoes: list[bytes] = []
        self.nothing: list[float] = []
        self.on_end: Callable[[], None] = lambda: None

    def heard(self, pcm: bytes, at: float) -> None:
        self.frames.append(pcm)
        self.times.append(at)

    def sent(self, pcm: bytes, at: float) -> None:
        self.echoes.append(pcm)

    def prompt_ended(self, at: float) -> None:
        self.ended.append(at)
        self.on_end()

    def no_audio(self, at: float) -> None:
        self.nothing.append(at)


class PaperTape:
    """The port Tape: keeps what is written."""

    id = "rec_1"

    def __init__(self, began: float) -> None:
        self.began = began
        self.written: list[tuple[int, bytes]] = []

    def write(self, at: int, audio: bytes) -> None:
        self.written.append((at, audio))

    def end(self, why: str) -> None:
        pass

    def channel(self, number: int) -> bytes:
        """0 the caller, 1 we; without what lies between stretches."""
        return b"".join(audio for _, audio in self.written)[number::2]


class Peer:
    """Asterisk's end of the leg: a UDP socket."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address: tuple[str, int] = self.socket.getsockname()[:2]

    def send(self, line: RtpLine, packet: RtpPacket | bytes) -> None:
        data = packet if isinstance(packet, bytes) else packet.serialize()
        self.socket.sendto(data, (self.host, line.port))

    async def receive(self) -> RtpPacket:
        async with asyncio.timeout(PATIENCE):
            data = await asyncio.get_running_loop().sock_recv(self.socket, 2048)
        return RtpPacket.parse(data)

    def nothing_came(self) -> bool:
        try:
            self.socket.recv(2048)
        except BlockingIOError:
            return True
        return False


async def eventually(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no Event
            await asyncio.sleep(0.002)


class LineStory:
    """Given a line that is connected to a peer."""

    def __init__(self, host: str = "127.0.0.1", sources: Sequence[str] = ()) -> None:
        self.clock = FakeClock()
        self.meter = Counts()
        self.ear = Ear()
        self.peer = Peer("::1" if ":" in host else "127.0.0.1")
        self.strangers: list[Peer] = []
        # A range of one port, the kernel's choice, so that tests run side by side.
        advertise = self.peer.host
        self.lines = RtpLines(host, advertise, free_range(), self.meter, self.clock, sources)
        self.line: RtpLine

    async def open(self, media_format: str = "ulaw", *, connected: bool = True) -> RtpLine:
        self.line = await self.lines.open(self.ear, media_format)
        if connected:
            self.line.connect(self.peer.address)
        return self.line

    def stranger(self, host: str = "127.0.0.1") -> Peer:
        self.strangers.append(Peer(host))
        return self.strangers[-1]

    async def beat(self) -> RtpPacket:
        """20 ms later: the packet that the line sends."""
        self.clock.advance(0.02)
        return await self.peer.receive()

    async def heard(self, frames: int) -> list[bytes]:
        await eventually(lambda: len(self.ear.frames) >= frames)
        return self.ear.frames

    async def aclose(self) -> None:
        await self.line.aclose()
        for peer in (self.peer, *self.strangers):
            peer.socket.close()


def free_range(size: int = 20) -> range:
    """Ports around one that the kernel has just given away."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first: int = min(probe.getsockname()[1], 65500) & ~1
    return range(first, first + size)
