"""The carriers' message ids: whose they are, how each carrier writes them, and what came early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from ari_app.ports import Receipt
from ari_app.store.bulk import Bulk
from ari_app.store.engine import Engine, Link
from smpp.ids import Evidence, IdRule, folded, in_receipt, in_response, proven

# Carriers use their ids again; a receipt that nobody missed for so long was for another text.
EARLY_FOR = 24 * 3600 * 1_000_000

# Ids come round again after days: the newest message owns the id.
KNOW = Bulk(
    "INSERT INTO wire (carrier, id, folded, message, stream, at)",
    "?, ?, ?, ?, ?, ?",
    "text text text text text int8",
    "ON CONFLICT (carrier, id) DO UPDATE SET folded = excluded.folded, "
    "message = excluded.message, stream = excluded.stream, at = excluded.at",
)
_RULES = "SELECT carrier, given, same, receipt_decimal, receipt_hex FROM id_rule"
_GIVE = """
    INSERT INTO id_rule (carrier, given, same, receipt_decimal, receipt_hex) VALUES (?, ?, 0, 0, 0)
    ON CONFLICT (carrier) DO UPDATE SET given = excluded.given"""
# Added, not set: another worker may have learned meanwhile.
_LEARN = """
    INSERT INTO id_rule (carrier, same, receipt_decimal, receipt_hex) VALUES (?, ?, ?, ?)
    ON CONFLICT (carrier) DO UPDATE SET same = id_rule.same + excluded.same,
    receipt_decimal = id_rule.receipt_decimal + excluded.receipt_decimal,
    receipt_hex = id_rule.receipt_hex + excluded.receipt_hex"""
# What nobody has missed so far may be found by another rule.
_LOOK_AGAIN = "UPDATE early_receipt SET looked = 0 WHERE carrier = ?"
_ANY_EARLY = "SELECT 1 FROM early_receipt LIMIT 1"


class Owner(NamedTuple):
    """The text that an id belongs to; `id` is verbatim as in submit_sm_resp."""

    id: str
    message: str
    stream: str
    at: int


class _Held(NamedTuple):
    number: int
    id: str
    state: str
    error: str


@dataclass(frozen=True, slots=True)
class Early:
    """Receipts that came before the response whose id they have, and what they prove."""

    receipts: Sequence[Receipt]  # with the id as the response has it
    numbers: Sequence[int]
    proof: IdRule | None


class Rules:
    """How each carrier writes ids, and what was learned of that in one transaction."""

    def __init__(
        self, given: Mapping[str, IdRule | None], evidence: Mapping[str, Evidence]
    ) -> None:
        self._given = given
        self._evidence = evidence
        self._news: list[tuple[str, IdRule]] = []

    def of(self, carrier: str) -> IdRule | None:
        """What was set, or learned; None while all must be tried."""
        return self._given.get(carrier) or self._evidence.get(carrier, Evidence()).rule

    def learn(self, carrier: str, proof: IdRule | None) -> None:
        """A text was found by this rule alone."""
        if proof is not None and self.of(carrier) is None:
            self._news.append((carrier, proof))

    def keep(self, link: Link) -> None:
        """Remember what is new, in the transaction."""
        for carrier in {carrier for carrier, _ in self._news}:
            new = Evidence()
            for _, proof in (one for one in self._news if one[0] == carrier):
                new = new.plus(proof)
            link.run(_LEARN, (carrier, new.same, new.receipt_decimal, new.receipt_hex))
        self._news.clear()


class Wire:
    """Looks ids up inside a transaction; each look takes O(log n) of all ids that are known."""

    def __init__(self, engine: Engine) -> None:
        self._listed = engine.listed
        self._owned = f"""
            SELECT folded, id, message, stream, coalesce(at, 0) FROM wire
            WHERE carrier = ? AND {engine.any_of("folded")}"""
        # Written by an older program, which found them by the very id.
        self._plain = f"""
            SELECT id, id, message, stream, 0 FROM wire
            WHERE carrier = ? AND {engine.any_of("id")} AND folded IS NULL"""
        self._verbatim = f"""
            SELECT id, message, stream, coalesce(at, 0) FROM wire
            WHERE carrier = ? AND {engine.any_of("id")}"""
        # Two SELECTs, since with OR a database may read the whole table.
        self._early = f"""
            SELECT number, id, state, error, folded FROM early_receipt
            WHERE carrier = ? AND {engine.any_of("folded")} AND at >= ?
            UNION ALL
            SELECT number, id, state, error, NULL FROM early_receipt
            WHERE carrier = ? AND {engine.any_of("id")} AND folded IS NULL AND at >= ?
            ORDER BY 1"""

    def rules(self, link: Link) -> Rules:
        """Of all carriers."""
        rows = link.rows(_RULES)
        return Rules(
            {row[0]: IdRule(row[1]) if row[1] else None for row in rows},
            {row[0]: Evidence(*row[2:]) for row in rows},
        )

    def give(self, link: Link, carrier: str, rule: IdRule | None) -> None:
        """This is its rule, whatever was learned; None: learn it."""
        known = {row[0]: row[1] for row in link.rows(_RULES)}
        wanted = rule.value if rule else None
        if known.get(carrier) != wanted:
            link.run(_GIVE, (carrier, wanted))
            link.run(_LOOK_AGAIN, (carrier,))

    def owners(
        self, link: Link, carrier: str, ids: AbstractSet[str], rules: Rules
    ) -> dict[str, tuple[Owner, IdRule | None]]:
        """The text of each id of a receipt, as far as it is known, and what that proves."""
        rule = rules.of(carrier)
        keys = {id: in_response(id, rule) for id in ids}
        wanted = {key for of_id in keys.values() for key in of_id.values()}
        known: dict[str, list[Owner]] = {}
        for key, *row in link.rows(self._owned, (carrier, self._listed(wanted))):
            known.setdefault(key, []).append(Owner(*row))
        found: dict[str, tuple[Owner, IdRule | None]] = {}
        for id, of_id in keys.items():
            there = next((known[key] for key in of_id.values() if key in known), None)
            if there is not None:
                found[id] = _closest(id, there), proven(of_id, known) if rule is None else None
        lost = ids - found.keys()
        if lost:
            for id, *row in link.rows(self._plain, (carrier, self._listed(lost))):
                found[id] = Owner(*row), None
        return found

    def verbatim(self, link: Link, carrier: str, ids: AbstractSet[str]) -> dict[str, Owner]:
        """The text of each id of submit_sm_resp, as far as it is known."""
        rows = link.rows(self._verbatim, (carrier, self._listed(ids))) if ids else ()
        return {row[0]: Owner(*row) for row in rows}

    def early(
        self, link: Link, responses: Iterable[tuple[str, Sequence[str]]], now: int
    ) -> tuple[dict[tuple[str, str], Early], Rules | None]:
        """What came before these (carrier, ids) of submit_sm_resp, in the order in which it came.

        The rules are those of all carriers, None if nothing has come early.
        """
        if not link.rows(_ANY_EARLY):
            return {}, None
        rules = self.rules(link)
        by_carrier: dict[str, set[str]] = {}
        for carrier, ids in responses:
            by_carrier.setdefault(carrier, set()).update(ids)
        found: dict[tuple[str, str], Early] = {}
        for carrier, all_ids in by_carrier.items():
            rule = rules.of(carrier)
            for id, early in self._early_of(link, carrier, all_ids, rule, now).items():
                found[carrier, id] = early
        return found, rules

    def _early_of(
        self, link: Link, carrier: str, ids: set[str], rule: IdRule | None, now: int
    ) -> dict[str, Early]:
        keys = {id: in_receipt(id, rule) for id in ids}
        wanted = {key for of_id in keys.values() for key in of_id.values()}
        since = now - EARLY_FOR
        held: dict[str, list[_Held]] = {}
        plain: dict[str, list[_Held]] = {}
        values = (carrier, self._listed(wanted), since, carrier, self._listed(ids), since)
        for *row, key in link.rows(self._early, values):
            one = _Held(*row)
            if key is None:
                plain.setdefault(one.id, []).append(one)
            else:
                held.setdefault(key, []).append(one)
        found: dict[str, Early] = {}
        for id, of_id in keys.items():
            there = next((held[key] for key in of_id.values() if key in held), [])
            there = [*plain.get(id, ()), *there]
            if there:
                proof = proven(of_id, held) if rule is None else None
                receipts = [Receipt(carrier, id, one.state, one.error) for one in there]
                found[id] = Early(receipts, [one.number for one in there], proof)
        return found


def known_row(carrier: str, id: str, message: str, stream: str, at: int) -> tuple[object, ...]:
    """The values of `KNOW`."""
    return carrier, id, folded(id), message, stream, at


def _closest(id: str, owners: Sequence[Owner]) -> Owner:
    """The very id, else the newest of those that differ by case and zeros only."""
    return max(owners, key=lambda owner: (owner.id == id, owner.at))
