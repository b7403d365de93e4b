"""What was once published of an event is kept for ever, and a breach is named."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ari_app.conversation.events import REGISTRY, Unrecognised, from_payload
from ari_app.conversation.schema import Schema, breaks, of_hint, schemas
from ari_app.conversation.upcast import UPCASTERS
from tests.support.events import events_of
from tests.support.published import COMMAND, EVENTS, freeze_schemas, frozen_schemas, plain, title_of

NOW = schemas()
FROZEN = frozen_schemas()
EXAMPLES = [
    (path.stem, example)
    for path in sorted(EVENTS.glob("*.json"))
    for example in json.loads(path.read_text(encoding="utf-8"))
]
# What a version of the log was replaced by: its class is gone, its schema stays as it was.
REPLACED = {f"{name}.v{version}" for name, version in UPCASTERS}


@pytest.mark.parametrize("title", sorted(NOW))
def test_everything_that_can_be_written_is_published(title: str) -> None:
    assert title in FROZEN, COMMAND
    assert breaks(NOW[title], FROZEN[title]) == [], COMMAND


@pytest.mark.parametrize("title", sorted(FROZEN))
def test_what_was_published_is_kept(title: str) -> None:
    if title in REPLACED:
        return
    assert title in NOW, "a published event needs its class, or an upcaster to a newer one"
    assert breaks(FROZEN[title], NOW[title]) == [], "make a new version with an upcaster"


@pytest.mark.parametrize("title", sorted(NOW))
def test_a_schema_is_one(title: str) -> None:
    Draft202012Validator.check_schema(NOW[title])


def test_every_published_event_has_examples_for_ever() -> None:
    assert {title for title, _ in EXAMPLES} == set(FROZEN) - {"envelope"}, COMMAND


@pytest.mark.parametrize(("title", "example"), EXAMPLES)
def test_an_example_validates_against_its_schema(title: str, example: dict[str, Any]) -> None:
    Draft202012Validator(FROZEN[title]).validate(example["payload"])


@pytest.mark.parametrize(("title", "example"), EXAMPLES)
def test_an_example_reads_as_it_always_did(title: str, example: dict[str, Any]) -> None:
    name, _, version = title.rpartition(".v")
    event = from_payload(name, int(version), example["payload"])
    assert not isinstance(event, Unrecognised)
    assert title_of(event) in example["reads"], COMMAND
    read, expected = plain(event), example["reads"][title_of(event)]
    # A later program may know one more field, which was at its default then.
    added = {n: NOW[title_of(event)]["properties"][n]["default"] for n in read.keys() - expected}
    assert read == expected | added


@given(st.data())
@pytest.mark.parametrize(("name", "version"), sorted(REGISTRY))
def test_whatever_is_written_validates(name: str, version: int, data: st.DataObject) -> None:
    event = data.draw(events_of(REGISTRY[name, version]))
    Draft202012Validator(NOW[f"{name}.v{version}"]).validate(plain(event))


def test_personal_fields_say_so() -> None:
    properties = NOW["caller.spoke.v1"]["properties"]
    assert {n for n, p in properties.items() if p.get("x-personal")} == {"text", "words"}


def test_a_field_with_a_default_may_be_left_out_and_no_other_may() -> None:
    spoke = NOW["agent.spoke.v1"]
    assert spoke["required"] == ["call", "prompt", "text"]
    assert spoke["properties"]["answer_ms"] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "default": None,
    }
    assert "number" in NOW["conversation.opened.v1"]["required"]  # it may be None, not absent


def test_what_json_would_bring_back_as_something_else_is_refused() -> None:
    for hint in (bytes, set[str], dict[int, str], list[str]):
        with pytest.raises(TypeError, match="cannot hold"):
            of_hint(hint)


# --- which change breaks a promise ---


def one(required: bool = True, personal: bool = False, **field: Any) -> Schema:
    """A schema of one field, `f`."""
    if personal:
        field["x-personal"] = True
    return {"properties": {"f": field}, "required": ["f"] if required else []}


NOTHING: Schema = {"properties": {}, "required": []}


def typed(hint: Any) -> Schema:
    return one(**of_hint(hint))


def test_a_removed_field_breaks() -> None:
    assert breaks(typed(str), NOTHING) == ["f is removed"]


def test_a_new_field_breaks_only_if_it_is_required() -> None:
    assert breaks(NOTHING, typed(str)) == ["f is newly required"]
    assert breaks(NOTHING, one(required=False, type="string", default="")) == []


def test_an_optional_field_that_becomes_required_breaks() -> None:
    optional = one(required=False, type="string", default="")
    assert breaks(optional, typed(str)) == ["f is newly required"]
    assert breaks(typed(str), optional) == []


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (str, int),
        (int, bool),
        (tuple[str, ...], str),
        (tuple[str, str], tuple[str, str, str]),
        (tuple[str, float], tuple[float, str]),
        (dict[str, int], dict[str, str]),
        (str | None, int | None),
    ],
)
def test_another_type_breaks(was: Any, now: Any) -> None:
    assert breaks(typed(was), typed(now)) == ["f is retyped"]


NARROWER = [
    (str | None, str),
    (str | int | None, str | None),
    (float, int),
    (Any, str),
    (str | Any, str),
    (tuple[str | None, ...], tuple[str, ...]),
    (tuple[tuple[str, float], ...], tuple[tuple[str, int], ...]),
    (tuple[str, ...], tuple[str, str]),
    (dict[str, Any], dict[str, int]),
]


@pytest.mark.parametrize(("wide", "narrow"), NARROWER)
def test_a_narrower_type_breaks_and_a_wider_does_not(wide: Any, narrow: Any) -> None:
    assert breaks(typed(wide), typed(narrow)) == ["f is narrowed"]
    assert breaks(typed(narrow), typed(wide)) == []


def test_other_words_and_another_order_break_nothing() -> None:
    for title, schema in NOW.items():
        other = copy.deepcopy(schema)
        other["description"] = "Said otherwise."
        other["properties"] = dict(reversed(other["properties"].items()))
        other["required"].reverse()
        assert breaks(schema, other) == [], title


def test_a_mark_that_comes_or_goes_breaks() -> None:
    marked, bare = one(type="string", personal=True), one(type="string")
    assert breaks(marked, bare) == ["f is no longer personal"]
    assert breaks(bare, marked) == ["f is now personal"]


def test_another_default_breaks_because_what_is_stored_reads_otherwise() -> None:
    def default(value: object) -> Schema:
        return one(required=False, default=value)

    assert breaks(default(1), default(2)) == ["f has another default"]
    assert breaks(default(1), default(True)) == ["f has another default"]
    assert breaks(default(None), default(None)) == []


@pytest.mark.parametrize("title", sorted(NOW))
def test_any_field_of_any_event_is_missed_and_any_other_type_is_seen(title: str) -> None:
    for name in NOW[title]["properties"]:
        without, retyped = copy.deepcopy(NOW[title]), copy.deepcopy(NOW[title])
        del without["properties"][name]
        assert f"{name} is removed" in breaks(NOW[title], without)
        field = {"x-personal", "default"} & retyped["properties"][name].keys()
        kept = {key: retyped["properties"][name][key] for key in field}
        retyped["properties"][name] = {"type": "odd", **kept}
        assert breaks(NOW[title], retyped) == [f"{name} is retyped"]


def test_freezing_adds_what_is_new_and_never_takes_a_promise_back(tmp_path: Path) -> None:
    more = one(type="string")
    more["properties"]["g"] = {"type": "integer", "default": 0}
    assert freeze_schemas(tmp_path, {"a.b.v1": typed(str)}) == []
    assert freeze_schemas(tmp_path, {"a.b.v1": more}) == []
    assert frozen_schemas(tmp_path) == {"a.b.v1": more}

    (refused,) = freeze_schemas(tmp_path, {"a.b.v1": typed(str)})
    assert refused.startswith("a.b.v1: g is removed")
    assert freeze_schemas(tmp_path, {}) == []
    assert frozen_schemas(tmp_path) == {"a.b.v1": more}
