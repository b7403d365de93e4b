"""Pure. How evenly packets come, and how long a missing one is worth waiting for."""

from __future__ import annotations

# What a hole is waited for at least and at most, in seconds.
SHORTEST = 0.02
LONGEST = 0.2

_WRAP = 1 << 32

# The sender's clock against ours moving by more than this, in seconds, is no jitter: the sender
# has set its timestamp anew, or did not let it run while nobody spoke.
_LEAP = 1.0

_GAIN = 1 / 16  # RFC 3550, appendix A.8
_SHRINK = 1 / 256  # of the way down, with each packet: 5 s at 20 ms
_DRIFT = 1 / 512  # of the way up, so that clocks that run apart are not taken for delay


class Timing:
    """One source's packets, compared with the fastest of late.

    `target` is what a player would delay the audio by, in seconds: it grows at once to what a
    packet needed, and shrinks slowly to three times the jitter. `now` is monotonic seconds.
    """

    __slots__ = ("_base", "_media", "_rate", "_timestamp", "_transit", "jitter", "target")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._timestamp = 0  # of the packet that came last
        self._media: float | None = None  # the sender's clock at it, in seconds
        self._transit = 0.0  # our clock minus the sender's, when it came
        self._base = 0.0  # the least of late
        self.jitter = 0.0  # seconds; RFC 3550, section 6.4.1
        self.target = SHORTEST

    def packet(self, timestamp: int, now: float) -> None:
        """One packet came, in whatever order."""
        if self._media is None:
            self._media, self._timestamp = 0.0, timestamp
            self._transit = self._base = now
            return
        self._media += self._since(timestamp)
        self._timestamp = timestamp
        transit = now - self._media
        moved = transit - self._transit
        self._transit = transit
        if not -_LEAP < moved < _LEAP:
            self._base = transit
            return
        self.jitter += (abs(moved) - self.jitter) * _GAIN
        lag = transit - self._base
        if lag < 0.0:
            self._base, lag = transit, 0.0
        else:
            self._base += lag * _DRIFT
        if lag > self.target:
            self.target = min(lag, LONGEST)
        else:
            rest = min(max(3 * self.jitter, SHORTEST), LONGEST)
            self.target += (rest - self.target) * _SHRINK

    def due(self, timestamp: int) -> float:
        """When a player would need the packet with this timestamp."""
        media = 0.0 if self._media is None else self._media
        return self._base + media + self._since(timestamp) + self.target

    def restart(self) -> None:
        """Another source: its clock is another, its way is probably the same."""
        self._media = None

    def _since(self, timestamp: int) -> float:
        """Seconds from the last packet's timestamp to this one, the shorter way round."""
        step = (timestamp - self._timestamp) % _WRAP
        return (step - _WRAP if step >= _WRAP >> 1 else step) / self._rate
