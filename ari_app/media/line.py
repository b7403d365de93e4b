"""One call's RTP socket: the caller's audio in, comfort silence or a prompt out."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import secrets
import socket
from collections.abc import Sequence

from ari_app.errors import Unavailable
from ari_app.media import formats
from ari_app.media.formats import CHUNK, Format
from ari_app.media.g711 import SILENCE, ulaw_decode
from ari_app.media.pacer import Pacer
from ari_app.media.receiving import Receiving
from ari_app.media.shield import Shield
from ari_app.media.source import Source, networks
from ari_app.media.speaking import Speaking
from ari_app.media.tracks import Tracks
from ari_app.ports import AudioSink, AudioWatch, Clock, EchoWatch, Meter, Tape

logger = logging.getLogger(__name__)

_LARGEST = 2048  # no Ethernet frame carries more; longer datagrams are cut and refused
_DATAGRAMS_A_WAKE = 32  # a flood on one port must not starve the other calls
_FIRST_AUDIO = 2.0  # seconds after connect() in which something must come
_HUSH = SILENCE * CHUNK


class RtpLines:
    """Port `Lines`: a socket per call on the even ports of a range, one pacer for all."""

    def __init__(
        self,
        host: str,
        advertise_host: str,
        ports: range,
        meter: Meter,
        clock: Clock,
        sources: Sequence[str] = (),
    ) -> None:
        """Listen on `host` and tell Asterisk `advertise_host`; odd ports would be RTCP's.

        `sources` are networks from which Asterisk's audio may also come. ValueError with a
        sentence if an address, a network or the range is none.
        """
        self._host = str(ipaddress.ip_address(host))
        self._advertise = _reachable(advertise_host)
        self._networks = networks(sources)
        self._ports = [port for port in ports if port % 2 == 0]
        if not self._ports:
            raise ValueError("the RTP range holds no even port")
        self._next = secrets.randbelow(len(self._ports))
        self._meter = meter
        self._clock = clock
        self._pacer = Pacer(clock)

    async def open(self, sink: AudioSink, media_format: str) -> RtpLine:
        """A new line; ValueError for another format, Unavailable if every port is taken."""
        wire = formats.named(media_format)
        bound = self._bind()
        port: int = bound.getsockname()[1]
        source = Source(self._networks)
        return RtpLine(
            bound,
            (self._advertise, port),
            wire,
            source,
            sink,
            self._pacer,
            self._meter,
            self._clock,
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
                if self._host == "::":  # also IPv4, whatever the system's default is
                    candidate.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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
        wire: Format,
        source: Source,
        sink: AudioSink,
        pacer: Pacer,
        meter: Meter,
        clock: Clock,
    ) -> None:
        self._socket = bound
        self._address = address
        self._sink = sink
        self._watch = sink if isinstance(sink, AudioWatch) else None
        self._echo = sink if isinstance(sink, EchoWatch) else None
        self._pacer = pacer
        self._meter = meter
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._closed = False

        self._rate = wire.rate
        self._tracks: Tracks | None = None
        self._receiving = Receiving(wire, source, self._count_refused)
        self._shield = Shield(bound)
        self._patience: float | None = None  # when the first audio should have come

        self._speaking = Speaking(secrets.randbits(32), secrets.randbits(16), secrets.randbits(32))
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
        """Believe this address only, and start sending there with the next beat."""
        now = self._clock.monotonic()
        self._shield.open()
        self._deliver(self._receiving.lock((self._as_seen(peer[0]), peer[1]), now), now)
        self._patience = now + _FIRST_AUDIO
        self._pacer.add(self)

    def play(self, ulaw: bytes) -> None:
        """Start a prompt at the next beat; a running one is replaced and does not end."""
        self._speaking.play(ulaw)

    def pause(self) -> int:
        """Silence at the next beat; the milliseconds of the prompt that were sent, 0 if none."""
        return self._speaking.pause()

    def resume(self, at_ms: int | None = None) -> None:
        """Go on with a paused prompt at the next beat, as in the port."""
        self._speaking.resume(at_ms)

    def stop(self) -> int:
        """Silence at the next beat; the milliseconds of the prompt that were sent, 0 if none."""
        return self._speaking.stop()

    def record(self, tape: Tape | None) -> None:
        """As in the port."""
        now = self._clock.monotonic()
        if self._tracks is not None:
            self._tracks.finish(now)
        self._tracks = Tracks(tape.write, self._rate, tape.began, now) if tape else None

    def statistics(self) -> dict[str, int]:
        """As in the port."""
        floods = self._shield.floods
        return {
            **self._receiving.figures(),
            "sent": self._sent,
            "unsent": self._unsent,
            **({"shielded": floods} if floods else {}),
        }

    async def aclose(self) -> None:
        """Free the socket; twice is fine."""
        if self._closed:
            return
        self._closed = True
        self.record(None)
        self._pacer.remove(self)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        statistics = self.statistics()
        for kind in ("received", "lost", "late", "reordered", "duplicate", "sent", "unsent"):
            if n := statistics[kind]:
                self._meter.count("segue_rtp_packets_total", n, kind=kind)

    # -- in ---------------------------------------------------------------------------------

    def _readable(self) -> None:
        now = self._clock.monotonic()
        for _ in itertools.repeat(None, _DATAGRAMS_A_WAKE):
            try:
                data, address = self._socket.recvfrom(_LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP error that the kernel tells late
                logger.debug("RTP port %d: %s", self._address[1], error)
                return
            peer = address[:2]
            if self._receiving.source.could_be(peer, now):
                self._deliver(self._receiving.datagram(data, peer, now), now)
                if self._closed:
                    return
            else:
                self._refuse_stranger(now)

    def _deliver(self, frames: list[bytes], now: float) -> None:
        for pcm in frames:
            if self._tracks is not None:
                self._tracks.caller(pcm, now)
            self._sink.heard(pcm, now)

    def _refuse_stranger(self, now: float) -> None:
        self._receiving.refuse("source")
        # While the believed one is silent, a stranger may be the next: then all are looked at.
        source = self._receiving.source
        if source.address is not None and source.is_heard(now):
            self._shield.refused(source.address, now)

    def _count_refused(self, reason: str) -> None:
        self._meter.count("segue_rtp_rejected_packets_total", reason=reason)

    def _as_seen(self, host: str) -> str:
        """The address as the socket tells it: IPv4 looks different through IPv6."""
        there = ipaddress.ip_address(host)
        if self._socket.family == socket.AF_INET6 and there.version == 4:
            return f"::ffff:{there}"
        return str(there)

    # -- out --------------------------------------------------------------------------------

    def beat(self, now: float) -> None:
        """Send 20 ms and let the time that passed show what did not come."""
        packet, ended = self._speaking.next()
        ours = bytes(packet[-CHUNK:])
        if self._tracks is not None:
            self._tracks.ours(ours, now)
        self._send(packet)
        if self._echo is not None:
            self._echo.sent(b"" if ours == _HUSH else ulaw_decode(ours).tobytes(), now)
        if ended:
            self._speaking.stop()
            self._sink.prompt_ended(now)
        if self._closed:
            return
        if frames := self._receiving.tick(now):
            self._deliver(frames, now)
        self._shield.tick(now)
        if self._patience is not None and now >= self._patience:
            self._nothing_came(now)

    def skip(self, periods: int) -> None:
        """The timestamp keeps the time that passed; the prompt goes on where it was."""
        self._speaking.skip(periods)

    def _send(self, packet: bytearray) -> None:
        if (peer := self._receiving.source.address) is None:
            return
        try:
            self._socket.sendto(packet, peer)
            self._sent += 1
        except OSError as error:  # full buffer, no route: audio that is late is of no use
            self._unsent += 1
            logger.debug("RTP port %d: %s", self._address[1], error)

    def _nothing_came(self, now: float) -> None:
        self._patience = None
        if self._receiving.began:
            return
        logger.warning(
            "no audio came to RTP port %d in %g s; %d packets from elsewhere were refused: "
            "see [media] advertise and sources",
            self._address[1],
            _FIRST_AUDIO,
            self._receiving.refused("source"),
        )
        if self._watch is not None:
            self._watch.no_audio(now)


def _reachable(host: str) -> str:
    """A host that Asterisk can send to; a name is for Asterisk to look up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        raise ValueError(f"Asterisk cannot send to {host}: set advertise to our address")
    return str(address)
