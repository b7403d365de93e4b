"""When a bind is tried again."""

import pytest

from smpp.backoff import Attempts, Backoff, Refusal, refusal
from smpp.constants import Status


def test_waiting_grows_to_its_limit_and_is_spread() -> None:
    backoff = Backoff(first=1.0, longest=60.0)
    assert [backoff.delay(n, 1.0) for n in (0, 1, 5, 6, 10_000)] == [1.0, 2.0, 32.0, 60.0, 60.0]
    assert backoff.delay(1, 0.0) == 1.0


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (Status.ESME_RINVPASWD, Refusal.STOP),
        (Status.ESME_RINVSYSID, Refusal.STOP),
        (Status.ESME_RINVSYSTYP, Refusal.STOP),
        (Status.ESME_RALYBND, Refusal.HELD),
        (Status.ESME_RBINDFAIL, Refusal.HELD),
        (Status.ESME_RSYSERR, Refusal.RETRY),
        (0x400, Refusal.RETRY),
    ],
)
def test_a_refusal_says_what_it_asks_of_us(status: int, wanted: Refusal) -> None:
    assert refusal(status) is wanted


def test_a_wrong_password_is_not_tried_again_until_somebody_says_so() -> None:
    attempts = Attempts(Backoff())
    assert attempts.refused(Status.ESME_RINVPASWD, 0.5) is None


def test_a_wrong_password_may_be_tried_again_seldom() -> None:
    attempts = Attempts(Backoff(refused=3600.0))
    assert attempts.refused(Status.ESME_RINVPASWD, 0.5) == 3600.0


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 30.0), (0.5, 45.0), (1.0, 60.0)])
def test_a_bind_that_still_stands_over_there_gets_half_a_minute_or_a_whole_one(
    chance: float, seconds: float
) -> None:
    assert Attempts(Backoff()).refused(Status.ESME_RALYBND, chance) == seconds


def test_a_bind_that_is_held_for_long_is_tried_as_seldom_as_anything_else() -> None:
    attempts = Attempts(Backoff(longest=600.0))
    for _ in range(20):
        delay = attempts.refused(Status.ESME_RBINDFAIL, 1.0)
    assert delay == 600.0


def test_other_refusals_and_failures_wait_ever_longer() -> None:
    attempts = Attempts(Backoff(first=1.0))
    delays = [
        attempts.failed(1.0),
        attempts.refused(Status.ESME_RSYSERR, 1.0),
        attempts.failed(1.0),
    ]
    assert delays == [1.0, 2.0, 4.0]


def test_only_a_link_that_has_stayed_up_forgets_the_failures_before_it() -> None:
    attempts = Attempts(Backoff(first=1.0, healthy_after=60.0))
    assert [attempts.ended(59.9, 1.0) for _ in range(3)] == [1.0, 2.0, 4.0]
    assert attempts.ended(60.0, 1.0) == 1.0
    assert attempts.failures == 1
