"""Pure. From a datagram to an RTP packet and back (RFC 3550, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

PCMU = 0  # RFC 3551, table 4
PCMA = 8
COMFORT_NOISE = 13  # RFC 3389

_VERSION = 2
_FIXED = Struct("!BBHII")
_EXTENSION = Struct("!HH")


def is_rtcp(second: int) -> bool:
    """Whether a datagram with this second octet is RTCP (RFC 5761, section 4)."""
    return 192 <= second <= 223


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet; contributing sources and header extensions are read over, not kept."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def __post_init__(self) -> None:
        if not (
            0 <= self.payload_type < 1 << 7
            and 0 <= self.sequence < 1 << 16
            and 0 <= self.timestamp < 1 << 32
            and 0 <= self.ssrc < 1 << 32
        ):
            raise ValueError(f"an RTP header field is out of range: {self!r}")

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """The packet in a datagram; ValueError says what is wrong with it."""
        length = len(data)
        if length < _FIXED.size:
            raise ValueError(f"RTP packet is shorter than its fixed header: {length} bytes")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != _VERSION:
            raise ValueError(f"RTP version is {first >> 6}, not {_VERSION}")
        start, end = _FIXED.size, length
        if first & 0x3F:
            start += 4 * (first & 0x0F)
            if start > end:
                raise ValueError("RTP packet has truncated CSRC")
            if first & 0x10:
                start = _after_extension(data, start)
            if first & 0x20:
                end = _before_padding(data, start)
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[start:end], second > 0x7F)

    def serialize(self) -> bytes:
        """The datagram: no CSRC, no extension, no padding."""
        return (
            _FIXED.pack(
                _VERSION << 6,
                self.marker << 7 | self.payload_type,
                self.sequence,
                self.timestamp,
                self.ssrc,
            )
            + self.payload
        )


def _after_extension(data: bytes, start: int) -> int:
    """Where the payload begins behind a header extension (RFC 3550, section 5.3.1)."""
    if start + _EXTENSION.size > len(data):
        raise ValueError("RTP packet has truncated header extension")
    _, words = _EXTENSION.unpack_from(data, start)
    end: int = start + _EXTENSION.size + 4 * words
    if end > len(data):
        raise ValueError("RTP packet has truncated header extension")
    return end


def _before_padding(data: bytes, start: int) -> int:
    """Where the payload ends: the last octet counts the padding, itself included."""
    padding = data[-1]
    if padding == 0 or padding > len(data) - start:
        raise ValueError(f"RTP padding of {padding} bytes does not fit the packet")
    return len(data) - padding
