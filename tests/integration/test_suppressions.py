"""Who wants no texts gets none: the ledger, the gate and the limits, on both engines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from ari_app.conversation.events import (
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    Event,
    OptedIn,
    OptedOut,
    ReceiptReceived,
    TextBlocked,
    TextPromised,
    TextSubmitted,
)
from ari_app.conversation.identity import E164
from ari_app.errors import Conflict
from ari_app.outbox.verdict import ALLOWED, Blocked, Verdict, Wait
from ari_app.policy.sending.limits import Limits
from ari_app.policy.sending.rules import ALL, Rules
from ari_app.ports import Effect, Job
from ari_app.store.appending import Write
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Link
from ari_app.store.gate import SendingGate
from ari_app.store.gating import Gate
from ari_app.store.store import EventStore
from ari_app.store.suppressions import Following
from tests.support.clock import DAY, SECOND
from tests.support.meter import RecordingMeter
from tests.support.store import Base, running

KEY = b"k" * 32
US = "+15550199"
CALLER = E164("+12025550123")
OTHER = E164("+12025550177")
HOUR = 3600.0
NO_LIMITS = Limits(0, 0, 0, 0, 6, 0, 9, 0.0, 30, 0, 3)
TEXTS = "texts"


def subject(number: E164 = CALLER) -> str:
    return number.subject(KEY)


def out(number: E164 = CALLER, source: str = ALL, how: str = "word") -> OptedOut:
    return OptedOut(
        subject=subject(number), source=source, how=how, word="stop", message="mo:1", body="STOP"
    )


def back(number: E164 = CALLER, source: str = ALL) -> OptedIn:
    return OptedIn(
        subject=subject(number), source=source, how="word", word="start", message="", body="START"
    )


def agreed() -> ConsentGiven:
    return ConsentGiven(purpose=TEXTS, channel="voice", how="key", confidence=1.0, wording="w")


REFUSED = ConsentRefused(purpose=TEXTS, channel="voice", how="speech")


class Site:
    """Two workers of one database with the same rules."""

    def __init__(self, base: Base, stores: Sequence[EventStore], meter: RecordingMeter) -> None:
        self.base, self.stores, self.meter = base, stores, meter
        self.store = stores[0]
        self.outs = self.store.suppressions()
        self._promised = 0

    async def converse(self, number: E164 = CALLER, stream: str = "") -> str:
        stream = stream or f"conv_{number.value[1:]}"
        opened = ConversationOpened(channel="voice", did="1", language="en", number=number.value)
        await self.store.append(stream, [opened], subject=subject(number))
        return stream

    async def promises(self, to: E164 = CALLER, stream: str = "", **payload: object) -> str:
        self._promised += 1
        id, now = f"msg_{self._promised}", self.base.clock.now()
        promised = TextPromised(message=id, template="t", to=to.value, body="hi")
        effect = Effect("sms", id, now, {"to": to.value, "body": "hi", **payload})
        stream = stream or f"conv_{to.value[1:]}"
        await self.store.append(stream, [promised], effects=[effect], subject=subject(to))
        return id

    async def claims(self, worker: int = 0, limit: int = 100) -> list[str]:
        """The texts that may leave now."""
        store = self.stores[worker]
        claim = await store.claim_texts(self.base.clock.now(), limit)
        for job in claim.send:
            taken = TextSubmitted(message=job.id, carrier="main", ids=(job.id,), attempts=1)
            await store.settle(job, [taken], wire=("main", (job.id,)))
        return [job.id for job in claim.send]

    async def blocked(self, stream: str) -> list[tuple[str, str]]:
        return [
            (e.event.message, e.event.rule)
            for e in await self.store.read(stream)
            if isinstance(e.event, TextBlocked)
        ]


def use(store: EventStore, gate: Gate) -> None:
    """As if it had been made with this gate."""
    store._texts._gates = (*store._texts._gates, gate)


@asynccontextmanager
async def site(base: Base, rules: Rules) -> AsyncIterator[Site]:
    meter = RecordingMeter()
    # On SQLite there is one worker at a time.
    workers = 1 if base.name == "sqlite" else 2
    async with contextlib.AsyncExitStack() as stack:
        stores = []
        for _ in range(workers):
            store = base.store()
            use(store, SendingGate(store.engine, rules, meter, subject_key=KEY, sender=US))
            store.suppressions()
            stores.append(await stack.enter_async_context(running(store)))
        yield Site(base, stores, meter)


OPEN = Rules(limits=NO_LIMITS)


# -- the ledger follows the events --------------------------------------------------------------


async def test_the_ledger_holds_who_opted_out_until_they_are_back(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        assert not await here.outs.holds(subject(), "15550199")
        await here.store.append(stream, [out()])
        assert await here.outs.holds(subject(), "15550199")
        assert not await here.outs.holds(subject(OTHER), "15550199")
        (row,) = await here.outs.of(subject())
        assert (row.sender, row.how, row.word, row.stream) == (ALL, "word", "stop", stream)
        assert row.at == base.clock.now()
        await here.store.append(stream, [back()])
        assert await here.outs.page() == []


async def test_an_opt_out_of_one_sender_is_of_that_one(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_1", [out(source="15550199")])
        assert await here.outs.holds(subject(), "15550199")
        assert not await here.outs.holds(subject(), "36111")


async def test_the_first_opt_out_is_the_one_that_counts(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_1", [out()])
        since = base.clock.now()
        base.clock.advance(60)
        await here.store.append("conv_1", [out(how="operator")])
        (row,) = await here.outs.of(subject())
        assert (row.at, row.how) == (since, "word")


async def test_whoever_comes_back_to_a_sender_is_back_for_it_also_from_all(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_1", [out(), out(source="36111")])
        await here.store.append("conv_1", [back(source="15550199")])
        assert [row.sender for row in await here.outs.of(subject())] == ["36111"]


async def test_a_consent_that_is_taken_back_on_the_phone_counts_for_all_conversations(
    base: Base,
) -> None:
    async with site(base, OPEN) as here:
        first = await here.converse(stream="conv_1")
        await here.converse(stream="conv_2")
        waiting = await here.promises(stream="conv_2")
        await here.store.append(first, [REFUSED])
        assert await here.claims() == []
        assert await here.blocked("conv_2") == [(waiting, "opt_out")]
        await here.store.append("conv_2", [agreed()])
        text = await here.promises(stream="conv_2")
        assert await here.claims() == [text]


async def test_a_refusal_of_something_else_is_no_opt_out(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        await here.store.append(
            stream, [ConsentRefused(purpose="recording", channel="voice", how="speech")]
        )
        assert await here.outs.page() == []


async def test_an_anonymous_refusal_is_nobodys(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_1", [REFUSED])
        assert await here.outs.page() == []


async def test_what_is_not_appended_changes_nothing(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_1", [out()], dedupe="mo:1")
        await here.store.append("conv_1", [back()])
        await here.store.append("conv_1", [out()], dedupe="mo:1")
        with pytest.raises(Conflict):
            await here.store.append("conv_1", [out()], expected=0)
        assert await here.outs.page() == []


async def test_all_of_a_long_list_are_found_page_by_page(base: Base) -> None:
    async with site(base, OPEN) as here:
        numbers = [E164(f"+1202555{n:04}") for n in range(25)]
        await asyncio.gather(*(here.store.append(f"conv_{n}", [out(n)]) for n in numbers))
        found, after = [], ("", "")
        while page := await here.outs.page(after, 10):
            found += [row.subject for row in page]
            after = page[-1].subject, page[-1].sender
        assert found == sorted(subject(n) for n in numbers)


# -- nothing that waits leaves after a STOP -----------------------------------------------------


async def test_what_was_promised_before_a_stop_is_blocked_at_its_claim(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        first = await here.promises()
        assert await here.claims() == [first]
        second = await here.promises()
        await here.store.append(stream, [out()])
        assert await here.claims() == []
        assert await here.blocked(stream) == [(second, "opt_out")]
        assert await here.claims() == []


async def test_the_others_of_a_claim_go_out(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.promises(CALLER)
        other = await here.promises(OTHER)
        await here.store.append("conv_9", [out(CALLER)])
        assert await here.claims() == [other]


async def test_only_one_confirmation_leaves(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        await here.store.append(stream, [out()])
        first = await here.promises(despite_refusal=True)
        second = await here.promises(despite_refusal=True)
        assert await here.claims() == [first]
        assert await here.claims() == []
        assert await here.blocked(stream) == [(second, "opt_out")]


async def test_help_leaves_whoever_has_opted_out(base: Base) -> None:
    async with site(base, OPEN) as here:
        await here.store.append("conv_9", [out()])
        answer = await here.promises(despite_refusal=True, answers="help")
        assert await here.claims() == [answer]


async def test_a_claim_that_is_under_way_is_waited_for_by_a_stop(base: Base) -> None:
    """Who was claimed before the STOP was stored has left before it; nobody is in between."""
    async with site(base, OPEN) as here:
        stream = await here.converse()
        gate = SendingGate(here.store.engine, OPEN, here.meter, subject_key=KEY, sender=US)
        link = base.engine().connect()
        link.begin()
        assert gate.judge(link, [job(CALLER)], base.clock.now()) == [ALLOWED]

        stop = asyncio.create_task(here.store.append(stream, [out()]))
        done, _ = await asyncio.wait([stop], timeout=0.5)
        assert not done
        link.commit()
        link.close()
        await stop
        assert await here.outs.holds(subject(), "15550199")


async def test_a_stop_that_is_being_stored_is_waited_for_by_a_claim(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        gate = SendingGate(here.store.engine, OPEN, here.meter, subject_key=KEY, sender=US)
        link, other = base.engine().connect(), base.engine().connect()
        link.begin()
        following = Following(here.store.engine, here.store._appender)
        following.apply(link, [Write(stream, [out()])])
        judged: list[Verdict] = []

        def claims() -> None:
            other.begin()
            judged.extend(gate.judge(other, [job(CALLER)], base.clock.now()))
            other.commit()

        thread = threading.Thread(target=claims)
        thread.start()
        await asyncio.to_thread(thread.join, 0.5)
        assert thread.is_alive()
        link.commit()
        await asyncio.to_thread(thread.join)
        for each in (link, other):
            each.close()
        assert judged == [Blocked("opt_out", "the recipient wants no more texts")]


async def test_whoever_is_stored_first_wins_however_they_race(base: Base) -> None:
    async with site(base, OPEN) as here:
        numbers = [E164(f"+1202555{n:04}") for n in range(20)]
        for number in numbers:
            await here.promises(number)
        await asyncio.gather(
            *(here.store.append(f"conv_{n.value[1:]}", [out(n)]) for n in numbers),
            *(here.claims(worker, 3) for worker in range(len(here.stores)) for _ in range(4)),
        )
        while await here.claims():
            pass
        for number in numbers:
            events = [e.event for e in await here.store.read(f"conv_{number.value[1:]}")]
            sent = any(isinstance(e, TextSubmitted) for e in events)
            assert sent != any(isinstance(e, TextBlocked) for e in events)
            late = await here.promises(number)
            assert late not in await here.claims()


# -- limits -------------------------------------------------------------------------------------


async def test_limits_hold_over_claims_and_workers(base: Base) -> None:
    rules = replace(OPEN, limits=replace(NO_LIMITS, recipient_hour=2, prefix_hour=3))
    async with site(base, rules) as here:
        first, second = await here.promises(), await here.promises()
        assert await here.claims() == [first]
        assert await here.claims(len(here.stores) - 1) == [second]
        third = await here.promises()
        assert await here.claims() == []
        assert here.meter.counts["segue_sms_held_total", "recipient_hour"] == 1
        other = await here.promises(OTHER)
        assert await here.claims() == [other]
        await here.promises(E164("+12025550188"))
        assert await here.claims() == []
        assert here.meter.counts["segue_sms_held_total", "prefix_hour"] == 1
        base.clock.advance(HOUR + 600)
        assert third in await here.claims()


async def test_a_text_that_is_claimed_again_counts_once(base: Base) -> None:
    rules = replace(OPEN, limits=replace(NO_LIMITS, recipient_hour=1, prefix_hour=1))
    async with site(base, rules) as here:
        text = await here.promises()
        for _ in range(4):
            (found,) = (await here.store.claim_texts(base.clock.now(), 10)).send
            assert found.id == text
            await here.store.settle(found, [], retry_at=base.clock.now() + SECOND)
            base.clock.advance(2)
        assert base.rows("SELECT count(*) FROM sending") == [(1,)]
        assert base.rows("SELECT sum(value) FROM sending_count") == [(1,)]


async def test_two_workers_that_claim_at_once_share_a_limit(base: Base) -> None:
    rules = replace(OPEN, limits=replace(NO_LIMITS, prefix_hour=7))
    async with site(base, rules) as here:
        for n in range(40):
            await here.promises(E164(f"+1202555{n:04}"))
        turns = [here.claims(w, 5) for w in range(len(here.stores)) for _ in range(6)]
        sent = [id for some in await asyncio.gather(*turns) for id in some]
        assert len(sent) == 7


async def test_what_left_more_than_a_day_ago_is_forgotten(base: Base) -> None:
    rules = replace(OPEN, limits=replace(NO_LIMITS, recipient_day=50, conversation_day=50))
    async with site(base, rules) as here:
        engine = here.store.engine
        gate = SendingGate(engine, rules, here.meter, subject_key=KEY, sender=US)
        with contextlib.closing(engine.connect()) as link:
            for n in range(63):
                judged(gate, link, [job(E164(f"+1202555{n:04}"))], base.clock.now())
            assert base.rows("SELECT count(*) FROM sending") == [(63,)]
            base.clock.advance(DAY + 2 * HOUR)
            judged(gate, link, [job(CALLER)], base.clock.now())
        assert base.rows("SELECT count(*) FROM sending") == [(1,)]
        assert base.rows("SELECT count(*) FROM sending_count") == [(1,)]


async def test_texts_that_fail_are_counted_by_their_prefix(base: Base) -> None:
    rules = replace(OPEN, limits=replace(NO_LIMITS, failure_share=0.5, failure_least=4))
    async with site(base, rules) as here:
        numbers = [E164(f"+1202555{n:04}") for n in range(4)]
        for number in numbers:
            id = await here.promises(number)
            assert await here.claims() == [id]
            state = "UNDELIV" if number in numbers[:2] else "DELIVRD"
            receipt = ReceiptReceived(message=id, carrier="main", id=id, state=state, error="001")
            await here.store.append(f"conv_{number.value[1:]}", [receipt])
        while await here.store.read_models().run_once():
            pass
        await here.store.count_failures(base.clock.now())
        await here.store.count_failures(base.clock.now())  # anew, not on top
        await here.promises(E164("+12025559999"))
        assert await here.claims() == []
        assert here.meter.counts["segue_sms_held_total", "failures"] == 1
        assert here.meter.counts["segue_sms_pumping_total", "failures"] == 1
        abroad = await here.promises(E164("+33612345678"))
        assert await here.claims() == [abroad]
        base.clock.advance(HOUR)
        await here.store.count_failures(base.clock.now())
        assert len(await here.claims()) == 1


async def test_what_failed_more_than_an_hour_ago_is_not_counted(base: Base) -> None:
    async with site(base, OPEN) as here:
        for n, pause in enumerate((0, 70 * 60)):
            base.clock.advance(pause)
            number = E164(f"+1202555{n:04}")
            id = await here.promises(number)
            assert await here.claims() == [id]
            receipt = ReceiptReceived(
                message=id, carrier="main", id=id, state="UNDELIV", error="001"
            )
            await here.store.append(f"conv_{number.value[1:]}", [receipt])
        while await here.store.read_models().run_once():
            pass
        await here.store.count_failures(base.clock.now())
        until = base.clock.now() + 3600 * SECOND
        assert [tuple(r) for r in base.rows("SELECT key, until, value FROM sending_count")] == [
            ("f:120255", until, 1)
        ]


# -- what it costs, and what it holds -----------------------------------------------------------


class Counting:
    """A link that counts what is sent to the database."""

    def __init__(self, link: Link) -> None:
        self._link, self.statements = link, 0

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        self.statements += 1
        return self._link.rows(sql, values)

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        self.statements += 1
        return self._link.run(sql, values)

    def bulk(self, statement: Bulk, rows: Sequence[Any]) -> None:
        self.statements += bool(rows)
        self._link.bulk(statement, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


def job(to: E164 = CALLER, id: str = "", **payload: object) -> Job:
    return Job(
        kind="sms",
        id=id or f"msg_{to.value[1:]}",
        stream=f"conv_{to.value[1:]}",
        payload={"to": to.value, "body": "hi", **payload},
        attempts=1,
        state="due",
    )


def judged(gate: SendingGate, link: Any, jobs: Sequence[Job], now: int) -> list[Verdict]:
    link.begin()
    verdicts = gate.judge(link, jobs, now)
    link.commit()
    return verdicts


@pytest.mark.parametrize("texts", [1, 100])
async def test_a_claim_of_any_size_takes_at_most_six_statements(base: Base, texts: int) -> None:
    rules = Rules(limits=replace(Limits(), near_hour=1000, money_day=10**9))
    async with site(base, rules) as here:
        engine = here.store.engine
        gate = SendingGate(engine, rules, here.meter, subject_key=KEY, sender=US)
        with contextlib.closing(engine.connect()) as real:
            link = Counting(real)
            jobs = [job(E164(f"+1202555{n:04}")) for n in range(texts)]
            assert judged(gate, link, jobs, base.clock.now()) == [ALLOWED] * texts
        assert link.statements <= 6


async def test_an_erased_recipient_and_no_number_are_refused(base: Base) -> None:
    async with site(base, OPEN) as here:
        engine = here.store.engine
        gate = SendingGate(engine, OPEN, here.meter, subject_key=KEY, sender=US)
        erased = replace(job(), payload={})
        odd = replace(job(), payload={"to": "12"})
        handoff = replace(job(), kind="handoff", payload={})
        with contextlib.closing(engine.connect()) as link:
            found = judged(gate, link, [erased, odd, handoff, job()], base.clock.now())
        assert [v.rule if isinstance(v, Blocked | Wait) else None for v in found] == [
            "erased",
            "number",
            None,
            None,
        ]


async def test_no_table_holds_a_number(base: Base) -> None:
    rules = Rules(limits=replace(Limits(), money_day=10**9))
    async with site(base, rules) as here:
        await here.promises()
        assert await here.claims()
        await here.store.append("conv_1", [out()])
        digits = CALLER.value[1:]
        for table in ("suppression", "sending", "sending_count"):
            rows = base.rows(f"SELECT * FROM {table}")
            assert rows
            # The id of the stream is this test's own.
            written = str(rows).replace(f"conv_{digits}", "")
            assert digits not in written
            assert digits[:9] not in written


async def test_an_opt_out_outlives_the_erasure_of_the_person(base: Base) -> None:
    async with site(base, OPEN) as here:
        stream = await here.converse()
        await here.store.append(stream, [out()])
        base.clock.advance(60)
        assert await here.store.tombstone(subject(), base.clock.now()) > 0
        (_, opted_out) = await here.store.read(stream)
        event: Event = opted_out.event
        assert not isinstance(event, OptedOut)
        assert await here.outs.holds(subject(), "15550199")
        await here.promises(stream="conv_2")
        assert await here.claims() == []
