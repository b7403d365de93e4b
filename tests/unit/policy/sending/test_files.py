"""The files of hours and prices: those that ship are right, wrong ones are one sentence."""

from __future__ import annotations

import pytest

from ari_app.errors import SettingsError
from ari_app.policy.sending.countries import read_countries
from ari_app.policy.sending.hours import Opening
from ari_app.policy.sending.prices import Prices, read_prices, segments
from tests.unit.policy.sending.sending_story import shipped

HEAD = '[default]\nopen = "8:00-20:00"\n'


def test_the_hours_that_ship_can_be_read() -> None:
    hours = read_countries(shipped("countries.toml"), "countries.toml")
    assert {"default", "US", "FR", "DE", "GB"} <= hours.keys()
    assert hours["US"].week == (Opening(480, 1200),) * 7
    assert hours["FR"].week[6] is None
    assert hours["FR"].holiday is None
    assert (7, 14) in hours["FR"].fixed


def test_a_weekday_of_its_own_wins() -> None:
    hours = read_countries(HEAD + '[FR]\nopen = "9:00-20:00"\nsunday = "10:00-12:30"', "x")["FR"]
    assert hours.week[5] == Opening(540, 1200)
    assert hours.week[6] == Opening(600, 750)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "is not TOML"),
        ('[FR]\nopen = "8:00-20:00"', r"\[default\] is missing"),
        (HEAD + "[France]\nopen = 1", "'France' is no table of a country"),
        (HEAD + "FR = 1", "is not TOML|'FR'"),
        (HEAD + '[FR]\nsunday = "closed"', "open is missing"),
        (HEAD + '[FR]\nopen = "8-20"', "'8-20' are no hours"),
        (HEAD + '[FR]\nopen = "8:61-20:00"', "are no hours"),
        (HEAD + '[FR]\nopen = "20:00-8:00"', "hours begin before they end"),
        (HEAD + '[FR]\nopen = "8:00-25:00"', "hours begin before they end"),
        (HEAD + '[FR]\nopen = "8:00-9:00"\nshut = 1', "has 'shut'; known are"),
        (HEAD + '[FR]\nopen = "8:00-9:00"\nholidays = ["13-01"]', "'13-01' is no day of the year"),
        (HEAD + '[FR]\nopen = "8:00-9:00"\nholidays = "12-25"', "holidays is not a list"),
        (HEAD + '[FR]\nopen = "8:00-9:00"\neaster = [true]', "is not how many days after Easter"),
        (HEAD + '[FR]\nopen = "8:00-9:00"\neaster = [400]', "is not how many days after Easter"),
    ],
)
def test_wrong_hours_are_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        read_countries(text, "hours.toml")
    assert str(refused.value).startswith("hours.toml")
    assert "\n" not in str(refused.value)


def test_the_prices_that_ship_can_be_read() -> None:
    prices = read_prices(shipped("prices.toml"), "prices.toml")
    assert prices.of("+12025550123", "hi") == 20_000
    assert prices.of("+37120000000", "hi") == 250_000


def test_the_longest_prefix_counts() -> None:
    prices = Prices({"": 1, "44": 2, "4479": 4})
    assert [prices.of(n, "") for n in ("+33612345678", "+441234567890", "+447912345678")] == [
        1,
        2,
        4,
    ]


def test_without_a_price_a_text_is_free() -> None:
    assert Prices({}).of("+33612345678", "hi") == 0


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("{" * 80, 1),
        ("{" * 81, 2),
        ("д" * 70, 1),
        ("д" * 71, 2),
        ("\N{GRINNING FACE}" * 35, 1),
        ("\N{GRINNING FACE}" * 36, 2),
    ],
)
def test_a_long_text_costs_its_segments(body: str, count: int) -> None:
    assert segments(body) == count
    assert Prices({"": 10}).of("+33612345678", body) == 10 * count


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "is not TOML"),
        ("[price]", r"it needs one table, \[prices\]"),
        ("prices = 1", r"it needs one table, \[prices\]"),
        ('[prices]\n"1" = 1', '"" is missing'),
        ('[prices]\n"" = 1\n"+44" = 1', "'\\+44' is not the beginning of a number"),
        ('[prices]\n"" = "1"', "has no price from 0 to 1000"),
        ('[prices]\n"" = -1', "has no price from 0 to 1000"),
        ('[prices]\n"" = nan', "has no price from 0 to 1000"),
        ('[prices]\n"" = true', "has no price from 0 to 1000"),
    ],
)
def test_wrong_prices_are_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        read_prices(text, "prices.toml")
