"""What has come by deliver_sm and is no fact yet: kept, sealed, before the SMSC is answered."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.ports import Arrival
from ari_app.privacy.payloads import Payloads
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link

#: So many of one kind and carrier are kept, the newest.
MOST_ARRIVALS = 10_000

# What is repeated is kept once.
_KEEP = Bulk(
    "INSERT INTO arrival (id, carrier, kind, at, payload)",
    "?, ?, ?, ?, ?",
    "text text text int8 text",
    "ON CONFLICT (id) DO NOTHING",
)
_KEPT = "SELECT id, carrier, kind, at, payload FROM arrival WHERE carrier = ? ORDER BY at, id"
_FORGET = "DELETE FROM arrival WHERE carrier = ? AND kind = ? AND at < ?"
_BOUND = """
    DELETE FROM arrival WHERE id IN (
        SELECT id FROM arrival WHERE carrier = ? AND kind = ?
        ORDER BY at DESC, id LIMIT 1000 OFFSET ?)"""
# The payloads are the texts of persons; `sms` is the kind of effects whose payloads are.
_KIND = "sms"


class Arrivals:
    """Rows of the table `arrival`, inside a transaction."""

    def __init__(self, engine: Engine, payloads: Payloads) -> None:
        self._engine = engine
        self._payloads = payloads
        self._move = f"UPDATE arrival SET kind = ?, at = ? WHERE {engine.any_of('id')}"

    def make_ready(self, arrivals: Sequence[Arrival]) -> None:
        """Have the keys at hand; before the transaction."""
        classes = self._payloads.classes((), [_KIND])
        self._payloads.make_ready({(_owner(a.carrier), c) for a in arrivals for c in classes})

    def keep(self, link: Link, arrivals: Sequence[Arrival]) -> None:
        """See the port `SmsArrivals`."""
        write = self._payloads.write_effect
        rows = [
            (a.id, a.carrier, a.kind, a.at, write(_owner(a.carrier), a.id, _KIND, a.payload))
            for a in arrivals
        ]
        link.bulk(_KEEP, list({row[0]: row for row in rows}.values()))
        for carrier, kind in {(a.carrier, a.kind) for a in arrivals}:
            link.run(_BOUND, (carrier, kind, MOST_ARRIVALS))

    def kept(self, link: Link, carrier: str) -> list[Arrival]:
        """See the port `SmsArrivals`."""
        return [
            Arrival(id, carrier, kind, at, self._payloads.read_effect(id, payload))
            for id, carrier, kind, at, payload in link.rows(_KEPT, (carrier,))
        ]

    def move(self, link: Link, ids: Sequence[str], kind: str, at: int) -> None:
        """See the port `SmsArrivals`."""
        link.run(self._move, (kind, at, self._engine.listed(ids)))

    def forget(self, link: Link, carrier: str, kind: str, before: int) -> None:
        """See the port `SmsArrivals`."""
        link.run(_FORGET, (carrier, kind, before))


def _owner(carrier: str) -> str:
    # Nobody knows yet whose it is. The rows are gone long before a key would be.
    return f"carrier_{carrier}"
