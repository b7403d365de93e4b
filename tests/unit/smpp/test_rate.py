"""How fast a bind submits, by a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.rate import Pace, TokenBucket


def run(pace: Pace, seconds: float, start: float = 0.0, step: float = 0.001) -> list[float]:
    """When each segment goes, if there always is one."""
    written = []
    for n in range(round(seconds / step)):
        now = start + n * step
        if count := pace.ready(1000, now):
            pace.wrote(count, now)
            written += [now] * count
    return written


def test_a_contract_of_20_segments_a_second_is_one_each_50_ms() -> None:
    written = run(Pace(20.0, 0.0), 2.0)
    gaps = [after - before for before, after in zip(written, written[1:], strict=False)]
    assert len(written) == 40
    assert all(gap == pytest.approx(0.05, abs=0.0015) for gap in gaps)


def test_no_second_begins_with_a_burst_after_silence() -> None:
    pace = Pace(100.0, 0.0)
    assert pace.ready(1000, 60.0) == 5  # a twentieth of a second's, not a second's or a minute's
    assert len(run(pace, 1.0, start=60.0)) <= 105


@given(
    st.floats(0.5, 500.0),
    st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(1, 50)), max_size=60),
)
def test_no_stretch_of_time_has_more_than_the_rate_and_a_twentieth(
    rate: float, asks: list[tuple[float, int]]
) -> None:
    bucket, now = TokenBucket(rate, 0.0), 0.0
    taken: list[tuple[float, int]] = []
    for pause, wanted in asks:
        now += pause
        count = min(wanted, bucket.ready(now))
        bucket.take(count, now)
        taken.append((now, count))
    for i, (since, _) in enumerate(taken):
        for j in range(i, len(taken)):
            total = sum(count for _, count in taken[i : j + 1])
            assert total <= rate * (taken[j][0] - since) + max(1.0, rate / 20) + 1e-6


def test_the_next_token_comes_when_it_says() -> None:
    bucket = TokenBucket(4.0, 0.0)
    bucket.take(1, 0.0)
    assert bucket.next_at(0.0) == 0.25
    assert bucket.ready(0.24) == 0
    assert bucket.ready(0.25) == 1


def test_tokens_may_be_used_before_they_are_there_and_are_waited_for_after() -> None:
    bucket = TokenBucket(10.0, 0.0)
    bucket.take(3, 0.0)
    assert bucket.ready(0.29) == 0
    assert bucket.ready(0.3) == 1


def test_without_a_contract_there_is_no_limit() -> None:
    pace = Pace(None, 0.0)
    assert pace.ready(1000, 0.0) == 1000
    pace.wrote(1000, 0.0)
    assert pace.next_at(0.0) is None
    assert pace.rate is None


def test_a_contract_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Pace(0.0, 0.0)


def test_throttling_halves_the_rate_and_it_comes_back_step_by_step() -> None:
    pace = Pace(100.0, 0.0, seconds=20.0)
    pace.throttled(0.5, 1.0)
    assert pace.rate == 50.0
    assert pace.ready(10, 1.0) == 0  # at once would be too early
    pace.ready(1, 3.0)
    assert pace.rate == pytest.approx(60.0)
    pace.ready(1, 5.0)
    assert pace.rate == pytest.approx(70.0)
    pace.ready(1, 60.0)
    assert pace.rate == 100.0


def test_a_whole_window_that_comes_back_is_one_complaint() -> None:
    pace = Pace(100.0, 0.0)
    for n in range(50):
        pace.throttled(0.9 + n / 1000, 1.0 + n / 1000)
    assert pace.rate == 50.0
    pace.throttled(1.1, 1.2)
    assert pace.rate == 25.0


def test_the_rate_never_falls_to_nothing() -> None:
    pace = Pace(100.0, 0.0, slowest=2.0)
    for n in range(50):
        pace.throttled(float(n), n + 0.5)
    assert pace.rate == 2.0


def test_a_contract_below_the_slowest_is_kept() -> None:
    pace = Pace(0.5, 0.0, slowest=1.0)
    pace.throttled(0.5, 1.0)
    assert pace.rate == 0.5


def test_without_a_contract_throttling_halves_what_went_through_in_the_last_second() -> None:
    pace = Pace(None, 0.0)
    for n in range(300):
        pace.wrote(1, 5.0 + n / 100)  # 100 a second
    pace.throttled(7.9, 8.0)
    assert pace.rate == pytest.approx(50.0, rel=0.1)


def test_without_a_contract_the_limit_goes_when_nobody_complains_any_more() -> None:
    pace = Pace(None, 0.0, seconds=20.0)
    pace.throttled(0.0, 0.0)
    assert pace.rate == 5.0  # nothing was measured
    for second in range(60):
        pace.ready(1, float(second))
    assert pace.rate is None
    assert pace.ready(1000, 60.0) == 1000
