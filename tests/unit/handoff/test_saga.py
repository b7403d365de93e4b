"""The life of a hand-off record ends with a receiver or with a person."""

from __future__ import annotations

import itertools

import pytest

from ari_app.errors import IllegalMove
from ari_app.handoff.saga import NEXT, Outcome, Step, advance

PAIRS = list(itertools.product(Step, Outcome))


@pytest.mark.parametrize(("step", "outcome"), PAIRS)
def test_every_step_moves_by_the_table_or_refuses(step: Step, outcome: Outcome) -> None:
    if (step, outcome) in NEXT:
        assert advance(step, outcome) is NEXT[step, outcome]
    else:
        with pytest.raises(IllegalMove):
            advance(step, outcome)


def test_what_is_not_final_knows_what_to_do_with_every_outcome() -> None:
    waiting = [step for step in Step if not step.final]
    assert set(NEXT) == set(itertools.product(waiting, Outcome))


def test_it_ends_acknowledged_or_escalated_and_nothing_else() -> None:
    assert {step for step in Step if step.final} == {Step.ACKNOWLEDGED, Step.ESCALATED}
    for step in Step:
        if not step.final:
            assert advance(step, Outcome.TAKEN) is Step.ACKNOWLEDGED
            assert advance(step, Outcome.GAVE_UP) is Step.ESCALATED
            assert advance(step, Outcome.FAILED) is Step.WAITING
