"""What an append changes, for many at once: few statements, and each as if it were alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

from ari_app.conversation.events import Envelope, Event, ReceiptReceived, name_of
from ari_app.conversation.identity import new_id
from ari_app.errors import Conflict, LeaseLost, SegueError
from ari_app.ledger.canonical import event_hash
from ari_app.ledger.chain import genesis, link
from ari_app.ports import Clock, Effect, Fence, Job, Receipt, Timer
from ari_app.privacy.payloads import Payloads
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.promising import INSERT_EFFECT, SETTLE, Queues, row_of, settled_row
from ari_app.store.wire import KNOW, Early, Rules, Wire, known_row

_MOST_OWNERS = 20_000
_EVENT = "id, stream, sequence, at, actor, cause, name, version, payload, link, dedupe"
_EVENT_TYPES = "text text int8 int8 text text text int8 text bytea text"
_INSERT_STREAM = Bulk(
    "INSERT INTO stream (sequence, link, subject, turned, touched, holder, stream)",
    "?, ?, ?, ?, ?, ?, ?",
    "int8 bytea text int8 int8 text text",
)
_MOVE_STREAM = Bulk(
    "UPDATE stream SET sequence = ?, link = ?, subject = ?, turned = ?, touched = ?, holder = ?",
    "stream.stream = ?",
    "int8 bytea text int8 int8 text text",
)
# As most do: it says nothing of what is indexed, so that no index is written.
_TOUCH_STREAM = Bulk(
    "UPDATE stream SET sequence = ?, link = ?, touched = ?",
    "stream.stream = ?",
    "int8 bytea int8 text",
)
_INSERT_TIMER = Bulk(
    "INSERT INTO timer (id, stream, kind, due)", "?, ?, ?, ?", "text text text int8"
)
_FORGET_EARLY = "DELETE FROM early_receipt WHERE number = ?"


@dataclass(slots=True)  # not frozen: that makes each one take three times as long
class Write:
    """One append, and the job that it settles if there is one; see the port `Store`."""

    stream: str
    events: Sequence[Event]
    expected: int | None = None
    effects: Sequence[Effect] = ()
    timers: Sequence[Timer] = ()
    subject: str | None = None
    cause: str | None = None
    dedupe: str | None = None
    fence: Fence | None = None
    held: bool | None = None
    job: Job | None = None
    retry_at: int | None = None
    wire: tuple[str, Sequence[str]] | None = None
    counted: bool = True
    in_doubt: bool = False
    text: str | None = None  # whose the ids of `wire` are, if no job is settled

    @property
    def owner(self) -> str:
        """The message that the ids of `wire` belong to."""
        return self.job.id if self.job else self.text or ""


#: An event, what led to it, and its dedupe key.
_Fact: TypeAlias = tuple[Event, str | None, str | None]
_LINK = 9  # the column of the link in a row of ours


@dataclass(slots=True)
class _Head:
    """Where a stream is."""

    new: bool
    sequence: int
    link: bytes
    subject: str | None
    turned: int
    touched: int
    holder: str | None
    base: int = 0  # its sequence before all writes of now
    moved: bool = False  # whether its subject turned to it, or its holder is another


@dataclass(slots=True)
class _Changes:
    """Rows to be written."""

    events: list[Row] = field(default_factory=list)
    effects: list[Row] = field(default_factory=list)
    timers: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)
    wires: list[Row] = field(default_factory=list)
    arrived: list[Row] = field(default_factory=list)  # early receipts that found their text
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Batch:
    """What the database knew when the writes began, and what they have changed since."""

    now: int
    heads: dict[str, _Head]
    mine: set[str]
    early: dict[tuple[str, str], Early]
    rules: Rules | None  # if there is something early
    fenced: dict[Fence, bool]
    newest: dict[str, int]  # when a subject last turned to one of its streams
    recipients: dict[str, str]  # by the id of an effect: whose queue it is in
    turns: dict[str, int]  # the last place in each of these queues
    changes: _Changes


class Appender:
    """Implements `Appends`: the chain, the sealing of payloads, and all rows of an append."""

    def __init__(
        self,
        engine: Engine,
        payloads: Payloads,
        clock: Clock,
        actor: str,
        worker: str,
        recipients: bytes | None = None,
    ) -> None:
        self._engine = engine
        self._payloads = payloads
        self._clock = clock
        self._actor = actor
        self._worker = worker
        self._queues = Queues(engine, recipients)
        #: While it is set, nothing is written once this lease has been taken away.
        self.fence: Fence | None = None
        self._wire = Wire(engine)
        # Whose key a stream needs, as far as is known: a wrong one costs a write, no more.
        self._owners: dict[str, str] = {}
        self._random = b""
        self._used = 0
        any_of = engine.any_of
        place = engine.place
        self._insert_event = Bulk(
            f"INSERT INTO event ({_EVENT}{place.column})",
            f"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?{place.value}",
            f"{_EVENT_TYPES} {place.types}",
        )
        self._heads_of = f"""
            SELECT stream, sequence, link, subject, turned, touched, holder FROM stream
            WHERE {any_of("stream")} ORDER BY stream{engine.for_update}"""
        self._owners_of = f"SELECT stream, subject FROM stream WHERE {any_of('stream')}"
        self._newest_of = f"""
            SELECT subject, max(turned) FROM stream WHERE {any_of("subject")} GROUP BY subject"""
        self._seen_of = f"SELECT dedupe FROM event WHERE {any_of('dedupe')}"
        self._mine_of = f"""
            SELECT id FROM outbox WHERE {any_of("id")} AND holder = ?
            AND state IN ('claimed', 'sending') ORDER BY id{engine.for_update}"""
        self._fence = f"""
            SELECT 1 FROM lease WHERE name = ? AND owner = ? AND epoch = ?
            AND until > segue_now(){engine.for_share}"""
        # Until it is taken away it is ours, even if the server was gone for longer than it lasts.
        self._own_fence = f"""
            SELECT 1 FROM lease WHERE name = ? AND owner = ? AND epoch = ?{engine.for_share}"""

    def needs(self, link: Link, writes: Sequence[Write]) -> AbstractSet[tuple[str, str]]:
        """See the protocol."""
        wanted = [
            (write, classes)
            for write in writes
            if (classes := self._payloads.classes(write.events, [e.kind for e in write.effects]))
        ]
        asked = {w.stream for w, _ in wanted if w.subject is None and w.stream not in self._owners}
        if asked:
            if len(self._owners) > _MOST_OWNERS:
                self._owners.clear()
            found: dict[str, str | None] = dict(
                link.rows(self._owners_of, (self._engine.listed(asked),))
            )
            self._owners |= {stream: found.get(stream) or stream for stream in asked}
        needs = set()
        for write, classes in wanted:
            owner = write.subject or self._owners[write.stream]
            needs |= {(owner, data_class) for data_class in classes}
        return needs

    def make_ready(self, needs: AbstractSet[tuple[str, str]]) -> None:
        """See the protocol."""
        self._payloads.make_ready(needs)

    def check(self, link: Link) -> None:
        """See the protocol."""
        fence = self.fence
        if fence and not link.rows(self._own_fence, (fence.name, fence.owner, fence.epoch)):
            raise LeaseLost("this worker was taken for dead, and others have its work: restart it")

    def holds(self, link: Link, fence: Fence) -> bool:
        """Whether the lease is in the hands that it says; nobody takes it before the commit."""
        return bool(link.rows(self._fence, (fence.name, fence.owner, fence.epoch)))

    def apply(self, link: Link, writes: Sequence[Write]) -> list[list[Envelope] | Exception]:
        """See the protocol."""
        batch = self._read(link, writes)
        outcomes: list[list[Envelope] | Exception] = []
        for write in writes:
            try:
                outcomes.append(self._write(link, write, batch))
            except (SegueError, ValueError, TypeError) as error:
                outcomes.append(error)
        self._flush(link, batch)
        return outcomes

    def _read(self, link: Link, writes: Sequence[Write]) -> _Batch:
        listed = self._engine.listed
        streams = listed({w.stream for w in writes})
        heads: dict[str, _Head] = {}
        for stream, sequence, previous, subject, turned, touched, holder in link.rows(
            self._heads_of, (streams,)
        ):
            heads[stream] = _Head(
                False, sequence, previous, subject, turned, touched, holder, sequence
            )
        now = self._clock.now()
        responses = [w.wire for w in writes if w.wire]
        early, rules = self._wire.early(link, responses, now) if responses else ({}, None)
        keys = {w.dedupe for w in writes if w.dedupe}
        keys |= {
            receipt_key(w.owner, r)
            for w in writes
            if w.wire
            for id in w.wire[1]
            if (found := early.get((w.wire[0], id)))
            for r in found.receipts
        }
        changes = _Changes()
        if keys:
            changes.seen = {key for (key,) in link.rows(self._seen_of, (listed(keys),))}
        jobs = {w.job.id for w in writes if w.job}
        mine: set[str] = set()
        if jobs:
            mine = {id for (id,) in link.rows(self._mine_of, (listed(jobs), self._worker))}
        subjects = {w.subject for w in writes if w.subject}
        newest: dict[str, int] = {}
        if subjects:
            newest = dict(link.rows(self._newest_of, (listed(subjects),)))
        recipients = {
            effect.id: recipient
            for w in writes
            for effect in w.effects
            if (recipient := self._queues.recipient(effect, _owner(w, heads.get(w.stream))))
        }
        turns = self._queues.last_turns(link, set(recipients.values())) if recipients else {}
        return _Batch(now, heads, mine, early, rules, {}, newest, recipients, turns, changes)

    def _write(self, link: Link, write: Write, batch: _Batch) -> list[Envelope]:
        """Compute all that can fail, then change the batch; what raises has changed nothing."""
        changes, job, stream = batch.changes, write.job, write.stream
        if write.fence is not None:
            self._hold(link, write.fence, batch)
        if job is not None and job.id not in batch.mine:
            raise LeaseLost(f"{job.id} is in other hands by now")
        if write.dedupe is not None and write.dedupe in changes.seen:
            return []
        head = batch.heads.get(stream)
        found = head.sequence if head else 0
        if write.expected is not None and write.expected != found:
            raise Conflict(stream, write.expected, found)
        facts: list[_Fact] = [(event, write.cause, None) for event in write.events]
        if facts and write.dedupe is not None:
            facts[0] = (facts[0][0], write.cause, write.dedupe)
        if write.wire is not None and batch.early:
            facts += self._early(write, batch)
        owner = _owner(write, head)
        rows, envelopes = self._rows(stream, owner, head, facts, batch.now)
        effects = [
            (e, self._payloads.write_effect(owner, e.id, e.kind, e.payload)) for e in write.effects
        ]
        # From here on nothing fails.
        if rows:
            if head is None:
                head = batch.heads[stream] = _Head(True, 0, b"", None, batch.now, batch.now, None)
            self._move(head, write, batch, envelopes[-1].sequence, rows[-1][_LINK])
            changes.events += rows
            changes.seen.update(dedupe for _, _, dedupe in facts if dedupe is not None)
        for effect, payload in effects:
            recipient = batch.recipients.get(effect.id)
            row = row_of(effect, stream, payload, recipient, batch.turns, batch.now)
            changes.effects.append(row)
        if write.timers:
            changes.timers += [(t.id, stream, t.kind, t.due) for t in write.timers]
        if job is not None:
            self._settle(job, write, batch)
        if write.wire is not None:
            self._know(write, batch)
        return envelopes[: len(write.events)]

    def _hold(self, link: Link, fence: Fence, batch: _Batch) -> None:
        if fence not in batch.fenced:
            batch.fenced[fence] = self.holds(link, fence)
        if not batch.fenced[fence]:
            raise LeaseLost(f"another worker has the lease {fence.name}")

    def _rows(
        self, stream: str, owner: str, head: _Head | None, facts: list[_Fact], now: int
    ) -> tuple[list[Row], list[Envelope]]:
        """The rows of these facts and their envelopes, each linked to the one before."""
        sequence, previous = (head.sequence, head.link) if head else (0, genesis(stream))
        actor, payloads = self._actor, self._payloads
        placed = self._engine.placed(stream, head.base if head else 0)
        rows: list[Row] = []
        envelopes: list[Envelope] = []
        for happened, cause, dedupe in facts:
            sequence += 1
            id = new_id("evt", now, self._entropy())
            name, version = name_of(happened)
            text = payloads.write(owner, stream, sequence, happened)
            stored = (id, stream, sequence, now, actor, cause, name, version, text)
            previous = link(previous, event_hash(stored))
            rows.append((*stored, previous, dedupe, *placed))
            envelopes.append(Envelope(id, stream, sequence, now, actor, cause, happened))
        return rows, envelopes

    def _entropy(self) -> bytes:
        """Ten random bytes: of many that were fetched at once."""
        at = self._used
        if at + 10 > len(self._random):
            self._random, at = os.urandom(2560), 0
        self._used = at + 10
        return self._random[at : at + 10]

    def _move(
        self, head: _Head, write: Write, batch: _Batch, sequence: int, previous: bytes
    ) -> None:
        head.sequence, head.link, head.touched = sequence, previous, batch.now
        if write.subject is not None:
            self._owners[write.stream] = write.subject
            # Later than the turn before, also by a clock that was set back.
            head.turned = max(batch.now, batch.newest.get(write.subject, 0) + 1)
            head.subject, batch.newest[write.subject] = write.subject, head.turned
            head.moved = True
        if write.held is not None:
            head.holder = self._worker if write.held else None
            head.moved = True

    def _early(self, write: Write, batch: _Batch) -> list[_Fact]:
        """The receipts that came before the ids that this write makes known."""
        assert write.wire is not None
        found: dict[str, _Fact] = {}
        for id in write.wire[1]:
            early = batch.early.get((write.wire[0], id))
            for receipt in early.receipts if early else ():
                key = receipt_key(write.owner, receipt)
                if key not in batch.changes.seen:
                    found.setdefault(key, (receipt_event(write.owner, receipt), None, key))
        return list(found.values())

    def _settle(self, job: Job, write: Write, batch: _Batch) -> None:
        changes = batch.changes
        changes.settled.append(
            settled_row(
                job.id,
                batch.now,
                write.retry_at,
                counted=write.counted,
                in_doubt=write.in_doubt,
            )
        )
        batch.mine.discard(job.id)

    def _know(self, write: Write, batch: _Batch) -> None:
        """From now on the receipts of these ids are found."""
        assert write.wire is not None
        carrier, ids = write.wire
        changes, owner, stream = batch.changes, write.owner, write.stream
        for id in ids:
            changes.wires.append(known_row(carrier, id, owner, stream, batch.now))
            early = batch.early.pop((carrier, id), None)
            if early is not None and batch.rules is not None:
                changes.arrived += [(number,) for number in early.numbers]
                batch.rules.learn(carrier, early.proof)

    def _flush(self, link: Link, batch: _Batch) -> None:
        changes = batch.changes
        touched = {row[1] for row in changes.events}
        moved = [(s, batch.heads[s]) for s in sorted(touched)]
        link.bulk(self._insert_event, changes.events)
        link.bulk(_INSERT_STREAM, _columns((s, h) for s, h in moved if h.new))
        link.bulk(_MOVE_STREAM, _columns((s, h) for s, h in moved if h.moved and not h.new))
        link.bulk(
            _TOUCH_STREAM,
            [(h.sequence, h.link, h.touched, s) for s, h in moved if not (h.moved or h.new)],
        )
        link.bulk(INSERT_EFFECT, changes.effects)
        link.bulk(_INSERT_TIMER, changes.timers)
        link.bulk(SETTLE, changes.settled)
        # The last of two that say the same: one statement must not meet a row twice.
        link.bulk(KNOW, list({row[:2]: row for row in changes.wires}.values()))
        link.many(_FORGET_EARLY, changes.arrived)
        if batch.rules is not None:
            batch.rules.keep(link)


def receipt_key(message: str, receipt: Receipt) -> str:
    """A receipt of one state of one segment is written once."""
    return f"receipt:{message}:{receipt.id}:{receipt.state}"


def receipt_event(message: str, receipt: Receipt) -> ReceiptReceived:
    """What a receipt is in the log."""
    return ReceiptReceived(
        message=message,
        carrier=receipt.carrier,
        id=receipt.id,
        state=receipt.state,
        error=receipt.error,
    )


def _owner(write: Write, head: _Head | None) -> str:
    """Whose key seals what is written: the subject's, or the stream's if nobody is known."""
    return write.subject or (head and head.subject) or write.stream


def _columns(moved: Iterable[tuple[str, _Head]]) -> list[Row]:
    return [
        (h.sequence, h.link, h.subject, h.turned, h.touched, h.holder, stream)
        for stream, h in moved
    ]
