"""The queue of texts, on both engines: whose turn it is, who may go, and who never goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from ari_app.conversation.events import (
    ConsentRefused,
    Event,
    TextBlocked,
    TextCancelled,
    TextDelayed,
    TextExpired,
    TextPromised,
    TextResent,
    TextSightLost,
    TextSubmitted,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.message import MessageClass, MessageState, Priority
from ari_app.outbox.errors import NotPossible
from ari_app.outbox.verdict import ALLOWED, Blocked, Verdict, Wait
from ari_app.ports import Claim, Effect, Job, Late, Receipt, Settled
from ari_app.store.engine import Link
from ari_app.store.queue_desk import Wanted, names_of
from ari_app.store.store import EventStore
from tests.support.clock import NOON, SECOND
from tests.support.faults import fault
from tests.support.store import Base, running

SECRET = b"s" * 32
ADA, BOB = "+12025550101", "+12025550102"
MINUTE = 60 * SECOND


class Rules:
    """A gate whose verdicts a test writes."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.asked: list[str] = []

    def judge(self, link: Link, jobs: Sequence[Job], now: int) -> Sequence[Verdict]:
        assert link.rows("SELECT count(*) FROM outbox")
        self.asked += [job.id for job in jobs]
        return [self.verdicts.get(job.id, ALLOWED) for job in jobs]


class Queue:
    """One worker, and what a test does with its texts."""

    def __init__(self, base: Base, store: EventStore, rules: Rules) -> None:
        self.base, self.store, self.rules = base, store, rules
        self._promised = 0

    async def promise(
        self,
        id: str,
        to: str = ADA,
        *,
        due: int = NOON,
        priority: Priority = Priority.NORMAL,
        until: int | None = None,
        message_class: MessageClass = MessageClass.AT_MOST_ONCE,
    ) -> None:
        promised = TextPromised(message=id, template="t", to=to, body="b")
        effect = Effect("sms", id, due, {"to": to, "body": "b"}, message_class, priority, until)
        # Each in a conversation of its own: the number alone says whose queue it is.
        await self.store.append(f"conv_{id}", [promised], effects=[effect])

    async def claim(self, limit: int = 10, **more: object) -> Claim:
        now = self.base.clock.now()
        return await self.store.claim_texts(now, limit, **more)  # type: ignore[arg-type]  # as named

    async def sent(self, limit: int = 10, **more: object) -> list[str]:
        return [job.id for job in (await self.claim(limit, **more)).send]

    async def take(self, id: str) -> Job:
        (job,) = (await self.claim()).send
        assert job.id == id
        return job

    async def settle(self, job: Job, *events: Event, **how: object) -> None:
        (why,) = await self.store.settle_many([Settled(job, events, **how)])  # type: ignore[arg-type]  # as named
        if why is not None:
            raise why

    async def log(self, id: str) -> list[Event]:
        return [e.event for e in await self.store.read(f"conv_{id}")][1:]

    async def state(self, id: str) -> MessageState:
        return (await self.store.state(f"conv_{id}")).messages[id].state

    def row(self, id: str) -> tuple[str, int]:
        ((state, attempts),) = self.base.rows("SELECT state, attempts FROM outbox WHERE id = ?", id)
        return state, attempts


def another(base: Base, rules: Rules) -> EventStore:
    """One more worker, with the key of the numbers and the gate."""
    store = base.store()
    # What the constructor would have been given.
    store._appender._queues._secret = SECRET
    store._texts._gates = (*store._texts._gates[:1], rules)
    return store


@pytest.fixture
async def queue(base: Base) -> AsyncIterator[Queue]:
    rules = Rules()
    async with running(another(base, rules)) as store:
        yield Queue(base, store, rules)


def taken(id: str) -> TextSubmitted:
    return TextSubmitted(message=id, carrier="main", ids=(f"smsc-{id}",), attempts=1)


# -- order --------------------------------------------------------------------------------------


async def test_urgent_texts_go_first_then_in_the_order_in_which_they_are_due(
    queue: Queue,
) -> None:
    await queue.promise("bulk", "+12025550001", priority=Priority.BULK)
    await queue.promise("later", "+12025550002", due=NOON + 1)
    await queue.promise("sooner", "+12025550003", due=NOON - 1)
    await queue.promise("urgent", "+12025550004", due=NOON, priority=Priority.URGENT)
    queue.base.clock.advance(1)
    assert await queue.sent(3) == ["urgent", "sooner", "later"]
    assert await queue.sent(3) == ["bulk"]
    assert await queue.sent(3) == []
    assert queue.row("urgent") == ("sending", 1)


async def test_two_texts_to_one_recipient_never_overtake_each_other(queue: Queue) -> None:
    await queue.promise("first", priority=Priority.BULK)
    await queue.promise("second", priority=Priority.URGENT)
    await queue.promise("other", BOB)
    claim = await queue.claim()
    assert sorted(job.id for job in claim.send) == ["first", "other"]
    first = next(job for job in claim.send if job.id == "first")
    assert await queue.sent() == []

    # Also not while the first waits for its next try.
    delayed = TextDelayed(message="first", reason="r", attempts=1)
    await queue.settle(first, delayed, retry_at=NOON + MINUTE)
    assert await queue.sent() == []
    queue.base.clock.advance(60)
    again = await queue.take("first")
    assert again.attempts == 2
    await queue.settle(again, taken("first"))
    assert await queue.sent() == ["second"]


async def test_the_order_holds_for_two_workers_and_for_what_a_dead_one_has_left(
    queue: Queue,
) -> None:
    if queue.base.name == "sqlite":
        pytest.skip("SQLite has one worker")
    await queue.store.join(10)
    await queue.promise("first")
    await queue.promise("second")
    async with running(another(queue.base, queue.rules)) as other:
        await other.join(10_000)
        await queue.take("first")
        now = queue.base.clock.now()
        assert not (await other.claim_texts(now, 10)).send
        queue.base.clock.advance(60)
        assert await other.bury() == []
        found = await other.claim_texts(queue.base.clock.now(), 10)
        assert [job.id for job in found.lost] == ["first"]
        # Whoever took it over says what is known of it; only then it is the next one's turn.
        assert not (await other.claim_texts(queue.base.clock.now(), 10)).send
        lost = TextSightLost(message="first", reason="r")
        assert await other.settle_many([Settled(found.lost[0], [lost], in_doubt=True)]) == [None]
        found = await other.claim_texts(queue.base.clock.now(), 10)
        assert [job.id for job in found.send] == ["second"]


@fault(
    "two workers claim from one queue of texts",
    "each text is claimed once, those to one recipient in order",
)
async def test_two_workers_never_get_the_same_text(queue: Queue) -> None:
    for n in range(60):
        await queue.promise(f"m{n:02}", f"+120255502{n:02}")
    async with running(another(queue.base, queue.rules)) as other:
        claims = await asyncio.gather(
            *(store.claim_texts(queue.base.clock.now(), 7) for store in (queue.store, other) * 10)
        )
    got = [job.id for claim in claims for job in claim.send]
    assert len(got) == len(set(got))
    assert len(got) + len(await queue.sent(100)) == 60


async def test_a_text_for_later_lets_the_one_after_it_go_first(queue: Queue) -> None:
    await queue.promise("tomorrow", due=NOON + MINUTE)
    await queue.promise("now")
    job = await queue.take("now")
    queue.base.clock.advance(60)
    # Its time has come, but the other one is on its way.
    await queue.promise("third")
    assert await queue.sent() == []
    await queue.settle(job, taken("now"))
    assert await queue.sent() == ["tomorrow"]


@fault(
    "the clock is set back between two texts", "they go in the order in which they were promised"
)
async def test_a_clock_that_was_set_back_changes_no_order(queue: Queue) -> None:
    queue.base.clock.advance(3600)
    await queue.promise("first")
    queue.base.clock.advance(-1800)
    await queue.promise("second")
    assert await queue.sent() == ["first"]


async def test_no_number_stands_in_the_queue_in_clear(queue: Queue) -> None:
    await queue.promise("first")
    ((recipient,),) = queue.base.rows("SELECT recipient FROM outbox")
    assert recipient.startswith("to_")
    assert ADA.strip("+") not in recipient
    assert recipient == names_of(SECRET, E164(ADA))[0] != names_of(b"x" * 32, E164(ADA))[0]


# -- too late -----------------------------------------------------------------------------------


async def test_a_text_whose_validity_has_ended_is_never_sent_and_says_so(queue: Queue) -> None:
    await queue.promise("short", until=NOON + MINUTE)
    await queue.promise("long", BOB, until=NOON + 2 * MINUTE)
    queue.base.clock.advance(60)
    claim = await queue.claim()
    assert [job.id for job in claim.send] == ["long"]
    assert claim.send[0].until == NOON + 2 * MINUTE
    assert claim.expired == 1
    late = TextExpired(message="short", reason="its validity ended before it was sent")
    assert await queue.log("short") == [late]
    assert queue.row("short") == ("done", 0)


async def test_also_what_is_paused_or_waits_behind_another_expires(queue: Queue) -> None:
    await queue.promise("first")
    await queue.promise("behind", until=NOON + MINUTE)
    await queue.take("first")
    await queue.store.queue().pause("all", "r", "b")
    await queue.promise("paused", BOB, until=NOON + MINUTE)
    queue.base.clock.advance(60)
    claim = await queue.claim()
    assert (claim.expired, claim.send, claim.paused) == (2, [], ["all"])
    assert queue.row("behind") == queue.row("paused") == ("done", 0)


async def test_a_retry_after_the_end_of_its_validity_is_no_retry(queue: Queue) -> None:
    await queue.promise("short", until=NOON + MINUTE)
    delayed = TextDelayed(message="short", reason="r", attempts=1)
    await queue.settle(await queue.take("short"), delayed, retry_at=NOON + 60 * MINUTE)
    queue.base.clock.advance(60)
    assert (await queue.claim()).expired == 1  # now, and not in an hour


async def test_what_is_stale_ends_by_the_time_for_which_it_was_promised(queue: Queue) -> None:
    await queue.promise("old")
    await queue.promise("planned", BOB, due=NOON + 60 * MINUTE)
    queue.base.clock.advance(3600)
    claim = await queue.claim(stale=NOON + MINUTE)
    assert [job.id for job in claim.send] == ["planned"]
    assert claim.expired == 1


# -- rules --------------------------------------------------------------------------------------


async def test_what_a_rule_forbids_ends_in_the_transaction_of_the_claim(queue: Queue) -> None:
    queue.rules.verdicts = {"no": Blocked("opt_out", "the recipient has opted out")}
    await queue.promise("no")
    await queue.promise("yes", BOB)
    claim = await queue.claim()
    assert [job.id for job in claim.send] == ["yes"]
    assert claim.blocked == ["opt_out"]
    reason = "the recipient has opted out"
    assert await queue.log("no") == [TextBlocked(message="no", rule="opt_out", reason=reason)]
    assert queue.row("no") == ("done", 0)
    assert queue.rules.asked == ["no", "yes"]


async def test_what_a_rule_delays_comes_back_and_lets_others_go_first(queue: Queue) -> None:
    queue.rules.verdicts = {"night": Wait(NOON + MINUTE, "quiet_hours")}
    await queue.promise("night", priority=Priority.BULK)
    await queue.promise("code", priority=Priority.URGENT)
    claim = await queue.claim()
    assert (claim.send, claim.postponed) == ([], 1)
    assert await queue.sent() == ["code"]
    queue.rules.verdicts = {}
    queue.base.clock.advance(60)
    assert await queue.sent() == []  # the code is on its way
    assert await queue.log("night") == []
    assert queue.row("night") == ("due", 0)


async def test_a_delay_into_the_past_is_a_short_one(queue: Queue) -> None:
    queue.rules.verdicts = {"night": Wait(NOON - MINUTE, "quiet_hours")}
    await queue.promise("night")
    assert (await queue.claim()).postponed == 1
    assert (await queue.claim()).moved == 0


async def test_a_delay_beyond_its_validity_ends_with_it(queue: Queue) -> None:
    queue.rules.verdicts = {"night": Wait(NOON + 60 * MINUTE, "quiet_hours")}
    await queue.promise("night", until=NOON + MINUTE)
    assert (await queue.claim()).postponed == 1
    queue.base.clock.advance(60)
    assert (await queue.claim()).expired == 1


async def test_a_refusal_that_is_on_disk_before_the_claim_stops_it(queue: Queue) -> None:
    await queue.promise("first")
    refused = ConsentRefused(purpose="texts", channel="sms", how="text")
    append = queue.store.append("conv_first", [refused])
    # At once: whichever is first, a text is sent only if its claim was before the refusal.
    _, claim = await asyncio.gather(append, queue.claim())
    log = await queue.log("first")
    kinds = [type(event).__name__ for event in log]
    assert kinds in (["ConsentRefused"], ["ConsentRefused", "TextBlocked"])
    assert bool(claim.send) is (len(log) == 1)


# -- the kill switch ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("all", []),
        ("carrier:main", []),
        ("carrier:other", ["bulk", "urgent"]),
        ("class:reconcile", ["bulk"]),
        ("class:at_most_once", ["urgent"]),
        ("priority:bulk", ["urgent"]),
    ],
)
async def test_what_is_paused_is_not_claimed_until_it_is_resumed(
    queue: Queue, scope: str, left: list[str]
) -> None:
    await queue.promise("bulk", priority=Priority.BULK)
    await queue.promise(
        "urgent", BOB, priority=Priority.URGENT, message_class=MessageClass.RECONCILE
    )
    desk = queue.store.queue()
    await desk.pause(scope, "a loop", "operator:ada")
    claim = await queue.claim(carriers=["main"])
    assert sorted(job.id for job in claim.send) == left
    assert claim.paused == [scope]
    (pause,) = await desk.pauses()
    assert (pause.scope, pause.by, pause.reason, pause.at) == (
        scope,
        "operator:ada",
        "a loop",
        NOON,
    )

    await desk.resume(scope)
    assert await desk.pauses() == []
    rest = {"bulk", "urgent"} - set(left)
    assert set(await queue.sent(carriers=["main"])) == rest
    with pytest.raises(NotPossible, match=f"{scope} is not paused"):
        await desk.resume(scope)


async def test_the_kill_switch_survives_a_restart(queue: Queue) -> None:
    await queue.store.queue().pause("all", "r", "b")
    await queue.promise("first")
    async with running(another(queue.base, queue.rules)) as restarted:
        claim = await restarted.claim_texts(queue.base.clock.now(), 10)
        assert (claim.send, claim.paused) == ((), ["all"])


# -- unknown fates ------------------------------------------------------------------------------


async def test_a_resend_is_on_disk_before_the_text_goes_again(queue: Queue) -> None:
    await queue.promise("first", message_class=MessageClass.AT_LEAST_ONCE)
    lost = TextSightLost(message="first", reason="r")
    await queue.settle(await queue.take("first"), lost, retry_at=NOON, in_doubt=True)
    again = await queue.take("first")
    assert (again.doubts, again.attempts, again.state) == (1, 2, "due")
    reason = "nobody knows whether it was taken before"
    assert await queue.log("first") == [
        lost,
        TextResent(message="first", reason=reason, attempts=2),
    ]


async def test_a_throttled_text_has_its_attempt_back(queue: Queue) -> None:
    await queue.promise("first")
    await queue.settle(await queue.take("first"), retry_at=NOON, counted=False)
    assert queue.row("first") == ("due", 0)


async def test_a_settlement_is_done_once_and_those_beside_it_all_the_same(queue: Queue) -> None:
    await queue.promise("first")
    await queue.promise("second", BOB)
    first, second = (await queue.claim()).send
    assert await queue.store.settle_many([Settled(first, [taken("first")])]) == [None]
    twice, once = await queue.store.settle_many(
        [Settled(first, [taken("first")]), Settled(second, [taken("second")])]
    )
    assert "in other hands" in str(twice)
    assert once is None
    assert await queue.log("first") == [taken("first")]
    assert await queue.log("second") == [taken("second")]


async def test_receipts_that_outran_the_answer_are_settled_with_it(queue: Queue) -> None:
    await queue.promise("first")
    job = await queue.take("first")
    assert not await queue.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    event = TextSubmitted(message="first", carrier="main", ids=("7",), attempts=1)
    await queue.settle(job, event, wire=("main", ("7",)))
    assert [type(e).__name__ for e in await queue.log("first")] == [
        "TextSubmitted",
        "ReceiptReceived",
    ]


# -- late answers -------------------------------------------------------------------------------


async def given_up(queue: Queue, id: str, **how: object) -> None:
    """Its fate is lost."""
    await queue.settle(await queue.take(id), lost(id), in_doubt=True, **how)


def lost(id: str) -> TextSightLost:
    return TextSightLost(message=id, reason="no answer")


async def test_a_late_answer_makes_an_unknown_text_submitted_and_its_receipt_finds_it(
    queue: Queue,
) -> None:
    await queue.promise("first")
    await given_up(queue, "first")
    await queue.store.answered_late([("first", Late("main", ("7",), 1))])
    assert await queue.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    submitted = TextSubmitted(message="first", carrier="main", ids=("7",), attempts=1)
    assert (await queue.log("first"))[:2] == [lost("first"), submitted]
    assert await queue.state("first") is MessageState.DELIVERED


async def test_a_receipt_that_came_before_the_late_answer_is_not_lost(queue: Queue) -> None:
    await queue.promise("first")
    await given_up(queue, "first")
    assert not await queue.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    await queue.store.answered_late([("first", Late("main", ("7",), 1))])
    assert await queue.state("first") is MessageState.DELIVERED
    assert not queue.base.rows("SELECT * FROM early_receipt")


async def test_what_was_taken_after_all_is_not_sent_again(queue: Queue) -> None:
    await queue.promise("first", message_class=MessageClass.AT_LEAST_ONCE)
    await given_up(queue, "first", retry_at=NOON)
    await queue.store.answered_late([("first", Late("main", ("7",), 1))])
    assert await queue.sent() == []
    assert await queue.state("first") is MessageState.SUBMITTED


async def test_a_text_that_went_again_stays_a_possible_duplicate_with_both_ids(
    queue: Queue,
) -> None:
    await queue.promise("first", message_class=MessageClass.AT_LEAST_ONCE)
    await given_up(queue, "first", retry_at=NOON)
    again = await queue.take("first")
    await queue.store.answered_late([("first", Late("main", ("7",), 1))])
    await queue.settle(again, taken("first"), wire=("main", ("8",)))
    assert await queue.state("first") is MessageState.POSSIBLE_DUPLICATE
    assert await queue.store.receipt(Receipt("main", "7", "ENROUTE", ""))
    assert await queue.store.receipt(Receipt("main", "8", "DELIVRD", ""))
    assert await queue.state("first") is MessageState.DELIVERED


async def test_a_part_that_is_known_late_is_found_while_the_rest_stays_unknown(
    queue: Queue,
) -> None:
    await queue.promise("first")
    await given_up(queue, "first")
    await queue.store.answered_late([("first", Late("main", ("7",), 2))])
    assert await queue.state("first") is MessageState.UNKNOWN
    assert await queue.store.receipt(Receipt("main", "7", "ENROUTE", ""))
    await queue.store.answered_late([("first", Late("main", ("7", "8"), 2))])
    assert await queue.state("first") is MessageState.SUBMITTED


async def test_a_late_refusal_settles_the_only_try_and_no_other(queue: Queue) -> None:
    for id, to in (("first", ADA), ("second", BOB)):
        await queue.promise(id, to)
    (one, two) = (await queue.claim()).send
    for job in (one, two):
        await queue.settle(job, lost(job.id), in_doubt=True)
    await queue.store.queue().retry("second")
    await queue.settle(await queue.take("second"), lost("second"), in_doubt=True)
    no = Late("main", (), 1, "ESME_RINVDSTADR")
    await queue.store.answered_late([("first", no), ("second", no), ("third", no)])
    assert await queue.state("first") is MessageState.REJECTED
    assert await queue.state("second") is MessageState.UNKNOWN


# -- the desk -----------------------------------------------------------------------------------


async def test_a_waiting_text_can_be_taken_back_and_the_next_one_goes(queue: Queue) -> None:
    await queue.promise("first", due=NOON)
    await queue.promise("second")
    await queue.store.queue().cancel("first", "a mistake", "operator:ada")
    assert await queue.log("first") == [
        TextCancelled(message="first", reason="a mistake", by="operator:ada")
    ]
    assert await queue.sent() == ["second"]
    with pytest.raises(NotPossible, match="first is cancelled: it cannot be cancelled"):
        await queue.store.queue().cancel("first", "r", "b")


async def test_what_is_claimed_cannot_be_taken_back(queue: Queue) -> None:
    await queue.promise("first")
    job = await queue.take("first")
    with pytest.raises(NotPossible, match="first is being sent at this moment"):
        await queue.store.queue().cancel("first", "r", "b")
    await queue.settle(job, taken("first"))
    with pytest.raises(NotPossible, match="first is submitted: it cannot be cancelled"):
        await queue.store.queue().cancel("first", "r", "b")
    with pytest.raises(NotPossible, match="there is no text msg_0"):
        await queue.store.queue().cancel("msg_0", "r", "b")


async def test_a_text_that_waits_can_be_hurried(queue: Queue) -> None:
    await queue.promise("first", due=NOON + 60 * MINUTE)
    assert not await queue.store.queue().retry("first")
    job = await queue.take("first")
    assert (job.doubts, await queue.log("first")) == (0, [])


async def test_an_unknown_text_can_be_sent_again_as_a_possible_duplicate(queue: Queue) -> None:
    await queue.promise("first", until=NOON + MINUTE)
    lost = TextSightLost(message="first", reason="r")
    await queue.settle(await queue.take("first"), lost, in_doubt=True)
    queue.base.clock.advance(3600)
    assert (await queue.store.queue().text("first")).doubts == 1
    assert await queue.store.queue().retry("first")
    assert (await queue.take("first")).doubts == 1
    assert isinstance((await queue.log("first"))[-1], TextResent)


async def test_a_text_whose_fate_is_known_is_not_sent_again(queue: Queue) -> None:
    await queue.promise("first")
    await queue.settle(await queue.take("first"), taken("first"), wire=("main", ("7",)))
    await queue.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    with pytest.raises(NotPossible, match="first is delivered: it cannot be sent again"):
        await queue.store.queue().retry("first")


async def test_the_list_shows_what_the_log_says_and_masks_the_number(queue: Queue) -> None:
    await queue.promise("msg_1")
    await queue.promise("msg_2", BOB)
    job = next(j for j in (await queue.claim()).send if j.id == "msg_1")
    desk = queue.store.queue()
    shown = {t.id: t.state for t in await desk.texts(Wanted())}
    assert shown == {"msg_1": "claimed", "msg_2": "claimed"}
    await queue.settle(job, taken("msg_1"), wire=("main", ("7",)))
    await queue.store.receipt(Receipt("main", "7", "DELIVRD", ""))
    one = await desk.text("msg_1")
    assert (one.state, one.to, one.attempts) == ("delivered", "+120******01", 1)
    found = await desk.texts(Wanted(who=names_of(SECRET, E164(BOB))))
    assert [t.id for t in found] == ["msg_2"]
    assert [t.id for t in await desk.texts(Wanted(state="claimed"))] == ["msg_2"]


async def test_the_list_begins_where_it_is_told_to(queue: Queue) -> None:
    ids = [new_id("msg", NOON + n * MINUTE, bytes(10)) for n in range(4)]
    for n, id in enumerate(ids):
        await queue.promise(id, f"+1202555030{n}")
    desk = queue.store.queue()
    assert [t.id for t in await desk.texts(Wanted(since=NOON + 2 * MINUTE))] == [ids[3], ids[2]]
    assert [t.id for t in await desk.texts(Wanted(limit=1))] == [ids[3]]
