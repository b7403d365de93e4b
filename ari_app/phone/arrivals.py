"""Pure. What a caller's ear makes of the packets that reached it: what is missing, what is late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ari_app.media.rtp import RtpPacket

_STEP = 160  # timestamp units of a 20 ms packet (RFC 3551 §4.5.14)
_SECONDS = 1 / 8000
_HALF = 1 << 31
_JUMP = 2.0  # seconds: longer than any network keeps a packet


@dataclass(frozen=True, slots=True)
class Reception:
    """A stretch of a call as it was received; seconds."""

    received: int = 0
    missing: int = 0  # packets that the far side's timestamps say there should have been
    lateness: tuple[float, ...] = ()  # of each packet, against the quickest one of its source

    def __add__(self, other: Reception) -> Reception:
        """Both together."""
        return Reception(
            self.received + other.received,
            self.missing + other.missing,
            self.lateness + other.lateness,
        )

    @property
    def lost(self) -> float:
        """Share of the packets that never came."""
        return self.missing / (self.received + self.missing) if self.missing else 0.0


def reception(
    packets: Iterable[tuple[float, RtpPacket]], since: float = 0.0, until: float = float("inf")
) -> Reception:
    """What arrived in (since, until], in the order of arrival; each source (SSRC) by itself.

    Only what is missing between two packets can be seen: not a beginning or an end that never
    came. A packet that came twice counts once. Timestamps that jump where time did not are a new
    start (a call that is given to somebody else), and nothing is missing there.
    """
    sources: dict[int, list[list[tuple[float, int]]]] = defaultdict(list)
    for at, packet in packets:
        if not since < at <= until:
            continue
        stretches = sources[packet.ssrc]
        if not stretches or _is_new_start(stretches[-1][-1], at, packet.timestamp):
            stretches.append([])
        stretches[-1].append((at, packet.timestamp))
    whole = Reception()
    for stretches in sources.values():
        for arrivals in stretches:
            whole += _of_stretch(arrivals)
    return whole


def _is_new_start(last: tuple[float, int], at: float, timestamp: int) -> bool:
    """Whether the timestamp went another way than the clock since the packet before."""
    return abs(_ahead(timestamp, last[1]) * _SECONDS - (at - last[0])) > _JUMP


def _of_stretch(arrivals: Sequence[tuple[float, int]]) -> Reception:
    first = arrivals[0][1]
    places = [_ahead(timestamp, first) for _, timestamp in arrivals]
    different = len(set(places))
    expected = (max(places) - min(places)) // _STEP + 1
    transits = [at - place * _SECONDS for (at, _), place in zip(arrivals, places, strict=True)]
    quickest = min(transits)
    return Reception(
        different, max(expected - different, 0), tuple(transit - quickest for transit in transits)
    )


def _ahead(timestamp: int, first: int) -> int:
    """RFC 3550 §5.1: 32 bits that wrap, from a random start."""
    return ((timestamp - first + _HALF) % (1 << 32)) - _HALF
