"""Delivery receipts, many in one transaction: into the stream of their text, or kept for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ari_app.ports import Clock, Receipt
from ari_app.store.appending import Appender, Write, receipt_event, receipt_key
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link
from ari_app.store.wire import EARLY_FOR, Owner, Rules, Wire
from smpp.ids import IdRule, folded

logger = logging.getLogger(__name__)

#: So many receipts of unknown texts are kept, the newest; a carrier that sends those of another
#: customer must not fill the disk.
MOST_EARLY = 100_000
# They are counted once in so many, since counting takes long.
_COUNT_EVERY = 1000
# Two workers of one database: the one with the receipt does not see the id that the other one is
# just about to commit. So what was not found is looked for once more, a little later.
_LOOK_AGAIN_AFTER = 2_000_000  # microseconds
_AT_ONCE = 200

_KEEP = Bulk(
    "INSERT INTO early_receipt (carrier, id, folded, state, error, at, looked)",
    "?, ?, ?, ?, ?, ?, 0",
    "text text text text text int8",
)
_STALE = "DELETE FROM early_receipt WHERE at < ?"
_COUNT = "SELECT count(*) FROM early_receipt"
_DROP = """
    DELETE FROM early_receipt WHERE number IN
    (SELECT number FROM early_receipt ORDER BY number LIMIT ?)"""
_UNLOOKED = """
    SELECT number, carrier, id, state, error FROM early_receipt
    WHERE looked = 0 AND at <= ? ORDER BY at, number LIMIT ?"""
_LOOKED = "UPDATE early_receipt SET looked = 1 WHERE number = ?"
_FOUND = "DELETE FROM early_receipt WHERE number = ?"


class Receipts:
    """Matches receipts to texts by the rule of their carrier, whenever and wherever they come."""

    def __init__(self, engine: Engine, appender: Appender, clock: Clock) -> None:
        self._engine = engine
        self._appender = appender
        self._clock = clock
        self._wire = Wire(engine)
        self._kept = 0
        self._held = f"""
            SELECT id, state FROM early_receipt
            WHERE carrier = ? AND {engine.any_of("folded")}"""

    def store(self, link: Link, receipts: Sequence[Receipt]) -> list[bool]:
        """See the port `Store`."""
        rules = self._wire.rules(link)
        self._second_look(link, rules)
        known = self._match(link, receipts, rules)
        held = [r for r, there in zip(receipts, known, strict=True) if not (there or r.asked)]
        self._hold(link, held)
        rules.keep(link)
        return known

    def give_rule(self, link: Link, carrier: str, rule: IdRule | None) -> None:
        """See the port `Store`."""
        self._wire.give(link, carrier, rule)

    def _match(self, link: Link, receipts: Sequence[Receipt], rules: Rules) -> list[bool]:
        """Append those whose text is known; which these are."""
        owners: dict[tuple[str, str, bool], tuple[Owner, IdRule | None]] = {}
        for carrier in {receipt.carrier for receipt in receipts}:
            ids = {r.id for r in receipts if r.carrier == carrier and not r.asked}
            for id, found in self._wire.owners(link, carrier, ids, rules).items():
                owners[carrier, id, False] = found
            asked = {r.id for r in receipts if r.carrier == carrier and r.asked}
            for id, owner in self._wire.verbatim(link, carrier, asked).items():
                owners[carrier, id, True] = owner, None
        writes: list[Write] = []
        proofs: list[tuple[str, IdRule | None]] = []
        known: list[bool] = []
        for receipt in receipts:
            there = owners.get((receipt.carrier, receipt.id, receipt.asked))
            known.append(there is not None)
            if there is not None:
                owner, proof = there
                # As the response has it: so the fold knows which part of the text it is.
                named = receipt
                if owner.id != receipt.id:
                    named = Receipt(receipt.carrier, owner.id, receipt.state, receipt.error)
                event, key = receipt_event(owner.message, named), receipt_key(owner.message, named)
                writes.append(Write(owner.stream, [event], dedupe=key))
                proofs.append((receipt.carrier, proof))
        for outcome, (carrier, proof) in zip(self._written(link, writes), proofs, strict=True):
            if isinstance(outcome, Exception):
                raise outcome
            if outcome:  # a repetition proves nothing
                rules.learn(carrier, proof)
        return known

    def _written(self, link: Link, writes: Sequence[Write]) -> Sequence[object]:
        return self._appender.apply(link, writes) if writes else ()

    def _hold(self, link: Link, unknown: Sequence[Receipt]) -> None:
        if not unknown:
            return
        now = self._clock.now()
        link.run(_STALE, (now - EARLY_FOR,))
        fresh: dict[Receipt, None] = {}
        for carrier in {receipt.carrier for receipt in unknown}:
            mine = [receipt for receipt in unknown if receipt.carrier == carrier]
            keys = self._engine.listed({folded(receipt.id) for receipt in mine})
            held = set(link.rows(self._held, (carrier, keys)))
            fresh |= dict.fromkeys(r for r in mine if (r.id, r.state) not in held)
        rows = [(r.carrier, r.id, folded(r.id), r.state, r.error, now) for r in fresh]
        link.bulk(_KEEP, rows)
        self._bound(link, len(rows))

    def _bound(self, link: Link, more: int) -> None:
        self._kept += more
        if self._kept < _COUNT_EVERY:
            return
        self._kept = 0
        ((count,),) = link.rows(_COUNT)
        if count > MOST_EARLY:
            link.run(_DROP, (count - MOST_EARLY,))
            logger.error(
                "%d receipts of unknown texts were dropped: more than %d came",
                count - MOST_EARLY,
                MOST_EARLY,
            )

    def _second_look(self, link: Link, rules: Rules) -> None:
        rows = link.rows(_UNLOOKED, (self._clock.now() - _LOOK_AGAIN_AFTER, _AT_ONCE))
        if not rows:
            return
        known = self._match(link, [Receipt(*row[1:]) for row in rows], rules)
        numbers = [(row[0],) for row in rows]
        link.many(_FOUND, [n for n, there in zip(numbers, known, strict=True) if there])
        link.many(_LOOKED, [n for n, there in zip(numbers, known, strict=True) if not there])
