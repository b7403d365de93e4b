"""Every event has a name, a version, a place in the union, and marks on what is personal."""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from typing import Any

import pytest

from ari_app.conversation import events
from ari_app.conversation.events import (
    REGISTRY,
    CallAnswered,
    Event,
    TextSightLost,
    Unrecognised,
    from_payload,
    name_of,
    to_payload,
)

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
        assert events._NAMES[cls] == (name, version)


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
