"""Texts under kill -9, a locked store and a carrier that drops: none lost, all told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from ari_app.conversation.events import ReceiptOverdue, TextPromised, TextResent, TextSightLost
from ari_app.conversation.message import MessageClass, MessageState
from ari_app.conversation.state import fold
from ari_app.outbox import texts
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Accepted, Effect, Lost
from ari_app.store.store import EventStore
from tests.support.carrier import BatchCarrier
from tests.support.clock import FakeClock
from tests.support.doomed_texts import EACH, TEXTS, sends
from tests.support.faults import fault
from tests.support.killing import killed_at
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.support.wait import PATIENCE, until

_DAY = 24 * 3600.0


async def told(store: EventStore, id: str) -> tuple[MessageState, Counter[type]]:
    envelopes = await store.read(f"conv_{id}")
    return fold(envelopes).messages[id].state, Counter(type(e.event) for e in envelopes)


@fault(
    "kill -9 with texts in hand, wherever it is",
    "at most once: never twice; at least once: never lost, and each resend is told; "
    "to be reconciled: reported",
    "sqlite",
)
@pytest.mark.parametrize(
    "place",
    [
        "outbox.after_claim",
        "sms.before_send",
        "sms.after_send",
        "outbox.before_settle",
        "store.before_commit",
        "store.after_commit",
    ],
)
async def test_no_text_is_lost_or_unreported_wherever_the_worker_dies(
    place: str, tmp_path: Path
) -> None:
    killed_at(place, "-m", "tests.support.doomed_texts", tmp_path)
    async with opened(tmp_path, clock := FakeClock()) as store:
        await store.bury()
        clock.advance(60)
        await sends(store, clock, tmp_path, 10)
        file = tmp_path / "taken"
        taken = Counter(file.read_text().split() if file.exists() else [])
        stored = [id for id in TEXTS if await store.read(f"conv_{id}")]
        jobs = [kind.value for kind in MessageClass for _ in range(EACH)]
        if not place.startswith("store."):  # else it died in its first promises
            assert len(stored) == len(jobs)
        for id in stored:
            state, kinds = await told(store, id)
            check(TEXTS[id], state, kinds, taken[id])
        queue = await store.claim_texts(clock.now(), 100)
        assert not queue.moved, "nothing is left in the queue"


def check(kind: MessageClass, state: MessageState, kinds: Counter[type], taken: int) -> None:
    """What the class of the text promises."""
    assert kinds[TextResent] <= kinds[TextSightLost] <= 1
    if kind is MessageClass.AT_LEAST_ONCE:
        assert taken >= 1
        assert kinds[TextResent] == kinds[TextSightLost]
        assert (state is MessageState.POSSIBLE_DUPLICATE) is bool(kinds[TextResent])
        assert taken == 1 or kinds[TextResent], "sent twice without saying so"
        return
    assert taken <= 1, "sent twice"
    assert kinds[TextResent] == 0
    assert state is (MessageState.UNKNOWN if kinds[TextSightLost] else MessageState.SUBMITTED)
    assert taken == 1 or state is MessageState.UNKNOWN, "lost without saying so"
    reported = kind is MessageClass.RECONCILE and state is MessageState.UNKNOWN
    assert kinds[ReceiptOverdue] == int(reported)


async def promise(store: EventStore, clock: FakeClock, count: int) -> list[str]:
    ids = [f"msg_{n}" for n in range(count)]
    for n, id in enumerate(ids):
        to = f"+1202555{n:04}"
        event = TextPromised(message=id, template="t", to=to, body="b")
        effect = Effect("sms", id, clock.now(), {"to": to, "body": "b"})
        await store.append(f"conv_{id}", [event], effects=[effect])
    return ids


def relay_of(store: EventStore, clock: FakeClock, smsc: BatchCarrier) -> Relay:
    meter = RecordingMeter()
    sender = TextSender(smsc, store, clock, meter, RetryPolicy())
    return Relay(store, clock, meter, {"sms": sender})


@fault(
    "the store is locked while answers of the carrier come in",
    "they are kept, and settled when it is back: no text is sent again",
    "sqlite",
)
async def test_answers_outlast_a_locked_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(texts, "_PAUSE", 0.01)
    clock, smsc = FakeClock(), BatchCarrier()
    smsc.holds = True
    async with opened(tmp_path, clock, busy_ms=1) as store:
        ids = await promise(store, clock, 5)
        running = asyncio.create_task(relay_of(store, clock, smsc).run_once())
        await until(lambda: len(smsc.sent) == 5)
        backup = sqlite3.connect(tmp_path / "segue.db", isolation_level=None)
        backup.execute("BEGIN EXCLUSIVE")
        smsc.answer()
        await until(lambda: caplog.text.count("5 texts are answered but not settled yet") > 2)
        backup.execute("ROLLBACK")
        backup.close()
        await asyncio.wait_for(running, PATIENCE)
        assert {(await told(store, id))[0] for id in ids} == {MessageState.SUBMITTED}
    assert sorted(smsc.sent) == ids


@fault(
    "a carrier takes some texts of a batch and drops the line",
    "those that it answered are submitted, the others unknown, and none is sent again",
    "",
)
async def test_a_carrier_that_takes_some_and_drops_leaves_no_silent_fate(tmp_path: Path) -> None:
    clock, smsc = FakeClock(), BatchCarrier()
    async with opened(tmp_path, clock) as store:
        ids = await promise(store, clock, 10)
        dropped = Lost("the session ended before the answer")
        for n, id in enumerate(ids):
            smsc.says[id] = [Accepted("main", (f"smsc-{id}",)) if n < 7 else dropped]
        relay = relay_of(store, clock, smsc)
        for _ in range(3):
            await relay.run_once()
            clock.advance(3600)
        states = [(await told(store, id))[0] for id in ids]
    assert states == [MessageState.SUBMITTED] * 7 + [MessageState.UNKNOWN] * 3
    assert sorted(smsc.sent) == ids


@fault(
    "the clock jumps by more than a day while texts wait",
    "what is too old is never sent, and says so; what is not, goes",
    "",
)
@pytest.mark.parametrize(("jump", "gone"), [(3600.0, False), (2 * _DAY, True), (-_DAY, False)])
async def test_a_jump_of_the_clock_sends_nothing_that_is_too_old(
    jump: float, gone: bool, tmp_path: Path
) -> None:
    clock, smsc = FakeClock(), BatchCarrier()
    async with opened(tmp_path, clock) as store:
        ids = await promise(store, clock, 3)
        clock.advance(jump)
        await relay_of(store, clock, smsc).run_once()
        clock.advance(-jump)  # and back
        await relay_of(store, clock, smsc).run_once()
        states = {(await told(store, id))[0] for id in ids}
    assert states == {MessageState.EXPIRED if gone else MessageState.SUBMITTED}
    assert sorted(smsc.sent) == ([] if gone else ids)
