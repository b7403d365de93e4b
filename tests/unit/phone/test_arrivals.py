"""What is missing and what is late is told from the packets that came."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.media.rtp import RtpPacket
from ari_app.phone.arrivals import Reception, reception


def packet(place: int, ssrc: int = 7, first: int = 0) -> RtpPacket:
    return RtpPacket(0, place & 0xFFFF, (first + place * 160) % (1 << 32), ssrc, b"\xff" * 160)


def on_time(places: Iterable[int], **more: int) -> list[tuple[float, RtpPacket]]:
    return [(10.0 + place * 0.02, packet(place, **more)) for place in places]


def test_a_whole_stretch_misses_nothing() -> None:
    got = reception(on_time(range(100)))
    assert (got.received, got.missing, got.lost) == (100, 0, 0.0)
    assert max(got.lateness) == pytest.approx(0.0, abs=1e-9)


def test_a_hole_in_the_timestamps_is_packets_that_did_not_come() -> None:
    got = reception(on_time([*range(10), *range(13, 20)]))
    assert (got.received, got.missing) == (17, 3)
    assert got.lost == pytest.approx(3 / 20)


def test_what_comes_twice_counts_once_and_what_comes_out_of_order_is_there() -> None:
    got = reception(on_time([0, 1, 3, 2, 2, 4]))
    assert (got.received, got.missing) == (5, 0)


def test_a_late_packet_is_late_against_the_quickest() -> None:
    packets = on_time(range(5))
    packets[4] = (packets[4][0] + 0.05, packets[4][1])
    assert reception(packets).lateness == pytest.approx((0.0, 0.0, 0.0, 0.0, 0.05))


def test_another_source_is_counted_by_itself() -> None:
    packets = on_time(range(5)) + on_time(range(5, 9), ssrc=8, first=99_000)
    got = reception(packets)
    assert (got.received, got.missing) == (9, 0)


def test_a_long_silence_of_the_network_is_missing_packets() -> None:
    got = reception(on_time([*range(10), *range(510, 520)]))
    assert (got.received, got.missing) == (20, 500)


def test_a_call_that_somebody_else_takes_over_misses_nothing() -> None:
    """Asterisk keeps the source, and begins its timestamps anew."""
    before, after = on_time(range(10)), on_time(range(10, 20), first=40_000_000)
    got = reception([*before, *after])
    assert (got.received, got.missing) == (20, 0)
    assert max(got.lateness) == pytest.approx(0.0, abs=1e-9)


def test_only_what_arrived_within_the_window_is_looked_at() -> None:
    got = reception(on_time(range(100)), since=10.5, until=11.0)
    assert got.received == 25


def test_nothing_heard_is_nothing_missing() -> None:
    assert reception([]) == Reception()
    assert reception([]).lost == 0.0


@given(st.sets(st.integers(0, 200), min_size=1), st.integers(0, (1 << 32) - 1))
def test_timestamps_may_begin_anywhere_and_wrap(places: set[int], first: int) -> None:
    ordered = sorted(places)
    got = reception(on_time(ordered, first=first))
    assert got.received == len(places)
    assert got.received + got.missing == ordered[-1] - ordered[0] + 1
