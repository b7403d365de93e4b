"""Which carrier takes a text, and why."""

from collections import Counter
from decimal import Decimal

import pytest

from smpp.errors import LocalProtocolError
from smpp.routing import Health, NoRoute, Offer, Pulse, Route, Routing, Tolerance, Verdict

PARIS = "+33612345678"
UP = Health(up=True)
DOWN = Health(up=False)


def offer(carrier: str, prefix: str, cost: str, weight: int = 1) -> Offer:
    return Offer(carrier=carrier, prefix=prefix, cost=Decimal(cost), weight=weight)


def route(offers: list[Offer], number: str = PARIS, chance: float = 0.0, **health: Health) -> Route:
    found = {one.carrier: UP for one in offers} | health
    return Routing(offers).route(number, found, chance)


def test_the_longest_prefix_decides_before_the_cost() -> None:
    found = route([offer("north", "+33", "0.01"), offer("south", "+336", "0.09")])
    assert found.carriers == ("south", "north")
    assert found.carrier == "south"


def test_of_equal_prefixes_the_cheapest_is_asked_first() -> None:
    costs = ("0.05", "0.04", "0.10", "0.005", "0.07", "1")
    found = route([offer(f"carrier{cost}", "+33", cost) for cost in costs])
    assert found.carriers == tuple(f"carrier{cost}" for cost in sorted(costs, key=Decimal))


def test_an_empty_prefix_is_the_whole_world() -> None:
    offers = [offer("world", "", "0.10"), offer("north", "+33", "0.05")]
    assert route(offers, "+819012345678").carriers == ("world",)
    assert route(offers).carriers == ("north", "world")


def test_a_carrier_is_asked_once_by_its_longest_prefix() -> None:
    found = route(
        [offer("north", "+33", "0.01"), offer("north", "+336", "0.02"), offer("north", "", "0.1")]
    )
    assert found.carriers == ("north",)
    (row,) = found.rows
    assert (row.prefix, row.cost) == ("+336", Decimal("0.02"))


def test_a_number_without_an_offer_has_no_route_and_is_not_named_in_full() -> None:
    with pytest.raises(NoRoute, match="no carrier has an offer for") as refused:
        route([offer("north", "+49", "0.01")])
    assert refused.value.permanent
    assert PARIS not in str(refused.value)
    assert "+336" in str(refused.value)


def test_if_all_that_fit_are_down_there_is_no_route_for_now() -> None:
    with pytest.raises(NoRoute, match="is up: south, north") as refused:
        route([offer("north", "+33", "2"), offer("south", "+33", "1")], north=DOWN, south=DOWN)
    assert not refused.value.permanent


@pytest.mark.parametrize("number", ["", "36200", "Segue", "33612345678", "+0612345678", "+33x"])
def test_what_is_not_e164_has_no_route(number: str) -> None:
    with pytest.raises(NoRoute, match="only an E.164 number") as refused:
        route([offer("north", "", "1")], number)
    assert refused.value.permanent


def test_a_carrier_that_is_down_is_not_asked_and_the_row_says_so() -> None:
    found = route([offer("north", "+33", "1"), offer("south", "+33", "2")], north=DOWN)
    assert found.carriers == ("south",)
    assert [(row.place, row.carrier, row.verdict) for row in found.rows] == [
        (1, "south", Verdict.CHOSEN),
        (0, "north", Verdict.DOWN),
    ]


def test_a_carrier_of_whose_health_nobody_told_is_not_asked() -> None:
    found = Routing([offer("north", "", "1"), offer("south", "", "2")]).route(PARIS, {"south": UP})
    assert found.carriers == ("south",)
    assert found.rows[1].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("health", "verdict"),
    [
        (Health(up=True, failure_ratio=0.21), Verdict.FAILING),
        (Health(up=True, latency=5.1), Verdict.SLOW),
    ],
)
def test_a_weak_carrier_is_asked_after_the_healthy_ones(health: Health, verdict: Verdict) -> None:
    found = route([offer("north", "+336", "1"), offer("south", "", "9")], north=health)
    assert found.carriers == ("south", "north")
    assert [row.verdict for row in found.rows] == [Verdict.CHOSEN, verdict]


def test_at_the_limit_a_carrier_is_still_healthy() -> None:
    found = route(
        [offer("north", "+33", "1"), offer("south", "+33", "2")],
        north=Health(up=True, failure_ratio=0.2, latency=5.0),
    )
    assert found.carrier == "north"


def test_a_weak_carrier_is_asked_if_it_is_the_only_one_that_is_up() -> None:
    weak = Health(up=True, failure_ratio=0.9, latency=1.5)
    found = route([offer("north", "", "1"), offer("south", "", "2")], north=weak, south=DOWN)
    assert found.carriers == ("north",)
    row = found.rows[0]
    assert (row.place, row.verdict, row.failure_ratio, row.latency) == (
        1,
        Verdict.FAILING,
        0.9,
        1.5,
    )


def test_what_is_tolerated_can_be_set() -> None:
    offers = [offer("north", "", "1"), offer("south", "", "2")]
    health = {"north": Health(up=True, failure_ratio=0.3), "south": UP}
    patient = Routing(offers, Tolerance(failure_ratio=0.5))
    assert patient.route(PARIS, health).carrier == "north"
    assert Routing(offers).route(PARIS, health).carrier == "south"


def test_weights_share_the_traffic_between_equal_offers() -> None:
    offers = [offer("north", "", "1", 3), offer("south", "", "1", 1)]
    firsts = Counter(route(offers, chance=step / 100).carrier for step in range(100))
    assert firsts == {"north": 75, "south": 25}


def test_the_share_of_a_carrier_that_is_down_goes_to_the_others_by_their_weights() -> None:
    offers = [offer("north", "", "1", 2), offer("south", "", "1", 3), offer("west", "", "1", 1)]
    firsts = Counter(route(offers, chance=n / 100, north=DOWN).carrier for n in range(100))
    assert firsts == {"south": 75, "west": 25}


def test_weight_zero_is_for_fail_over_only() -> None:
    offers = [offer("north", "", "1", 0), offer("south", "", "1", 1)]
    assert {route(offers, chance=n / 10).carriers for n in range(11)} == {("south", "north")}


def test_weights_do_not_outdo_the_cost() -> None:
    offers = [offer("north", "", "1", 1), offer("south", "", "2", 99)]
    assert route(offers, chance=0.9).carriers == ("north", "south")


@pytest.mark.parametrize("prefix", ["33", "+", "+0", "+33 6", "+3361234567890123", "+33x"])
def test_a_prefix_that_no_number_has_is_refused(prefix: str) -> None:
    with pytest.raises(LocalProtocolError, match="is not a plus and 1 to 15 digits"):
        offer("north", prefix, "1")


@pytest.mark.parametrize("cost", ["-1", "NaN", "Infinity"])
def test_a_cost_that_is_none_is_refused(cost: str) -> None:
    with pytest.raises(LocalProtocolError, match="cost"):
        offer("north", "", cost)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="weight"):
        offer("north", "", "1", -1)


def test_two_offers_of_a_carrier_for_one_prefix_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"north has two offers for \+33"):
        Routing([offer("north", "+33", "1"), offer("north", "+33", "2")])


# -- health -----------------------------------------------------------------------------------


def test_a_few_texts_judge_nobody() -> None:
    pulse = Pulse(least=5)
    for _ in range(4):
        pulse.failed(now=0.0)
    assert pulse.health(up=True, now=0.0) == Health(up=True)
    pulse.failed(now=0.0)
    assert pulse.health(up=True, now=0.0).failure_ratio == 1.0


def test_failures_and_latency_are_averages_of_recent_texts() -> None:
    pulse = Pulse(least=1)
    for latency in (0.1, 0.3, 0.2):
        pulse.taken(latency, now=100.0)
    pulse.failed(now=100.0)
    health = pulse.health(up=True, now=100.0)
    assert health.failure_ratio == pytest.approx(0.25)
    assert health.latency == pytest.approx(0.2)


def test_what_is_old_counts_for_less() -> None:
    pulse = Pulse(half_life=60, least=1)
    for _ in range(8):
        pulse.failed(now=0.0)
    for _ in range(4):
        pulse.taken(0.1, now=60.0)
    assert pulse.health(up=True, now=60.0).failure_ratio == pytest.approx(0.5)
    for _ in range(6):
        pulse.taken(0.4, now=120.0)
    assert pulse.health(up=True, now=120.0).latency == pytest.approx((2 * 0.1 + 6 * 0.4) / 8)


def test_a_carrier_that_failed_is_trusted_again_after_a_while() -> None:
    pulse = Pulse(half_life=60, least=5)
    for _ in range(10):
        pulse.failed(now=0.0)
    assert pulse.health(up=True, now=59.0).failure_ratio == 1.0
    assert pulse.health(up=True, now=61.0).failure_ratio == 0.0


def test_a_clock_that_goes_back_does_not_make_the_past_count_for_more() -> None:
    pulse = Pulse(half_life=60, least=4)
    for _ in range(4):
        pulse.failed(now=100.0)
    pulse.taken(0.1, now=40.0)
    assert pulse.health(up=True, now=100.0).failure_ratio == pytest.approx(0.8)


def test_up_is_told_by_the_pool() -> None:
    assert not Pulse().health(up=False, now=0.0).up


def test_so_many_digits_decide_on_a_route_unless_chance_does() -> None:
    assert Routing([Offer(carrier="a")]).digits == 0
    assert Routing([Offer(carrier="a"), Offer(carrier="b", prefix="+336")]).digits == 4
    rivals = [Offer(carrier="a", cost=Decimal(1)), Offer(carrier="b", cost=Decimal(1))]
    assert Routing(rivals).digits is None
    assert Routing([rivals[0], Offer(carrier="b", cost=Decimal(2))]).digits == 0
