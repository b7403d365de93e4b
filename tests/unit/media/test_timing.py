"""How late packets come, from their timestamps and arrivals alone."""

from __future__ import annotations

from random import Random

import pytest

from ari_app.media.timing import LONGEST, SHORTEST, Timing


def follow(timing: Timing, delays: list[float], *, first: int = 0, drift: float = 0.0) -> None:
    """Packets of 20 ms, each so many seconds late."""
    for n, delay in enumerate(delays):
        at = n * 0.02 * (1 + drift) + delay
        timing.packet((first + n * 160) & 0xFFFFFFFF, at)


def test_even_packets_have_no_jitter_and_the_least_delay() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 100)
    assert timing.jitter == pytest.approx(0.0, abs=1e-9)
    assert timing.target == SHORTEST


def test_the_jitter_is_that_of_rfc_3550() -> None:
    timing = Timing(8000)
    delays = [0.0, 0.016, 0.0, 0.032]
    follow(timing, delays)
    expected = 0.0
    for moved in (0.016, 0.016, 0.032):
        expected += (moved - expected) / 16
    assert timing.jitter == pytest.approx(expected)


def test_one_late_packet_makes_the_delay_grow_at_once() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 50 + [0.13])
    assert timing.target == pytest.approx(0.13, abs=0.001)


def test_the_delay_shrinks_slowly() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 50 + [0.15] + [0.0] * 50)
    assert 0.1 < timing.target < 0.15
    follow(timing, [0.0] * 2000)
    assert timing.target == pytest.approx(SHORTEST, abs=0.002)


def test_the_delay_is_never_longer_than_the_longest() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 10 + [0.6])
    assert timing.target == LONGEST


def test_jitter_of_200_ms_wants_200_ms_of_delay() -> None:
    timing = Timing(8000)
    random = Random(5)
    follow(timing, [random.uniform(0, 0.2) for _ in range(300)])
    assert timing.target > 0.15


def test_a_sender_whose_clock_runs_faster_or_slower_is_not_late() -> None:
    for drift in (-2e-4, 2e-4):
        timing = Timing(8000)
        follow(timing, [0.0] * 50_000, drift=drift)  # a quarter of an hour
        assert timing.target < 0.03


def test_the_timestamp_wraps_without_anybody_noticing() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 50, first=(1 << 32) - 25 * 160)
    assert timing.jitter == pytest.approx(0.0, abs=1e-9)


def test_a_timestamp_set_anew_is_no_jitter() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 50)
    timing.packet(1 << 30, 1.0)
    timing.packet((1 << 30) + 160, 1.02)
    assert timing.jitter == pytest.approx(0.0, abs=1e-9)
    assert timing.target == SHORTEST
    assert timing.due((1 << 30) + 320) == pytest.approx(1.04 + SHORTEST)


def test_a_packet_is_due_when_a_player_would_need_it() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 50 + [0.1])
    # As the 52nd packet it would come at 1.02 s without any delay.
    assert timing.due(51 * 160) == pytest.approx(1.02 + timing.target, abs=0.001)


def test_after_a_restart_the_clock_is_another_one_and_the_delay_is_kept() -> None:
    timing = Timing(8000)
    follow(timing, [0.0] * 10 + [0.1])
    before = timing.target
    timing.restart()
    timing.packet(123456, 50.0)
    assert timing.target == before
    assert timing.due(123456) == pytest.approx(50.0 + before)
