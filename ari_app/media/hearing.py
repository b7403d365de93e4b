"""Pure. A call's incoming audio: from RTP payloads as they come to 20 ms of PCM in order."""

from __future__ import annotations

from ari_app.media.concealment import Concealer
from ari_app.media.formats import Format
from ari_app.media.jitter import Content, Hole, JitterBuffer, Noise, Piece
from ari_app.media.quality import mos_x100
from ari_app.media.tones import KeyTones


class Hearing:
    """One call's ear: order, concealment, frames, no keys. `now` is monotonic seconds."""

    def __init__(self, wire: Format) -> None:
        self._wire = wire
        self._order = JitterBuffer(wire.rate, wire.sample_size)
        self._concealer = Concealer(wire.rate)
        self._keys = KeyTones(wire.rate)
        self._frame = wire.frame
        self._rest = b""  # less than a frame

    @property
    def ptime(self) -> float:
        """Seconds of audio in the last packet; 0 if it had none."""
        return self._order.duration

    @property
    def silent_ms(self) -> int:
        """Milliseconds of silence that nobody sent."""
        return self._concealer.silent * 1000 // self._wire.rate

    def packet(self, sequence: int, timestamp: int, content: Content, now: float) -> list[bytes]:
        """The frames that have become ready by this packet."""
        return self._frames(self._order.push(sequence, timestamp, content, now))

    def tick(self, now: float) -> list[bytes]:
        """The frames that have become ready by the passing of time; about every 20 ms."""
        pieces = self._order.tick(now)
        return self._frames(pieces) if pieces else []

    def restart(self) -> list[bytes]:
        """The frames of a source that has ended; the next packet is the first of another."""
        return self._frames(self._order.restart())

    def figures(self) -> dict[str, int]:
        """As in `Line.statistics`, what concerns packets that were taken."""
        order, rate = self._order, self._wire.rate
        heard = order.received - order.duplicates - order.late
        return {
            "received": order.received,
            "lost": order.lost,
            "late": order.late,
            "reordered": order.reordered,
            "duplicate": order.duplicates,
            "concealed_ms": self._concealer.concealed * 1000 // rate,
            "jitter_us": round(order.timing.jitter * 1e6),
            "mos_x100": mos_x100(
                heard, order.lost, gaps=order.gaps, delay=order.timing.target + order.duration
            ),
        }

    def _frames(self, pieces: list[Piece]) -> list[bytes]:
        """Whole frames of 20 ms, whatever the packets' length was."""
        frames = []
        for piece in pieces:
            pcm = self._pcm(piece)
            if len(pcm) == self._frame and not self._rest:
                frames.append(self._keys.muted(pcm))
                continue
            pcm = self._rest + pcm
            whole = len(pcm) - len(pcm) % self._frame
            self._rest = pcm[whole:]
            for at in range(0, whole, self._frame):
                frames.append(self._keys.muted(pcm[at : at + self._frame]))
        return frames

    def _pcm(self, piece: Piece) -> bytes:
        match piece:
            case bytes():
                return self._concealer.heard(self._wire.decode(piece))
            case Hole(samples=samples, lost=True):
                return self._concealer.lost(samples)
            case Hole(samples=samples):
                return self._concealer.silence(samples)
            case Noise(level=level):
                self._concealer.noise(level)
                return b""
