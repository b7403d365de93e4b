"""The store against a dictionary: whatever is done to both, in any order, they say the same."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ari_app.conversation.events import CallAnswered, Event, ReceiptReceived
from ari_app.errors import Conflict, LeaseLost
from ari_app.ports import Effect, Fence, Job, Receipt
from ari_app.store.store import EventStore
from tests.support.store import Base, PostgresBase, SqliteBase

T = TypeVar("T")
# Few of each, so that steps meet.
STREAMS = st.sampled_from(["conv_1", "conv_2"])
KEYS = st.sampled_from([None, None, "k1", "k2"])
IDS = st.sampled_from(["7", "8", "9"])
STATES = st.sampled_from(["ENROUTE", "DELIVRD"])


@dataclass
class Model:
    """What the store must know."""

    log: list[tuple[str, Event]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    latest: str | None = None  # the stream that the one subject turned to last
    due: dict[str, int] = field(default_factory=dict)  # effect -> attempts so far
    open: dict[str, int] = field(default_factory=dict)  # ... left open by a crash
    wire: dict[str, tuple[str, str]] = field(default_factory=dict)
    early: list[Receipt] = field(default_factory=list)
    told: set[tuple[str, str, str]] = field(default_factory=set)
    done: dict[str, int] = field(default_factory=dict)  # consumer -> events of the log

    def stream(self, name: str) -> list[Event]:
        return [event for stream, event in self.log if stream == name]

    def receipt(self, receipt: Receipt) -> bool:
        if receipt.id not in self.wire:
            return False
        message, stream = self.wire[receipt.id]
        if (message, receipt.id, receipt.state) not in self.told:
            self.told.add((message, receipt.id, receipt.state))
            happened = ReceiptReceived(
                message=message, carrier="main", id=receipt.id, state=receipt.state, error=""
            )
            self.log.append((stream, happened))
        return True


@dataclass
class Hand:
    """A job that a worker has claimed."""

    job: Job
    worker: int
    sending: bool = False


class StoreMachine(RuleBasedStateMachine):
    """Time passes with every step, so that nothing happens at the same moment."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.base = base
        self.clock = self.base.clock
        self.model = Model()
        self.hands: list[Hand] = []
        self.number = 0
        self.workers = [self._open(), self._open()]

    @property
    def store(self) -> EventStore:
        """One of the two, by turns: whatever one does, the other knows."""
        return self.workers[self.number % 2]

    def _open(self) -> EventStore:
        store = self.base.store()
        self._do(store.open())
        self._do(store.join(1e6))
        return store

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        self.clock.advance(1)
        return self.runner.run(work)

    def _next(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number:04}"

    @rule(
        stream=STREAMS,
        count=st.integers(1, 3),
        effects=st.integers(1, 2),
        key=KEYS,
        turned=st.booleans(),
        off=st.sampled_from([None, 0, 0, 1, -1]),
    )
    def append(
        self,
        stream: str,
        count: int,
        effects: int,
        key: str | None,
        turned: bool,
        off: int | None,
    ) -> None:
        happened = [CallAnswered(call=self._next("c")) for _ in range(count)]
        promised = [Effect("sms", self._next("msg_"), 0, {}) for _ in range(effects)]
        found = len(self.model.stream(stream))
        work = self.store.append(
            stream,
            happened,
            expected=None if off is None else found + off,
            effects=promised,
            subject="subj_1" if turned else None,
            dedupe=key,
        )
        if key in self.model.seen:
            assert self._do(work) == []
        elif off not in (None, 0):
            with pytest.raises(Conflict):
                self._do(work)
        else:
            written = self._do(work)
            assert [e.sequence for e in written] == list(range(found + 1, found + 1 + count))
            self.model.log += [(stream, event) for event in happened]
            self.model.due |= dict.fromkeys((e.id for e in promised), 0)
            self.model.seen |= {key} if key else set()
            if turned:
                self.model.latest = stream

    @precondition(lambda self: self.model.due or self.model.open)
    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        waiting = {**self.model.due, **self.model.open}
        jobs = self._do(self.store.claim("sms", self.clock.now(), limit))
        assert len(jobs) == min(limit, len(waiting))
        for job in jobs:
            assert job.attempts == waiting[job.id] + 1
            assert (job.state == "sending") == (job.id in self.model.open)
            self.model.due.pop(job.id, None)
            self.model.open.pop(job.id, None)
        self.hands += [Hand(job, self.number % 2) for job in jobs]
        self.number += 1

    @precondition(lambda self: any(not hand.sending for hand in self.hands))
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        hand = data.draw(st.sampled_from([hand for hand in self.hands if not hand.sending]))
        with pytest.raises(LeaseLost):
            self._do(self.workers[1 - hand.worker].sending(hand.job))
        self._do(self.workers[hand.worker].sending(hand.job))
        hand.sending = True

    @precondition(lambda self: self.hands)
    @rule(
        data=st.data(), ids=st.lists(IDS, min_size=1, max_size=2, unique=True), again=st.booleans()
    )
    def settle(self, data: st.DataObject, ids: list[str], again: bool) -> None:
        hand = self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1)))
        job = hand.job
        happened = CallAnswered(call=self._next("settled"))
        retry_at = self.clock.now() if again else None
        wire = None if again else ("main", ids)
        with pytest.raises(LeaseLost):
            self._do(self.workers[1 - hand.worker].settle(job, [happened]))
        mine = self.workers[hand.worker]
        self._do(mine.settle(job, [happened], retry_at=retry_at, wire=wire))
        self.model.log.append((job.stream, happened))
        if again:
            self.model.due[job.id] = job.attempts
        for id in () if again else ids:
            self.model.wire[id] = (job.id, job.stream)
            early = [r for r in self.model.early if r.id == id]
            self.model.early = [r for r in self.model.early if r.id != id]
            for receipt in early:
                self.model.receipt(receipt)

    @rule(id=IDS, state=STATES)
    def receipt(self, id: str, state: str) -> None:
        receipt = Receipt("main", id, state, "")
        known = self.model.receipt(receipt)
        if not known:
            self.model.early.append(receipt)
        assert self._do(self.store.receipt(receipt)) == known

    @rule(consumer=st.sampled_from(["threads", "views"]), limit=st.integers(1, 4))
    def consume(self, consumer: str, limit: int) -> None:
        done = self.model.done.get(consumer, 0)
        seen = self._do(self.store.tail(consumer, limit))
        expected = self.model.log[done : done + limit]
        assert [(p.envelope.stream, p.envelope.event) for p in seen] == expected
        if seen:
            self._do(self.store.advance(consumer, seen[-1].position))
            self.model.done[consumer] = done + len(seen)

    @rule(worker=st.sampled_from([0, 1]))
    def die(self, worker: int) -> None:
        dead = self.workers[worker]
        self._do(dead.release(Fence(f"worker:{dead.worker}", dead.worker, 1)))
        self._do(dead.aclose())
        self._do(self.workers[1 - worker].bury())
        self.workers[worker] = self._open()
        for hand in [hand for hand in self.hands if hand.worker == worker]:
            back = self.model.open if hand.sending else self.model.due
            back[hand.job.id] = hand.job.attempts
            self.hands.remove(hand)

    @rule(stream=STREAMS)
    def read(self, stream: str) -> None:
        envelopes = self._do(self.store.read(stream))
        assert [e.event for e in envelopes] == self.model.stream(stream)
        assert [e.sequence for e in envelopes] == list(range(1, len(envelopes) + 1))

    @invariant()
    def the_subject_finds_its_latest_conversation(self) -> None:
        assert self._do(self.store.latest("subj_1")) == self.model.latest

    @invariant()
    def the_log_is_as_it_should_be(self) -> None:
        log = self._do(self.store.tail("nobody", 10_000))
        assert [(p.envelope.stream, p.envelope.event) for p in log] == self.model.log

    def teardown(self) -> None:
        for store in self.workers:
            self.runner.run(store.aclose())
        self.runner.close()
        self.base.close()


_SETTINGS = settings(
    max_examples=15,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_on_sqlite_it_is_as_the_model(tmp_path: Path) -> None:
    folders = itertools.count()

    def machine() -> StoreMachine:
        folder = tmp_path / str(next(folders))
        folder.mkdir()
        return StoreMachine(SqliteBase(folder))

    run_state_machine_as_test(machine, settings=_SETTINGS)  # type: ignore[arg-type]  # a factory will do


def test_on_postgresql_it_is_as_the_model(database: str) -> None:
    schemas = itertools.count()

    def machine() -> StoreMachine:
        return StoreMachine(PostgresBase(database, f"s{next(schemas)}"))

    run_state_machine_as_test(machine, settings=_SETTINGS)  # type: ignore[arg-type]  # a factory will do
