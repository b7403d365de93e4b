"""The clock jumps a day ahead and an hour back: leases exclude, order holds, timers fire once."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered, ConversationOpened
from ari_app.conversation.state import fold
from ari_app.errors import LeaseLost
from ari_app.ports import Effect, Timer
from ari_app.privacy import audit
from ari_app.store.seals import AuditedDatabase
from tests.support.clock import DAY, SECOND
from tests.support.faults import fault
from tests.support.store import Base, running

NAME = "the clock jumps a day ahead and an hour back"
HOUR = 3600.0
TTL = 5.0
JUMPS = pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["ahead", "back"])


def call(name: str) -> CallAnswered:
    return CallAnswered(call=name)


@fault(NAME, "a lease has one owner, and what the old one writes is refused")
@JUMPS
async def test_a_lease_stays_exclusive(base: Base, jump: float) -> None:
    async with running(base.store()) as old, running(base.store()) as new:
        first = await old.lease("sealer", TTL)
        assert first is not None
        base.clock.advance(jump)
        second = await new.lease("sealer", TTL)
        # Ahead it has run out; back it has not, and its owner keeps it as if nothing had been.
        assert (second is not None) is (jump > 0)
        lost = await old.renew([first], TTL)
        assert lost == ([first] if second else [])
        loser, fence = (old, first) if second else (new, None)
        assert await loser.lease("sealer", TTL) is None
        if fence is not None:
            for write in (
                loser.append("conv_1", [call("stale")], fence=fence),
                loser.advance("feed", 1, fence),
                loser.once("job", "slot", fence),
            ):
                with pytest.raises(LeaseLost):
                    await write
        assert await new.read("conv_1") == []


@fault(NAME, "nobody waits for ever: what the dead held is free, late by the jump at most")
@JUMPS
async def test_what_a_dead_worker_held_becomes_free(base: Base, jump: float) -> None:
    async with running(base.store()) as dead:
        await dead.join(TTL)
        assert await dead.lease("sealer", TTL)
        await dead.append("conv_1", [call("a")], effects=[Effect("sms", "msg_1", 0, {})], held=True)
        assert await dead.claim("sms", base.clock.now())
    async with running(base.store()) as heir:
        await heir.join(TTL)
        base.clock.advance(jump)
        # At the latest when the clock is again where it was, and the lease has run out.
        base.clock.advance(max(-jump, 0.0) + TTL + 1)
        assert await heir.lease("sealer", TTL)
        assert await heir.bury() == ["conv_1"]
        (job,) = await heir.claim("sms", base.clock.now())
        assert job.id == "msg_1"


@fault(NAME, "the living are not taken for dead")
@JUMPS
async def test_a_living_worker_goes_on(base: Base, jump: float) -> None:
    async with running(base.store()) as living, running(base.store()) as other:
        worker = await living.join(TTL)
        await other.join(TTL)
        base.clock.advance(jump)
        # It keeps its lease in time, as it always does; the other looks for the dead after that.
        assert await living.renew([worker], TTL) == []
        assert await other.bury() == []
        await living.append("conv_1", [call("alive")], fence=worker)


@fault(NAME, "events keep their order by sequence and place, and the log is proven")
async def test_events_keep_their_order(base: Base) -> None:
    opened = ConversationOpened(channel="voice", did="1", language="en", number=None)
    async with running(base.store()) as store, running(base.store()) as other:
        await store.append("conv_1", [opened])
        for n, jump in enumerate([0.0, DAY, -HOUR, -DAY, DAY]):
            base.clock.advance(jump)
            await (store, other)[n % 2].append("conv_1", [call(str(n))])
        envelopes = await store.read("conv_1")
        assert [e.sequence for e in envelopes] == list(range(1, 7))
        assert [e.event for e in envelopes[1:]] == [call(str(n)) for n in range(5)]
        assert any(a.at > b.at for a, b in zip(envelopes, envelopes[1:], strict=False))
        assert [p.envelope.id for p in await other.tail("reader")] == [e.id for e in envelopes]
        assert fold(envelopes).sequence == 6
    with contextlib.closing(AuditedDatabase(base.engine())) as log:
        assert audit.verify(log, None).sound


@fault(NAME, "a timer fires once, late by the jump at most")
async def test_a_timer_fires_once(base: Base) -> None:
    async with running(base.store()) as store:
        due = base.clock.now() + 60 * SECOND
        await store.append("conv_1", [call("a")], timers=[Timer("t1", "conv_1", "k", due)])
        fired = []

        async def tick() -> None:
            for timer in await store.due_timers(base.clock.now()):
                fired.append(timer.id)
                await store.drop_timer(timer.id)

        base.clock.advance(-HOUR)
        await tick()
        assert fired == []
        base.clock.advance(DAY)
        await tick()
        await tick()
        base.clock.advance(-HOUR)
        for _ in range(10):
            await tick()
            base.clock.advance(600)
        assert fired == ["t1"]


@fault(NAME, "a text waits no longer than the jump, and is claimed once")
async def test_an_effect_is_claimed_once(base: Base, tmp_path: Path) -> None:
    async with running(base.store()) as store:
        now = base.clock.now()
        await store.append("conv_1", [call("a")], effects=[Effect("sms", "msg_1", now, {})])
        base.clock.advance(-HOUR)
        assert await store.claim("sms", base.clock.now()) == []
        base.clock.advance(HOUR)
        (job,) = await store.claim("sms", base.clock.now())
        base.clock.advance(DAY)
        assert await store.claim("sms", base.clock.now()) == []
        await store.settle(job, [call("done")])
        base.clock.advance(-HOUR)
        assert await store.claim("sms", base.clock.now()) == []


@fault(NAME, "who calls again after the clock went back is answered in the newest conversation")
async def test_the_latest_conversation_is_the_one_that_was_begun_last(base: Base) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")], subject="subj_1")
        base.clock.advance(-HOUR)
        await store.append("conv_2", [call("b")], subject="subj_1")
        assert await store.latest("subj_1") == "conv_2"
