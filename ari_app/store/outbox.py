"""The outbox and what carriers say of it, inside a transaction."""

from __future__ import annotations

from ari_app.errors import LeaseLost
from ari_app.ports import Clock, Job, Receipt
from ari_app.privacy.payloads import Payloads
from ari_app.store.appending import EARLY_FOR, Appender, Write, receipt_event, receipt_key
from ari_app.store.engine import Engine, Link

_WAITING = "SELECT 1 FROM outbox WHERE state IN ('due', 'open') AND kind = ? AND due <= ? LIMIT 1"
_SENDING = "UPDATE outbox SET state = 'sending' WHERE id = ? AND holder = ? AND state = 'claimed'"
_OWNER = "SELECT message, stream FROM wire WHERE carrier = ? AND id = ?"
_FORGET_STALE = "DELETE FROM early_receipt WHERE at < ?"
_KEEP_EARLY = "INSERT INTO early_receipt (carrier, id, state, error, at) VALUES (?, ?, ?, ?, ?)"


class Outbox:
    """Promised effects: due, claimed, sending, done; open where nobody knows what became of it."""

    def __init__(
        self, engine: Engine, appender: Appender, payloads: Payloads, clock: Clock, worker: str
    ) -> None:
        self._engine = engine
        self._appender = appender
        self._payloads = payloads
        self._clock = clock
        self._worker = worker
        self._due = f"""
            SELECT id, kind, stream, state, attempts, payload FROM outbox
            WHERE state IN ('due', 'open') AND kind = ? AND due <= ?
            ORDER BY due, id LIMIT ?{engine.skip_locked}"""
        self._take = f"""
            UPDATE outbox SET state = 'claimed', attempts = attempts + 1, holder = ?
            WHERE {engine.any_of("id")}"""

    def waiting(self, link: Link, kind: str, now: int) -> bool:
        """Whether a claim would find something: an idle one costs no write."""
        return bool(link.rows(_WAITING, (kind, now)))

    def claim(self, link: Link, kind: str, now: int, limit: int) -> list[Job]:
        """See the port `Store`."""
        rows = link.rows(self._due, (kind, now, limit))
        if rows:
            link.run(self._take, (self._worker, self._engine.listed(row[0] for row in rows)))
        return [
            Job(
                kind=kind,
                id=id,
                stream=stream,
                payload=self._payloads.read_effect(id, payload),
                attempts=attempts + 1,
                state="sending" if state == "open" else "due",
            )
            for id, kind, stream, state, attempts, payload in rows
        ]

    def sending(self, link: Link, job: Job) -> None:
        """See the port `Store`."""
        if not link.run(_SENDING, (job.id, self._worker)):
            raise LeaseLost(f"{job.id} is in other hands by now")

    def receipt(self, link: Link, receipt: Receipt) -> bool:
        """See the port `Store`."""
        owner = link.rows(_OWNER, (receipt.carrier, receipt.id))
        if not owner:
            now = self._clock.now()
            link.run(_FORGET_STALE, (now - EARLY_FOR,))
            values = (receipt.carrier, receipt.id, receipt.state, receipt.error, now)
            link.run(_KEEP_EARLY, values)
            return False
        message, stream = owner[0]
        event = receipt_event(message, receipt)
        write = Write(stream, [event], dedupe=receipt_key(message, receipt))
        (outcome,) = self._appender.apply(link, [write])
        if isinstance(outcome, Exception):
            raise outcome
        return True
