"""A text arrives by day, wherever whoever has the number may be."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from ari_app.policy.sending.hours import Hours, Opening, easter_sunday, first_allowed
from tests.unit.policy.sending.sending_story import at

DAILY = Hours((Opening(8 * 60, 20 * 60),) * 7)
PARIS = [ZoneInfo("Europe/Paris")]
NEW_YORK = [ZoneInfo("America/New_York")]


def test_by_day_it_may_leave_now() -> None:
    now = at("2026-11-20T12:00") + 123_456
    assert first_allowed(DAILY, PARIS, now) == now


def test_the_first_minute_is_allowed_and_the_last_is_not() -> None:
    assert first_allowed(DAILY, PARIS, at("2026-11-20T07:00")) == at("2026-11-20T07:00")
    assert first_allowed(DAILY, PARIS, at("2026-11-20T18:59")) == at("2026-11-20T18:59")
    assert first_allowed(DAILY, PARIS, at("2026-11-20T19:00")) == at("2026-11-21T07:00")


def test_before_the_day_it_waits_for_it() -> None:
    assert first_allowed(DAILY, PARIS, at("2026-11-20T04:30")) == at("2026-11-20T07:00")


def test_a_number_of_two_zones_waits_until_it_is_day_in_both() -> None:
    both = [ZoneInfo("Atlantic/Canary"), ZoneInfo("Europe/Madrid")]
    assert first_allowed(DAILY, both, at("2026-11-20T07:30")) == at("2026-11-20T08:00")
    # 19:30 in the Canaries is 20:30 in Madrid: both again tomorrow, and the Canaries are later.
    assert first_allowed(DAILY, both, at("2026-11-20T19:30")) == at("2026-11-21T08:00")


def test_where_no_hour_is_day_in_all_zones_nobody_waits_for_ever() -> None:
    apart = [ZoneInfo("Europe/Paris"), ZoneInfo("Pacific/Auckland")]
    # They are twelve hours apart in November: eight to twenty there is the night here.
    assert first_allowed(DAILY, apart, at("2026-11-20T12:00")) is None


def test_without_a_zone_no_hour_is_allowed() -> None:
    assert first_allowed(DAILY, [], at("2026-11-20T12:00")) is None


def test_a_country_that_is_closed_every_day_is_not_waited_for() -> None:
    assert first_allowed(Hours((None,) * 7), PARIS, at("2026-11-20T12:00")) is None


def test_a_sunday_and_a_holiday_after_it_are_passed_over() -> None:
    hours = Hours((DAILY.week[0],) * 6 + (None,), fixed=frozenset({(12, 25)}))
    # Thursday 24 December 2026, 21:00 in Paris; the 25th is a holiday, the 27th a Sunday.
    assert first_allowed(hours, PARIS, at("2026-12-24T20:00")) == at("2026-12-26T07:00")
    assert first_allowed(hours, PARIS, at("2026-12-26T20:00")) == at("2026-12-28T07:00")


def test_a_holiday_may_have_hours_of_its_own() -> None:
    hours = Hours(DAILY.week, Opening(600, 660), frozenset({(12, 25)}))
    assert first_allowed(hours, PARIS, at("2026-12-25T07:00")) == at("2026-12-25T09:00")


def test_easter_monday_is_found_every_year() -> None:
    hours = Hours(DAILY.week, easter=frozenset({1}))
    assert first_allowed(hours, PARIS, at("2027-03-29T10:00")) == at("2027-03-30T06:00")


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)),
        (2038, date(2038, 4, 25)),  # the latest that there is
        (2285, date(2285, 3, 22)),  # the earliest
        (1961, date(1961, 4, 2)),
    ],
)
def test_easter_is_when_the_tables_say(year: int, day: date) -> None:
    assert easter_sunday(year) == day


def test_the_clock_is_that_of_the_day_that_is_waited_for() -> None:
    # New York leaves summer time on 1 November 2026: eight o'clock comes an hour later.
    assert first_allowed(DAILY, NEW_YORK, at("2026-10-31T02:00")) == at("2026-10-31T12:00")
    assert first_allowed(DAILY, NEW_YORK, at("2026-11-01T02:00")) == at("2026-11-01T13:00")


def test_hours_that_begin_in_the_hour_that_is_left_out_begin_after_it() -> None:
    # 29 March 2026 in Paris: 2:00 is 3:00.
    early = Hours((Opening(150, 300),) * 7)
    assert first_allowed(early, PARIS, at("2026-03-29T00:30")) == at("2026-03-29T01:00")


def test_hours_of_a_day_without_midnight_begin_when_it_begins() -> None:
    # 24 April 2026 in Cairo: 0:00 is 1:00.
    cairo = [ZoneInfo("Africa/Cairo")]
    whole = Hours((None, None, None, None, Opening(0, 1440), None, None))
    assert first_allowed(whole, cairo, at("2026-04-23T12:00")) == at("2026-04-23T22:00")


def test_in_the_hour_that_comes_twice_what_has_ended_stays_ended() -> None:
    # 25 October 2026 in Paris: from 3:00 back to 2:00. Hours end at 2:30, which is 0:30 UTC.
    night = Hours((Opening(0, 150),) * 7)
    assert first_allowed(night, PARIS, at("2026-10-25T00:29")) == at("2026-10-25T00:29")
    found = first_allowed(night, PARIS, at("2026-10-25T00:45"))
    assert found is not None
    assert found >= at("2026-10-25T00:45")


@pytest.mark.parametrize(("start", "end"), [(600, 600), (700, 600), (-1, 60), (0, 1441)])
def test_hours_that_end_before_they_begin_cannot_exist(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="hours begin before they end"):
        Opening(start, end)


def test_the_answer_is_no_later_than_two_weeks() -> None:
    # Only Mondays, and every Monday is in the list of holidays but one too far away.
    mondays = frozenset({(12, 7), (12, 14)})
    hours = Hours((DAILY.week[0],) + (None,) * 6, fixed=mondays)
    assert first_allowed(hours, PARIS, at("2026-12-01T12:00")) is None
    assert first_allowed(hours, PARIS, at("2026-12-08T12:00")) == at("2026-12-21T07:00")


def test_minutes_and_seconds_before_the_hour_are_waited_for() -> None:
    almost = at("2026-11-20T07:00") - 1
    assert first_allowed(DAILY, PARIS, almost) == at("2026-11-20T07:00")
