"""Pure. From packets in the network's order to audio in the caller's order, its holes named.

Nothing is played from here, so nothing is held back that is in order: a packet waits only while
one before it is missing, until a player with an adaptive delay (see Timing) would have needed it.
Time is the RTP timestamp's: a hole is as long as the timestamps say, so that the times of words
stay true also where the caller's telephone sends nothing during silence. A hole in the sequence
was lost; a hole in the timestamps alone is silence.
"""

from __future__ import annotations

from dataclasses import dataclass

from ari_app.media.timing import LONGEST, Timing

# RFC 3550, appendix A.1: this far ahead or behind is not disorder but a new start.
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100

# Packets that were held up together come together, and not always in their order.
_LEAST_WAIT = 0.01

# No packets for so long is silence that is told as it passes, not when the next packet comes.
_STALL = 0.2

# The longest hole that one packet may open: real time is covered by _STALL, so a timestamp that
# jumps further than this does not mean time.
_LONGEST_HOLE = 0.5


@dataclass(frozen=True, slots=True)
class Hole:
    """Audio that did not come: lost on its way, or silence that nobody sent."""

    samples: int
    lost: bool


@dataclass(frozen=True, slots=True)
class Noise:
    """From here on silence sounds like this (RFC 3389, section 3.1)."""

    level: int  # -dBov: 0 is the loudest, 127 silence


Content = bytes | Noise
Piece = Content | Hole


class JitterBuffer:
    """One synchronisation source's packets, in order, each once; holds at most `depth` of them."""

    def __init__(self, rate: int, sample_size: int = 1, *, depth: int = 24) -> None:
        self._rate = rate
        self._sample_size = sample_size
        self._depth = depth
        self._held: dict[int, tuple[int, Content]] = {}  # timestamp and payload, by sequence
        self._missing: dict[int, None] = {}  # sequences given up, oldest first
        self._expected = 0  # the next sequence
        self._furthest = 0  # the highest sequence held
        self._timestamp = 0  # the next packet's, if no time is missing
        self._duration = 0  # samples of the last packet
        self._given_up = 0  # packets that should have been before the next one
        self._heard: float | None = None  # when the last packet came; None before the first
        self._waiting_since = 0.0
        self._ahead = 0  # samples of silence told before the timestamps said so
        self._bad: int | None = None  # RFC 3550, A.1: bad_seq
        self.timing = Timing(rate)
        self.received = 0
        self.lost = 0  # were not there when they were needed
        self.gaps = 0  # runs of lost packets
        self.late = 0  # of the lost, and strays
        self.reordered = 0  # put back into their order
        self.duplicates = 0
        self.restarts = 0

    @property
    def duration(self) -> float:
        """Seconds of audio in the last packet; 0 before the first, and of comfort noise."""
        return self._duration / self._rate

    def push(self, sequence: int, timestamp: int, content: Content, now: float) -> list[Piece]:
        """What has become ready by this packet, in order."""
        self.received += 1
        if self._heard is None:
            self._expected, self._timestamp = sequence, timestamp
        self._heard = now
        ahead = (sequence - self._expected) & 0xFFFF
        if ahead == 0:
            self._bad = None
            self.timing.packet(timestamp, now)
            ready: list[Piece] = []
            self._release(timestamp, content, ready)
            if self._held:
                self.reordered += 1
                self._drain(ready)
                self._waiting_since = now
            return ready
        if ahead < _MAX_DROPOUT:
            self._bad = None
            return self._hold(sequence, timestamp, content, now)
        if ahead >= (1 << 16) - _MAX_MISORDER:
            self._behind(sequence, timestamp, now)
            return []
        if sequence != self._bad:
            # Perhaps a stray: believed only if its successor follows.
            self._bad = (sequence + 1) & 0xFFFF
            self.late += 1
            return []
        ready = self.flush()
        self._start_at(sequence, timestamp)
        self.timing.packet(timestamp, now)
        self._release(timestamp, content, ready)
        return ready

    def tick(self, now: float) -> list[Piece]:
        """What has become ready by the passing of time; call it about every 20 ms."""
        if self._heard is None:
            return []
        if self._held:
            ready: list[Piece] = []
            while self._held and self._is_due(now):
                self._give_up(ready)
            return ready
        silent = int((now - self._heard - _STALL) * self._rate) - self._ahead
        if silent < self._rate // 50:
            return []
        silent -= silent % (self._rate // 50)
        self._ahead += silent
        return [Hole(silent, lost=False)]

    def flush(self) -> list[Piece]:
        """All that is held, whatever is missing in between."""
        ready: list[Piece] = []
        while self._held:
            self._give_up(ready)
        return ready

    def restart(self) -> list[Piece]:
        """Forget the source: the next packet is the first of another one."""
        ready = self.flush()
        self._heard = None
        self._ahead = 0
        self._bad = None
        self._missing.clear()
        self.timing.restart()
        return ready

    # -- order ------------------------------------------------------------------------------

    def _hold(self, sequence: int, timestamp: int, content: Content, now: float) -> list[Piece]:
        if sequence in self._held:
            self.duplicates += 1
            return []
        self.timing.packet(timestamp, now)
        if not self._held:
            self._waiting_since = now
            self._furthest = sequence
        elif (sequence - self._expected) & 0xFFFF > (self._furthest - self._expected) & 0xFFFF:
            self._furthest = sequence
        else:
            self.reordered += 1
        self._held[sequence] = timestamp, content
        ready: list[Piece] = []
        while len(self._held) > self._depth or (self._held and self._is_due(now)):
            self._give_up(ready)
        return ready

    def _is_due(self, now: float) -> bool:
        """Whether what is held cannot wait any longer for what should be before it."""
        waited = now - self._waiting_since
        if waited < _LEAST_WAIT:
            return False
        timestamp, _ = self._held[self._nearest()]
        return waited >= LONGEST or now >= self.timing.due(timestamp)

    def _nearest(self) -> int:
        return min(self._held, key=lambda sequence: (sequence - self._expected) & 0xFFFF)

    def _give_up(self, ready: list[Piece]) -> None:
        """Stop waiting for the first hole: release what is held behind it."""
        missing = (self._nearest() - self._expected) & 0xFFFF
        for offset in range(missing):
            self._missing[(self._expected + offset) & 0xFFFF] = None
        while len(self._missing) > _MAX_MISORDER:
            del self._missing[next(iter(self._missing))]
        self.lost += missing
        self.gaps += 1
        self._given_up = missing
        self._expected = (self._expected + missing) & 0xFFFF
        self._drain(ready)

    def _drain(self, ready: list[Piece]) -> None:
        while (packet := self._held.pop(self._expected, None)) is not None:
            self._release(*packet, ready)

    def _behind(self, sequence: int, timestamp: int, now: float) -> None:
        if sequence in self._missing:
            del self._missing[sequence]
            self.late += 1
            # How late it was is what the next one like it will be waited for.
            self.timing.packet(timestamp, now)
        else:
            self.duplicates += 1

    def _start_at(self, sequence: int, timestamp: int) -> None:
        self.restarts += 1
        self._expected, self._timestamp = sequence, timestamp
        self._ahead = 0
        self._given_up = 0
        self._bad = None
        self._missing.clear()
        self.timing.restart()

    # -- time -------------------------------------------------------------------------------

    def _release(self, timestamp: int, content: Content, ready: list[Piece]) -> None:
        """Append the packet's audio, behind the hole its timestamp shows."""
        hole = (timestamp - self._timestamp) & 0xFFFFFFFF
        if hole:
            self._open(hole, ready)
        self._ahead = 0
        self._given_up = 0
        self._duration = 0 if isinstance(content, Noise) else len(content) // self._sample_size
        self._timestamp = (timestamp + self._duration) & 0xFFFFFFFF
        self._expected = (self._expected + 1) & 0xFFFF
        ready.append(content)

    def _open(self, hole: int, ready: list[Piece]) -> None:
        # Backwards, a fraction of a packet, or a leap: the sender's clock, not lost time.
        if hole < self._duration or hole >= 1 << 31:
            return
        lost = min(hole, self._given_up * self._duration)
        silent = hole - lost
        # What has been told as silence, while nothing came, was not told as lost.
        lost, silent = max(lost - max(self._ahead - silent, 0), 0), max(silent - self._ahead, 0)
        room = int(self._rate * _LONGEST_HOLE)
        if lost:
            ready.append(Hole(min(lost, room), lost=True))
        if silent and lost < room:
            ready.append(Hole(min(silent, room - lost), lost=False))
