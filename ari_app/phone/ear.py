"""What a phone has heard: every packet with its arrival, and when there was a voice."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ari_app.media.g711 import ulaw_decode
from ari_app.media.rtp import PCMU, RtpPacket

# A packet with a higher root mean square is a voice: -44 dBFS, above comfort noise and the
# rounding of mu-law, below any prompt.
VOICE = 200.0

# An hour and a half of 20 ms packets: a call that nobody ends must not fill the memory.
MAX_PACKETS = 270_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet of the far side's audio."""

    at: float  # monotonic
    packet: RtpPacket
    voice: bool


class Ear:
    """Keeps mu-law packets in the order of their arrival; what else comes is not audio."""

    def __init__(self, voice: float = VOICE) -> None:
        self._voice = voice
        self.arrivals: list[Arrival] = []
        self._voiced: list[float] = []
        self.dropped = 0

    def hear(self, packet: RtpPacket, at: float) -> bool:
        """Keep a packet; True if there is a voice in it."""
        if packet.payload_type != PCMU or not packet.payload:
            return False
        if len(self.arrivals) >= MAX_PACKETS:
            self.dropped += 1
            return False
        voice = level(packet.payload) > self._voice
        self.arrivals.append(Arrival(at, packet, voice))
        if voice:
            self._voiced.append(at)
        return voice

    def first_voice_after(self, at: float) -> float | None:
        """When the first packet with a voice arrived after `at`."""
        index = bisect_right(self._voiced, at)
        return self._voiced[index] if index < len(self._voiced) else None

    def last_voice_after(self, at: float) -> float | None:
        """When the latest packet with a voice arrived, if that was after `at`."""
        return self._voiced[-1] if self._voiced and self._voiced[-1] > at else None

    def audio(self, since: float = 0.0) -> npt.NDArray[np.int16]:
        """The samples that arrived after `since`, one packet behind the other."""
        heard = b"".join(a.packet.payload for a in self.arrivals if a.at > since)
        return ulaw_decode(heard)


def level(ulaw: bytes) -> float:
    """The root mean square of mu-law samples, 0 to 32124."""
    samples = ulaw_decode(ulaw).astype(np.float64)
    return float(np.sqrt(np.mean(samples * samples))) if samples.size else 0.0
