"""States of long conversations, kept so that not all of their events must be read again."""

from __future__ import annotations

from ari_app.conversation.snapshot import from_text, to_text
from ari_app.conversation.state import Conversation, fold
from ari_app.privacy.errors import SealBroken
from ari_app.privacy.payloads import Payloads
from ari_app.privacy.retention import SNAPSHOTS
from ari_app.store.engine import Link

#: A stream is snapshotted when so many events had to be folded.
EVERY = 500

_FIND = "SELECT sequence, payload FROM snapshot WHERE stream = ?"
_EVENTS = """
    SELECT id, stream, sequence, at, actor, cause, name, version, payload FROM event
    WHERE stream = ? AND sequence > ? ORDER BY sequence"""
_OWNER = "SELECT subject FROM stream WHERE stream = ?"
_KEEP = """
    INSERT INTO snapshot (stream, sequence, payload) VALUES (?, ?, ?)
    ON CONFLICT (stream) DO UPDATE SET sequence = excluded.sequence, payload = excluded.payload"""


class Snapshots:
    """A snapshot is never the truth: one that is missing or cannot be read costs time only."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def state(self, link: Link, stream: str) -> tuple[Conversation, bool]:
        """The state after all events, and whether it is worth keeping."""
        start = self._found(link, stream)
        rows = link.rows(_EVENTS, (stream, start.sequence if start else 0))
        state = fold((self._payloads.envelope(row) for row in rows), start)
        return state, len(rows) >= EVERY

    def _found(self, link: Link, stream: str) -> Conversation | None:
        for sequence, payload in link.rows(_FIND, (stream,)):
            try:
                text = self._payloads.read_snapshot(stream, sequence, payload)
            except SealBroken:
                return None
            return None if text is None else from_text(text)
        return None

    def keep(self, link: Link, stream: str, state: Conversation) -> None:
        """Remember it; in a transaction."""
        owner = self._owner(link, stream)
        text = self._payloads.write_snapshot(owner, stream, state.sequence, to_text(state))
        link.run(_KEEP, (stream, state.sequence, text))

    def make_ready(self, link: Link, stream: str) -> None:
        """Have its key at hand; before the transaction."""
        self._payloads.make_ready({(self._owner(link, stream), SNAPSHOTS)})

    def _owner(self, link: Link, stream: str) -> str:
        found = link.rows(_OWNER, (stream,))
        return (found[0][0] if found else None) or stream
