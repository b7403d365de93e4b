"""The life of a hand-off record, as a table."""

from __future__ import annotations

from enum import Enum

from ari_app.errors import IllegalMove


class Step(Enum):
    """Where a hand-off record is."""

    RECORDED = "recorded"  #: promised to its first route
    WAITING = "waiting"  #: a route failed; it will be tried again, or the next one
    ACKNOWLEDGED = "acknowledged"  #: the receiver has it
    ESCALATED = "escalated"  #: no route took it: a person must look

    @property
    def final(self) -> bool:
        """Whether the record has reached somebody."""
        return self in (Step.ACKNOWLEDGED, Step.ESCALATED)


class Outcome(Enum):
    """What a route said."""

    TAKEN = "taken"
    FAILED = "failed"
    GAVE_UP = "gave_up"


NEXT: dict[tuple[Step, Outcome], Step] = {
    (Step.RECORDED, Outcome.TAKEN): Step.ACKNOWLEDGED,
    (Step.RECORDED, Outcome.FAILED): Step.WAITING,
    (Step.RECORDED, Outcome.GAVE_UP): Step.ESCALATED,
    (Step.WAITING, Outcome.TAKEN): Step.ACKNOWLEDGED,
    (Step.WAITING, Outcome.FAILED): Step.WAITING,
    (Step.WAITING, Outcome.GAVE_UP): Step.ESCALATED,
}


def advance(step: Step, outcome: Outcome) -> Step:
    """The step after an outcome; IllegalMove if the table has none."""
    try:
        return NEXT[step, outcome]
    except KeyError:
        raise IllegalMove(step.value, outcome.value) from None
