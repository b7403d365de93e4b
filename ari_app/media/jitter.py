"""Pure. From packets in the network's order to audio in the caller's order, its holes named.

Nothing is played from here, so nothing is held back that is in order: a packet waits only while
one before it is missing, at most `depth` packets or `patience` seconds. Time is the RTP
timestamp's: a hole is as long as the timestamps say, so that the times of words stay true also
where the caller's telephone sends nothing during silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from ari_app.media.rtp import RtpPacket

# RFC 3550, appendix A.1: this far ahead or behind is not disorder but a new start.
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100

# No packets for so long is silence that is told as it passes, not when the next packet comes.
_STALL = 0.2

# The longest hole that one packet may open: real time is covered by _STALL, so a timestamp that
# jumps further than this does not mean time.
_LONGEST_HOLE = 0.5


@dataclass(frozen=True, slots=True)
class Hole:
    """Audio that did not come."""

    samples: int


Piece = bytes | Hole


class JitterBuffer:
    """One synchronisation source's packets, in order, each once; holds at most `depth` of them."""

    def __init__(
        self, rate: int, sample_size: int = 1, *, depth: int = 3, patience: float = 0.06
    ) -> None:
        self._rate = rate
        self._sample_size = sample_size
        self._depth = depth
        self._patience = patience
        self._held: dict[int, RtpPacket] = {}
        self._missing: dict[int, None] = {}  # sequences given up, oldest first
        self._expected = 0  # the next sequence
        self._timestamp = 0  # the next packet's, if no time is missing
        self._duration = 0  # samples of the last packet
        self._heard: float | None = None  # when the last packet came; None before the first
        self._waiting_since = 0.0
        self._ahead = 0  # samples of silence told before the timestamps said so
        self._bad: int | None = None  # RFC 3550, A.1: bad_seq
        self.received = 0
        self.lost = 0
        self.late = 0
        self.duplicates = 0
        self.restarts = 0

    def push(self, packet: RtpPacket, now: float) -> list[Piece]:
        """What has become ready by this packet, in order."""
        self.received += 1
        if self._heard is None:
            self._expected, self._timestamp = packet.sequence, packet.timestamp
        self._heard = now
        ahead = (packet.sequence - self._expected) & 0xFFFF
        if ahead == 0:
            self._bad = None
            ready: list[Piece] = []
            self._release(packet, ready)
            if self._held:
                self._drain(ready)
                self._waiting_since = now
            return ready
        if ahead < _MAX_DROPOUT:
            self._bad = None
            return self._hold(packet, now)
        if ahead >= (1 << 16) - _MAX_MISORDER:
            self._behind(packet.sequence)
            return []
        if packet.sequence != self._bad:
            # Perhaps a stray: believed only if its successor follows.
            self._bad = (packet.sequence + 1) & 0xFFFF
            self.late += 1
            return []
        ready = self.flush()
        self._start_at(packet)
        self._release(packet, ready)
        return ready

    def tick(self, now: float) -> list[Piece]:
        """What has become ready by the passing of time; call it about every 20 ms."""
        if self._heard is None:
            return []
        if self._held:
            return self._give_up() if now - self._waiting_since >= self._patience else []
        silent = int((now - self._heard - _STALL) * self._rate) - self._ahead
        if silent < self._rate // 50:
            return []
        silent -= silent % (self._rate // 50)
        self._ahead += silent
        return [Hole(silent)]

    def flush(self) -> list[Piece]:
        """All that is held, whatever is missing in between."""
        ready: list[Piece] = []
        while self._held:
            ready += self._give_up()
        return ready

    def restart(self) -> list[Piece]:
        """Forget the source: the next packet is the first of another one."""
        ready = self.flush()
        self._heard = None
        self._ahead = 0
        self._bad = None
        self._missing.clear()
        return ready

    # -- order ------------------------------------------------------------------------------

    def _hold(self, packet: RtpPacket, now: float) -> list[Piece]:
        if packet.sequence in self._held:
            self.duplicates += 1
            return []
        if not self._held:
            self._waiting_since = now
        self._held[packet.sequence] = packet
        return self._give_up() if len(self._held) > self._depth else []

    def _give_up(self) -> list[Piece]:
        """Stop waiting for the first hole: release what is held behind it."""
        nearest = min((sequence - self._expected) & 0xFFFF for sequence in self._held)
        for offset in range(nearest):
            self._missing[(self._expected + offset) & 0xFFFF] = None
        while len(self._missing) > _MAX_MISORDER:
            del self._missing[next(iter(self._missing))]
        self.lost += nearest
        self._expected = (self._expected + nearest) & 0xFFFF
        ready: list[Piece] = []
        self._drain(ready)
        return ready

    def _drain(self, ready: list[Piece]) -> None:
        while (packet := self._held.pop(self._expected, None)) is not None:
            self._release(packet, ready)

    def _behind(self, sequence: int) -> None:
        if sequence in self._missing:
            del self._missing[sequence]
            self.late += 1
        else:
            self.duplicates += 1

    def _start_at(self, packet: RtpPacket) -> None:
        self.restarts += 1
        self._expected, self._timestamp = packet.sequence, packet.timestamp
        self._ahead = 0
        self._bad = None
        self._missing.clear()

    # -- time -------------------------------------------------------------------------------

    def _release(self, packet: RtpPacket, ready: list[Piece]) -> None:
        """Append the packet's audio, behind the hole its timestamp shows."""
        hole = (packet.timestamp - self._timestamp) & 0xFFFFFFFF
        if hole:
            # Backwards, a fraction of a packet, or a leap: the sender's clock, not lost time.
            if hole < self._duration or hole >= 1 << 31:
                hole = 0
            hole -= self._ahead
            if hole > 0:
                ready.append(Hole(min(hole, int(self._rate * _LONGEST_HOLE))))
        self._ahead = 0
        self._duration = len(packet.payload) // self._sample_size
        self._timestamp = (packet.timestamp + self._duration) & 0xFFFFFFFF
        self._expected = (packet.sequence + 1) & 0xFFFF
        ready.append(packet.payload)
