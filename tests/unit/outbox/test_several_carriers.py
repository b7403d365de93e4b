"""The outbox over several carriers: the kill switch of one, and a carrier that is away."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    ConsentGiven,
    ConsentRefused,
    Event,
    TextBlocked,
    TextExpired,
    TextPromised,
    TextRefused,
    TextSubmitted,
)
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect, Refused
from ari_app.sms.carriers import Carriers
from ari_app.store.store import EventStore
from smpp.routing import Offer, Routing
from tests.support.clock import DAY, FakeClock
from tests.support.fake_carriers import NamedCarrier
from tests.support.meter import RecordingMeter
from tests.support.store import opened

PARIS, BERLIN = "+3312345{:04}", "+4930123{:04}"
TRIES = 3


class Story:
    """`south` carries France, by the longer prefix; `north` the whole world."""

    def __init__(self, store: EventStore, clock: FakeClock) -> None:
        self.store, self.clock, self.meter = store, clock, RecordingMeter()
        self.north, self.south = NamedCarrier("north"), NamedCarrier("south")
        routing = Routing(
            [
                Offer(carrier="north", cost=Decimal("0.05")),
                Offer(carrier="south", prefix="+33", cost=Decimal("0.05")),
            ]
        )
        gateways = [self.north.as_gateway, self.south.as_gateway]
        carriers = Carriers(gateways, routing, clock, lambda: 0.0)
        retry = RetryPolicy(first=1, longest=4, attempts=TRIES)
        self.sender = TextSender(carriers, store, clock, self.meter, retry)
        self.relay = Relay(store, clock, self.meter, {"sms": self.sender})
        self._promised = 0

    async def promise(self, number: str) -> str:
        self._promised += 1
        id, to = f"msg_{self._promised}", number.format(self._promised)
        promised = TextPromised(message=id, template="t", to=to, body="b")
        effect = Effect("sms", id, self.clock.now(), {"to": to, "body": "b"})
        await self.store.append(f"conv_{id}", [promised], effects=[effect])
        return id

    async def turns(self, count: int, seconds: float = 6.0) -> None:
        for _ in range(count):
            await self.relay.run_once()
            self.clock.advance(seconds)

    async def pause(self, scope: str) -> None:
        await self.store.queue().pause(scope, "a complaint", "operator:ada")

    async def log(self, message: str) -> list[Event]:
        return [e.event for e in await self.store.read(f"conv_{message}")][1:]


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    clock = FakeClock()
    async with opened(tmp_path, clock, busy_ms=1) as store:
        yield Story(store, clock)


async def test_a_paused_carrier_is_given_nothing_while_the_others_are(story: Story) -> None:
    await story.pause("carrier:south")
    by_south = await story.promise(PARIS)
    await story.turns(1)
    assert story.south.sent == []
    assert story.north.sent == [by_south]
    assert story.meter.gauges["segue_sms_paused", "carrier:south"] == 1

    await story.store.queue().resume("carrier:south")
    again = await story.promise(PARIS)
    await story.turns(1)
    assert story.south.sent == [again]
    assert story.meter.gauges["segue_sms_paused", "carrier:south"] == 0


async def test_a_pause_is_kept_to_by_the_very_claim_that_learns_of_it(story: Story) -> None:
    await story.turns(1)
    await story.promise(PARIS)
    await story.pause("carrier:south")
    await story.turns(1)
    assert story.south.sent == []


async def test_what_only_the_paused_carrier_takes_waits_without_using_up_its_tries(
    story: Story,
) -> None:
    await story.pause("carrier:north")
    text = await story.promise(BERLIN)
    await story.turns(TRIES * 3)
    assert story.north.sent == []
    assert await story.log(text) == []

    await story.store.queue().resume("carrier:north")
    await story.turns(1)
    assert await story.log(text) == [
        TextSubmitted(message=text, carrier="north", ids=(f"north-{text}",), attempts=1)
    ]


async def test_what_only_a_dead_carrier_takes_waits_for_it_until_it_is_of_no_use(
    story: Story,
) -> None:
    story.north.up = False
    text = await story.promise(BERLIN)
    await story.turns(TRIES * 3)
    story.clock.advance(DAY)
    await story.turns(1)
    (expired,) = await story.log(text)
    assert isinstance(expired, TextExpired)
    assert story.north.sent == []


async def test_with_all_of_them_paused_nothing_is_claimed_at_all(story: Story) -> None:
    text = await story.promise(PARIS)
    await story.pause("carrier:north")
    await story.pause("carrier:south")
    await story.turns(TRIES)
    assert story.meter.counts["segue_sms_total", "throttled"] == 0
    await story.store.queue().resume("carrier:north")
    await story.turns(1)
    assert story.north.sent == [text]


async def test_texts_that_go_again_do_not_fill_the_log(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ari_app.outbox")
    story.north.up = False
    text = await story.promise(BERLIN)
    await story.turns(2)
    assert text not in caplog.text
    assert story.meter.counts["segue_sms_total", "throttled"] == 2


async def test_whom_the_carrier_calls_opted_out_gets_no_more_texts_of_ours(story: Story) -> None:
    consent = ConsentGiven(purpose="texts", channel="voice", how="key", confidence=1.0, wording="w")
    promised = TextPromised(message="msg_1", template="t", to="+4930123456", body="b")
    effect = Effect("sms", "msg_1", story.clock.now(), {"to": "+4930123456", "body": "b"})
    await story.store.append("conv_1", [consent, promised], effects=[effect])
    story.north.says = {"msg_1": [Refused("0x00000410", transient=False, opted_out=True)]}
    await story.turns(1)
    again = TextPromised(message="msg_2", template="t", to="+4930123456", body="b")
    effect = Effect("sms", "msg_2", story.clock.now(), {"to": "+4930123456", "body": "b"})
    await story.store.append("conv_1", [again], effects=[effect])
    await story.turns(1)

    refused, consent_refused, _, blocked = (e.event for e in (await story.store.read("conv_1"))[2:])
    assert refused == TextRefused(message="msg_1", reason="0x00000410", attempts=1)
    assert consent_refused == ConsentRefused(purpose="texts", channel="sms", how="carrier")
    assert isinstance(blocked, TextBlocked)
    assert (blocked.message, blocked.rule) == ("msg_2", "consent")
    assert story.north.sent == ["msg_1"]


async def test_a_carrier_that_says_nothing_keeps_the_others_from_nothing(story: Story) -> None:
    story.south.holds = True
    for _ in range(1100):
        await story.promise(PARIS)
    berlin = [await story.promise(BERLIN) for _ in range(30)]
    while await story.sender.claim():
        pass
    assert len(story.south.sent) == 500
    assert story.north.sent == berlin
    # What was turned away is not claimed again at once.
    assert (await story.store.claim_texts(story.clock.now(), 1)).send == ()
    story.south.holds = False
    story.south.answer()
    for _ in range(100):
        await story.relay.run_once()
        story.clock.advance(6.0)
    assert len(set(story.south.sent)) == len(story.south.sent) == 1100
