"""Hours, channels and languages that somebody prefers."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ari_app.errors import BundleError
from ari_app.policy.preferences import check_preference, good_hours, read_hours
from ari_app.policy.rules import read_rule


def moment(written: str, zone: str) -> int:
    return int(datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**6


@pytest.mark.parametrize(
    ("hours", "at", "has"),
    [
        ("09:00-17:00 Europe/Paris", "2026-11-21T09:00", True),
        ("09:00-17:00 Europe/Paris", "2026-11-21T08:59", False),
        ("09:00-17:00 Europe/Paris", "2026-11-21T17:00", False),
        ("mon-fri 09:00-17:00 Europe/Paris", "2026-11-20T12:00", True),  # a Friday
        ("mon-fri 09:00-17:00 Europe/Paris", "2026-11-21T12:00", False),
        ("sat 09:00-17:00 Europe/Paris", "2026-11-21T12:00", True),
        ("fri-mon 09:00-17:00 Europe/Paris", "2026-11-22T12:00", True),
        ("fri-mon 09:00-17:00 Europe/Paris", "2026-11-24T12:00", False),
        # Past midnight: the night of Friday ends on Saturday.
        ("fri 22:00-06:00 Europe/Paris", "2026-11-21T05:59", True),
        ("fri 22:00-06:00 Europe/Paris", "2026-11-20T05:59", False),
        ("fri 22:00-06:00 Europe/Paris", "2026-11-20T22:00", True),
        # Summer time: 09:00 is 07:00 UTC there.
        ("09:00-17:00 Europe/Paris", "2026-07-01T09:30", True),
    ],
)
def test_hours_are_of_the_days_and_the_zone_they_name(hours: str, at: str, has: bool) -> None:
    assert read_hours(hours).has(moment(at, "Europe/Paris")) is has


def test_any_hour_is_good_where_nothing_is_known_or_it_was_erased() -> None:
    assert good_hours(None, 0)
    assert good_hours("[erased]", 0)
    assert not good_hours("09:00-17:00 UTC", 0)


def test_hours_of_one_zone_are_other_hours_of_another() -> None:
    hours = read_hours("09:00-17:00 America/New_York")
    assert not hours.has(moment("2026-11-20T09:30", "Europe/Paris"))
    assert hours.has(moment("2026-11-20T15:30", "Europe/Paris"))


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("hours", "nine to five"),
        ("hours", "09:00-25:00 UTC"),
        ("hours", "09:00-17:00 Nowhere/Land"),
        ("hours", "09:00-17:00 ../../etc/passwd"),
        ("channel", "pigeon"),
        ("language", "English"),
        ("colour", "blue"),
        ("", ""),
    ],
)
def test_what_cannot_be_preferred_is_refused_where_the_bundle_is_read(
    what: str, value: str
) -> None:
    with pytest.raises(ValueError, match="like|no such|channel is|one can prefer"):
        check_preference(what, value)
    with pytest.raises(BundleError, match="rule r"):
        read_rule({"rule": "r", "then": {"prefer": f"{what} {value}"}})


@pytest.mark.parametrize("written", ["channel sms", "language pt-BR", "hours mon 09:00-12:00 UTC"])
def test_a_rule_may_say_what_is_preferred(written: str) -> None:
    assert read_rule({"rule": "r", "then": {"prefer": written}}).then.prefer == written
