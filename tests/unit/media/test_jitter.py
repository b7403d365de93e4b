"""Order, holes, duplicates and restarts, spelled packet by packet."""

from __future__ import annotations

from ari_app.media.jitter import Hole, JitterBuffer, Piece
from ari_app.media.rtp import RtpPacket

STEP = 160  # samples and octets of 20 ms


def packet(n: int, *, timestamp: int | None = None, size: int = STEP) -> RtpPacket:
    """Packet number n of a stream, told by its first octet."""
    return RtpPacket(
        0,
        n & 0xFFFF,
        (n * STEP if timestamp is None else timestamp) & 0xFFFFFFFF,
        7,
        bytes([n & 0xFF]) * size,
    )


def names(pieces: list[Piece]) -> list[int | str]:
    """Packets by number, holes by how many packets are missing."""
    return [f"{p.samples // STEP} lost" if isinstance(p, Hole) else p[0] for p in pieces]


def push(buffer: JitterBuffer, *numbers: int, now: float = 0.0) -> list[int | str]:
    return [name for n in numbers for name in names(buffer.push(packet(n), now))]


def test_packets_in_order_come_out_at_once() -> None:
    buffer = JitterBuffer(8000)
    assert [push(buffer, n) for n in (5, 6, 7)] == [[5], [6], [7]]


def test_two_packets_that_changed_places_are_put_right() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1) == [1]
    assert push(buffer, 3) == []
    assert push(buffer, 2) == [2, 3]
    assert buffer.lost == 0


def test_a_lost_packet_leaves_a_hole_of_its_length() -> None:
    buffer = JitterBuffer(8000, depth=2)
    assert push(buffer, 1, 3, 4) == [1]
    assert push(buffer, 5) == ["1 lost", 3, 4, 5]
    assert buffer.lost == 1


def test_a_hole_is_given_up_when_nothing_more_comes() -> None:
    buffer = JitterBuffer(8000, patience=0.06)
    push(buffer, 1, 3, now=1.0)
    assert buffer.tick(1.05) == []
    assert names(buffer.tick(1.07)) == ["1 lost", 3]


def test_several_holes_are_given_up_one_by_one() -> None:
    buffer = JitterBuffer(8000, depth=2)
    assert push(buffer, 1, 3, 6, 8) == [1, "1 lost", 3]
    assert names(buffer.flush()) == ["2 lost", 6, "1 lost", 8]


def test_a_duplicate_is_dropped_whether_it_waits_or_has_gone() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 1, 3, 3, 2) == [1, 2, 3]
    assert (buffer.duplicates, buffer.late) == (2, 0)


def test_a_packet_that_comes_after_it_was_given_up_is_late() -> None:
    buffer = JitterBuffer(8000, depth=1)
    assert push(buffer, 1, 3, 4) == [1, "1 lost", 3, 4]
    assert push(buffer, 2, 2) == []
    assert (buffer.late, buffer.duplicates) == (1, 1)


def test_the_sequence_wraps_without_anybody_noticing() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 65535, 65537, 65536, 65538) == [255, 0, 1, 2]


def test_the_timestamp_wraps_without_anybody_noticing() -> None:
    buffer = JitterBuffer(8000)
    first = (1 << 32) - STEP
    assert names(buffer.push(packet(1, timestamp=first), 0.0)) == [1]
    assert names(buffer.push(packet(2, timestamp=first + STEP), 0.02)) == [2]


def test_silence_that_the_telephone_did_not_send_is_a_hole() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    resumed = packet(2, timestamp=7 * STEP)
    assert names(buffer.push(resumed, 0.12)) == ["5 lost", 2]
    assert buffer.lost == 0


def test_a_long_pause_is_told_while_it_lasts_and_not_twice() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1, now=0.0)
    told = [buffer.tick(beat * 0.02) for beat in range(1, 50)]
    assert told[:9] == [[]] * 9
    during = sum(p.samples for pieces in told for p in pieces if isinstance(p, Hole))
    resumed = buffer.push(packet(2, timestamp=51 * STEP), 1.0)
    after = sum(p.samples for p in resumed if isinstance(p, Hole))
    assert during + after == 49 * STEP


def test_a_leap_of_the_timestamp_opens_no_more_than_half_a_second() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    assert names(buffer.push(packet(2, timestamp=1 << 30), 0.02)) == ["25 lost", 2]


def test_a_timestamp_that_goes_back_opens_no_hole() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 9)
    assert names(buffer.push(packet(10, timestamp=0), 0.02)) == [10]


def test_one_stray_packet_does_not_move_the_sequence() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 30000, 2) == [1, 2]
    assert buffer.restarts == 0


def test_two_neighbours_far_away_are_a_new_start() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 30000, 30001, 30002) == [1, 30001 & 0xFF, 30002 & 0xFF]
    assert buffer.restarts == 1


def test_after_a_restart_any_packet_is_the_first() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1, 3)
    assert names(buffer.restart()) == ["1 lost", 3]
    assert push(buffer, 40000) == [40000 & 0xFF]


def test_packets_of_another_length_are_timed_by_their_own() -> None:
    buffer = JitterBuffer(8000)
    buffer.push(packet(1, timestamp=0, size=480), 0.0)
    assert names(buffer.push(packet(2, timestamp=480, size=480), 0.06)) == [2]


def test_samples_of_two_octets_are_counted_as_samples() -> None:
    buffer = JitterBuffer(16000, 2)
    buffer.push(packet(1, timestamp=0, size=640), 0.0)
    assert names(buffer.push(packet(2, timestamp=320, size=640), 0.02)) == [2]
