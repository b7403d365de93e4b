"""How somebody talks is counted from events, against their own first turns."""

from __future__ import annotations

from typing import Any

import pytest

from ari_app.conversation.events import CallerSpoke, DecisionMade, PromptInterrupted
from ari_app.conversation.manner import Manner, after


def spoke(level: Any, pace: Any = 2.0) -> CallerSpoke:
    evidence = {"level_db": level, "pace": pace}
    return CallerSpoke(
        call="c", text="x", words=(), confidence=0.9, endpoint_ms=0, evidence=evidence
    )


def decided(by: str, *, intent: str | None = None, actions: tuple[str, ...] = ()) -> DecisionMade:
    return DecisionMade(
        bundle="b",
        rule="r",
        reason="x",
        actions=actions,
        inputs={"by": by},
        intent=intent,
        confidence=1.0,
        alternatives=(),
        topic=None,
        question=None,
    )


def of(*events: CallerSpoke | DecisionMade | PromptInterrupted) -> Manner:
    manner = Manner()
    for event in events:
        manner = after(manner, event)
    return manner


def test_a_level_is_compared_with_the_first_three_turns() -> None:
    assert of(spoke(-30.0)).louder_db is None
    loud = of(spoke(-30.0), spoke(-28.0), spoke(-32.0), spoke(-20.0, 4.0))
    assert (loud.louder_db, loud.faster) == (10.0, 2.0)
    # Who stays loud stays louder than they were.
    assert of(*[spoke(-30.0)] * 3, spoke(-20.0), spoke(-20.0)).louder_db == 10.0


@pytest.mark.parametrize("level", [None, "loud", "", [1]])
def test_what_was_not_measured_is_compared_with_nothing(level: Any) -> None:
    manner = of(spoke(-30.0), spoke(level))
    assert (manner.louder_db, manner.spoken) == (None, 1)


def test_a_pace_of_nothing_divides_nothing() -> None:
    assert of(spoke(-30.0, 0.0), spoke(-30.0, 2.0)).faster is None


def test_misses_interruptions_and_odd_keys_are_counted() -> None:
    manner = of(
        decided("speech", actions=("miss", "ask same")),
        PromptInterrupted(call="c", prompt="p", after_ms=5),
        decided("key"),
        decided("key", intent="yes"),
        decided("speech"),
    )
    assert (manner.misses, manner.interruptions, manner.odd_keys) == (1, 1, 1)
