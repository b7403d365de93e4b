"""Order, holes, duplicates and restarts, spelled packet by packet."""

from __future__ import annotations

import pytest

from ari_app.media.jitter import Content, Hole, JitterBuffer, Noise, Piece

STEP = 160  # samples and octets of 20 ms


def packet(n: int, *, timestamp: int | None = None, size: int = STEP) -> tuple[int, int, Content]:
    """Packet number n of a stream, told by its first octet."""
    stamp = n * STEP if timestamp is None else timestamp
    return n & 0xFFFF, stamp & 0xFFFFFFFF, bytes([n & 0xFF]) * size


def names(pieces: list[Piece]) -> list[int | str]:
    """Packets by number, holes by how many packets long they are."""
    return [name(piece) for piece in pieces]


def name(piece: Piece) -> int | str:
    match piece:
        case Hole(samples=samples, lost=lost):
            return f"{samples // STEP} {'lost' if lost else 'silent'}"
        case Noise(level=level):
            return f"-{level} dBov"
        case _:
            return piece[0]


def push(buffer: JitterBuffer, *numbers: int, now: float | None = None) -> list[int | str]:
    """Each packet at its own time, or all at `now`."""
    return [
        name
        for n in numbers
        for name in names(buffer.push(*packet(n), n * 0.02 if now is None else now))
    ]


def test_packets_in_order_come_out_at_once() -> None:
    buffer = JitterBuffer(8000)
    assert [push(buffer, n) for n in (5, 6, 7)] == [[5], [6], [7]]


def test_two_packets_that_changed_places_are_put_right() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1) == [1]
    assert push(buffer, 3) == []
    assert push(buffer, 2, now=0.065) == [2, 3]
    assert buffer.lost == 0


def test_a_lost_packet_leaves_a_hole_of_its_length() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 3) == [1]
    assert push(buffer, 4) == ["1 lost", 3, 4]
    assert (buffer.lost, buffer.gaps) == (1, 1)


def test_a_hole_is_given_up_when_nothing_more_comes() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1, 3)
    assert buffer.tick(0.079) == []
    assert names(buffer.tick(0.081)) == ["1 lost", 3]


def test_a_hole_is_not_waited_for_when_what_is_behind_it_comes_late_itself() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, *range(50))
    assert push(buffer, 51, now=51 * 0.02 + 0.15) == []
    # A player with 150 ms of delay would need it now.
    assert names(buffer.tick(51 * 0.02 + 0.161)) == ["1 lost", 51]


@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
def test_a_hole_is_as_long_as_the_packets_were(size: int) -> None:
    buffer = JitterBuffer(8000)
    for n in (1, 2, 4):
        buffer.push(*packet(n, timestamp=n * size, size=size), n * size / 8000)
    hole, _ = buffer.tick(1.0)
    assert hole == Hole(size, lost=True)


def test_several_holes_are_given_up_one_by_one() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 3, 6) == [1, "1 lost", 3]
    assert push(buffer, 8) == ["2 lost", 6]
    assert names(buffer.flush()) == ["1 lost", 8]
    assert (buffer.lost, buffer.gaps) == (4, 3)


def test_what_waits_is_never_more_than_the_depth() -> None:
    buffer = JitterBuffer(8000, depth=4)
    push(buffer, 1, *range(3, 40), now=0.0)
    assert len(buffer._held) <= 4


def test_what_waits_never_waits_longer_than_the_longest_delay() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1, 3)
    # By the clock that the sender has set back, number 3 is two seconds away.
    buffer.push(*packet(4, timestamp=(1 << 32) - 16000), 0.08)
    assert buffer.tick(0.25) == []
    assert names(buffer.tick(0.27)) == ["1 lost", 3, 4]


def test_packets_out_of_order_that_are_in_time_are_counted_as_reordered() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 4, 3, 2, now=0.0) == [1, 2, 3, 4]
    assert (buffer.reordered, buffer.late, buffer.lost) == (2, 0, 0)


def test_a_late_packet_makes_the_next_hole_waited_for() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, *range(10))
    assert push(buffer, 11, 12) == ["1 lost", 11, 12]
    push(buffer, 10, now=0.31)  # 110 ms late
    assert buffer.late == 1
    push(buffer, *range(13, 20))
    assert push(buffer, 21, 22, 23, 24) == []
    assert push(buffer, 20, now=0.49) == [20, 21, 22, 23, 24]


def test_a_duplicate_is_dropped_whether_it_waits_or_has_gone() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 1, 3, 3, 2, now=0.0) == [1, 2, 3]
    assert (buffer.duplicates, buffer.late) == (2, 0)


def test_a_packet_that_comes_after_it_was_given_up_is_late() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 1, 3, 4) == [1, "1 lost", 3, 4]
    assert push(buffer, 2, 2, now=0.1) == []
    assert (buffer.late, buffer.duplicates) == (1, 1)


def test_the_sequence_wraps_without_anybody_noticing() -> None:
    buffer = JitterBuffer(8000)
    assert push(buffer, 65535, 65537, 65536, 65538, now=0.0) == [255, 0, 1, 2]


def test_the_timestamp_wraps_without_anybody_noticing() -> None:
    buffer = JitterBuffer(8000)
    first = (1 << 32) - STEP
    assert names(buffer.push(*packet(1, timestamp=first), 0.0)) == [1]
    assert names(buffer.push(*packet(2, timestamp=first + STEP), 0.02)) == [2]


def test_silence_that_the_telephone_did_not_send_is_a_hole() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    resumed = packet(2, timestamp=7 * STEP)
    assert names(buffer.push(*resumed, 0.12)) == ["5 silent", 2]
    assert buffer.lost == 0


def test_a_packet_lost_in_front_of_a_pause_is_one_packet_and_not_the_pause() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    buffer.push(*packet(3, timestamp=12 * STEP), 0.24)
    assert names(buffer.tick(0.4)) == ["1 lost", "9 silent", 3]


def test_comfort_noise_keeps_its_place_and_what_follows_it_is_silence() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    assert names(buffer.push(2, 2 * STEP, Noise(60), 0.04)) == ["-60 dBov"]
    assert names(buffer.push(*packet(3, timestamp=9 * STEP), 0.18)) == ["7 silent", 3]
    assert buffer.lost == 0


def test_a_long_pause_is_told_while_it_lasts_and_not_twice() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1, now=0.0)
    told = [buffer.tick(beat * 0.02) for beat in range(1, 50)]
    assert told[:9] == [[]] * 9
    during = sum(p.samples for pieces in told for p in pieces if isinstance(p, Hole))
    resumed = buffer.push(*packet(2, timestamp=51 * STEP), 1.0)
    after = sum(p.samples for p in resumed if isinstance(p, Hole))
    assert during + after == 49 * STEP


def test_a_leap_of_the_timestamp_opens_no_more_than_half_a_second() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 1)
    assert names(buffer.push(*packet(2, timestamp=1 << 30), 0.02)) == ["25 silent", 2]


def test_a_timestamp_that_goes_back_opens_no_hole() -> None:
    buffer = JitterBuffer(8000)
    push(buffer, 9)
    assert names(buffer.push(*packet(10, timestamp=0), 0.02)) == [10]


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
    buffer.push(*packet(1, timestamp=0, size=480), 0.0)
    assert names(buffer.push(*packet(2, timestamp=480, size=480), 0.06)) == [2]


def test_samples_of_two_octets_are_counted_as_samples() -> None:
    buffer = JitterBuffer(16000, 2)
    buffer.push(*packet(1, timestamp=0, size=640), 0.0)
    assert names(buffer.push(*packet(2, timestamp=320, size=640), 0.02)) == [2]
