"""A text leaves, waits or is refused, and the reason is one of few."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from ari_app.policy.sending.countries import read_countries
from ari_app.policy.sending.limits import Limits, leaves
from ari_app.policy.sending.prices import Prices
from ari_app.policy.sending.rules import ALL, Despite, Objection, Pumping, Rules, span_of
from tests.support.clock import NOON
from tests.unit.policy.sending.sending_story import (
    DAY,
    HOUR,
    MINUTE,
    NO_LIMITS,
    PARIS,
    SECOND,
    Desk,
    asked,
    at,
    shipped,
)

OPEN = Rules(limits=NO_LIMITS)
HOURS = read_countries(shipped("countries.toml"), "countries.toml")
CONFIRMS = Despite.CONFIRMATION
HELPS = Despite.HELP


def number(n: int) -> str:
    return f"+3361{n:07}"


# -- opting out ---------------------------------------------------------------------------------


def opted_out(sender: str = ALL, since: int = NOON, rules: Rules = OPEN) -> Desk:
    desk = Desk(rules, NOON)
    desk.opted_out[asked().recipient] = {sender: since}
    return desk


def test_whoever_has_not_opted_out_is_texted() -> None:
    assert Desk(OPEN).rule(asked()) is None


def test_whoever_has_opted_out_is_not() -> None:
    assert opted_out().asks(asked()) == [
        Objection("opt_out", "the recipient wants no more texts", None)
    ]
    assert opted_out().rule(asked("+33600000000")) is None


def test_an_opt_out_of_one_sender_leaves_the_others() -> None:
    desk = opted_out("15550199")
    assert desk.rule(asked(sender="15550199")) == "opt_out"
    assert desk.rule(asked(sender="36111")) is None


def test_a_site_that_does_it_elsewhere_may_turn_it_off() -> None:
    assert opted_out(rules=replace(OPEN, opt_out=False)).rule(asked()) is None


def test_one_confirmation_is_sent_and_no_second() -> None:
    desk = opted_out()
    assert desk.rule(asked(despite=CONFIRMS)) is None
    desk.now += SECOND
    assert desk.rule(asked(despite=CONFIRMS)) == "opt_out"


def test_two_confirmations_of_one_claim_are_one() -> None:
    first, second = opted_out().asks(asked(despite=CONFIRMS), asked(despite=CONFIRMS))
    assert first is None
    assert second is not None


def test_a_confirmation_that_is_tried_again_is_still_the_one() -> None:
    desk, text = opted_out(), asked(despite=CONFIRMS)
    assert desk.rule(text) is None
    desk.now += MINUTE
    assert desk.rule(text) is None


def test_after_five_minutes_nothing_is_confirmed() -> None:
    desk = opted_out()
    desk.now = NOON + 5 * MINUTE
    assert desk.rule(asked(despite=CONFIRMS)) is None
    desk = opted_out()
    desk.now = NOON + 5 * MINUTE + 1
    assert desk.rule(asked(despite=CONFIRMS)) == "opt_out"


def test_the_next_opt_out_has_its_own_confirmation() -> None:
    desk = opted_out()
    assert desk.rule(asked(despite=CONFIRMS)) is None
    desk.now += MINUTE
    desk.opted_out[asked().recipient] = {ALL: desk.now}
    assert desk.rule(asked(despite=CONFIRMS)) is None


def test_help_is_answered_to_whoever_has_opted_out_but_not_for_ever() -> None:
    desk = opted_out()
    assert [desk.rule(asked(despite=HELPS)) for _ in range(4)] == [None, None, None, "help"]
    desk.now += HOUR
    assert desk.rule(asked(despite=HELPS)) is None


# -- where to -----------------------------------------------------------------------------------


def test_only_the_countries_of_the_list_are_texted() -> None:
    desk = Desk(replace(OPEN, countries=frozenset({"FR", "US"})))
    assert desk.rule(asked(PARIS)) is None
    assert desk.rule(asked("+12025550123")) is None
    # Canada and Jamaica have the country code of the United States.
    assert desk.rule(asked("+14165550123")) == "country"
    assert desk.rule(asked("+18765551234")) == "country"
    assert desk.rule(asked("+870123456789")) == "country"


def test_the_reason_names_the_country() -> None:
    (objection,) = Desk(replace(OPEN, countries=frozenset({"US"}))).asks(asked(PARIS))
    assert objection == Objection("country", "no texts are sent to FR")


def test_whoever_wrote_from_another_country_gets_help_and_confirmation() -> None:
    desk = Desk(replace(OPEN, countries=frozenset({"US"})))
    assert desk.rule(asked(despite=HELPS)) is None
    assert desk.rule(asked(despite=CONFIRMS)) is None


def test_a_number_that_is_dear_or_cannot_be_texted_is_not() -> None:
    desk = Desk(replace(OPEN, refused_kinds=frozenset({"fixed_line", "premium_rate"})))
    assert desk.rule(asked("+33142685300")) == "number_type"
    assert desk.rule(asked("+33891234567")) == "number_type"
    assert desk.rule(asked(PARIS)) is None


# -- when ---------------------------------------------------------------------------------------


def quiet(**changes: object) -> Rules:
    rules = replace(OPEN, hours=HOURS, quiet=frozenset({"marketing"}))
    return replace(rules, **changes)  # type: ignore[arg-type]  # by name


MARKETING = {"purpose": "marketing"}


def test_a_text_that_nobody_asked_for_waits_for_the_morning() -> None:
    night = at("2026-11-20T22:00")
    assert Desk(quiet(), night).asks(asked(**MARKETING)) == [
        Objection("quiet_hours", "it is too early or too late there", at("2026-11-21T07:00"))
    ]


@pytest.mark.parametrize("purpose", ["transactional", "otp"])
def test_an_answer_or_a_code_does_not_wait(purpose: str) -> None:
    assert Desk(quiet(), at("2026-11-20T22:00")).rule(asked(purpose=purpose)) is None


def test_a_country_without_rules_of_its_own_has_those_of_all() -> None:
    japan = "+819012345678"
    assert Desk(quiet(), at("2026-11-20T04:00")).rule(asked(japan, **MARKETING)) is None
    assert Desk(quiet(), at("2026-11-20T12:00")).rule(asked(japan, **MARKETING)) == "quiet_hours"


def test_a_french_sunday_is_quiet_all_day() -> None:
    (objection,) = Desk(quiet(), at("2026-11-22T11:00")).asks(asked(**MARKETING))
    assert objection is not None
    assert objection.until == at("2026-11-23T07:00")


def test_without_a_common_hour_it_is_refused_or_one_zone_is_enough() -> None:
    zones = (ZoneInfo("Europe/Paris"), ZoneInfo("Pacific/Auckland"))
    apart = quiet(zones=lambda _: zones)
    (objection,) = Desk(apart, NOON).asks(asked(**MARKETING))
    assert objection == Objection(
        "quiet_hours", "no hour is allowed in every time zone that the number may be in"
    )
    assert Desk(replace(apart, any_zone=True), NOON).rule(asked(**MARKETING)) is None


def test_a_number_without_a_zone_is_refused_also_if_one_would_do() -> None:
    nowhere = quiet(zones=lambda _: (), any_zone=True)
    assert Desk(nowhere, NOON).rule(asked(**MARKETING)) == "quiet_hours"


# -- how many -----------------------------------------------------------------------------------


def limited(**most: object) -> Desk:
    limits = replace(NO_LIMITS, **most)  # type: ignore[arg-type]  # by name
    return Desk(replace(OPEN, limits=limits))


def test_one_number_gets_so_many_in_an_hour_and_the_next_waits() -> None:
    desk = limited(recipient_hour=2)
    assert desk.rule(asked()) is None
    desk.now += 10 * MINUTE
    assert desk.rule(asked()) is None
    (objection,) = desk.asks(asked())
    assert objection is not None
    assert (objection.rule, objection.until) == ("recipient_hour", NOON + HOUR)
    assert desk.rule(asked("+33600000000")) is None
    desk.now = NOON + HOUR
    assert desk.rule(asked()) is None


def test_the_texts_of_one_claim_count_too() -> None:
    judged = limited(recipient_hour=2).asks(asked(), asked(), asked())
    assert [o and o.rule for o in judged] == [None, None, "recipient_hour"]


def test_what_would_wait_for_most_of_a_day_is_refused() -> None:
    desk = limited(recipient_day=1)
    assert desk.rule(asked()) is None
    (objection,) = desk.asks(asked())
    assert objection is not None
    assert (objection.rule, objection.until) == ("recipient_day", None)
    desk.now = NOON + DAY - HOUR
    (objection,) = desk.asks(asked())
    assert objection is not None
    assert objection.until == NOON + DAY


def test_a_text_that_is_asked_for_again_is_counted_once() -> None:
    desk, text = limited(recipient_hour=1, prefix_hour=1, near_hour=1, conversation_day=1), asked()
    assert [desk.rule(text) for _ in range(5)] == [None] * 5
    assert set(desk.counts.values()) == {1}


def test_a_refused_text_is_not_counted() -> None:
    desk = limited(recipient_hour=1)
    desk.opted_out[asked().recipient] = {ALL: NOON}
    assert desk.rule(asked()) == "opt_out"
    desk.opted_out.clear()
    assert desk.rule(asked()) is None


def test_a_conversation_a_prefix_and_the_money_have_limits() -> None:
    desk = limited(conversation_day=1)
    assert desk.rule(asked(PARIS, conversation="c:conv_1")) is None
    assert desk.rule(asked(number(1), conversation="c:conv_1")) == "conversation_day"
    assert desk.rule(asked(number(1), conversation="c:conv_2")) is None

    desk = limited(prefix_hour=1)
    assert desk.rule(asked("+33612345678")) is None
    assert desk.rule(asked("+33612399999")) == "prefix_hour"
    assert desk.rule(asked("+33612499999")) is None


def test_the_day_costs_no_more_than_it_may() -> None:
    rules = replace(
        OPEN,
        limits=replace(NO_LIMITS, money_day=100),
        prices=Prices({"": 40}),
        longest_wait=DAY * 2,
    )
    desk = Desk(rules)
    judged = desk.asks(*(asked(number(n)) for n in range(3)))
    assert [o and o.rule for o in judged] == [None, None, "money_day"]
    assert judged[2] is not None
    assert judged[2].until == leaves(NOON, DAY)
    # A long text costs its two segments; one that is dearer than a day never has room.
    assert desk.rule(asked(number(9), body="x" * 161)) == "money_day"
    desk.now = leaves(NOON, DAY)
    assert desk.rule(asked(number(4))) is None
    (dear,) = desk.asks(asked(number(5), body="x" * 459))
    assert dear is not None
    assert dear.until is None


# -- pumping ------------------------------------------------------------------------------------


def test_many_near_numbers_are_an_alarm_and_wait() -> None:
    desk = limited(near_hour=3)
    near = [asked(f"+3361234567{n}") for n in range(4)]
    judged = desk.asks(*near)
    assert [o and o.rule for o in judged] == [None, None, None, "near"]
    assert judged[3] is not None
    assert judged[3].until == leaves(NOON, HOUR)
    assert desk.alarms == ["near"]
    # The same number again is not one more.
    assert desk.rule(asked("+33612345670")) is None


@pytest.mark.parametrize(
    ("pumping", "rule", "waits"),
    [(Pumping.ALARM, None, False), (Pumping.WAIT, "near", True), (Pumping.BLOCK, "near", False)],
)
def test_the_site_chooses_what_becomes_of_them(
    pumping: Pumping, rule: str | None, waits: bool
) -> None:
    limits = replace(NO_LIMITS, near_hour=1)
    desk = Desk(replace(OPEN, limits=limits, pumping=pumping))
    _, second = desk.asks(asked(number(1)), asked(number(2)))
    assert (second and second.rule) == rule
    assert bool(second and second.until) is waits
    assert desk.alarms == ["near"]


def failing(failed: int, sent: int, least: int = 10) -> Desk:
    desk = limited(failure_share=0.5, failure_least=least)
    desk.counts = {("p:336123", NOON + HOUR): sent, ("f:336123", NOON + 20 * MINUTE): failed}
    return desk


def test_a_prefix_whose_texts_fail_is_an_alarm_and_waits() -> None:
    (objection,) = failing(5, 10).asks(asked())
    assert objection is not None
    assert (objection.rule, objection.until) == ("failures", NOON + 20 * MINUTE)
    assert failing(4, 10).rule(asked()) is None
    assert failing(5, 10).rule(asked("+33699999999")) is None


def test_a_few_failures_say_nothing_yet() -> None:
    assert failing(9, 9).rule(asked()) is None


def test_a_site_that_sets_nothing_may_text_somebody_who_answers_often() -> None:
    desk = Desk(Rules())
    for _ in range(Limits().recipient_hour):
        desk.now += MINUTE
        assert desk.rule(asked()) is None


def test_it_looks_only_under_the_keys_that_it_names() -> None:
    rules = Rules(limits=replace(Limits(), money_day=5))
    desk, text = Desk(rules), asked()
    named = rules.keys_of([text])
    desk.asks(text)
    assert {key for key, _ in desk.counts} <= named
    assert all(until == leaves(NOON, span_of(key)) for key, until in desk.counts)
    assert Rules(limits=NO_LIMITS).keys_of([text]) == set()
