"""Texts whose turn it is: judged, claimed and made `sending` in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ari_app.conversation.events import Event, TextBlocked, TextExpired, TextResent
from ari_app.conversation.message import MessageClass, Priority
from ari_app.outbox.verdict import Allowed, Blocked, Verdict, Wait
from ari_app.ports import Claim, Job
from ari_app.privacy.payloads import Payloads
from ari_app.store.appending import Appender, Write
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.gating import Consent, Gate
from ari_app.store.pauses import paused
from ari_app.store.promising import TEXTS

# Their conditions are those of the partial indexes of the outbox: see schema.py.
_JOB = "id, stream, state, attempts, payload, message_class, priority, until, doubts"
_LOST = f"""
    SELECT {_JOB} FROM outbox WHERE state = 'open' AND kind = ? AND due <= ?
    ORDER BY due, id LIMIT ?"""
_EXPIRED = """
    SELECT id, stream FROM outbox WHERE state = 'due' AND until IS NOT NULL AND until <= ?
    ORDER BY until LIMIT ?"""
_NEXT = f"""
    SELECT {_JOB}, turn, not_before FROM outbox AS own
    WHERE state = 'due' AND kind = ? AND priority = ? AND due <= ? AND NOT EXISTS (
        SELECT 1 FROM outbox AS other
        WHERE other.recipient = own.recipient AND other.state <> 'done' AND (
            other.state IN ('claimed', 'sending', 'open')
            OR other.state = 'due' AND other.turn < own.turn AND other.not_before <= ?))"""
_IN_ORDER = " ORDER BY due, turn LIMIT ?"
_POSTPONE = "UPDATE outbox SET due = ?, not_before = ? WHERE id = ?"
_MOST_EXPIRED = 500
# A look into a table takes a tenth of the call of an Enum.
_CLASSES = {one.value: one for one in MessageClass}
_PRIORITIES = {one.value: one for one in Priority}
_LATE = "its validity ended before it was sent"
_STALE = "it waited for too long to be of use"
_AGAIN = "nobody knows whether it was taken before"


@dataclass(slots=True)
class _Found:
    """What becomes of the candidates of one claim."""

    send: list[Job] = field(default_factory=list)
    lost: list[Job] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    postponed: list[Row] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    expired: int = 0
    writes: list[Write] = field(default_factory=list)

    def note(self, stream: str, event: Event) -> None:
        self.writes.append(Write(stream, [event]))


class Texts:
    """The queue of texts as its claimers see it."""

    def __init__(
        self, engine: Engine, appender: Appender, payloads: Payloads, gate: Gate, worker: str
    ) -> None:
        self._appender = appender
        self._payloads = payloads
        self._gates: Sequence[Gate] = (Consent(engine), gate)
        self._worker = worker
        self._listed = engine.listed
        any_of, lock = engine.any_of, engine.skip_locked
        self._lost = _LOST + lock
        self._expired = _EXPIRED + lock
        self._lock = lock
        self._next = _NEXT + _IN_ORDER
        self._next_but = f"{_NEXT} AND NOT {any_of('message_class')}{_IN_ORDER}"
        self._take = f"UPDATE outbox SET state = 'claimed', holder = ? WHERE {any_of('id')}"
        self._send = f"""
            UPDATE outbox SET state = 'sending', attempts = attempts + 1, holder = ?
            WHERE {any_of("id")}"""
        self._end = f"UPDATE outbox SET state = 'done', due = ? WHERE {any_of('id')}"

    def idle(self, link: Link, now: int, carriers: Sequence[str]) -> Claim | None:
        """An empty claim if that is all that one would find, which costs no write; else None."""
        if link.rows(_LOST, (TEXTS, now, 1)) or link.rows(_EXPIRED, (now, 1)):
            return None
        off = {p.scope for p in paused(link)}
        if any(self._candidates(link, now, 1, off, carriers, lock=False)):
            return None
        return Claim(paused=sorted(off))

    def claim(self, link: Link, now: int, limit: int, carriers: Sequence[str], stale: int) -> Claim:
        """See the port `Store`."""
        found = _Found(lost=self._open(link, now, limit))
        self._end_late(link, found, now)
        off = {p.scope for p in paused(link)}
        rows = [
            row
            for some in self._candidates(link, now, limit, off, carriers, lock=True)
            for row in some
            if row[0] not in found.ended
        ]
        self._judge(link, found, rows, now, stale)
        self._keep(link, found, now)
        return Claim(
            send=found.send,
            lost=found.lost,
            blocked=found.blocked,
            postponed=len(found.postponed),
            expired=found.expired,
            paused=sorted(off),
        )

    def _open(self, link: Link, now: int, limit: int) -> list[Job]:
        """What a crash has left: taken, so that only one says what is known of it."""
        rows = link.rows(self._lost, (TEXTS, now, limit))
        if rows:
            link.run(self._take, (self._worker, self._listed(row[0] for row in rows)))
        return [self._job(row, lost=True) for row in rows]

    def _end_late(self, link: Link, found: _Found, now: int) -> None:
        """Also what is paused, or waits behind another, expires."""
        for id, stream in link.rows(self._expired, (now, _MOST_EXPIRED)):
            self._expire(found, id, stream, _LATE)

    def _candidates(
        self,
        link: Link,
        now: int,
        limit: int,
        off: set[str],
        carriers: Sequence[str],
        *,
        lock: bool,
    ) -> Iterator[list[Row]]:
        """Rows whose turn it is, the urgent ones first; empty lists are left out."""
        if "all" in off or (carriers and off.issuperset(f"carrier:{c}" for c in carriers)):
            return
        classes = [s.removeprefix("class:") for s in off if s.startswith("class:")]
        query = (self._next_but if classes else self._next) + (self._lock if lock else "")
        for priority in Priority:
            if f"priority:{priority.name.lower()}" in off:
                continue
            values: list[object] = [TEXTS, int(priority), now, now]
            values += [self._listed(classes), limit] if classes else [limit]
            rows = link.rows(query, values)
            if rows:
                yield rows
            limit -= len(rows)
            if limit <= 0:
                return

    def _judge(self, link: Link, found: _Found, rows: Iterable[Row], now: int, stale: int) -> None:
        jobs: list[Job] = []
        for row in rows:
            *_, turn, not_before = row
            if turn is not None and max(turn, not_before) < stale:
                self._expire(found, row[0], row[1], _STALE)
            else:
                jobs.append(self._job(row))
        for gate in self._gates:
            if jobs:
                jobs = self._passed(found, jobs, gate.judge(link, jobs, now), now)
        for job in jobs:
            if job.doubts:
                again = TextResent(message=job.id, reason=_AGAIN, attempts=job.attempts)
                found.note(job.stream, again)
        found.send = jobs

    def _passed(
        self, found: _Found, jobs: Sequence[Job], verdicts: Sequence[Verdict], now: int
    ) -> list[Job]:
        passed = []
        for job, verdict in zip(jobs, verdicts, strict=True):
            match verdict:
                case Allowed():
                    passed.append(job)
                case Blocked(rule=rule, reason=reason):
                    found.ended.append(job.id)
                    found.blocked.append(rule)
                    found.note(job.stream, TextBlocked(message=job.id, rule=rule, reason=reason))
                case Wait(until=until):
                    # Later than now, or this claim would be made for ever.
                    due = max(until, now + 1)
                    found.postponed.append((due, due, job.id))
        return passed

    def _expire(self, found: _Found, id: str, stream: str, reason: str) -> None:
        found.ended.append(id)
        found.expired += 1
        found.note(stream, TextExpired(message=id, reason=reason))

    def _keep(self, link: Link, found: _Found, now: int) -> None:
        if found.send:
            link.run(self._send, (self._worker, self._listed(job.id for job in found.send)))
        if found.ended:
            link.run(self._end, (now, self._listed(found.ended)))
        link.many(_POSTPONE, found.postponed)
        if found.writes:
            for outcome in self._appender.apply(link, found.writes):
                if isinstance(outcome, Exception):
                    raise outcome

    def _job(self, row: Row, *, lost: bool = False) -> Job:
        id, stream, _, attempts, payload, message_class, priority, until, doubts, *_ = row
        return Job(
            kind=TEXTS,
            id=id,
            stream=stream,
            payload=self._payloads.read_effect(id, payload),
            attempts=attempts if lost else attempts + 1,
            state="sending" if lost else "due",
            message_class=_CLASSES[message_class],
            priority=_PRIORITIES[priority],
            until=until,
            doubts=doubts,
        )
