"""Times as SMPP writes them, both ways: the sign of the quarter hours is the trap."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.errors import LocalProtocolError
from smpp.times import Relative, absolute, due, read, relative


def zone(hours: float) -> timezone:
    return timezone(timedelta(hours=hours))


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2026, 11, 20, 11, 56, tzinfo=UTC), "261120115600000+"),
        # New York is behind UTC: five hours are twenty quarters, and the sign is a minus.
        (datetime(2026, 11, 20, 6, 56, tzinfo=zone(-5)), "261120065600020-"),
        (datetime(2026, 11, 20, 17, 26, tzinfo=zone(5.5)), "261120172600022+"),
        (datetime(2026, 11, 20, 11, 56, 7, 999_999, tzinfo=UTC), "261120115607900+"),
        (datetime(2026, 11, 20, 23, 56, tzinfo=zone(12)), "261120235600048+"),
        # No place for more than 48 quarters, nor for half of one: told in UTC.
        (datetime(2026, 11, 21, 1, 56, tzinfo=zone(14)), "261120115600000+"),
        (datetime(2026, 11, 20, 12, 5, 21, tzinfo=zone(0.1558333333333)), "261120115600000+"),
    ],
)
def test_a_moment_is_written_with_its_offset_or_in_utc(at: datetime, written: str) -> None:
    assert absolute(at) == written


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 20),  # noqa: DTZ001  # that it has no zone is the point
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=zone(14)),
        datetime.min.replace(tzinfo=zone(14)),
    ],
)
def test_a_moment_that_two_digits_cannot_say_is_refused(at: datetime) -> None:
    with pytest.raises(LocalProtocolError):
        absolute(at)


@pytest.mark.parametrize(
    ("span", "written"),
    [
        (timedelta(hours=1), "000000010000000R"),
        (timedelta(days=31, hours=23, minutes=59, seconds=59), "000031235959000R"),
        (timedelta(milliseconds=1), "000000000001000R"),  # never nothing
        (timedelta(seconds=59, milliseconds=1), "000000000100000R"),
    ],
)
def test_a_span_is_written_in_days_and_rounded_up(span: timedelta, written: str) -> None:
    assert relative(span) == written


@pytest.mark.parametrize("span", [timedelta(0), timedelta(seconds=-1), timedelta(days=32)])
def test_a_span_that_needs_months_or_is_none_is_refused(span: timedelta) -> None:
    with pytest.raises(LocalProtocolError):
        relative(span)


def test_the_specifications_own_example_is_read() -> None:
    # §7.1.1.2
    found = read("020610233429000R")
    assert found == Relative(years=2, months=6, days=10, hours=23, minutes=34, seconds=29)
    assert str(found) == "020610233429000R"


def test_a_month_after_the_31st_is_the_last_day_of_the_next() -> None:
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert Relative(months=1).after(now) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert Relative(years=1, months=11, days=1).after(now) == datetime(2028, 1, 1, 12, tzinfo=UTC)


def test_a_field_of_three_digits_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError):
        str(Relative(hours=100))


def test_an_offset_that_the_specification_forbids_is_read_where_clocks_have_it() -> None:
    assert read("261121015600056+") == datetime(2026, 11, 20, 11, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "now",
        "2611201156",  # a receipt's date is another thing
        "261120115600000",
        "261120115600000Z",
        "261120115600000+ ",
        "261320115600000+",
        "261120245600000+",
        "261120115600057+",
        "²61120115600000+",
    ],
)
def test_what_is_no_time_is_refused_in_one_way(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(written)


def test_nothing_means_at_once() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert read("") is None
    assert due("", now) is None


def test_what_is_due_is_a_moment_however_it_was_written() -> None:
    now = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert due("000000010000000R", now) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert due("261120070000020-", now) == datetime(2026, 11, 20, 12, tzinfo=UTC)


moments = st.datetimes(
    datetime(2001, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(2098, 12, 31),  # noqa: DTZ001
    timezones=st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)


@given(moments)
def test_any_moment_comes_back_to_a_tenth_of_a_second(at: datetime) -> None:
    found = read(absolute(at))
    assert isinstance(found, datetime)
    assert timedelta(0) <= at - found < timedelta(milliseconds=100)


@given(
    st.timedeltas(timedelta(microseconds=1), timedelta(days=31, hours=23)),
)
def test_any_span_comes_back_to_the_second(span: timedelta) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    found = due(relative(span), now)
    assert found is not None
    assert timedelta(0) <= found - (now + span) < timedelta(seconds=1)
