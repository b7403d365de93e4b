"""A snapshot is the state again, or nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation import snapshot
from ari_app.conversation.events import (
    REGISTRY,
    Event,
    ReceiptReceived,
    TextPromised,
    TextResent,
    TextSightLost,
    TextSubmitted,
    from_payload,
)
from ari_app.conversation.message import RECEIPT_FATES
from ari_app.conversation.snapshot import RULES, from_text, to_text
from ari_app.conversation.state import Conversation, Said, fold
from tests.support.events import EVENTS, in_a_stream
from tests.support.published import EVENTS as FIXTURES

# Half a surrogate pair too: recognisers and carriers make them.
TEXTS = st.text(st.characters(codec=None), max_size=6)


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a state may hold."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(
            typing.cast(type[Any], hint),
            **{f.name: any_of(hints[f.name]) for f in dataclasses.fields(hint)},
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if origin is tuple:
        return st.lists(any_of(arguments[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(any_of(arguments[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(any_of(arguments[0]), any_of(arguments[1]), max_size=3)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(any_of, arguments))
    leaves: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXTS,
        int: st.integers(-(2**63), 2**63),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return leaves[hint]


@given(any_of(Conversation))
def test_every_state_comes_back_as_it_was(state: Conversation) -> None:
    text = to_text(state)
    assert text.isascii()
    read = from_text(text)
    assert read == state
    # Equal is not enough: True is 1 for Python, and what was promised has an order.
    assert to_text(read) == text


@given(st.lists(EVENTS, max_size=12), st.data())
def test_folding_goes_on_from_a_snapshot_at_any_position(
    happened: list[Event], data: st.DataObject
) -> None:
    stream = in_a_stream(happened)
    cut = data.draw(st.integers(0, len(stream)))
    kept = from_text(to_text(fold(stream[:cut])))
    assert kept is not None
    assert kept.sequence == cut
    assert fold(stream[cut:], kept) == fold(stream)


def test_a_snapshot_of_other_rules_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = to_text(Conversation(topic="hours"))
    assert from_text(text) is not None
    with monkeypatch.context() as other:
        other.setattr(snapshot, "RULES", RULES + 1)
        snapshot._mark.cache_clear()
        assert from_text(text) is None
    snapshot._mark.cache_clear()
    assert from_text(text) is not None


def test_a_snapshot_of_a_program_that_knew_fewer_events_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What it carried without understanding is folded by this one.
    text = to_text(Conversation())
    with monkeypatch.context() as other:
        fewer = dict(list(REGISTRY.items())[:-1])
        other.setattr(snapshot, "REGISTRY", fewer)
        snapshot._mark.cache_clear()
        assert from_text(text) is None
    snapshot._mark.cache_clear()


@dataclasses.dataclass(frozen=True)
class _Once:
    sequence: int = 0
    turns: tuple[Said, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Later:
    sequence: int = 0
    turns: tuple[str, ...] = ()


def test_a_field_of_another_name_or_type_is_another_shape() -> None:
    shapes = [json.dumps(snapshot._shape(c)) for c in (Conversation, _Once, _Later, int, float)]
    assert len(set(shapes)) == len(shapes)
    assert shapes[0] == json.dumps(snapshot._shape(Conversation))


_GOOD = json.loads(to_text(Conversation(number="+12025550123")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "7",
        to_text(Conversation())[:-2],
        json.dumps(_GOOD | {"mark": 1}),
        json.dumps({"mark": _GOOD["mark"]}),
        json.dumps(_GOOD | {"state": None}),
        json.dumps(_GOOD | {"state": _GOOD["state"][:-1]}),
        json.dumps(_GOOD | {"state": [*_GOOD["state"], 1]}),
    ],
)
def test_what_is_no_snapshot_is_not_read(text: str) -> None:
    assert from_text(text) is None


def _life() -> list[Event]:
    """Every published example, forwards and backwards, and every end that a text may have."""
    published = [
        from_payload(path.stem.rpartition(".v")[0], int(path.stem[-1]), example["payload"])
        for path in sorted(FIXTURES.glob("*.json"))
        for example in json.loads(path.read_text(encoding="utf-8"))
    ]
    texts: list[Event] = []
    for told in ("ENROUTE", *RECEIPT_FATES):
        late = f"late {told}"
        texts += [
            TextPromised(message=late, template="hours", to="+12025550123", body="open"),
            TextSightLost(message=late, reason="", segments=2),
            ReceiptReceived(message=late, carrier="main", id="1", state=told, error=""),
            TextResent(message=late, reason="", attempts=2),
            ReceiptReceived(message=late, carrier="main", id="2", state="EXPIRED", error=""),
            TextPromised(message=told, template="hours", to="+12025550123", body="open"),
            TextSubmitted(message=told, carrier="main", ids=("1", "2"), attempts=1),
            ReceiptReceived(message=told, carrier="main", id="1", state=told, error=""),
            ReceiptReceived(message=told, carrier="main", id="2", state="DELIVRD", error=""),
            ReceiptReceived(message=told, carrier="main", id="1", state="DELIVRD", error=""),
        ]
    return [*published, *reversed(published), *texts, *published]


def test_other_rules_of_folding_have_another_number() -> None:
    state = json.loads(to_text(fold(in_a_stream(_life()))))["state"]
    digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]
    known = {1: "a80636761106e762", 3: "a7d3fba926ba68ee"}
    assert known[RULES] == digest, "a new event? put the digest here; another fold? raise RULES too"
