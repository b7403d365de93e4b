from __future__ import annotations

import pytest

from ari_app.privacy.ports import KeyFacts
from ari_app.privacy.retention import DAY, Schedule, Tally, due, tally
from tests.unit.privacy.keys import ANNA, BEN

SCHEDULE = Schedule({"words": 90, "texts": 30, "identity": 395}, period_days=90)
# A period that begins on a multiple of both lengths.
START = 90 * DAY * 220


def key(data_class: str, days: int, owner: str = ANNA) -> KeyFacts:
    """A key of the period that begins at START and lasts so many days."""
    return KeyFacts(f"key_{data_class}", owner, data_class, START, START + days * DAY, START)


@pytest.mark.parametrize(
    ("data_class", "length", "day", "expected"),
    [
        ("words", 90, 0, False),
        ("words", 90, 90, False),  # sealed on the last day, it is kept for its window
        ("words", 90, 179, False),
        ("words", 90, 180, True),
        ("texts", 30, 59, False),
        ("texts", 30, 60, True),  # a short window has a short period
        ("identity", 90, 484, False),
        ("identity", 90, 485, True),
        ("words", 30, 119, False),
        ("words", 30, 120, True),  # made when periods were shorter: its own end counts
        ("gossip", 90, 100_000, False),  # no window: a person decides
    ],
)
def test_a_key_is_due_when_its_window_has_passed_since_its_period(
    data_class: str, length: int, day: int, expected: bool
) -> None:
    keys = [key(data_class, length)]
    assert due(keys, SCHEDULE, START + day * DAY, ()) == (keys if expected else [])


def test_it_is_due_to_the_microsecond() -> None:
    assert due([key("words", 90)], SCHEDULE, START + 180 * DAY - 1, ()) == []


def test_a_held_owner_keeps_all_and_others_do_not() -> None:
    annas, bens = key("words", 90, ANNA), key("words", 90, BEN)
    assert due([annas, bens], SCHEDULE, START + 999 * DAY, {ANNA}) == [bens]


def test_the_dry_run_counts_by_class() -> None:
    keys = [key("words", 90), key("words", 90, BEN), key("identity", 90), key("texts", 30)]
    assert tally(keys, SCHEDULE, START + 200 * DAY, {BEN}) == {
        "identity": Tally(kept=1),
        "texts": Tally(due=1),
        "words": Tally(due=1, held=1),
    }


@pytest.mark.parametrize(("data_class", "length"), [("words", 90), ("identity", 90), ("texts", 30)])
def test_a_period_is_the_shorter_of_period_and_window(data_class: str, length: int) -> None:
    period = SCHEDULE.period(data_class, START + 5)
    assert (period.begins, period.ends) == (START, START + length * DAY)
    assert SCHEDULE.period(data_class, period.ends - 1) == period
    assert SCHEDULE.period(data_class, period.ends).begins == period.ends


@pytest.mark.parametrize(("windows", "period"), [({"words": 0}, 90), ({"words": 90}, 0)])
def test_a_window_of_no_day_is_refused(windows: dict[str, int], period: int) -> None:
    with pytest.raises(ValueError, match="one day or more, not 0"):
        Schedule(windows, period)


def test_recordings_that_go_early_take_no_snapshot_with_them() -> None:
    both = Schedule({"words": 90, "recordings": 7})
    assert both.windows["snapshots"] == 90
