"""One call's RTP socket: the caller's audio in, comfort silence or a prompt out."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import secrets
import socket
from collections.abc import Callable
from struct import Struct

import numpy as np

from ari_app.errors import Unavailable
from ari_app.media import g711
from ari_app.media.jitter import Hole, JitterBuffer, Piece
from ari_app.media.pacer import Pacer
from ari_app.media.rtp import PCMU, RtpPacket
from ari_app.ports import AudioSink, Clock, Meter

logger = logging.getLogger(__name__)

_SLIN16 = 118  # what Asterisk's rtp_engine.c calls it: dynamic, L16 at 16 kHz, big-endian
_CHUNK = 160  # octets of 20 ms of mu-law
_HEADER = Struct("!BBHII")
_LARGEST = 2048  # no Ethernet frame carries more; longer datagrams are cut and refused
_DATAGRAMS_A_WAKE = 32  # a flood on one port must not starve the other calls
_LONGEST_PACKET = 0.12  # seconds of audio in one packet

# A new SSRC is the same caller only after the old one has been silent for three packets.
_SSRC_SILENCE = 0.06


class _Format:
    """How one of Asterisk's media formats looks on the wire, and how it becomes PCM."""

    def __init__(
        self, payload_type: int, rate: int, sample_size: int, decode: Callable[[bytes], bytes]
    ) -> None:
        self.payload_type = payload_type
        self.rate = rate
        self.sample_size = sample_size
        self.decode = decode
        self.longest = int(rate * _LONGEST_PACKET) * sample_size


def _from_ulaw(payload: bytes) -> bytes:
    return g711.ulaw_decode(payload).tobytes()


def _from_slin16(payload: bytes) -> bytes:
    return np.frombuffer(payload, ">i2").astype("<i2").tobytes()


_FORMATS = {
    "ulaw": _Format(PCMU, 8000, 1, _from_ulaw),
    "slin16": _Format(_SLIN16, 16000, 2, _from_slin16),
}


class RtpLines:
    """Port `Lines`: a socket per call on the even ports of a range, one pacer for all."""

    def __init__(
        self, host: str, advertise_host: str, ports: range, meter: Meter, clock: Clock
    ) -> None:
        """Listen on `host` and tell Asterisk `advertise_host`; odd ports would be RTCP's."""
        self._host = str(ipaddress.ip_address(host))
        self._advertise = advertise_host
        self._ports = [port for port in ports if port % 2 == 0]
        if not self._ports:
            raise ValueError("the RTP range holds no even port")
        self._next = secrets.randbelow(len(self._ports))
        self._meter = meter
        self._clock = clock
        self._pacer = Pacer(clock)

    async def open(self, sink: AudioSink, media_format: str) -> RtpLine:
        """A new line; ValueError for another format, Unavailable if every port is taken."""
        wire = _FORMATS.get(media_format)
        if wire is None:
            raise ValueError(f"media format is {media_format!r}, not one of {sorted(_FORMATS)}")
        bound = self._bind()
        port: int = bound.getsockname()[1]
        return RtpLine(
            bound, (self._advertise, port), wire, sink, self._pacer, self._meter, self._clock
        )

    def _bind(self) -> socket.socket:
        """The next free port: a port is used again as late as possible, for stragglers' sake."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        for _ in self._ports:
            port = self._ports[self._next]
            self._next = (self._next + 1) % len(self._ports)
            candidate = socket.socket(family, socket.SOCK_DGRAM)
            candidate.setblocking(False)
            try:
                candidate.bind((self._host, port))
            except OSError:
                candidate.close()
                continue
            return candidate
        raise Unavailable(
            f"no free RTP port on {self._host} in {self._ports[0]}-{self._ports[-1]}: "
            "widen the range or free it"
        )


class RtpLine:
    """Port `Line`. Sends from `connect()` on, a packet every 20 ms, silence when nothing plays."""

    def __init__(
        self,
        bound: socket.socket,
        address: tuple[str, int],
        wire: _Format,
        sink: AudioSink,
        pacer: Pacer,
        meter: Meter,
        clock: Clock,
    ) -> None:
        self._socket = bound
        self._address = address
        self._wire = wire
        self._sink = sink
        self._pacer = pacer
        self._meter = meter
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._closed = False

        self._peer: tuple[str, int] | None = None
        self._source: int | None = None  # SSRC
        self._last = 0.0
        self._jitter = JitterBuffer(wire.rate, wire.sample_size)
        self._frame = wire.rate // 50 * 2  # bytes of 20 ms of PCM
        self._rest = b""  # less than a frame
        self._refused = 0

        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._packet = bytearray(_HEADER.size + _CHUNK)
        self._silence = bytes(_HEADER.size) + g711.SILENCE * _CHUNK
        self._packet[:] = self._silence
        self._prompt: memoryview | None = None
        self._position = 0  # octets of the prompt sent
        self._marker = True
        self._sent = 0
        self._unsent = 0
        self._loop.add_reader(bound.fileno(), self._readable)

    @property
    def host(self) -> str:
        """Where we listen, as Asterisk shall reach it."""
        return self._address[0]

    @property
    def port(self) -> int:
        """Where we listen."""
        return self._address[1]

    def connect(self, peer: tuple[str, int]) -> None:
        """Lock the source to this address and start sending there with the next beat."""
        self._peer = (str(ipaddress.ip_address(peer[0])), peer[1])
        self._source = None
        self._deliver(self._jitter.restart(), self._clock.monotonic())
        self._pacer.add(self)

    def play(self, ulaw: bytes) -> None:
        """Start a prompt at the next beat; a running one is replaced and does not end."""
        self._prompt = memoryview(ulaw)
        self._position = 0
        self._marker = True

    def stop(self) -> int:
        """Silence at once; the milliseconds of the prompt that were sent, 0 if none is running."""
        if self._prompt is None:
            return 0
        self._prompt = None
        self._packet[:] = self._silence
        return self._position // 8

    def statistics(self) -> dict[str, int]:
        """Counts of packets since the line was opened."""
        return {
            "received": self._jitter.received,
            "lost": self._jitter.lost,
            "late": self._jitter.late,
            "duplicate": self._jitter.duplicates,
            "refused": self._refused,
            "sent": self._sent,
            "unsent": self._unsent,
        }

    async def aclose(self) -> None:
        """Free the socket; twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._pacer.remove(self)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for kind, n in self.statistics().items():
            if n and kind != "refused":
                self._meter.count("segue_rtp_packets_total", n, kind=kind)

    # -- in ---------------------------------------------------------------------------------

    def _readable(self) -> None:
        now = self._clock.monotonic()
        for _ in itertools.repeat(None, _DATAGRAMS_A_WAKE):
            try:
                data, source = self._socket.recvfrom(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP error that the kernel tells late
                logger.debug("RTP port %d: %s", self._address[1], error)
                return
            self._datagram(data, source, now)
            if self._closed:
                return

    def _datagram(self, data: bytes, source: tuple[str, int], now: float) -> None:
        if source[:2] != self._peer:
            return self._refuse("source")
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            return self._refuse("malformed")
        if packet.payload_type != self._wire.payload_type:
            return self._refuse("payload_type")
        size = len(packet.payload)
        if not 0 < size <= self._wire.longest or size % self._wire.sample_size:
            return self._refuse("size")
        if packet.ssrc != self._source:
            if self._source is not None:
                if now - self._last < _SSRC_SILENCE:
                    return self._refuse("ssrc")
                self._deliver(self._jitter.restart(), now)
            self._source = packet.ssrc
        self._last = now
        return self._deliver(self._jitter.push(packet, now), now)

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        self._meter.count("segue_rtp_rejected_packets_total", reason=reason)

    def _deliver(self, pieces: list[Piece], now: float) -> None:
        """Tell the sink whole frames of 20 ms, whatever the packets' length was."""
        for piece in pieces:
            pcm = bytes(piece.samples * 2) if isinstance(piece, Hole) else self._wire.decode(piece)
            if len(pcm) == self._frame and not self._rest:
                self._sink.heard(pcm, now)
                continue
            pcm = self._rest + pcm
            whole = len(pcm) - len(pcm) % self._frame
            self._rest = pcm[whole:]
            for start in range(0, whole, self._frame):
                self._sink.heard(pcm[start : start + self._frame], now)

    # -- out --------------------------------------------------------------------------------

    def beat(self, now: float) -> None:
        """Send 20 ms and let the time that passed show what did not come."""
        ended = False
        packet = self._packet
        if self._prompt is not None:
            chunk = self._prompt[self._position : self._position + _CHUNK]
            size = len(chunk)
            packet[_HEADER.size : _HEADER.size + size] = chunk
            if size < _CHUNK:
                packet[_HEADER.size + size :] = g711.SILENCE * (_CHUNK - size)
            self._position += size
            ended = self._position >= len(self._prompt)
        _HEADER.pack_into(
            packet,
            0,
            0x80,
            0x80 | PCMU if self._marker else PCMU,
            self._sequence,
            self._timestamp,
            self._ssrc,
        )
        self._send(packet)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + _CHUNK) & 0xFFFFFFFF
        self._marker = False
        if ended:
            self._prompt = None
            packet[:] = self._silence
            self._sink.prompt_ended(now)
        if pieces := self._jitter.tick(now):
            self._deliver(pieces, now)

    def skip(self, periods: int) -> None:
        """The timestamp keeps the time that passed; the prompt goes on where it was."""
        self._timestamp = (self._timestamp + periods * _CHUNK) & 0xFFFFFFFF
        self._marker = True

    def _send(self, packet: bytearray) -> None:
        if self._peer is None:
            return
        try:
            self._socket.sendto(packet, self._peer)
            self._sent += 1
        except OSError as error:  # full buffer, no route: audio that is late is of no use
            self._unsent += 1
            logger.debug("RTP port %d: %s", self._address[1], error)
