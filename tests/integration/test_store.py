"""The store, on both engines: a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest

from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    ConversationOpened,
    Event,
    KeyPressed,
    ReceiptReceived,
    TextDelayed,
    TextSubmitted,
    Unrecognised,
    name_of,
    to_payload,
)
from ari_app.conversation.state import Conversation, fold
from ari_app.errors import Conflict, LeaseLost, StoreUnavailable
from ari_app.ports import Effect, Fence, Job, Receipt, Timer
from ari_app.store.appending import Write
from ari_app.store.engine import Link
from ari_app.store.snapshots import EVERY
from ari_app.store.store import EventStore
from tests.support.clock import DAY, NOON, SECOND, FakeClock
from tests.support.faults import fault
from tests.support.store import Base, running

TTL = 5.0
OPENED = ConversationOpened(channel="voice", did="100", language="en", number="+12025550123")


def call(name: str) -> CallAnswered:
    return CallAnswered(call=name)


def effect(id: str, kind: str = "sms", due: int = NOON) -> Effect:
    return Effect(kind, id, due, {"body": "où ?", "n": 1})


def delivered(id: str, carrier: str = "main", state: str = "DELIVRD") -> Receipt:
    return Receipt(carrier, id, state, "000")


def taken(message: str, *ids: str) -> TextSubmitted:
    return TextSubmitted(message=message, carrier="main", ids=ids, attempts=1)


@pytest.fixture
def clock(base: Base) -> FakeClock:
    return base.clock


@pytest.fixture
async def store(base: Base) -> AsyncIterator[EventStore]:
    async with running(base.store()) as store:
        yield store


async def events(store: EventStore, stream: str) -> list[Event]:
    return [e.event for e in await store.read(stream)]


async def claimed(store: EventStore, id: str, stream: str = "conv_1") -> Job:
    """A promised text in our hands."""
    await store.append(stream, [call(id)], effects=[effect(id)])
    (job,) = await store.claim("sms", NOON + 1000 * SECOND)
    return job


# -- the log ----------------------------------------------------------------------------------


async def test_what_was_appended_is_read_in_its_order(store: EventStore, clock: FakeClock) -> None:
    spoke = CallerSpoke(
        call="c", text="où ?", words=(("où", 0.1, 0.2, 0.9),), confidence=0.9, endpoint_ms=3
    )
    written = await store.append("conv_1", [OPENED, call("c")], cause="evt_0")
    clock.advance(1)
    written += await store.append("conv_1", [spoke])

    assert await store.read("conv_1") == written
    assert [e.event for e in written] == [OPENED, call("c"), spoke]
    assert [e.sequence for e in written] == [1, 2, 3]
    assert [e.at for e in written] == [NOON, NOON, NOON + SECOND]
    assert [e.cause for e in written] == ["evt_0", "evt_0", None]
    assert {e.actor for e in written} == {"segue"}
    assert len({e.id for e in written}) == 3
    assert await store.read("conv_1", after=2) == written[2:]
    assert await store.read("conv_2") == []


async def test_an_event_of_a_newer_program_is_kept_as_it_is(store: EventStore) -> None:
    newer = Unrecognised(name="call.teleported", version=4, payload={"where": ["x", {"y": 1}]})
    await store.append("conv_1", [newer])
    assert await events(store, "conv_1") == [newer]


async def test_a_decision_holds_only_where_the_stream_was(store: EventStore) -> None:
    await store.append("conv_1", [OPENED], expected=0)
    await store.append("conv_1", [call("a")], expected=1)
    with pytest.raises(Conflict) as stale:
        await store.append("conv_1", [call("b")], expected=1, effects=[effect("msg_1")])
    assert (stale.value.expected, stale.value.found) == (1, 2)
    with pytest.raises(Conflict):
        await store.append("conv_1", [call("b")], expected=0)
    assert await events(store, "conv_1") == [OPENED, call("a")]
    assert await store.claim("sms", NOON) == []


async def test_an_observation_holds_wherever_the_stream_is(store: EventStore) -> None:
    await store.append("conv_1", [OPENED])
    (written,) = await store.append("conv_1", [call("a")])
    assert written.sequence == 2


async def test_of_many_deciders_at_once_one_wins(store: EventStore) -> None:
    await store.append("conv_1", [OPENED])
    outcomes = await asyncio.gather(
        *(store.append("conv_1", [call(str(n))], expected=1) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
    assert len(await store.read("conv_1")) == 2


async def test_a_dedupe_key_writes_once(store: EventStore) -> None:
    first = await store.append("conv_1", [OPENED, call("a")], dedupe="mo:1")
    again = await store.append(
        "conv_2", [call("b")], dedupe="mo:1", effects=[effect("m")], timers=[Timer("t", "", "", 0)]
    )
    assert len(first) == 2
    assert again == []
    assert await store.read("conv_2") == []
    assert await store.claim("sms", NOON) == []
    assert await store.due_timers(NOON) == []


async def test_the_same_key_at_the_same_time_writes_once(store: EventStore) -> None:
    written = await asyncio.gather(
        *(store.append("conv_1", [call("a")], dedupe="mo:1") for _ in range(10))
    )
    assert sorted(len(w) for w in written) == [0] * 9 + [1]


async def test_one_append_that_fails_spoils_no_other(store: EventStore) -> None:
    await store.append("conv_1", [OPENED])
    good = [store.append(f"conv_g{n}", [call("g")], effects=[effect(f"m{n}")]) for n in range(5)]
    bad = [store.append("conv_1", [call("b")], expected=7) for _ in range(5)]
    mixed = [append for pair in zip(good, bad, strict=True) for append in pair]
    outcomes = await asyncio.gather(*mixed, return_exceptions=True)
    assert [isinstance(outcome, Conflict) for outcome in outcomes] == [False, True] * 5
    assert len(await store.claim("sms", NOON)) == 5


async def test_an_append_is_all_or_nothing(store: EventStore) -> None:
    await store.append("conv_1", [OPENED], effects=[effect("msg_1")])
    # The id of an effect is unique: a bug in the caller.
    with pytest.raises(store.engine.Broken):
        await store.append("conv_1", [call("a"), call("b")], effects=[effect("msg_1")])
    assert await events(store, "conv_1") == [OPENED]
    assert (await store.append("conv_1", [call("c")]))[0].sequence == 2


async def test_a_subject_finds_the_conversation_it_turned_to_last(
    store: EventStore, clock: FakeClock
) -> None:
    assert await store.latest("subj_1") is None
    await store.append("conv_1", [OPENED], subject="subj_1")
    await store.append("conv_x", [OPENED], subject="subj_x")
    clock.advance(1)
    await store.append("conv_2", [OPENED], subject="subj_1")
    assert await store.latest("subj_1") == "conv_2"

    clock.advance(1)
    await store.append("conv_1", [call("ours")])  # not the subject's doing
    assert await store.latest("subj_1") == "conv_2"
    await store.append("conv_1", [call("theirs")], subject="subj_1")
    assert await store.latest("subj_1") == "conv_1"


async def test_the_conversations_written_to_last_come_first(
    store: EventStore, clock: FakeClock
) -> None:
    for stream in ("conv_1", "conv_2", "other_3", "conv_1"):
        clock.advance(1)
        await store.append(stream, [call("x")])
    assert await store.recent(5) == [("conv_1", NOON + 4 * SECOND), ("conv_2", NOON + 2 * SECOND)]
    assert len(await store.recent(1)) == 1


# -- consumers --------------------------------------------------------------------------------


async def test_a_consumer_sees_every_event_once_in_the_order_of_the_log(
    store: EventStore,
) -> None:
    await store.append("conv_1", [OPENED, call("a")])
    await store.append("conv_2", [OPENED])
    await store.append("conv_1", [call("b")])

    seen = await store.tail("threads", limit=3)
    assert [p.envelope.stream for p in seen] == ["conv_1", "conv_1", "conv_2"]
    assert await store.tail("threads", limit=3) == seen  # nothing was advanced
    await store.advance("threads", seen[-1].position)
    (rest,) = await store.tail("threads")
    assert rest.envelope.event == call("b")
    await store.advance("threads", rest.position)
    assert await store.tail("threads") == []
    assert len(await store.tail("another")) == 4


async def test_a_change_wakes_who_waits_for_one(store: EventStore) -> None:
    seen = await store.changed(0, 0)
    waiting = asyncio.create_task(store.changed(seen, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    await store.append("conv_1", [OPENED])
    assert await asyncio.wait_for(waiting, 5) > seen
    assert await store.changed(seen, 60) > seen  # what was missed is told at once


# -- the outbox -------------------------------------------------------------------------------


async def test_a_due_effect_is_claimed_once(store: EventStore) -> None:
    await store.append("conv_1", [OPENED], effects=[effect("msg_1")])
    assert await store.claim("sms", NOON - 1) == []
    assert await store.claim("handoff", NOON) == []
    assert await store.claim("sms", NOON) == [
        Job("sms", "msg_1", "conv_1", {"body": "où ?", "n": 1}, 1, "due")
    ]
    assert await store.claim("sms", NOON) == []


async def test_effects_are_claimed_in_the_order_they_are_due(store: EventStore) -> None:
    effects = [effect(f"m{n}", due=NOON - n * SECOND) for n in (1, 3, 2)]
    await store.append("conv_1", [OPENED], effects=effects)
    assert [job.id for job in await store.claim("sms", NOON, limit=2)] == ["m3", "m2"]
    assert [job.id for job in await store.claim("sms", NOON)] == ["m1"]


async def test_of_many_claimers_only_one_gets_each(store: EventStore) -> None:
    effects = [effect(f"m{n:02}") for n in range(40)]
    await store.append("conv_1", [OPENED], effects=effects)
    claims = await asyncio.gather(*(store.claim("sms", NOON, limit=7) for _ in range(10)))
    got = [job.id for jobs in claims for job in jobs]
    assert sorted(got) == [e.id for e in effects]


async def test_a_settled_effect_is_over_and_says_what_became_of_it(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7")])
    assert (await events(store, "conv_1"))[-1] == taken("msg_1", "7")
    assert await store.claim("sms", NOON + 1000 * SECOND) == []


async def test_an_effect_that_must_wait_is_due_again_then(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    delayed = TextDelayed(message="msg_1", reason="throttled", attempts=1)
    await store.settle(job, [delayed], retry_at=NOON + 5 * SECOND)
    assert await store.claim("sms", NOON + 4 * SECOND) == []
    (again,) = await store.claim("sms", NOON + 5 * SECOND)
    assert (again.attempts, again.state) == (2, "due")
    assert (await events(store, "conv_1"))[-1] == delayed


async def test_what_was_being_sent_at_a_crash_comes_back_as_open(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.join(TTL)
    await store.sending(await claimed(store, "msg_1"))
    await claimed(store, "msg_2")
    await store.append("conv_1", [call("x")], effects=[effect("msg_3")])
    clock.advance(TTL + 1)
    async with running(base.store()) as survivor:
        await survivor.bury()
        jobs = await survivor.claim("sms", clock.now())
        assert {(j.id, j.state, j.attempts) for j in jobs} == {
            ("msg_1", "sending", 2),
            ("msg_2", "due", 2),
            ("msg_3", "due", 1),
        }


# -- receipts ---------------------------------------------------------------------------------


def receipt_event(message: str, id: str, state: str = "DELIVRD") -> ReceiptReceived:
    return ReceiptReceived(message=message, carrier="main", id=id, state=state, error="000")


async def test_a_receipt_joins_the_stream_of_its_text(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7", "8")], wire=("main", ("7", "8")))
    assert await store.receipt(delivered("8"))
    assert await store.receipt(delivered("7"))
    assert (await events(store, "conv_1"))[2:] == [
        receipt_event("msg_1", "8"),
        receipt_event("msg_1", "7"),
    ]


async def test_a_receipt_that_comes_again_is_written_once(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [], wire=("main", ("7",)))
    for state in ("ENROUTE", "ENROUTE", "DELIVRD", "DELIVRD"):
        assert await store.receipt(delivered("7", state=state))
    assert (await events(store, "conv_1"))[1:] == [
        receipt_event("msg_1", "7", "ENROUTE"),
        receipt_event("msg_1", "7"),
    ]


async def test_receipts_that_come_before_the_answer_are_kept_in_order(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    assert not await store.receipt(delivered("7", state="ENROUTE"))
    assert not await store.receipt(delivered("7"))
    assert not await store.receipt(delivered("8"))
    await store.settle(job, [taken("msg_1", "7")], wire=("main", ("7",)))
    assert (await events(store, "conv_1"))[1:] == [
        taken("msg_1", "7"),
        receipt_event("msg_1", "7", "ENROUTE"),
        receipt_event("msg_1", "7"),
    ]


async def test_an_early_receipt_survives_a_restart(store: EventStore, base: Base) -> None:
    await store.append("conv_1", [call("msg_1")], effects=[effect("msg_1")])
    await store.receipt(delivered("7"))
    async with running(base.store()) as reopened:
        (job,) = await reopened.claim("sms", NOON)
        await reopened.settle(job, [], wire=("main", ("7",)))
        assert (await events(reopened, "conv_1"))[-1] == receipt_event("msg_1", "7")


async def test_an_id_belongs_to_its_carrier(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [], wire=("main", ("7",)))
    assert not await store.receipt(delivered("7", carrier="other"))


async def test_an_id_that_comes_round_again_belongs_to_the_newest_text(
    store: EventStore,
) -> None:
    for message, stream in (("msg_1", "conv_1"), ("msg_2", "conv_2")):
        job = await claimed(store, message, stream)
        await store.settle(job, [], wire=("main", ("7",)))
    await store.receipt(delivered("7"))
    assert (await events(store, "conv_2"))[-1] == receipt_event("msg_2", "7")
    assert len(await store.read("conv_1")) == 1


async def test_a_receipt_of_last_week_is_not_taken_for_a_new_text(
    store: EventStore, clock: FakeClock
) -> None:
    await store.receipt(delivered("7"))
    clock.advance(7 * DAY)
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7")], wire=("main", ("7",)))
    assert (await events(store, "conv_1"))[-1] == taken("msg_1", "7")


async def test_receipts_of_strangers_are_not_kept_for_ever(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    for id in ("1", "2", "3"):
        await store.receipt(delivered(id))
    clock.advance(2 * DAY)
    await store.receipt(delivered("4"))
    assert [row[0] for row in base.rows("SELECT id FROM early_receipt")] == ["4"]


# -- timers -----------------------------------------------------------------------------------


async def test_timers_are_due_in_order_until_they_are_dropped(store: EventStore) -> None:
    late = Timer("receipt:b", "conv_1", "receipt", NOON + 2)
    soon = Timer("receipt:a", "conv_1", "receipt", NOON + 1)
    await store.append("conv_1", [OPENED], timers=[late, soon])
    assert await store.due_timers(NOON) == []
    assert await store.due_timers(NOON + 1) == [soon]
    assert await store.due_timers(NOON + 2) == [soon, late]
    assert await store.due_timers(NOON + 2, limit=1) == [soon]
    assert await store.due_timers(NOON + 2, kind=soon.kind) == [soon, late]
    assert await store.due_timers(NOON + 2, kind="another") == []
    await store.drop_timer("receipt:a")
    await store.drop_timer("receipt:a")
    assert await store.due_timers(NOON + 2) == [late]


# -- opening and closing ----------------------------------------------------------------------


async def test_everything_is_there_after_reopening(base: Base) -> None:
    async with running(base.store()) as store:
        written = await store.append(
            "conv_1",
            [OPENED],
            subject="subj_1",
            effects=[effect("msg_1")],
            timers=[Timer("t", "conv_1", "receipt", NOON)],
            dedupe="d",
        )
        (position,) = await store.tail("threads")
        await store.advance("threads", position.position)
    async with running(base.store()) as store:
        assert await store.read("conv_1") == written
        assert await store.latest("subj_1") == "conv_1"
        assert await store.tail("threads") == []
        assert len(await store.claim("sms", NOON)) == 1
        assert len(await store.due_timers(NOON)) == 1
        assert await store.append("conv_1", [OPENED], dedupe="d") == []


async def test_a_reader_beside_the_service_sees_what_is_committed(
    store: EventStore, base: Base
) -> None:
    await store.append("conv_1", [OPENED])
    async with running(base.store(read_only=True)) as reader:
        assert await reader.recent(1) == [("conv_1", NOON)]
        await store.append("conv_1", [call("later")])
        assert len(await reader.read("conv_1")) == 2


async def test_a_closed_store_refuses_to_write(base: Base) -> None:
    async with running(base.store()) as store:
        pass
    with pytest.raises(StoreUnavailable, match="the store is closed"):
        await store.append("conv_1", [OPENED])
    await store.aclose()  # again: fine


# -- several workers --------------------------------------------------------------------------


async def test_a_lease_has_one_owner_until_it_runs_out(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    async with running(base.store()) as other:
        mine = await store.lease("sealer", TTL)
        assert mine == Fence("sealer", store.worker, 1)
        assert await other.lease("sealer", TTL) is None
        assert await store.lease("sealer", TTL) == mine  # kept
        clock.advance(TTL - 1)
        assert await store.renew([mine], TTL) == []
        clock.advance(TTL - 1)
        assert await other.lease("sealer", TTL) is None
        clock.advance(1)
        theirs = await other.lease("sealer", TTL)
        assert theirs == Fence("sealer", other.worker, 2)
        assert await store.renew([mine], TTL) == [mine]
        assert await store.lease("sealer", TTL) is None


async def test_a_lease_that_only_ran_out_is_kept(store: EventStore, clock: FakeClock) -> None:
    mine = await store.lease("sealer", TTL)
    assert mine is not None
    clock.advance(TTL + 1)
    assert await store.renew([mine], TTL) == []
    assert await store.lease("sealer", TTL) == mine


async def test_a_released_lease_is_free_at_once_and_its_epoch_never_comes_again(
    store: EventStore, base: Base
) -> None:
    mine = await store.lease("sealer", TTL)
    assert mine is not None
    await store.release(mine)
    async with running(base.store()) as other:
        theirs = await other.lease("sealer", TTL)
        assert theirs is not None
        await other.release(theirs)
    again = await store.lease("sealer", TTL)
    assert again is not None
    assert [mine.epoch, theirs.epoch, again.epoch] == [1, 2, 3]
    with pytest.raises(LeaseLost):
        await store.append("conv_1", [OPENED], fence=mine)


@fault("a lease is taken over", "nothing is written under it by the one before")
async def test_nothing_is_written_under_a_lease_that_somebody_else_has(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    mine = await store.lease("ari:pbx", TTL)
    assert mine is not None
    await store.append("conv_1", [OPENED], fence=mine)
    (position,) = await store.tail("c")
    clock.advance(TTL)
    async with running(base.store()) as other:
        assert await other.lease("ari:pbx", TTL)
    with pytest.raises(LeaseLost, match="another worker has the lease ari:pbx"):
        await store.append("conv_1", [call("stale")], fence=mine, effects=[effect("msg_1")])
    with pytest.raises(LeaseLost):
        await store.advance("c", position.position, mine)
    with pytest.raises(LeaseLost):
        await store.once("job", "slot", mine)
    assert await events(store, "conv_1") == [OPENED]
    assert await store.claim("sms", NOON * 2) == []
    assert await store.tail("c") == [position]


async def test_a_stale_append_spoils_no_other(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    stale = await store.lease("a", TTL)
    clock.advance(TTL)
    fresh = await store.lease("b", TTL)
    outcomes = await asyncio.gather(
        *(store.append("conv_1", [call(str(n))], fence=(stale, fresh)[n % 2]) for n in range(10)),
        return_exceptions=True,
    )
    assert [isinstance(outcome, LeaseLost) for outcome in outcomes] == [True, False] * 5


async def test_what_is_done_once_is_done_once(store: EventStore, base: Base) -> None:
    async with running(base.store()) as other:
        firsts = await asyncio.gather(
            *(worker.once("retention", "2026-11-20") for worker in (store, other) * 5)
        )
        assert sum(firsts) == 1
        assert await other.once("retention", "2026-11-21")
        assert await other.once("probe", "2026-11-20")


@fault("a worker is taken for dead and lives", "it writes nothing more")
async def test_a_worker_that_was_taken_for_dead_writes_nothing_more(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.join(TTL)
    job = await claimed(store, "msg_1")
    clock.advance(TTL + 1)
    await store.append("conv_1", [call("late")])  # nobody has missed it yet
    async with running(base.store()) as survivor:
        await survivor.bury()
        (again,) = await survivor.claim("sms", clock.now())
        for write in (
            store.append("conv_1", [call("stale")]),
            store.settle(job, [taken("msg_1", "7")], wire=("main", ("7",))),
            store.receipt(delivered("7")),
            store.advance("c", 1),
        ):
            with pytest.raises(LeaseLost, match="taken for dead"):
                await write
        assert not await survivor.receipt(delivered("7"))  # the stale id is not known
        await survivor.settle(again, [taken("msg_1", "8")])
    assert (await events(store, "conv_1"))[1:] == [call("late"), taken("msg_1", "8")]


async def test_a_job_in_other_hands_cannot_be_sent_or_settled(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    job = await claimed(store, "msg_1")  # by a worker that never joined: nobody knows it lives
    async with running(base.store()) as other:
        await other.bury()
        assert len(await other.claim("sms", clock.now())) == 1
        with pytest.raises(LeaseLost, match="msg_1 is in other hands"):
            await store.sending(job)
        with pytest.raises(LeaseLost, match="msg_1 is in other hands"):
            await store.settle(job, [taken("msg_1", "7")])
    assert await events(store, "conv_1") == [call("msg_1")]


async def test_a_job_is_settled_once(store: EventStore) -> None:
    job = await claimed(store, "msg_1")
    await store.settle(job, [taken("msg_1", "7")])
    with pytest.raises(LeaseLost):
        await store.settle(job, [taken("msg_1", "7")])
    assert await events(store, "conv_1") == [call("msg_1"), taken("msg_1", "7")]


async def test_the_living_keep_what_they_have(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.join(TTL)
    job = await claimed(store, "msg_1")
    await store.append("conv_1", [call("live")], held=True)
    clock.advance(TTL - 1)
    async with running(base.store()) as other:
        await other.join(TTL)
        assert await other.bury() == []
        assert await other.claim("sms", clock.now()) == []
    await store.settle(job, [])


async def test_the_live_calls_of_the_dead_are_found_until_they_are_closed(
    store: EventStore, base: Base, clock: FakeClock
) -> None:
    await store.join(TTL)
    await store.append("conv_1", [call("a")], held=True)
    await store.append("conv_1", [call("still")])
    await store.append("conv_2", [call("b")], held=True)
    await store.append("conv_2", [call("over")], held=False)
    clock.advance(TTL + 1)
    async with running(base.store()) as survivor:
        assert await survivor.bury() == ["conv_1"]
        assert await survivor.bury() == ["conv_1"]
        await survivor.append("conv_1", [call("closed")], held=False)
        assert await survivor.bury() == []


@fault("two workers share the outbox", "nothing is done twice")
async def test_two_workers_share_the_outbox_and_do_nothing_twice(
    store: EventStore, base: Base
) -> None:
    await store.append("conv_1", [OPENED], effects=[effect(f"m{n:03}") for n in range(60)])
    async with running(base.store()) as other:
        claims = await asyncio.gather(
            *(worker.claim("sms", NOON, limit=7) for worker in (store, other) * 10)
        )
    got = sorted(job.id for jobs in claims for job in jobs)
    assert len(got) == len(set(got))
    rest = await store.claim("sms", NOON, limit=60)
    assert sorted(got + [job.id for job in rest]) == [f"m{n:03}" for n in range(60)]


@fault(
    "two workers write to one conversation",
    "no gap, nothing twice, one order for all",
)
async def test_two_workers_append_to_one_stream_without_a_gap(
    store: EventStore, base: Base
) -> None:
    async with running(base.store()) as other:
        await asyncio.gather(
            *(
                worker.append("conv_1", [call(f"{number}")], subject="subj_1", dedupe=f"{number}")
                for number in range(50)
                for worker in (store, other)
            )
        )
    written = await store.read("conv_1")
    assert [e.sequence for e in written] == list(range(1, 51))
    assert len({e.event for e in written if isinstance(e.event, CallAnswered)}) == 50


@fault(
    "two workers write to one conversation",
    "no gap, nothing twice, one order for all",
)
async def test_a_stream_stays_in_order_though_who_comes_second_began_first(
    store: EventStore, base: Base
) -> None:
    began, written = threading.Event(), threading.Event()

    def late(link: Link) -> None:
        began.set()
        written.wait(1.0)  # on a file the other waits for us instead
        store._appender.apply(link, [Write("conv_1", [call("first to begin")])])

    async with running(base.store()) as other:
        slow = asyncio.create_task(store._writer.run(late))
        await asyncio.to_thread(began.wait)
        await other.append("conv_1", [call("second to begin")])
        written.set()
        await slow
    read = [e.id for e in await store.read("conv_1")]
    assert len(read) == 2
    assert [place.envelope.id for place in await store.tail("reader")] == read


async def test_a_write_of_another_worker_wakes_who_waits_or_is_found_by_looking(
    store: EventStore, base: Base
) -> None:
    async with running(base.store()) as other:
        seen = await store.changed(-1, 0)
        await other.append("conv_1", [OPENED])
        if base.name == "postgres":
            assert await store.changed(seen, 30) > seen
        assert len(await store.tail("c")) == 1


# -- as it is stored --------------------------------------------------------------------------


async def test_what_is_passed_on_is_what_is_stored(store: EventStore) -> None:
    first, second = await store.append("conv_1", [OPENED, call("a")], cause="evt_0")
    one, two = await store.committed("bus")
    assert (one.id, one.stream, one.sequence, one.at) == (first.id, "conv_1", 1, NOON)
    assert (one.actor, one.cause, one.name, one.version) == ("segue", "evt_0", *name_of(OPENED))
    assert json.loads(one.payload or "") == to_payload(OPENED)
    assert (two.id, len(two.link)) == (second.id, 32)
    assert await store.lag("bus") == 2
    await store.advance("bus", one.position)
    assert await store.committed("bus") == [two]
    assert await store.lag("bus") == 1
    assert [p.position for p in await store.tail("fresh")] == [one.position, two.position]


# -- states -----------------------------------------------------------------------------------


async def test_the_state_of_a_long_stream_is_read_from_a_snapshot_on(
    store: EventStore, base: Base
) -> None:
    for n in range(EVERY):
        await store.append("conv_1", [KeyPressed(call="c", key=str(n % 10))])
    assert base.rows("SELECT stream FROM snapshot") == []
    assert (await store.state("conv_1")).turns_taken == EVERY
    assert [tuple(r) for r in base.rows("SELECT stream, sequence FROM snapshot")] == [
        ("conv_1", EVERY)
    ]
    await store.append("conv_1", [OPENED, call("c")])
    state = await store.state("conv_1")
    assert state == fold(await store.read("conv_1"))
    assert state.on_the_line == "c"
    assert len(base.rows("SELECT stream FROM snapshot")) == 1  # not kept again for two events


async def test_a_snapshot_that_cannot_be_read_costs_time_only(
    store: EventStore, base: Base
) -> None:
    await store.append("conv_1", [KeyPressed(call="c", key="1")] * EVERY)
    before = await store.state("conv_1")
    await store._writer.run(lambda link: link.run("UPDATE snapshot SET payload = '\"{}\"'"))
    assert await store.state("conv_1") == before
    assert await store.state("conv_2") == Conversation()
