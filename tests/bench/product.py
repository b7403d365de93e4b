"""The product with everything on, as a contestant: PORT N WINDOW FOLDER OUTSTANDING.

Each text is promised by an append of its own, by a thousand conversations at the same time; the
chain, encryption, the rules before the wire and the order of recipients are on, and the carrier
is behind the product's own gateway, pool and inbound. The limits are set so that none blocks.
So many ids of other texts are known, whose receipts do not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from ari_app.cli.processes import collect_seldom
from ari_app.conversation.events import TextPromised
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.policy.sending.limits import Limits
from ari_app.policy.sending.rules import Rules
from ari_app.ports import Effect, Receipt
from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.sms.carriers import Carriers
from ari_app.sms.gateway import SmppGateway
from ari_app.store.engine import Engine
from ari_app.store.gate import SendingGate
from ari_app.store.keys import KeyDatabase
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.store.wire import KNOW
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from ari_app.threads.inbox import Inbox
from smpp.carrier import Account
from smpp.profile import Profile
from smpp.profile_kinds import Host
from smpp.routing import Offer, Routing
from tests.bench.traffic import PATIENCE, TEXT, Stopwatch

_CONVERSATIONS = 1000
_BY_NAME = "SELECT name, count(*) FROM event GROUP BY name"
_KEY = bytes(range(32))
_ENDLESS = 1_000_000_000
# Of near numbers and of failures there are enough to alarm any site, and no limit by itself.
_RULES = Rules(
    limits=Limits(
        recipient_hour=_ENDLESS,
        recipient_day=_ENDLESS,
        conversation_day=_ENDLESS,
        prefix_hour=_ENDLESS,
        near_hour=_ENDLESS,
    )
)


class Counting(EventStore):
    """Tells when so many receipts are on disk: with their text, or kept until that is settled."""

    def expect(self, count: int) -> asyncio.Event:
        self._left, self._all_there = count, asyncio.Event()
        return self._all_there

    async def receipts(self, receipts: Sequence[Receipt]) -> list[bool]:
        known = await super().receipts(receipts)
        self._left -= len(known)
        if self._left <= 0:
            self._all_there.set()
        return known

    def check(self, count: int) -> None:
        """Nothing is missing, nothing is twice."""
        with contextlib.closing(self.engine.connect()) as link:
            names = {name: n for name, n in link.rows(_BY_NAME)}
            early = link.rows("SELECT count(*) FROM early_receipt")
        assert set(names.values()) == {count}, names
        assert early == [(0,)], early


def know(engine: Engine, outstanding: int) -> None:
    """Ids that the carrier has given to other texts, in the table in which receipts find theirs."""
    now = SystemClock().now()
    ids = [f"9{n:09x}" for n in range(outstanding)]
    with contextlib.closing(engine.connect()) as link:
        link.begin()
        link.bulk(KNOW, [("main", id, id, f"msg_{id}", f"conv_{id}", now) for id in ids])
        link.commit()


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Counting, SystemClock, PrometheusMeter]]:
    """A store as production has it, joined under a lease."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    clock, meter = SystemClock(), PrometheusMeter()
    keys = KeyDatabase(folder / "keys.db", os.urandom(32), clock, os.urandom)
    keys.open()
    days = {"identity": 395, "words": 90, "texts": 90, "records": 395}
    vault = Vault(keys, Schedule(days), clock, os.urandom)
    engine = SqliteEngine(folder / "product.db", clock)
    gate = SendingGate(engine, _RULES, meter, subject_key=_KEY, sender="Segue")
    store = Counting(engine, clock, meter, vault=vault, recipients=_KEY, gate=gate)
    await store.open()
    try:
        await store.join(3600)
        yield store, clock, meter
    finally:
        await store.aclose()
        keys.close()


def carrier(
    port: int, window: int, store: EventStore, clock: SystemClock, meter: PrometheusMeter
) -> Carriers:
    """One carrier with one bind, as the service makes it."""
    profile = Profile(name="main", hosts=(Host("127.0.0.1", port),))
    session = replace(profile.session, window=window, handler_timeout=PATIENCE)
    profile = replace(profile, session=session)
    gateway = SmppGateway(
        profile,
        Account(system_id="fast", password="x"),
        source="Segue",
        inbox=Inbox(store, clock, meter, _KEY),
        arrivals=store,
        clock=clock,
        meter=meter,
        secret=_KEY,
    )
    return Carriers([gateway], Routing([Offer(carrier="main")]), clock)


async def promise(store: EventStore, conversation: int, numbers: range) -> None:
    """One text after the other, each to a number of its own."""
    stream, subject = f"conv_{conversation:032}", f"subj_{conversation:032}"
    for n in numbers:
        id, to = f"msg_{n:032}", f"+3361{n:08}"
        event = TextPromised(message=id, template="t", to=to, body=TEXT)
        effect = Effect("sms", id, 0, {"to": to, "body": TEXT})
        await store.append(stream, [event], effects=[effect], subject=subject)


async def promise_all(store: EventStore, first: int, count: int) -> None:
    last = first + count
    await asyncio.gather(
        *(
            promise(store, n, range(first + n, last, _CONVERSATIONS))
            for n in range(min(_CONVERSATIONS, count))
        )
    )


async def main(port: int, count: int, window: int, folder: Path, outstanding: int = 0) -> None:
    logging.disable(logging.WARNING)
    async with opened(folder) as (store, clock, meter):
        await asyncio.to_thread(know, store.engine, outstanding)
        carriers = carrier(port, window, store, clock, meter)
        carriers.start()
        await carriers.wait_up(10)
        relay = Relay(
            store, clock, meter, {"sms": TextSender(carriers, store, clock, meter, RetryPolicy())}
        )
        running = asyncio.create_task(relay.run())
        collect_seldom()  # as the service does
        # Streams and keys are there, as in a running call.
        all_there = store.expect(min(_CONVERSATIONS, count))
        await promise_all(store, 0, min(_CONVERSATIONS, count))
        await all_there.wait()
        await relay.drain()
        all_there = store.expect(count)
        watch = Stopwatch()
        await asyncio.gather(promise_all(store, _CONVERSATIONS, count), all_there.wait())
        await relay.drain()
        watch.tell(count)
        relay.stop()
        await running
        await asyncio.to_thread(store.check, min(_CONVERSATIONS, count) + count)
        await carriers.aclose()


if __name__ == "__main__":
    port, count, window = map(int, sys.argv[1:4])
    asyncio.run(main(port, count, window, Path(sys.argv[4]), int(sys.argv[5])))
