"""Delays and fates by chance."""

from random import Random
from statistics import median

import pytest

from smpp.simulator.chance import Fate, Fates, delay, fates


def drawn(written: str, count: int = 2000) -> list[float]:
    chance = Random(1)
    return [delay(written)(chance) for _ in range(count)]


def test_a_number_is_always_the_same() -> None:
    assert set(drawn("0.25", 10)) == {0.25}


@pytest.mark.parametrize("written", ["1-3", "3-1"])
def test_a_range_is_even(written: str) -> None:
    found = drawn(written)
    assert 1 <= min(found) < 1.05
    assert 2.95 < max(found) <= 3
    assert 1.9 < median(found) < 2.1


def test_a_skewed_delay_has_its_median_and_a_long_tail() -> None:
    found = drawn("2~0.8")
    assert 1.85 < median(found) < 2.15
    assert max(found) > 10
    assert min(found) > 0


def test_a_carrier_is_mostly_quick_and_sometimes_hours_late() -> None:
    found = drawn("carrier")
    assert 2 < median(found) < 5
    assert 0.05 < sum(seconds > 30 for seconds in found) / len(found) < 0.15
    assert max(found) > 1800


def test_the_same_seed_gives_the_same_delays() -> None:
    assert drawn("carrier", 50) == drawn("carrier", 50)


@pytest.mark.parametrize("written", ["", "soon", "-1", "1-", "2~9", "0~1", "1e9", "nan", "1-2-3"])
def test_what_is_no_delay_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="a delay is"):
        delay(written)


def test_fates_have_shares_and_error_codes() -> None:
    found = fates("UNDELIV=0.25/006, EXPIRED=0.25")
    assert found.shares == ((0.25, Fate("UNDELIV", "006")), (0.25, Fate("EXPIRED", "000")))
    chance = Random(1)
    drawn = [found.draw(chance) for _ in range(2000)]
    assert 400 < drawn.count(Fate("UNDELIV", "006")) < 600
    assert 400 < drawn.count(Fate("EXPIRED")) < 600
    assert drawn.count(None) > 800


def test_no_fates_is_the_usual_end() -> None:
    assert fates("") == Fates()
    assert Fates().draw(Random(1)) is None


@pytest.mark.parametrize("written", ["UNDELIV", "LOST=0.5", "UNDELIV=0.5/0000006", "UNDELIV=x"])
def test_what_is_no_fate_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="failures are such as"):
        fates(written)


def test_more_than_all_cannot_fail() -> None:
    with pytest.raises(ValueError, match="more than 1"):
        fates("UNDELIV=0.6,EXPIRED=0.6")
