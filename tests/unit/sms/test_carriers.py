"""Several carriers as one: the cheapest that is well takes a text, and each tells its own fate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from ari_app.conversation.identity import E164
from ari_app.ports import (
    Accepted,
    BatchGateway,
    Inquiries,
    Lost,
    Outcome,
    OutgoingText,
    Receipt,
    Refused,
    SeveralCarriers,
    Throttled,
)
from ari_app.sms import carriers as carriers_file
from ari_app.sms.carriers import Carriers
from smpp.routing import NoRoute, Offer, Routing, Verdict
from tests.support.carrier import Fate
from tests.support.clock import FakeClock
from tests.support.fake_carriers import NamedCarrier

PARIS, MOBILE, BERLIN, LONDON = "+33123456789", "+33612345678", "+4930123456", "+442071234567"
DEAR, CHEAP = Decimal("0.09"), Decimal("0.05")


class Market:
    """`north` carries France and Germany cheaply; `south` France, at a price; no one the UK."""

    def __init__(self, *offers: Offer, chance: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = FakeClock()
        self.north, self.south = NamedCarrier("north"), NamedCarrier("south")
        self.told: list[Outcome] = []
        self.tellings = 0
        found = offers or (
            Offer(carrier="north", prefix="+33", cost=CHEAP),
            Offer(carrier="north", prefix="+49", cost=CHEAP),
            Offer(carrier="south", prefix="+33", cost=DEAR),
        )
        gateways = [self.north.as_gateway, self.south.as_gateway]
        self.carriers = Carriers(gateways, Routing(found), self.clock, chance)

    def send(self, *numbers: str) -> list[Fate]:
        """The fates that are known at once, in the order of the texts."""
        texts = [OutgoingText(f"msg_{n}", E164(number), "b") for n, number in enumerate(numbers)]
        before = len(self.told)
        self.carriers.send_many(texts, self._tell)
        told = {outcome.message: outcome.fate for outcome in self.told[before:]}
        return [told[text.message] for text in texts if text.message in told]

    def _tell(self, outcomes: object) -> None:
        assert isinstance(outcomes, list)
        self.tellings += 1
        self.told += outcomes

    def verdicts(self, number: str = PARIS) -> dict[str, Verdict]:
        return {row.carrier: row.verdict for row in self.carriers.route(number).rows}


@pytest.fixture
def market() -> Market:
    return Market()


def who(fates: list[Fate]) -> list[str]:
    return [fate.carrier if isinstance(fate, Accepted) else "" for fate in fates]


def test_it_is_all_the_ports_that_the_outbox_asks_for(market: Market) -> None:
    batch: BatchGateway = market.carriers
    asked: Inquiries = market.carriers
    several: SeveralCarriers = market.carriers
    assert isinstance(batch, BatchGateway)
    assert isinstance(asked, Inquiries)
    assert isinstance(several, SeveralCarriers)
    assert several.names == ("north", "south")


# -- routing ----------------------------------------------------------------------------------


def test_each_text_goes_to_the_cheapest_and_each_carrier_gets_one_batch(market: Market) -> None:
    assert who(market.send(PARIS, BERLIN, PARIS)) == ["north"] * 3
    assert len(market.north.batches) == 1
    assert market.south.batches == []
    assert market.tellings == 1


def test_a_longer_prefix_goes_before_a_better_price() -> None:
    market = Market(
        Offer(carrier="north", prefix="+33", cost=CHEAP),
        Offer(carrier="south", prefix="+336", cost=DEAR),
    )
    assert who(market.send(PARIS, MOBILE)) == ["north", "south"]


def test_chance_decides_between_equals_for_each_text() -> None:
    chances = iter([0.1, 0.9, 0.4])
    market = Market(Offer(carrier="north"), Offer(carrier="south"), chance=lambda: next(chances))
    assert who(market.send(PARIS, PARIS, PARIS)) == ["north", "south", "north"]


def test_when_the_cheapest_is_down_the_next_is_asked(market: Market) -> None:
    market.north.up = False
    assert who(market.send(PARIS)) == ["south"]
    market.north.up = True
    assert who(market.send(PARIS)) == ["north"]


def test_what_nobody_offers_to_carry_is_refused_for_good_and_the_others_go(market: Market) -> None:
    fates = market.send(PARIS, LONDON, BERLIN)
    assert who(fates) == ["north", "", "north"]
    refusal = fates[1]
    assert isinstance(refusal, Refused)
    assert not refusal.transient
    assert "+442" in refusal.reason
    assert LONDON not in refusal.reason


def test_what_only_a_dead_carrier_takes_waits_and_uses_up_no_attempt(market: Market) -> None:
    market.north.up = False
    berlin, paris = market.send(BERLIN, PARIS)
    assert isinstance(berlin, Throttled)
    assert berlin.pause >= 1.0
    assert who([paris]) == ["south"]


def test_a_route_can_be_asked_for_without_sending(market: Market) -> None:
    assert market.carriers.route(PARIS).carriers == ("north", "south")
    with pytest.raises(NoRoute) as error:
        market.carriers.route(LONDON)
    assert error.value.permanent
    assert market.north.batches == []


# -- health -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Refused("ESME_RSYSERR", transient=True), Lost("it dropped")])
def test_a_carrier_that_fails_is_asked_after_the_other_until_it_is_forgotten(
    market: Market, fault: Fate
) -> None:
    market.north.always = fault
    market.send(*[PARIS] * 10)
    assert market.verdicts() == {"south": Verdict.CHOSEN, "north": Verdict.FAILING}
    market.north.always = None
    assert who(market.send(PARIS)) == ["south"]

    market.clock.advance(600.0)
    assert who(market.send(PARIS)) == ["north"]


def test_a_carrier_that_fails_is_still_asked_for_what_nobody_else_takes(market: Market) -> None:
    market.north.always = Lost("it dropped")
    market.send(*[PARIS] * 10)
    market.north.always = None
    assert who(market.send(BERLIN)) == ["north"]


@pytest.mark.parametrize(
    "answer", [Refused("ESME_RINVDSTADR", transient=False), Throttled(), None], ids=repr
)
def test_bad_numbers_and_throttling_are_no_failures_of_the_carrier(
    market: Market, answer: Fate | None
) -> None:
    market.north.always = answer
    market.send(*[PARIS] * 20)
    assert market.verdicts()["north"] is Verdict.CHOSEN


def test_a_carrier_whose_answers_take_long_is_asked_after_the_other(market: Market) -> None:
    market.north.latency = 6.0
    market.send(*[PARIS] * 10)
    assert market.verdicts() == {"south": Verdict.CHOSEN, "north": Verdict.SLOW}


def test_what_waits_in_our_own_queue_makes_no_carrier_slow(market: Market) -> None:
    market.north.holds = True
    market.send(*[PARIS] * 60)
    market.clock.advance(60.0)
    market.north.latency = 0.1  # of the last submit_sm, once it was written
    market.north.answer()
    market.north.holds = False
    assert market.verdicts()["north"] is Verdict.CHOSEN


# -- shares -----------------------------------------------------------------------------------


def test_a_carrier_that_says_nothing_has_its_share_and_the_others_have_theirs(
    market: Market,
) -> None:
    market.south.holds = True
    market.north.up = False
    market.send(*[PARIS] * 700)
    assert len(market.south.sent) == 500
    market.north.up = True
    assert market.carriers.room == 500
    assert who(market.send(*[BERLIN] * 500)) == ["north"] * 500


def test_what_is_turned_away_comes_again_by_and_by_and_uses_up_no_attempt(market: Market) -> None:
    market.north.holds = True
    market.send(*[BERLIN] * 500)
    fates = market.send(*[BERLIN] * 500)
    assert all(isinstance(fate, Throttled) for fate in fates)
    pauses = [fate.pause for fate in fates if isinstance(fate, Throttled)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0


def test_whoever_answers_has_room_again(market: Market) -> None:
    market.north.holds = True
    market.send(*[BERLIN] * 600)
    assert len(market.north.sent) == 500
    market.north.answer()
    assert len(market.send(*[BERLIN] * 200)) == 0
    assert len(market.north.sent) == 700


def test_a_late_answer_gives_no_room_twice(market: Market) -> None:
    market.north.holds = True
    market.send(*[BERLIN] * 500)
    market.north.answer_late("msg_0", "7")
    assert len(market.send(BERLIN)) == 1  # turned away
    assert len(market.north.sent) == 500


# -- the kill switch --------------------------------------------------------------------------


def test_a_paused_carrier_is_given_nothing_until_it_is_not_paused_any_more(
    market: Market,
) -> None:
    market.carriers.pause(frozenset({"north", "nobody"}))
    assert who(market.send(PARIS)) == ["south"]
    assert isinstance(market.send(BERLIN)[0], Throttled)
    assert market.north.batches == []
    assert market.verdicts() == {"south": Verdict.CHOSEN, "north": Verdict.DOWN}

    market.carriers.pause(frozenset())
    assert who(market.send(PARIS)) == ["north"]


def test_a_paused_carrier_still_says_what_became_of_what_it_has(market: Market) -> None:
    market.north.holds = True
    assert market.send(PARIS) == []
    market.carriers.pause(frozenset({"north"}))
    market.north.answer()
    assert who([market.told[0].fate]) == ["north"]


# -- as one -----------------------------------------------------------------------------------


def test_there_is_room_for_what_the_emptiest_that_is_up_takes(market: Market) -> None:
    market.north.room, market.south.room = 70, 30
    assert market.carriers.room == 70
    market.north.up = False
    assert market.carriers.room == 30
    market.south.up = False
    assert market.carriers.room == 0
    assert not market.carriers.up


def test_room_is_offered_while_all_are_paused_or_nobody_would_learn_that_they_are_not(
    market: Market,
) -> None:
    market.carriers.pause(frozenset({"north", "south"}))
    assert market.carriers.room > 0


async def test_an_inquiry_goes_to_the_carrier_that_has_the_text(market: Market) -> None:
    assert await market.carriers.inquire("south", "7") == Receipt("south", "7", "DELIVRD", "000")
    assert await market.carriers.inquire("nobody", "7") is None


async def test_all_are_started_and_closed_together(market: Market) -> None:
    market.carriers.start()
    assert market.north.started
    assert market.south.started
    await market.carriers.aclose()
    assert market.north.closed
    assert market.south.closed


async def test_the_start_waits_for_all_that_come_at_once(market: Market) -> None:
    market.north.up = market.south.up = False
    waiting = asyncio.create_task(market.carriers.wait_up(60.0))
    market.south.bind()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    market.north.bind()
    await waiting


async def test_the_start_does_not_wait_long_for_one_that_is_dead(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carriers_file, "_MOMENT", 0.01)
    market.north.up = market.south.up = False
    market.south.bind()
    async with asyncio.timeout(5.0):
        await market.carriers.wait_up(60.0)


async def test_a_carrier_that_only_receives_is_not_enough_to_start(market: Market) -> None:
    market.north.up = market.south.up = False
    market.north.bound.set()  # its receiver is bound, and it cannot send
    waiting = asyncio.create_task(market.carriers.wait_up(60.0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    market.south.bind()
    await waiting


async def test_it_is_said_when_none_comes_up_in_time(market: Market) -> None:
    market.north.up = market.south.up = False
    with pytest.raises(TimeoutError):
        await market.carriers.wait_up(0.01)
