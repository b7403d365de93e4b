"""Any event that there is, for hypothesis."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from hypothesis import strategies as st

from ari_app.conversation import events
from ari_app.conversation.events import REGISTRY, Envelope, Event, Unrecognised

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(0, 1),
    type(None): st.none(),
}


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if hint in _LEAVES:
        return _LEAVES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[-1] is ...:
        return st.lists(_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_of, arguments))
    if origin is dict:
        value = _JSON if arguments[1] is Any else _of(arguments[1])
        return st.dictionaries(st.text(max_size=8), value, max_size=3)
    return st.one_of(*map(_of, arguments))  # a union


def events_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Events of one class, from its type hints."""
    hints = typing.get_type_hints(cls, vars(events))
    return st.builds(cls, **{f.name: _of(hints[f.name]) for f in dataclasses.fields(cls)})


UNRECOGNISED: st.SearchStrategy[Unrecognised] = st.builds(
    Unrecognised,
    name=st.sampled_from(["call.teleported", "call.answered"]),
    version=st.integers(2, 9),
    payload=st.dictionaries(st.text(max_size=8), _JSON, max_size=3),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(*map(events_of, REGISTRY.values()), UNRECOGNISED)


def in_a_stream(happened: typing.Iterable[Event], stream: str = "conv_1") -> list[Envelope]:
    """Envelopes as the store would make them."""
    return [
        Envelope(f"evt_{n}", stream, n, at=n, actor="test", cause=None, event=event)
        for n, event in enumerate(happened, start=1)
    ]
