"""
Message ids: finding the id that submit_sm_resp had by the id that a receipt has.

Some SMSCs answer with hexadecimal and report in decimal, or the other way round, or change the case
or the leading zeros. SMPP 3.4 allows none of it (§5.2.23) and many do it.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum


class IdRule(Enum):
    """How a carrier writes in a receipt the id of its response."""

    SAME = "same"  #: perhaps in another case, or with leading zeros
    RECEIPT_DECIMAL = "receipt_decimal"  #: hexadecimal in submit_sm_resp
    RECEIPT_HEX = "receipt_hex"  #: decimal in submit_sm_resp


class MessageIds:
    """Remembers the ids of recent responses and learns the carrier's rule from the first match."""

    def __init__(self, rule: IdRule | None = None, most: int = 100_000) -> None:
        """A given `rule` is the carrier's word; nothing is learned then."""
        self._rule = rule
        self._most = most
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lower = False  # how this carrier writes hexadecimal

    @property
    def rule(self) -> IdRule | None:
        """What is given, or was learned so far."""
        return self._rule

    def remember(self, id: str) -> None:
        """A response had this id."""
        self._known[_folded(id)] = id
        self._lower = self._lower or any(c in "abcdef" for c in id)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def find(self, id: str) -> str:
        """The id as the response had it; as the rule makes it, or unchanged, if that is gone."""
        for rule in [self._rule] if self._rule else IdRule:
            candidate = _convert(id, rule)
            found = None if candidate is None else self._known.get(_folded(candidate))
            if found is not None:
                self._rule = rule
                return found
        return self._written(id)

    def _written(self, id: str) -> str:
        candidate = _convert(id, self._rule) if self._rule else None
        if candidate is None:
            return id
        if self._rule is IdRule.RECEIPT_DECIMAL and self._lower:
            return candidate.lower()
        return candidate


def _folded(id: str) -> str:
    return id.casefold().lstrip("0") or "0"


def _convert(id: str, rule: IdRule) -> str | None:
    try:
        match rule:
            case IdRule.SAME:
                return id
            case IdRule.RECEIPT_DECIMAL:
                return f"{int(id, 10):X}" if id.isascii() and id.isdigit() else None
            case IdRule.RECEIPT_HEX:
                return str(int(id, 16)) if id.isascii() and id.isalnum() else None
    except ValueError:
        return None
