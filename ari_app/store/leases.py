"""Leases, and what the dead have left, inside a transaction."""

from __future__ import annotations

from ari_app.ports import Fence
from ari_app.store.engine import Engine, Link

_WORKER = "worker:"
# See `PostgresLink.commit`: what connections that are gone have left.
_COMMIT = "commit:"
# A new owner, or the same one again after somebody else: another epoch. What the old one still
# writes is refused by it. The time is looked at again: the row may have been waited for.
_TAKE = """
    INSERT INTO lease (name, owner, epoch, until) VALUES (?, ?, 1, segue_now() + ?)
    ON CONFLICT (name) DO UPDATE SET
        epoch = CASE WHEN lease.owner = excluded.owner THEN lease.epoch ELSE lease.epoch + 1 END,
        owner = excluded.owner, until = segue_now() + ?
    WHERE lease.owner = excluded.owner OR lease.until <= segue_now()
    RETURNING epoch"""
_RENEW = """
    UPDATE lease SET until = segue_now() + ? WHERE name = ? AND owner = ? AND epoch = ?"""
# The epoch stays: it must never come again.
_RELEASE = """
    UPDATE lease SET owner = '', until = 0 WHERE name = ? AND owner = ? AND epoch = ?"""
# A semicolon comes behind the colon.
_HELD = "SELECT name, owner FROM lease WHERE name >= ? AND name < ? AND until > segue_now()"
_DROP = "DELETE FROM lease WHERE name = ? AND owner = ? AND epoch = ?"
_ONCE = "INSERT INTO once (job, slot) VALUES (?, ?) ON CONFLICT DO NOTHING"
_LIVING = "SELECT owner FROM lease WHERE name LIKE ?"
_DEAD = "DELETE FROM lease WHERE name LIKE ? AND owner <> ? AND until <= segue_now()"


class LeaseTable:
    """By the clock of the store, so that workers need not agree on the time."""

    def __init__(self, engine: Engine, worker: str) -> None:
        self._engine = engine
        self._worker = worker

    def take(self, link: Link, name: str, ttl: float) -> Fence | None:
        """See the port `Leases`."""
        span = _microseconds(ttl)
        rows = link.rows(_TAKE, (name, self._worker, span, span))
        return Fence(name, self._worker, int(rows[0][0])) if rows else None

    def renew(self, link: Link, fences: list[Fence], ttl: float) -> list[Fence]:
        """See the port `Leases`."""
        span = _microseconds(ttl)
        return [f for f in fences if not link.run(_RENEW, (span, f.name, f.owner, f.epoch))]

    def release(self, link: Link, fence: Fence) -> None:
        """See the port `Leases`."""
        # A worker's name never comes again; nor need its lease be kept.
        statement = _DROP if fence.name.startswith(_WORKER) else _RELEASE
        link.run(statement, (fence.name, fence.owner, fence.epoch))

    def held(self, link: Link, kind: str) -> dict[str, str]:
        """See the port `Leases`."""
        return dict(link.rows(_HELD, (f"{kind}:", f"{kind};")))

    def once(self, link: Link, job: str, slot: str) -> bool:
        """See the port `Leases`."""
        return bool(link.run(_ONCE, (job, slot)))

    def join(self, link: Link, ttl: float) -> Fence:
        """A lease for the life of this worker."""
        fence = self.take(link, f"{_WORKER}{self._worker}", ttl)
        assert fence is not None  # nobody else has our name
        return fence

    def bury(self, link: Link, *, alone: bool = False) -> list[str]:
        """Take what dead workers had in hand; returns the streams where they had a live call.

        What was claimed is due again; of what was being sent nobody knows. `alone`: whoever else
        has a lease is dead. Afterwards the dead write nothing more, should they wake.
        """
        if alone:
            link.run("UPDATE lease SET until = 0 WHERE owner <> ?", (self._worker,))
        # Ours may have run out while the server was away; whoever writes this is not dead.
        link.run(_DEAD, (f"{_WORKER}%", self._worker))
        link.run(_DEAD, (f"{_COMMIT}%", self._worker))
        living = [owner for (owner,) in link.rows(_LIVING, (f"{_WORKER}%",))]
        orphaned = f"holder IS NOT NULL AND NOT {self._engine.any_of('holder')}"
        values = (self._engine.listed(living),)
        for state, now in (("claimed", "due"), ("sending", "open")):
            link.run(
                f"UPDATE outbox SET state = ?, holder = NULL WHERE state = ? AND {orphaned}",
                (now, state, *values),
            )
        query = f"SELECT stream FROM stream WHERE {orphaned} ORDER BY stream"
        return [stream for (stream,) in link.rows(query, values)]


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
