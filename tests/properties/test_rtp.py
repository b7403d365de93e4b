"""What holds for every datagram and every order of packets."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from ari_app.media.jitter import Hole, JitterBuffer
from ari_app.media.rtp import RtpPacket

PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=64),
    marker=st.booleans(),
)

DATAGRAMS = st.one_of(
    st.binary(max_size=64),
    # Version 2, so that what follows is read.
    st.binary(min_size=12, max_size=64).map(lambda d: bytes([0x80 | d[0] & 0x3F]) + d[1:]),
)


@given(DATAGRAMS)
def test_any_datagram_is_read_or_refused_and_never_crashes(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        packet = RtpPacket.parse(data)
        assert packet.payload in data
        assert RtpPacket.parse(packet.serialize()) == packet


@given(PACKETS)
def test_a_packet_survives_the_wire(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.serialize()) == packet


STEP = 160
START = 65500  # soon to wrap


def numbered(n: int) -> RtpPacket:
    return RtpPacket(0, START + n & 0xFFFF, n * STEP, 7, n.to_bytes(2, "big") * (STEP // 2))


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 3)), max_size=120),
    depth=st.integers(0, 5),
)
def test_whatever_arrives_comes_out_in_order_once_and_in_time(
    arrivals: list[tuple[int, int]], depth: int
) -> None:
    buffer = JitterBuffer(8000, depth=depth)
    out: list[int] = []
    now = 0.0
    for n, beats in arrivals:
        pieces = buffer.push(numbered(n), now)
        for _ in range(beats):
            now += 0.02
            pieces += buffer.tick(now)
        assert len(buffer._held) <= depth
        assert len(buffer._missing) <= 100
        for piece in pieces:
            if isinstance(piece, Hole):
                assert piece.samples > 0
                continue
            number = int.from_bytes(piece[:2], "big")
            out.append(number)
    for piece in buffer.flush():
        if not isinstance(piece, Hole):
            out.append(int.from_bytes(piece[:2], "big"))
    # 80 packets are fewer than a restart needs, so the order is the sender's.
    assert out == sorted(set(out))
    assert buffer.received == len(arrivals) == len(out) + buffer.late + buffer.duplicates


@given(st.permutations(list(range(3))), st.integers(1, 20))
def test_disorder_within_the_depth_loses_nothing(order: list[int], groups: int) -> None:
    buffer = JitterBuffer(8000, depth=3)
    out = buffer.push(numbered(0), 0.0)
    for group in range(groups):
        for n in order:
            out += buffer.push(numbered(1 + group * 3 + n), 0.0)
    assert [int.from_bytes(p[:2], "big") for p in out if not isinstance(p, Hole)] == list(
        range(groups * 3 + 1)
    )
    assert not any(isinstance(p, Hole) for p in out)


@given(st.lists(PACKETS, max_size=40))
def test_unrelated_packets_never_make_it_grow_or_stumble(packets: list[RtpPacket]) -> None:
    buffer = JitterBuffer(8000)
    told = 0
    for at, packet in enumerate(packets):
        for piece in buffer.push(packet, at * 0.02) + buffer.tick(at * 0.02 + 0.01):
            told += piece.samples if isinstance(piece, Hole) else len(piece)
    assert told <= len(packets) * (4000 + 64 + 160)
