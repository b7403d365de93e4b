"""What fails again and again is asked ever more seldom, and one probe tells when it is back."""

from __future__ import annotations

import pytest

from ari_app.speech.breaker import BackOff, Breaker, Circuit


def test_pauses_double_up_to_the_longest() -> None:
    back_off = BackOff(first=0.1, longest=1.0, steady=30)
    pauses = [back_off.ended(lived=0.5) for _ in range(6)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_long_life_makes_the_next_pause_short_again() -> None:
    back_off = BackOff(first=0.1, longest=1.0, steady=30)
    for _ in range(5):
        back_off.ended(lived=29.9)
    assert back_off.ended(lived=30.0) == 0.1
    assert back_off.ended(lived=0.0) == 0.2


@pytest.mark.parametrize("figures", [(0.0, 1.0, 1.0), (2.0, 1.0, 1.0), (0.1, 1.0, 0.0)])
def test_pauses_that_make_no_sense_are_refused(figures: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="pauses"):
        BackOff(*figures)


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(failures=3, first=1.0, longest=4.0)
    assert [breaker.failed(now) for _ in range(3)] == [False, False, True]
    return breaker


def test_failures_in_a_row_open_the_circuit_once() -> None:
    breaker = opened()
    assert breaker.state is Circuit.OPEN
    assert not breaker.failed(100.0)


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(failures=2, first=1.0, longest=4.0)
    for _ in range(5):
        assert not breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state is Circuit.CLOSED


def test_what_was_on_its_way_neither_closes_an_open_circuit_nor_keeps_it_open() -> None:
    breaker = opened(now=100.0)
    breaker.failed(100.9)
    breaker.succeeded()
    assert breaker.state is Circuit.OPEN
    assert breaker.take_probe(101.0)


def test_only_one_probe_goes_and_only_after_the_pause() -> None:
    breaker = opened(now=100.0)
    assert not breaker.take_probe(100.99)
    assert breaker.take_probe(101.0)
    assert breaker.state is Circuit.HALF_OPEN
    assert not breaker.take_probe(200.0)


def test_a_probe_that_works_closes_the_circuit_and_forgets_the_failures() -> None:
    breaker = opened()
    breaker.take_probe(101.0)
    breaker.probed(True, 101.0)
    assert breaker.state is Circuit.CLOSED
    assert [breaker.failed(102.0) for _ in range(3)] == [False, False, True]
    assert breaker.probe_at == 103.0


def test_a_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker = opened(now=0.0)
    pauses = []
    for _ in range(4):
        now = breaker.probe_at
        assert breaker.take_probe(now)
        breaker.probed(False, now)
        pauses.append(breaker.probe_at - now)
    assert pauses == [2.0, 4.0, 4.0, 4.0]


def test_a_probe_that_nobody_sent_changes_nothing() -> None:
    breaker = opened()
    breaker.probed(True, 100.0)
    assert breaker.state is Circuit.OPEN


def test_it_can_be_opened_before_anybody_has_failed() -> None:
    breaker = Breaker(failures=3, first=1.0, longest=4.0)
    breaker.trip(50.0)
    assert (breaker.state, breaker.probe_at) == (Circuit.OPEN, 51.0)
    breaker.trip(60.0)
    assert breaker.probe_at == 51.0


@pytest.mark.parametrize(("failures", "first", "longest"), [(0, 1, 2), (1, 0, 2), (1, 3, 2)])
def test_a_breaker_that_makes_no_sense_is_refused(
    failures: int, first: float, longest: float
) -> None:
    with pytest.raises(ValueError, match="failures"):
        Breaker(failures, first, longest)
