"""What the outbox keeps of a promise: its row, and the place of a text in its recipient's queue."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from ari_app.ports import Effect
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link, Row

TEXTS = "sms"

INSERT_EFFECT = Bulk(
    "INSERT INTO outbox (id, kind, stream, state, due, attempts, payload, recipient, turn, "
    "not_before, until, priority, message_class)",
    "?, ?, ?, 'due', ?, 0, ?, ?, ?, ?, ?, ?, ?",
    "text text text int8 text text int8 int8 int8 int4 text",
)
SETTLE = Bulk(
    "UPDATE outbox SET state = ?, due = ?, attempts = outbox.attempts + ?, "
    "doubts = outbox.doubts + ?, holder = NULL",
    "outbox.id = ?",
    "text int8 int4 int4 text",
)


class Queues:
    """Every recipient has a queue of its own: a text waits for those that were promised before it.

    `secret` keys the hash of the number. Without one, whoever the conversation is with stands for
    the recipient of its texts.
    """

    def __init__(self, engine: Engine, secret: bytes | None) -> None:
        self._secret = secret
        # Those that are done are in nobody's way.
        self._last = f"""
            SELECT recipient, max(turn) FROM outbox
            WHERE {engine.any_of("recipient")} AND state <> 'done' GROUP BY recipient"""
        self._listed = engine.listed

    def recipient(self, effect: Effect, owner: str) -> str | None:
        """Whose queue the effect is in; None if it waits for nobody."""
        if effect.kind != TEXTS:
            return None
        to = effect.payload.get("to")
        return owner if self._secret is None or to is None else hashed(self._secret, str(to))

    def last_turns(self, link: Link, recipients: Iterable[str]) -> dict[str, int]:
        """The last place that is taken in each of these queues."""
        return {who: int(turn) for who, turn in link.rows(self._last, (self._listed(recipients),))}


def hashed(secret: bytes, number: str) -> str:
    """What stands for a number in the outbox: nobody without the key can try all numbers."""
    text = f"recipient {number}".encode("utf-8", "surrogatepass")  # no other hash by the same key
    return "to_" + hmac.digest(secret, text, "sha256")[:16].hex()


def row_of(
    effect: Effect,
    stream: str,
    payload: str,
    recipient: str | None,
    turns: dict[str, int],
    now: int,
) -> Row:
    """The values of INSERT_EFFECT; `turns` learns the place that a text was given."""
    turn = None
    if recipient is not None:
        # Later than the one before it, also by a clock that was set back.
        turn = turns[recipient] = max(now, turns.get(recipient, 0) + 1)
    return (
        effect.id,
        effect.kind,
        stream,
        effect.due,
        payload,
        recipient,
        turn,
        effect.due,
        effect.until if recipient is not None else None,  # nothing but a text expires
        int(effect.priority),
        effect.message_class.value,
    )


def settled_row(id: str, now: int, again: int | None, *, counted: bool, in_doubt: bool) -> Row:
    """The values of SETTLE: due again at `again`, else done."""
    state, due = ("done", now) if again is None else ("due", again)
    return (state, due, 0 if counted else -1, int(in_doubt), id)
