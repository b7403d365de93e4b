"""How long a text that is turned away waits."""

from __future__ import annotations

import pytest

from ari_app.sms.shares import Share


def test_a_share_is_what_one_may_have_in_hand() -> None:
    share = Share(10)
    share.give(7)
    assert share.room == 3
    share.answered(2, now=0.0)
    assert share.room == 5


def test_a_fast_carrier_has_the_next_ones_before_its_hands_are_empty() -> None:
    share = Share(500)
    for second in range(100):
        share.give(1000)
        share.answered(1000, float(second))
    share.give(500)
    pauses = [share.turned_away(99.0) for _ in range(500)]
    assert pauses[0] < 0.5
    assert pauses[-1] == pytest.approx(pauses[0] + 0.5, abs=0.1)


def test_the_queue_of_one_that_says_nothing_grows_no_longer_than_a_minute() -> None:
    share = Share(500)
    share.give(500)
    assert {share.turned_away(0.0) for _ in range(1000)} == {60.0}


def test_time_shortens_the_queue() -> None:
    share = Share(1)
    first = [share.turned_away(0.0) for _ in range(10)]
    assert first[-1] == pytest.approx(10.0)
    assert share.turned_away(9.0) == pytest.approx(2.0)
