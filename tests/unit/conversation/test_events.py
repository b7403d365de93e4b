"""Every event has a name, a version, a place in the union, and marks on what is personal."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import typing
from typing import Any

import pytest

from ari_app.conversation import events
from ari_app.conversation.events import (
    REGISTRY,
    AgentSpoke,
    CallAnswered,
    CallerSpoke,
    Event,
    TextSightLost,
    Unrecognised,
    from_payload,
    name_of,
    to_payload,
)
from ari_app.errors import UnreadableEvent
from tests.support.published import EVENTS as FIXTURES

#: One payload of each event with all that it may hold.
EXAMPLES: dict[str, dict[str, Any]] = {
    path.stem.removesuffix(".v1"): json.loads(path.read_text(encoding="utf-8"))[0]["payload"]
    for path in FIXTURES.glob("*.v1.json")
}
UNION = set(typing.get_args(Event))


def _classes() -> set[type[Any]]:
    """What is defined in the module in the past tense: frozen dataclasses with keyword fields."""
    found = {
        c for c in vars(events).values() if isinstance(c, type) and dataclasses.is_dataclass(c)
    }
    return found - {events.Envelope}


def test_every_event_is_in_the_union_and_in_the_registry() -> None:
    assert _classes() == UNION
    assert set(REGISTRY.values()) == UNION - {Unrecognised}
    assert len(REGISTRY) == len(set(REGISTRY.values()))


def test_a_name_is_a_noun_and_what_became_of_it() -> None:
    for name, version in REGISTRY:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", name), name
        assert version >= 1


def test_names_follow_their_classes() -> None:
    assert name_of(CallAnswered(call="c")) == ("call.answered", 1)
    assert name_of(TextSightLost(message="m", reason="r")) == ("text.sight_lost", 1)
    for (name, version), cls in REGISTRY.items():
        assert name.replace(".", "").replace("_", "") == cls.__name__.lower()
        assert name_of(object.__new__(cls)) == (name, version)


def test_an_event_of_a_newer_program_is_carried_unchanged() -> None:
    payload = {"call": "c", "weather": ["fine", {"wind": 3}]}
    carried = from_payload("call.answered", 2, payload)
    assert carried == Unrecognised(name="call.answered", version=2, payload=payload)
    assert name_of(carried) == ("call.answered", 2)
    assert json.loads(json.dumps(to_payload(carried))) == payload


def test_a_name_that_nobody_knows_is_carried_too() -> None:
    carried = from_payload("fax.arrived", 1, {"pages": 2})
    assert isinstance(carried, Unrecognised)
    assert name_of(carried) == ("fax.arrived", 1)


def test_a_field_that_a_newer_program_added_is_passed_over() -> None:
    assert from_payload("call.answered", 1, {"call": "c", "codec": "g722"}) == CallAnswered(
        call="c"
    )


def test_a_field_that_was_not_known_yet_has_its_default() -> None:
    old = {"call": "c", "prompt": "hello", "text": "Hello."}
    assert from_payload("agent.spoke", 1, old) == AgentSpoke(
        call="c", prompt="hello", text="Hello."
    )
    newer = old | {"voice": "en"}
    assert from_payload("agent.spoke", 1, newer) == from_payload("agent.spoke", 1, old)


def test_what_is_stored_is_not_changed_by_being_read() -> None:
    stored = {"message": "m", "carrier": "main", "ids": ["1"], "attempts": 1, "cost": 4}
    kept = copy.deepcopy(stored)
    from_payload("text.submitted", 1, stored)
    assert stored == kept


def test_a_missing_field_is_named() -> None:
    with pytest.raises(UnreadableEvent) as refused:
        from_payload("text.sight_lost", 1, {"message": "m", "odd": 1})
    error = refused.value
    assert (error.event, error.version, error.field) == ("text.sight_lost", 1, "reason")
    assert str(error) == "text.sight_lost version 1 cannot be read: reason is missing"


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("text.submitted", "attempts", True),  # in JSON, true is not 1
        ("text.submitted", "attempts", 1.5),
        ("text.submitted", "attempts", None),
        ("text.submitted", "ids", "12"),
        ("text.submitted", "ids", ["1", 2]),
        ("text.submitted", "ids", {"1": "2"}),
        ("caller.spoke", "text", {"sealed": "1.key_"}),
        ("caller.spoke", "confidence", "high"),
        ("caller.spoke", "words", [["yes", 0.0, 0.5]]),
        ("caller.spoke", "words", [["yes", 0.0, 0.5, "1"]]),
        ("caller.spoke", "words", ["yes"]),
        ("call.ended", "statistics", {"packets": "12"}),
        ("call.ended", "statistics", []),
        ("decision.made", "topic", 7),
        ("decision.made", "inputs", []),
    ],
)
def test_a_field_of_another_type_is_named_and_its_value_is_not(
    name: str, field: str, wrong: object
) -> None:
    stored = EXAMPLES[name] | {field: wrong}
    with pytest.raises(UnreadableEvent) as refused:
        from_payload(name, 1, stored)
    assert (refused.value.event, refused.value.field) == (name, field)
    told = str(refused.value)
    assert told == f"{name} version 1 cannot be read: {field} is of another type than the event's"


def test_a_whole_number_is_a_number() -> None:
    spoke = from_payload("caller.spoke", 1, EXAMPLES["caller.spoke"] | {"confidence": 1})
    assert isinstance(spoke, CallerSpoke)
    assert spoke.confidence == 1


def test_a_payload_that_is_no_object_is_refused() -> None:
    odd: tuple[Any, ...] = ([], None, "call", 7)
    for payload in odd:
        with pytest.raises(UnreadableEvent, match="payload is not an object"):
            from_payload("call.answered", 1, payload)


# Phone numbers, and the words or keys of a person or to a person. (`did` and `recipient` are ours.)
PERSONAL_FIELDS = {
    "number",
    "text",
    "words",
    "key",
    "to",
    "sender",
    "body",
    "record",
    "choice",
    "value",
}


@pytest.mark.parametrize("cls", REGISTRY.values(), ids=lambda c: c.__name__)
def test_what_belongs_to_a_person_is_marked(cls: type[Any]) -> None:
    marked = {f.name for f in dataclasses.fields(cls) if f.metadata.get("personal")}
    assert marked == {f.name for f in dataclasses.fields(cls)} & PERSONAL_FIELDS


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CallAnswered(call="c").call = "d"  # type: ignore[misc]  # what is tested
