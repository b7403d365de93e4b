"""RTP packets as bytes, well-formed and not."""

from __future__ import annotations

import pytest

from ari_app.media.rtp import RtpPacket

# A packet of Asterisk 22.10.1's UnicastRTP (PCMU), the payload shortened to four octets.
PCMU = bytes.fromhex("80800b5e000000a01f2e3d4c fffeff7e")
HEADER = PCMU[:12]


def with_first_octet(first: int, rest: bytes) -> bytes:
    return bytes([first]) + HEADER[1:] + rest


def test_a_packet_is_read_field_by_field() -> None:
    assert RtpPacket.parse(PCMU) == RtpPacket(
        payload_type=0,
        sequence=0x0B5E,
        timestamp=160,
        ssrc=0x1F2E3D4C,
        payload=b"\xff\xfe\xff\x7e",
        marker=True,
    )


def test_a_packet_is_written_as_it_was_read() -> None:
    assert RtpPacket.parse(PCMU).serialize() == PCMU


def test_contributing_sources_are_read_over() -> None:
    assert RtpPacket.parse(with_first_octet(0x82, bytes(8) + b"pcm!")).payload == b"pcm!"


def test_a_header_extension_is_read_over() -> None:
    extension = bytes.fromhex("bede0001 10ff0000")
    assert RtpPacket.parse(with_first_octet(0x90, extension + b"pcm!")).payload == b"pcm!"


def test_an_extension_behind_contributing_sources_is_read_over() -> None:
    extension = bytes(4) + bytes.fromhex("bede0000")
    assert RtpPacket.parse(with_first_octet(0x91, extension + b"pcm!")).payload == b"pcm!"


def test_padding_is_taken_off() -> None:
    assert RtpPacket.parse(with_first_octet(0xA0, b"pcm!\x00\x00\x03")).payload == b"pcm!"


def test_a_packet_may_be_all_padding() -> None:
    assert RtpPacket.parse(with_first_octet(0xA0, b"\x00\x02")).payload == b""


@pytest.mark.parametrize(
    ("datagram", "complaint"),
    [
        (b"", "shorter than its fixed header: 0 bytes"),
        (HEADER[:11], "shorter than its fixed header: 11 bytes"),
        (with_first_octet(0x40, b""), "version is 1"),
        (b"SIP/2.0 200 OK", "version is 1"),
        (with_first_octet(0x81, b"\x00\x00\x00"), "truncated CSRC"),
        (with_first_octet(0x90, b"\xbe\xde\x00"), "truncated header extension"),
        (with_first_octet(0x90, b"\xbe\xde\x00\x02abcd"), "truncated header extension"),
        (with_first_octet(0xA0, b"pcm!\x00"), "padding of 0 bytes"),
        (with_first_octet(0xA0, b"pcm!\x06"), "padding of 6 bytes"),
        (with_first_octet(0xA0, b""), "padding of 76 bytes"),
    ],
)
def test_a_malformed_packet_is_refused_with_its_fault(datagram: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RtpPacket.parse(datagram)


@pytest.mark.parametrize(
    "fields",
    [(128, 0, 0, 0), (0, 1 << 16, 0, 0), (0, 0, 1 << 32, 0), (0, 0, 0, 1 << 32), (0, -1, 0, 0)],
)
def test_a_field_out_of_range_is_refused(fields: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        RtpPacket(*fields, payload=b"")
