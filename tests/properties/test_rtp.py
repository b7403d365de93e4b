"""What holds for every datagram and every order of packets."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media import formats
from ari_app.media.concealment import Concealer
from ari_app.media.jitter import Content, Hole, JitterBuffer, Noise, Piece
from ari_app.media.receiving import Receiving
from ari_app.media.rtp import RtpPacket
from ari_app.media.source import Source

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


def numbered(n: int) -> tuple[int, int, Content]:
    return START + n & 0xFFFF, n * STEP, n.to_bytes(2, "big") * (STEP // 2)


def numbers(pieces: list[Piece]) -> list[int]:
    return [int.from_bytes(piece[:2], "big") for piece in pieces if isinstance(piece, bytes)]


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
        pieces = buffer.push(*numbered(n), now)
        for _ in range(beats):
            now += 0.02
            pieces += buffer.tick(now)
        assert len(buffer._held) <= depth
        assert len(buffer._missing) <= 100
        assert 0.02 <= buffer.timing.target <= 0.2
        assert all(piece.samples > 0 for piece in pieces if isinstance(piece, Hole))
        out += numbers(pieces)
    # No packet waits longer than the longest delay, whatever is missing before it.
    out += numbers(buffer.tick(now + 0.21))
    assert buffer._held == {}
    # 80 packets are fewer than a restart needs, so the order is the sender's.
    assert out == sorted(set(out))
    assert buffer.received == len(arrivals) == len(out) + buffer.late + buffer.duplicates


@given(st.permutations(list(range(3))), st.integers(1, 20))
def test_disorder_among_packets_that_come_together_loses_nothing(
    order: list[int], groups: int
) -> None:
    buffer = JitterBuffer(8000)
    out = buffer.push(*numbered(0), 0.0)
    for group in range(groups):
        at = (group * 3 + 2) * 0.02
        for n in order:
            out += buffer.push(*numbered(1 + group * 3 + n), at)
    assert numbers(out) == list(range(groups * 3 + 1))
    assert not any(isinstance(piece, Hole) for piece in out)


@given(
    delays=st.lists(st.floats(0.0, 0.18), min_size=120, max_size=200),
    wrap=st.integers(0, 0xFFFFFFFF),
)
def test_jitter_below_the_longest_delay_loses_nothing_once_it_is_known(
    delays: list[float], wrap: int
) -> None:
    buffer = JitterBuffer(8000)
    # The worst comes first, so that it is known; then nothing is worse.
    delays = [0.0, 0.19, *delays]
    arrivals = sorted((n * 0.02 + delay, n) for n, delay in enumerate(delays))
    for at, n in arrivals:
        sequence, timestamp, content = numbered(n)
        buffer.push(sequence, timestamp + wrap & 0xFFFFFFFF, content, at)
        buffer.tick(at)
    # The first ones may be late: until then the line seemed to have no delay at all.
    assert buffer.lost <= 10
    assert buffer.lost - buffer.late <= 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFFFFFF),
            st.one_of(st.binary(min_size=1, max_size=64), st.builds(Noise, st.integers(0, 127))),
        ),
        max_size=40,
    )
)
def test_unrelated_packets_never_make_it_grow_or_stumble(
    packets: list[tuple[int, int, Content]],
) -> None:
    buffer = JitterBuffer(8000)
    told = 0
    for at, packet in enumerate(packets):
        for piece in buffer.push(*packet, at * 0.02) + buffer.tick(at * 0.02 + 0.01):
            match piece:
                case Hole(samples=samples):
                    told += samples
                case bytes():
                    told += len(piece)
                case Noise():
                    pass
    assert told <= len(packets) * (4000 + 64 + 160)


# -- a whole line's incoming side ------------------------------------------------------------

ADDRESSES = st.sampled_from([("192.0.2.1", 4000), ("192.0.2.1", 4002), ("198.51.100.9", 4000)])


@given(st.lists(st.tuples(DATAGRAMS | PACKETS.map(RtpPacket.serialize), ADDRESSES), max_size=60))
def test_whatever_datagrams_come_each_is_counted_and_frames_are_whole(
    arrivals: list[tuple[bytes, tuple[str, int]]],
) -> None:
    refused: list[str] = []
    receiving = Receiving(formats.named("ulaw"), Source(), refused.append)
    receiving.lock(("192.0.2.1", 4000), 0.0)
    for at, (data, address) in enumerate(arrivals):
        now = at * 0.05
        for pcm in receiving.datagram(data, address, now) + receiving.tick(now + 0.02):
            assert len(pcm) == 320
        assert len(receiving._kept) <= 8
    receiving.lock(("192.0.2.1", 4000), 9.0)  # what was kept is refused
    figures = receiving.figures()
    assert figures["received"] + figures["refused"] + figures.get("rtcp", 0) == len(arrivals)
    assert figures["refused"] == len(refused)
    assert all(n >= 0 for n in figures.values())


@given(
    holes=st.lists(st.tuples(st.booleans(), st.integers(1, 2000)), max_size=12),
    rate=st.sampled_from([8000, 16000]),
    level=st.integers(0, 127),
)
def test_whatever_is_missing_as_many_samples_are_made_up_and_none_too_loud(
    holes: list[tuple[bool, int]], rate: int, level: int
) -> None:
    concealer = Concealer(rate)
    frame = np.full(rate // 50, -32768, np.int16)
    concealer.noise(level)
    for lost, samples in holes:
        for _ in range(3):
            assert len(concealer.heard(frame.tobytes())) == rate // 50 * 2
        made = np.frombuffer((concealer.lost if lost else concealer.silence)(samples), np.int16)
        assert len(made) == samples
        assert made.max(initial=0) < 1000  # nothing wraps around to the other side
    assert concealer.concealed + concealer.silent == sum(samples for _, samples in holes)
