"""Pure. What the rules before the wire say of a text that is about to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Allowed:
    """No rule is against it."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """It is never sent; `rule` is a short name that may label a metric, `reason` one sentence."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """It is asked for again at `until` (UTC microseconds, later than the `now` of the question)."""

    until: int
    rule: str


Verdict: TypeAlias = Allowed | Blocked | Wait

ALLOWED = Allowed()
