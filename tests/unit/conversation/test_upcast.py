"""An old event is read step by step as one of today."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ari_app.conversation import upcast
from ari_app.conversation.events import (
    REGISTRY,
    CallAnswered,
    TextSubmitted,
    Unrecognised,
    from_payload,
)
from ari_app.conversation.upcast import UPCASTERS, Stored, Upcaster, newest
from ari_app.errors import UnreadableEvent


def picked_up_2(payload: dict[str, Any]) -> Stored:
    """`line` was what `call` is, as a number."""
    return "call.picked_up", 2, {"call": f"call_{payload['line']}"}


def answered_1(payload: dict[str, Any]) -> Stored:
    return "call.answered", 1, payload


OLD: dict[tuple[str, int], Upcaster] = {
    ("call.picked_up", 1): picked_up_2,
    ("call.picked_up", 2): answered_1,
}


def test_what_has_no_step_is_the_newest() -> None:
    payload = {"call": "c"}
    assert newest("call.answered", 1, payload, OLD) == ("call.answered", 1, payload)
    assert newest("call.picked_up", 3, payload, OLD) == ("call.picked_up", 3, payload)


def test_steps_follow_each_other_across_versions_and_names() -> None:
    assert newest("call.picked_up", 1, {"line": 7}, OLD) == ("call.answered", 1, {"call": "call_7"})
    assert newest("call.picked_up", 2, {"call": "c"}, OLD) == ("call.answered", 1, {"call": "c"})


def test_what_is_stored_is_not_changed_by_being_read() -> None:
    payload = {"line": 7}
    kept = copy.deepcopy(payload)
    newest("call.picked_up", 1, payload, OLD)
    assert payload == kept


def test_the_log_reads_an_old_event_as_one_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    for old, step in OLD.items():
        monkeypatch.setitem(upcast.UPCASTERS, old, step)
    assert from_payload("call.picked_up", 1, {"line": 7}) == CallAnswered(call="call_7")
    assert from_payload("call.answered", 1, {"call": "c"}) == CallAnswered(call="c")


def test_a_newer_event_is_not_taken_for_an_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for old, step in OLD.items():
        monkeypatch.setitem(upcast.UPCASTERS, old, step)
    carried = from_payload("call.picked_up", 3, {"line": 7})
    assert carried == Unrecognised(name="call.picked_up", version=3, payload={"line": 7})


def test_lists_are_tuples_after_an_upcast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def submitted(payload: dict[str, Any]) -> Stored:
        return "text.submitted", 1, {**payload, "attempts": 1}

    monkeypatch.setitem(upcast.UPCASTERS, ("text.taken", 1), submitted)
    read = from_payload("text.taken", 1, {"message": "m", "carrier": "main", "ids": ["1", "2"]})
    assert read == TextSubmitted(message="m", carrier="main", ids=("1", "2"), attempts=1)


def test_an_old_event_that_its_step_cannot_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for old, step in OLD.items():
        monkeypatch.setitem(upcast.UPCASTERS, old, step)
    with pytest.raises(UnreadableEvent) as refused:
        from_payload("call.picked_up", 1, {"lines": 7})
    assert (refused.value.event, refused.value.version) == ("call.picked_up", 1)
    assert isinstance(refused.value.__cause__, KeyError)


def test_what_a_step_makes_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upcast.UPCASTERS, ("call.picked_up", 2), answered_1)
    with pytest.raises(UnreadableEvent, match=r"^call\.answered version 1 .*: call is missing$"):
        from_payload("call.picked_up", 2, {"line": 7})


def test_what_is_of_today_needs_no_step() -> None:
    assert not UPCASTERS.keys() & REGISTRY.keys()
