"""Puts hashes where a person's payloads were: what was sealed is gone, and the log still holds."""

from __future__ import annotations

from ari_app.conversation.events import PERSONAL_FIELDS
from ari_app.ledger.canonical import payload_hash
from ari_app.store.engine import Engine, Link

_PAGE = 500
_OWNED = "SELECT stream FROM stream WHERE subject = ? OR stream = ? ORDER BY stream"
_EVENTS = """
    SELECT sequence, name, version, payload FROM event
    WHERE stream = ? AND sequence > ? AND at <= ? AND payload IS NOT NULL
    ORDER BY sequence LIMIT ?"""
_BURY = """
    UPDATE event SET payload = NULL, payload_hash = ?
    WHERE stream = ? AND sequence = ? AND payload IS NOT NULL"""
_FORGET = "DELETE FROM snapshot WHERE stream = ?"
# What was done is not looked at any more.
_EMPTY = "UPDATE outbox SET payload = '{}' WHERE stream = ? AND state = 'done'"


class Tombstones:
    """One page in each transaction, so that no call waits for a long history."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def streams(self, link: Link, owner: str) -> list[str]:
        """What the owner has: a subject its conversations, an anonymous conversation itself."""
        return [stream for (stream,) in link.rows(_OWNED, (owner, owner))]

    def page(self, link: Link, stream: str, after: int, until: int) -> tuple[int, int]:
        """Bury some events that came after a sequence and not after a time.

        Returns how far it came, 0 if that is the end; and how many were buried.
        """
        rows = link.rows(_EVENTS, (stream, after, until, _PAGE))
        buried = [
            (payload_hash(payload), stream, sequence)
            for sequence, name, version, payload in rows
            if PERSONAL_FIELDS.get((name, version))
        ]
        link.many(_BURY, buried)
        if len(rows) < _PAGE:
            link.run(_EMPTY, (stream,))
            link.run(_FORGET, (stream,))
            return 0, len(buried)
        return rows[-1][0], len(buried)
