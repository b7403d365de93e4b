"""Pure. Between a datagram and the sound of the caller: who sent it, what it is, its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from struct import Struct

from ari_app.media.formats import Format
from ari_app.media.hearing import Hearing
from ari_app.media.jitter import Content, Noise
from ari_app.media.rtp import COMFORT_NOISE, RtpPacket, is_rtcp
from ari_app.media.source import Address, Source, Verdict

_HEADER = Struct("!BBHII")
_PLAIN = 0x80  # version 2, and nothing between the header and the payload

_NOTHING: list[bytes] = []


class Receiving:
    """One line's incoming side; `now` is monotonic seconds, frames are 20 ms of PCM.

    Whatever comes, it raises nothing and holds a few packets at most. `on_refused` is told the
    reason of each datagram that was not taken: `source` (from elsewhere), `ssrc` (beside the
    believed source), `malformed`, `payload_type`, `size`.
    """

    def __init__(self, wire: Format, source: Source, on_refused: Callable[[str], None]) -> None:
        self._wire = wire
        self._on_refused = on_refused
        self._hearing = Hearing(wire)
        self._kept: list[tuple[int, int, int, Content]] = []  # SSRC, sequence, timestamp, audio
        self._refused: Counter[str] = Counter()
        self._rtcp = 0
        self.source = source
        self.began = False  # whether any audio has been taken since the lock

    def lock(self, address: Address, now: float) -> list[bytes]:
        """Believe this address only; the frames that were still waiting."""
        self._refuse_kept()
        self.source.lock(address, now)
        self.began = False
        return self._hearing.restart()

    def datagram(self, data: bytes, address: Address, now: float) -> list[bytes]:
        """The frames that have become ready by a datagram."""
        if not self.source.could_be(address, now):
            return self.refuse("source")
        if len(data) > 1 and is_rtcp(data[1]):
            # RFC 5761: reports on the audio's own port. What they tell, Asterisk tells us better.
            self._rtcp += 1
            return _NOTHING
        if len(data) > _HEADER.size and data[0] == _PLAIN:
            _, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
            payload_type, payload = second & 0x7F, data[_HEADER.size :]
        else:
            try:
                packet = RtpPacket.parse(data)
            except ValueError:
                return self.refuse("malformed")
            sequence, timestamp, ssrc = packet.sequence, packet.timestamp, packet.ssrc
            payload_type, payload = packet.payload_type, packet.payload
        content: Content = payload
        if payload_type != self._wire.payload_type:
            if payload_type != COMFORT_NOISE:
                return self.refuse("payload_type")
            if not payload:
                return self.refuse("size")
            content = Noise(payload[0] & 0x7F)
        elif not self._wire.fits(len(payload)):
            return self.refuse("size")
        return self._audio(address, (ssrc, sequence, timestamp, content), now)

    def tick(self, now: float) -> list[bytes]:
        """The frames that have become ready by the passing of time; about every 20 ms."""
        return self._hearing.tick(now)

    def refuse(self, reason: str) -> list[bytes]:
        """Count a datagram that is not taken: no frames."""
        self._refused[reason] += 1
        self._on_refused(reason)
        return _NOTHING

    def refused(self, reason: str) -> int:
        """How many were, for this reason."""
        return self._refused[reason]

    def figures(self) -> dict[str, int]:
        """As in `Line.statistics`, what concerns this direction."""
        happened = {
            **{f"refused_{reason}": n for reason, n in self._refused.items()},
            "sources": self.source.changes,
            "relearned": self.source.relearned,
            "rtcp": self._rtcp,
            "silent_ms": self._hearing.silent_ms,
        }
        return {
            **self._hearing.figures(),
            "refused": self._refused.total(),
            **{name: n for name, n in happened.items() if n},
        }

    def _audio(
        self, address: Address, packet: tuple[int, int, int, Content], now: float
    ) -> list[bytes]:
        ssrc, sequence, timestamp, content = packet
        before = _NOTHING
        match self.source.judge(address, ssrc, sequence, now, self._hearing.ptime):
            case Verdict.TAKE:
                if self._kept:
                    self._refuse_kept()
            case Verdict.CHANGE:
                before = self._change(ssrc, now)
            case Verdict.KEEP:
                self._kept.append(packet)
                return _NOTHING
            case Verdict.REFUSE_SOURCE:
                return self.refuse("source")
            case Verdict.REFUSE_SSRC:
                return self.refuse("ssrc")
        self.began = True
        frames = self._hearing.packet(sequence, timestamp, content, now)
        return before + frames if before else frames

    def _change(self, ssrc: int, now: float) -> list[bytes]:
        """Another source is heard from now on; what was kept of it is the beginning."""
        frames = self._hearing.restart()
        kept, self._kept = self._kept, []
        for other, sequence, timestamp, content in kept:
            if other == ssrc:
                frames += self._hearing.packet(sequence, timestamp, content, now)
            else:
                self.refuse("ssrc")
        return frames

    def _refuse_kept(self) -> None:
        """The believed one is still there: the others were not it."""
        for _ in self._kept:
            self.refuse("ssrc")
        self._kept.clear()
