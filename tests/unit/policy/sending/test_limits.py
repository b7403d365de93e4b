"""What was counted leaves its window, neither too soon nor never."""

from __future__ import annotations

import pytest

from ari_app.policy.sending.limits import Counts, Limits, leaves, room_among
from tests.support.clock import NOON
from tests.unit.policy.sending.sending_story import DAY, HOUR, MINUTE


def test_room_is_there_until_the_most_is_reached() -> None:
    counts = Counts(NOON)
    assert counts.room("k", 2) is None
    counts.add("k", HOUR)
    assert counts.room("k", 2) is None
    counts.add("k", HOUR)
    assert counts.room("k", 2) == leaves(NOON, HOUR)


def test_another_key_has_room_of_its_own() -> None:
    counts = Counts(NOON)
    counts.add("k", HOUR)
    assert counts.room("k", 1) is not None
    assert counts.room("l", 1) is None


def test_room_comes_back_when_enough_of_it_has_left() -> None:
    counts = Counts(NOON)
    counts.learn([("k", NOON + 3 * MINUTE, 2), ("k", NOON + MINUTE, 1), ("k", NOON + HOUR, 5)])
    assert counts.total("k") == 8
    assert counts.room("k", 8) == NOON + MINUTE
    assert counts.room("k", 7) == NOON + 3 * MINUTE
    assert counts.room("k", 6) == NOON + 3 * MINUTE
    assert counts.room("k", 5) == NOON + HOUR


def test_what_does_not_fit_at_all_never_has_room() -> None:
    counts = Counts(NOON)
    assert counts.room("k", 5, 6) == 0
    counts.add("k", HOUR, 5)
    assert counts.room("k", 5, 6) == 0


def test_what_has_left_is_not_learned() -> None:
    counts = Counts(NOON)
    counts.learn([("k", NOON, 7)])
    assert counts.total("k") == 0


@pytest.mark.parametrize("span", [HOUR, DAY])
def test_it_is_counted_for_the_whole_span_and_hardly_longer(span: int) -> None:
    for now in (NOON, NOON + 1, NOON + span // 12 - 1, NOON + 7 * MINUTE):
        assert span < leaves(now, span) - now <= span + span // 12


def test_only_what_was_added_is_written_and_in_one_order() -> None:
    counts = Counts(NOON)
    counts.learn([("a", NOON + HOUR, 5)])
    counts.add("b", HOUR)
    counts.add("a", DAY, 3)
    counts.add("b", HOUR)
    assert list(counts.rows()) == [
        ("a", leaves(NOON, DAY), 3),
        ("b", leaves(NOON, HOUR), 2),
    ]


def test_among_moments_the_oldest_makes_room() -> None:
    times = [NOON - 50 * MINUTE, NOON - 10 * MINUTE, NOON - 2 * HOUR]
    assert room_among(times, NOON, HOUR, 3) is None
    assert room_among(times, NOON, HOUR, 2) == NOON + 10 * MINUTE
    assert room_among(times, NOON, HOUR, 1) == NOON + 50 * MINUTE


def test_a_moment_as_old_as_the_window_has_left_it() -> None:
    assert room_among([NOON - HOUR], NOON, HOUR, 1) is None
    assert room_among([NOON - HOUR + 1], NOON, HOUR, 1) == NOON + 1


def test_near_numbers_share_all_but_their_end() -> None:
    limits = Limits(near_digits=9, prefix_digits=6)
    assert limits.near("+33612345678") == limits.near("+33612345699") == "336123456"
    assert limits.near("+33612345678") != limits.near("+33612345778")
    assert limits.near("+3361234") == "336123"
    assert limits.prefix("+33612345678") == "336123"
