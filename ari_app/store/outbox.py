"""The outbox, inside a transaction."""

from __future__ import annotations

from ari_app.errors import LeaseLost
from ari_app.ports import Job
from ari_app.privacy.payloads import Payloads
from ari_app.store.engine import Engine, Link

_WAITING = "SELECT 1 FROM outbox WHERE state IN ('due', 'open') AND kind = ? AND due <= ? LIMIT 1"
_SENDING = "UPDATE outbox SET state = 'sending' WHERE id = ? AND holder = ? AND state = 'claimed'"


class Outbox:
    """Promised effects: due, claimed, sending, done; open where nobody knows what became of it."""

    def __init__(self, engine: Engine, payloads: Payloads, worker: str) -> None:
        self._engine = engine
        self._payloads = payloads
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
