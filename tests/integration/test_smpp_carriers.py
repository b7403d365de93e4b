"""Two carriers on sockets: one that says nothing takes nothing from the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import TextPromised
from ari_app.outbox import texts
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect
from ari_app.sms.carriers import Carriers
from ari_app.sms.gateway import SmppGateway
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.threads.inbox import Inbox
from smpp.routing import Offer, Routing
from smpp.simulator import Smsc
from tests.support.gateway import OURS, carrier
from tests.support.meter import RecordingMeter
from tests.support.receiving import KEY
from tests.support.store import opened
from tests.support.wait import until

WINDOW = 10
SLOW, FAST = "+3361234{:04}", "+4930123{:04}"


@pytest.fixture
async def smscs() -> AsyncIterator[tuple[Smsc, Smsc]]:
    async with contextlib.AsyncExitStack() as stack:
        both = []
        for _ in range(2):
            smsc = Smsc(accounts={"segue": "secret"}, receipt_delay=3600.0)
            await smsc.start()
            stack.push_async_callback(smsc.aclose)
            both.append(smsc)
        yield both[0], both[1]


def gateway(name: str, port: int, store: EventStore, clock: SystemClock) -> SmppGateway:
    meter = RecordingMeter()
    return SmppGateway(
        carrier(port, name=name, window=WINDOW, response_timeout=600.0, drain_timeout=0.1),
        OURS,
        source="36200",
        inbox=Inbox(store, clock, meter, KEY),
        arrivals=store,
        clock=clock,
        meter=meter,
        secret=KEY,
    )


async def promise(store: EventStore, clock: SystemClock, to: str) -> None:
    id = f"msg_{to}"
    event = TextPromised(message=id, template="t", to=to, body="b")
    effect = Effect("sms", id, clock.now(), {"to": to, "body": "b"})
    await store.append(f"conv_{to}", [event], effects=[effect])


async def test_a_carrier_that_never_answers_does_not_hold_the_claims_of_the_other(
    tmp_path: Path, smscs: tuple[Smsc, Smsc], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "_MOST", 100)
    silent, well = smscs
    silent.faults.never_answer = True
    clock = SystemClock()
    async with opened(tmp_path) as store:
        gateways = [
            gateway("silent", silent.port, store, clock),
            gateway("well", well.port, store, clock),
        ]
        offers = [Offer(carrier="silent", prefix="+33"), Offer(carrier="well", prefix="+49")]
        carriers = Carriers(gateways, Routing(offers), clock, most=100)
        carriers.start()
        try:
            await carriers.wait_up(10.0)
            await asyncio.gather(*(promise(store, clock, SLOW.format(n)) for n in range(150)))
            await asyncio.gather(*(promise(store, clock, FAST.format(n)) for n in range(150)))
            sender = TextSender(carriers, store, clock, RecordingMeter(), RetryPolicy())
            relay = Relay(store, clock, RecordingMeter(), {"sms": sender})
            running = asyncio.create_task(relay.run())
            await until(lambda: len(well.accepted) == 150)
            relay.stop()
            assert len(silent.accepted) <= WINDOW
        finally:
            await carriers.aclose()
        await running
