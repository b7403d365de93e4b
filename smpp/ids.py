"""
Message ids: whose receipt it is, when the carrier writes the id of its response another way.

Some SMSCs answer with hexadecimal and report in decimal, or the other way round, or change the case
or the leading zeros. SMPP 3.4 allows none of it (§5.2.23) and many do it. So an id is looked for
under keys: `in_response` gives those that the id of a receipt may have had in submit_sm_resp, and
`in_receipt` the other way, for receipts that come before the response. All keys are folded, so one
ordered index of folded ids finds every form.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from enum import Enum

# A coincidence finds one wrong id, hardly three.
_ENOUGH = 3


class IdRule(Enum):
    """How a carrier writes in a receipt the id of its response; in the order in which to try."""

    SAME = "same"  #: perhaps in another case, or with leading zeros
    RECEIPT_DECIMAL = "receipt_decimal"  #: hexadecimal in submit_sm_resp
    RECEIPT_HEX = "receipt_hex"  #: decimal in submit_sm_resp


def folded(id: str) -> str:
    """The id without regard to case and leading zeros."""
    return id.casefold().lstrip("0") or "0"


def in_response(id: str, rule: IdRule | None = None) -> dict[IdRule, str]:
    """From the id of a receipt: its folded forms in submit_sm_resp, by rule; all, or by one."""
    return _keys(id, rule, decimal=IdRule.RECEIPT_DECIMAL, hexadecimal=IdRule.RECEIPT_HEX)


def in_receipt(id: str, rule: IdRule | None = None) -> dict[IdRule, str]:
    """From the id of submit_sm_resp: its folded forms in a receipt, by rule; all, or by one."""
    return _keys(id, rule, decimal=IdRule.RECEIPT_HEX, hexadecimal=IdRule.RECEIPT_DECIMAL)


def _keys(
    id: str, only: IdRule | None, *, decimal: IdRule, hexadecimal: IdRule
) -> dict[IdRule, str]:
    """`decimal` is the rule under which this id is a decimal number, and likewise."""
    keys = {}
    if only is None or only is IdRule.SAME:
        keys[IdRule.SAME] = folded(id)
    # Without these checks Python would also read "1_0", "+1" and the digits of other scripts.
    if id.isascii() and id.isalnum():
        if only in (None, decimal) and id.isdigit():
            keys[decimal] = f"{int(id):x}"
        if only in (None, hexadecimal) and (number := _of_hexadecimal(id)) is not None:
            keys[hexadecimal] = str(number)
    return {rule: keys[rule] for rule in IdRule if rule in keys}


def _of_hexadecimal(id: str) -> int | None:
    try:
        return int(id, 16)
    except ValueError:
        return None


def proven(keys: Mapping[IdRule, str], known: Container[str]) -> IdRule | None:
    """The rule that alone leads to something known; None if nothing does, or it is ambiguous."""
    found = [rule for rule, key in keys.items() if key in known]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """How often each rule alone has found an id of a carrier; to be kept as long as its ids."""

    same: int = 0
    receipt_decimal: int = 0
    receipt_hex: int = 0

    @property
    def rule(self) -> IdRule | None:
        """The rule that has led often enough, more often than all others together."""
        for rule in IdRule:
            if 2 * self.of(rule) - self.total >= _ENOUGH:
                return rule
        return None

    @property
    def total(self) -> int:
        """Of all rules."""
        return self.same + self.receipt_decimal + self.receipt_hex

    def of(self, rule: IdRule) -> int:
        """How often this rule was the one."""
        count: int = getattr(self, rule.value)
        return count

    def plus(self, rule: IdRule) -> Evidence:
        """Once more."""
        return replace(self, **{rule.value: self.of(rule) + 1})


class MessageIds:
    """Remembers the ids of recent responses in memory, for an ESME that has no database.

    The rule of the carrier is learned from the first unambiguous matches; then only it is used.
    """

    def __init__(self, rule: IdRule | None = None, most: int = 100_000) -> None:
        """A given `rule` is the carrier's word; nothing is learned then."""
        self._given = rule
        self._most = most
        self._known: OrderedDict[str, str] = OrderedDict()
        self._evidence = Evidence()
        self._lower = False  # how this carrier writes hexadecimal

    @property
    def rule(self) -> IdRule | None:
        """What is given, or was learned so far."""
        return self._given or self._evidence.rule

    def remember(self, id: str) -> None:
        """A response had this id."""
        self._known[folded(id)] = id
        self._lower = self._lower or any(c in "abcdef" for c in id)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def find(self, id: str) -> str:
        """The id as the response had it; as the rule makes it, or unchanged, if that is gone."""
        rule = self.rule
        if rule is IdRule.SAME:
            return self._known.get(folded(id), id)
        keys = in_response(id, rule)
        found = next((self._known[key] for key in keys.values() if key in self._known), None)
        if rule is None and (proof := proven(keys, self._known)) is not None:
            self._evidence = self._evidence.plus(proof)
        return found or self._written(id)

    def _written(self, id: str) -> str:
        rule = self.rule
        if rule is None or rule is IdRule.SAME:
            return id
        candidate = in_response(id, rule).get(rule)
        if candidate is None:
            return id
        return candidate if self._lower else candidate.upper()
