"""RTP and all that is behind it on a line.

Invariant: any octets, cut into datagrams and sent by Asterisk and by others at any time, raise
nothing; each datagram is received, refused by a reason, or RTCP; what is heard comes in frames of
20 ms; no more than a few packets are held. What is read as a packet is written so that it reads
the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ari_app.media import formats
from ari_app.media.receiving import Receiving
from ari_app.media.rtp import RtpPacket
from ari_app.media.source import Source

_ASTERISK = ("192.0.2.1", 4000)
_SENDERS = (_ASTERISK, _ASTERISK, ("192.0.2.1", 4002), ("198.51.100.9", 4000))
_LONGEST_PAUSE = 3.0  # seconds


def one(data: bytes) -> None:
    """Raises if the invariant does not hold."""
    read(data)
    for name in ("ulaw", "slin16"):
        hear(formats.named(name), data)


def read(data: bytes) -> None:
    """One datagram."""
    with contextlib.suppress(ValueError):
        packet = RtpPacket.parse(data)
        assert packet.payload in data
        assert RtpPacket.parse(packet.serialize()) == packet


def hear(wire: formats.Format, data: bytes) -> None:
    """A line's whole life."""
    receiving = Receiving(wire, Source(), lambda reason: None)
    receiving.lock(_ASTERISK, 0.0)
    now, count = 0.0, 0
    for sender, pause, datagram in datagrams(data, wire):
        now += pause
        count += 1
        frames = receiving.tick(now) + receiving.datagram(datagram, _SENDERS[sender], now)
        assert all(len(frame) == wire.frame for frame in frames)
        assert len(receiving._kept) <= 8
        assert len(receiving._hearing._order._held) <= 24
    receiving.lock(_ASTERISK, now)
    figures = receiving.figures()
    assert figures["received"] + figures["refused"] + figures.get("rtcp", 0) == count


def datagrams(data: bytes, wire: formats.Format) -> Iterator[tuple[int, float, bytes]]:
    """Three octets say who sends what when; then come the octets, or a whole packet of them."""
    at = 0
    while at + 3 <= len(data):
        who, when, size = data[at : at + 3]
        octets = data[at + 3 : at + 3 + size]
        at += 3 + size
        if who & 4 and len(octets) >= 5:
            # The beginning of what could be audio: the rest would be found by chance only.
            octets = (
                bytes([0x80 | who >> 7 << 4, wire.payload_type if who & 8 else 13, 0])
                + octets[:1]
                + bytes(2)
                + octets[1:3]
                + bytes(3)
                + octets[3:4]
                + octets[4:].ljust(160, b"\x55")
            )
        yield who & 3, when / 255 * _LONGEST_PAUSE if who & 16 else 0.02, octets
