"""What an append changes, for many at once: few statements, and each as if it were alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ari_app.conversation.events import Envelope, Event, ReceiptReceived, name_of
from ari_app.conversation.identity import new_id
from ari_app.errors import Conflict, LeaseLost, SegueError
from ari_app.ledger.canonical import event_hash
from ari_app.ledger.chain import genesis, link
from ari_app.ports import Clock, Effect, Fence, Job, Receipt, Timer
from ari_app.privacy.payloads import Payloads
from ari_app.store.engine import Engine, Link, Row

# Carriers use their ids again; a receipt that nobody missed for so long was for another text.
EARLY_FOR = 24 * 3600 * 1_000_000

_INSERT_STREAM = """
    INSERT INTO stream (sequence, link, subject, turned, touched, holder, stream)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_MOVE_STREAM = """
    UPDATE stream SET sequence = ?, link = ?, subject = ?, turned = ?, touched = ?, holder = ?
    WHERE stream = ?"""
_INSERT_EFFECT = """
    INSERT INTO outbox (id, kind, stream, state, due, attempts, payload)
    VALUES (?, ?, ?, 'due', ?, 0, ?)"""
_INSERT_TIMER = "INSERT INTO timer (id, stream, kind, due) VALUES (?, ?, ?, ?)"
_SETTLE = "UPDATE outbox SET state = ?, due = ?, holder = NULL WHERE id = ?"
# Ids come round again after days: the newest message owns the id.
_KNOW = """
    INSERT INTO wire (carrier, id, message, stream) VALUES (?, ?, ?, ?)
    ON CONFLICT (carrier, id) DO UPDATE SET message = excluded.message, stream = excluded.stream"""
_FORGET_EARLY = "DELETE FROM early_receipt WHERE carrier = ? AND id = ?"


@dataclass(frozen=True, slots=True)
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

    def copy(self) -> _Head:
        """Written out: dataclasses.replace takes five times as long."""
        return _Head(
            self.new,
            self.sequence,
            self.link,
            self.subject,
            self.turned,
            self.touched,
            self.holder,
        )


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

    def join(self, other: _Changes) -> None:
        self.events += other.events
        self.effects += other.effects
        self.timers += other.timers
        self.settled += other.settled
        self.wires += other.wires
        self.arrived += other.arrived
        self.seen |= other.seen


@dataclass(slots=True)
class _Batch:
    """What the database knew when the writes began, and what they have changed since."""

    now: int
    heads: dict[str, _Head]
    mine: set[str]
    early: dict[tuple[str, str], list[Receipt]]
    fenced: dict[Fence, bool]
    newest: dict[str, int]  # when a subject last turned to one of its streams
    changes: _Changes


class Appender:
    """Implements `Appends`: the chain, the sealing of payloads, and all rows of an append."""

    def __init__(
        self, engine: Engine, payloads: Payloads, clock: Clock, actor: str, worker: str
    ) -> None:
        self._engine = engine
        self._payloads = payloads
        self._clock = clock
        self._actor = actor
        self._worker = worker
        #: While it is set, nothing is written once this lease has been taken away.
        self.fence: Fence | None = None
        any_of = engine.any_of
        column, place = engine.place
        self._insert_event = f"""
            INSERT INTO event
            (id, stream, sequence, at, actor, cause, name, version, payload, link, dedupe{column})
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?{place})"""
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
        self._early_of = f"""
            SELECT carrier, id, state, error, at FROM early_receipt
            WHERE {any_of("id")} ORDER BY number"""
        self._fence = f"""
            SELECT 1 FROM lease WHERE name = ? AND owner = ? AND epoch = ?
            AND until > segue_now(){engine.for_share}"""
        # Until it is taken away it is ours, even if the server was gone for longer than it lasts.
        self._own_fence = f"""
            SELECT 1 FROM lease WHERE name = ? AND owner = ? AND epoch = ?{engine.for_share}"""

    def needs(self, link: Link, writes: Sequence[Write]) -> AbstractSet[tuple[str, str]]:
        """See the protocol."""
        asked = {w.stream for w in writes if w.subject is None}
        rows = link.rows(self._owners_of, (self._engine.listed(asked),)) if asked else []
        owners = {stream: subject for stream, subject in rows if subject}
        needs: set[tuple[str, str]] = set()
        for w in writes:
            owner = w.subject or owners.get(w.stream) or w.stream
            needs |= self._payloads.needs(owner, w.events, [e.kind for e in w.effects])
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
            heads = {write.stream: h.copy()} if (h := batch.heads.get(write.stream)) else {}
            changes = _Changes()
            try:
                outcomes.append(self._write(link, write, batch, heads, changes))
            except (SegueError, ValueError, TypeError) as error:
                outcomes.append(error)
                continue
            batch.heads.update(heads)
            batch.changes.join(changes)
        self._flush(link, batch)
        return outcomes

    def _read(self, link: Link, writes: Sequence[Write]) -> _Batch:
        listed = self._engine.listed
        streams = listed({w.stream for w in writes})
        heads = {r[0]: _Head(False, *r[1:]) for r in link.rows(self._heads_of, (streams,))}
        ids = {id for w in writes if w.wire for id in w.wire[1]}
        early: dict[tuple[str, str], list[Receipt]] = {}
        now = self._clock.now()
        for *what, at in link.rows(self._early_of, (listed(ids),)) if ids else ():
            fresh = early.setdefault((what[0], what[1]), [])
            if at >= now - EARLY_FOR:
                fresh.append(Receipt(*what))
        keys = {w.dedupe for w in writes if w.dedupe}
        keys |= {
            receipt_key(w.job.id, r)
            for w in writes
            if w.wire and w.job
            for id in w.wire[1]
            for r in early.get((w.wire[0], id), ())
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
        return _Batch(now, heads, mine, early, {}, newest, changes)

    def _write(
        self, link: Link, write: Write, batch: _Batch, heads: dict[str, _Head], changes: _Changes
    ) -> list[Envelope]:
        """The rows of one write, into `heads` and `changes`; both are thrown away if it raises."""
        fence, job = write.fence, write.job
        if fence is not None:
            if fence not in batch.fenced:
                batch.fenced[fence] = self.holds(link, fence)
            if not batch.fenced[fence]:
                raise LeaseLost(f"another worker has the lease {fence.name}")
        if job is not None and job.id not in batch.mine:
            raise LeaseLost(f"{job.id} is in other hands by now")
        if write.dedupe is not None and write.dedupe in batch.changes.seen:
            return []
        head = heads.get(write.stream)
        found = head.sequence if head else 0
        if write.expected is not None and write.expected != found:
            raise Conflict(write.stream, write.expected, found)
        envelopes = self._append(write, batch, heads, changes)
        if write.effects:
            self._promise(write, heads, changes)
        changes.timers += [(t.id, write.stream, t.kind, t.due) for t in write.timers]
        if job is not None:
            again = write.retry_at is not None
            changes.settled.append(
                ("due" if again else "done", write.retry_at if again else batch.now, job.id)
            )
            batch.mine.discard(job.id)
            self._wire(job, write, batch, heads, changes)
        return envelopes

    def _append(
        self, write: Write, batch: _Batch, heads: dict[str, _Head], changes: _Changes
    ) -> list[Envelope]:
        if not write.events:
            return []
        stream, now = write.stream, batch.now
        head = heads.get(stream)
        if head is None:
            head = heads[stream] = _Head(True, 0, genesis(stream), None, now, now, None)
        owner = write.subject or head.subject or stream
        actor, cause, dedupe = self._actor, write.cause, write.dedupe
        envelopes = []
        sequence, previous = head.sequence, head.link
        for happened in write.events:
            sequence += 1
            id = new_id("evt", now, os.urandom(10))
            name, version = name_of(happened)
            text = self._payloads.write(owner, stream, sequence, happened)
            stored = (id, stream, sequence, now, actor, cause, name, version, text)
            previous = link(previous, event_hash(stored))
            envelopes.append(Envelope(id, stream, sequence, now, actor, cause, happened))
            placed = self._engine.placed(stream, sequence)
            changes.events.append((*stored, previous, dedupe, *placed))
            dedupe = None
        head.sequence, head.link, head.touched = sequence, previous, now
        if write.dedupe is not None:
            changes.seen.add(write.dedupe)
        if write.subject is not None:
            # Later than the turn before, also by a clock that was set back.
            head.turned = max(now, batch.newest.get(write.subject, 0) + 1)
            head.subject, batch.newest[write.subject] = write.subject, head.turned
        if write.held is not None:
            head.holder = self._worker if write.held else None
        return envelopes

    def _promise(self, write: Write, heads: dict[str, _Head], changes: _Changes) -> None:
        head = heads.get(write.stream)
        owner = (head and head.subject) or write.stream
        for e in write.effects:
            text = self._payloads.write_effect(owner, e.id, e.kind, e.payload)
            changes.effects.append((e.id, e.kind, write.stream, e.due, text))

    def _wire(
        self, job: Job, write: Write, batch: _Batch, heads: dict[str, _Head], changes: _Changes
    ) -> None:
        """Make the carrier's ids known, and take in the receipts that came before them."""
        if write.wire is None:
            return
        carrier, ids = write.wire
        for id in ids:
            changes.wires.append((carrier, id, job.id, job.stream))
            for receipt in batch.early.pop((carrier, id), ()):
                key = receipt_key(job.id, receipt)
                if key not in batch.changes.seen and key not in changes.seen:
                    event = receipt_event(job.id, receipt)
                    self._append(Write(job.stream, [event], dedupe=key), batch, heads, changes)
                changes.arrived.append((carrier, id))

    def _flush(self, link: Link, batch: _Batch) -> None:
        changes = batch.changes
        touched = {row[1] for row in changes.events}
        moved = [(s, batch.heads[s]) for s in sorted(touched)]
        link.many(self._insert_event, changes.events)
        link.many(_INSERT_STREAM, _columns((s, h) for s, h in moved if h.new))
        link.many(_MOVE_STREAM, _columns((s, h) for s, h in moved if not h.new))
        link.many(_INSERT_EFFECT, changes.effects)
        link.many(_INSERT_TIMER, changes.timers)
        link.many(_SETTLE, changes.settled)
        link.many(_KNOW, changes.wires)
        link.many(_FORGET_EARLY, changes.arrived)


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


def _columns(moved: Iterable[tuple[str, _Head]]) -> list[Row]:
    return [
        (h.sequence, h.link, h.subject, h.turned, h.touched, h.holder, stream)
        for stream, h in moved
    ]
