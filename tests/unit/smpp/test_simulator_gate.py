"""Throttling by rate, which is a matter of time."""

from random import Random

from smpp.constants import Status
from smpp.simulator.faults import Faults
from smpp.simulator.gate import Gate


def let_in(gate: Gate, faults: Faults, moments: list[float]) -> int:
    return sum(gate.submit(faults, 0, now) == Status.ESME_ROK for now in moments)


def test_what_is_beyond_the_rate_is_throttled_and_time_makes_room() -> None:
    gate, faults = Gate(None, Random(1)), Faults(throttle_above=10)
    assert let_in(gate, faults, [100.0] * 30) == 10  # a second's worth at once
    assert let_in(gate, faults, [100.5] * 30) == 5
    assert let_in(gate, faults, [200.0] * 30) == 10  # and never more than that
    assert let_in(gate, faults, [201 + n / 10 for n in range(50)]) == 50


def test_a_rate_below_one_a_second_lets_one_in() -> None:
    gate, faults = Gate(None, Random(1)), Faults(throttle_above=0.5)
    assert let_in(gate, faults, [0.0, 1.0, 2.5, 3.0]) == 2


def test_a_rate_that_is_switched_off_is_forgotten() -> None:
    gate, faults = Gate(None, Random(1)), Faults(throttle_above=1)
    assert let_in(gate, faults, [0.0, 0.0]) == 1
    faults.throttle_above = 0
    assert let_in(gate, faults, [0.0] * 5) == 5
    faults.throttle_above = 2
    assert let_in(gate, faults, [0.0] * 5) == 2
