"""What has left lately, by recipient and by limit, inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.policy.sending.limits import DAY, HOUR, leaves
from ari_app.policy.sending.rules import FAILED, Asked, Known, Left, Rules, span_of
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link

_LEFT = Bulk(
    "INSERT INTO sending (message, recipient, prefix, at, why)",
    "?, ?, ?, ?, ?",
    "text text text int8 text",
    "ON CONFLICT (message) DO UPDATE SET at = excluded.at",
)
_COUNT = Bulk(
    "INSERT INTO sending_count (key, until, value)",
    "?, ?, ?",
    "text int8 int8",
    "ON CONFLICT (key, until) DO UPDATE SET value = sending_count.value + excluded.value",
)
_FORGET_LEFT = """
    DELETE FROM sending WHERE message IN
    (SELECT message FROM sending WHERE at <= ? ORDER BY at LIMIT ?)"""
_FORGET_COUNTS = "DELETE FROM sending_count WHERE until <= ?"
_FORGET_FAILED = "DELETE FROM sending_count WHERE key >= ? AND key < ?"
# The view follows the log within seconds. The condition on its times is that of its index.
_FAILED = """
    INSERT INTO sending_count (key, until, value)
    SELECT ? || own.prefix, min(own.at) + ?, count(*)
    FROM message_view AS seen JOIN sending AS own ON own.message = seen.message
    WHERE seen.state IN ('undeliverable', 'rejected', 'expired')
    AND seen.promised_at > ? AND own.at > ?
    GROUP BY own.prefix"""
# Old rows are forgotten in every so many claims: twice as many as may have come meanwhile.
_FORGET_EVERY = 64
_LEAST_FORGOTTEN = 2000


class SendingCounts:
    """The tables `sending` and `sending_count`, and in one look with them `suppression`."""

    def __init__(self, engine: Engine) -> None:
        self._listed = engine.listed
        # Where several write, the counters of now are taken in hand before they are read.
        self._shared = bool(engine.for_update)
        self._known = f"""
            SELECT subject, sender, at, '' FROM suppression WHERE {engine.any_of("subject")}
            UNION ALL
            SELECT recipient, message, at, why FROM sending
            WHERE {engine.any_of("recipient")} AND at > ?"""
        self._counts = f"""
            SELECT key, until, value FROM sending_count
            WHERE {engine.any_of("key")} AND until > ?"""
        self._claims = 0

    def read(self, link: Link, rules: Rules, texts: Sequence[Asked], known: Known) -> None:
        """Fill in what is known of these recipients and of their limits."""
        now = known.counts.now
        recipients = self._listed({text.recipient for text in texts})
        for who, what, at, why in link.rows(self._known, (recipients, recipients, now - DAY)):
            if why:
                known.left.setdefault(who, []).append(Left(what, at, why))
            else:
                known.opted_out.setdefault(who, {})[what] = at
        keys = rules.keys_of(texts)
        if not keys:
            return
        if self._shared:
            own = sorted(key for key in keys if not key.startswith(FAILED))
            link.bulk(_COUNT, [(key, leaves(now, span_of(key)), 0) for key in own])
        known.counts.learn(
            (key, int(until), int(value))
            for key, until, value in link.rows(self._counts, (self._listed(keys), now))
        )

    def write(self, link: Link, known: Known) -> None:
        """Keep what was let through."""
        now = known.counts.now
        rows = [
            (text.message, text.recipient, text.prefix, now, text.despite.value)
            for text in known.let_through
        ]
        link.bulk(_LEFT, rows)
        link.bulk(_COUNT, known.counts.rows())
        self._claims += 1
        if self._claims % _FORGET_EVERY == 0:
            most = max(_LEAST_FORGOTTEN, 2 * _FORGET_EVERY * len(rows))
            link.run(_FORGET_LEFT, (now - DAY, most))
            link.run(_FORGET_COUNTS, (now,))


def count_failures(link: Link, now: int) -> None:
    """Count anew, by prefix, the texts of the last hour that were let through and have failed."""
    link.run(_FORGET_FAILED, (FAILED, FAILED[:-1] + chr(ord(FAILED[-1]) + 1)))
    link.run(_FAILED, (FAILED, HOUR, now - DAY, now - HOUR))
