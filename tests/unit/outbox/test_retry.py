"""When to try again is a table of pauses."""

from __future__ import annotations

import pytest

from ari_app.outbox.retry import RetryPolicy


@pytest.mark.parametrize(
    ("attempts", "pause"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 10.0), (6, 10.0), (7, None), (8, None)],
)
def test_pauses_double_up_to_the_longest_then_it_is_given_up(
    attempts: int, pause: float | None
) -> None:
    assert RetryPolicy(first=1.0, longest=10.0, attempts=7).pause(attempts) == pause


def test_one_attempt_is_no_second_one() -> None:
    assert RetryPolicy(attempts=1).pause(1) is None


def test_a_carrier_that_is_away_is_tried_for_a_quarter_of_an_hour_by_default() -> None:
    pauses = [RetryPolicy().pause(n) for n in range(1, 13)]
    assert pauses[-1] is None
    assert 900 < sum(p for p in pauses if p) < 1800
