"""How somebody talks in this conversation, counted from its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ari_app.conversation.events import CallerSpoke, DecisionMade, PromptInterrupted

#: Turns from which the caller's own level and pace are known.
_BASELINE = 3


@dataclass(frozen=True, slots=True)
class Manner:
    """Levels in dBFS, paces in words a second; None while too little was heard to compare."""

    misses: int = 0  # turns of the whole conversation that were not understood
    interruptions: int = 0  # prompts that were talked over
    odd_keys: int = 0  # that meant nothing where they were pressed
    spoken: int = 0  # turns that went into the two baselines
    level: float = 0.0
    pace: float = 0.0
    louder_db: float | None = None  # the last turn against the baseline
    faster: float | None = None  # likewise, as a quotient


def after(manner: Manner, event: CallerSpoke | DecisionMade | PromptInterrupted) -> Manner:
    """The manner after one more fact."""
    match event:
        case PromptInterrupted():
            return replace(manner, interruptions=manner.interruptions + 1)
        case CallerSpoke(evidence=evidence):
            return _spoken(manner, _number(evidence, "level_db"), _number(evidence, "pace"))
        case DecisionMade(actions=actions, inputs=inputs, intent=intent):
            odd = inputs.get("by") == "key" and intent is None and inputs.get("answer") is None
            return replace(
                manner,
                misses=manner.misses + ("miss" in actions),
                odd_keys=manner.odd_keys + (odd and inputs.get("code") is None),
            )


def _spoken(manner: Manner, level: float | None, pace: float | None) -> Manner:
    if level is None or pace is None or pace <= 0:
        return replace(manner, louder_db=None, faster=None)
    known = replace(
        manner,
        louder_db=level - manner.level if manner.spoken else None,
        faster=pace / manner.pace if manner.spoken else None,
    )
    if manner.spoken == _BASELINE:
        return known
    # The first turns are the caller's own measure.
    turns = manner.spoken + 1
    return replace(
        known,
        spoken=turns,
        level=manner.level + (level - manner.level) / turns,
        pace=manner.pace + (pace - manner.pace) / turns,
    )


def _number(evidence: dict[str, Any], name: str) -> float | None:
    """What the log holds may be anything, also after an erasure."""
    value = evidence.get(name)
    return float(value) if isinstance(value, int | float) else None
