"""A state as text, so that a long stream need not be folded from its first event.

A snapshot is only ever a shortcut. One of a program that would fold otherwise is not read: it
carries a mark of the shape of the state, of the events that were known, and of RULES. It holds
what the person said, in plain: whoever stores it seals it like the events themselves.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from ari_app.conversation.events import REGISTRY
from ari_app.conversation.state import Conversation
from ari_app.conversation.upcast import UPCASTERS

#: To be raised when the same events fold to another state of the same shape.
RULES = 3


def to_text(state: Conversation) -> str:
    """JSON of everything in the state; `from_text` makes the same state of it."""
    # ASCII, because half a surrogate pair from a recogniser or carrier has no other form.
    return json.dumps({"mark": _mark(), "state": _plain(state)}, separators=(",", ":"))


def from_text(text: str) -> Conversation | None:
    """The state; None if it is of another program, or damaged: then fold from the beginning."""
    try:
        read = json.loads(text)
        if read["mark"] != _mark():
            return None
        state: Conversation = _reader(Conversation)(read["state"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return state


@cache
def _mark() -> str:
    """What the meaning of a snapshot depends on."""
    known = [RULES, _shape(Conversation), sorted(map(str, {*REGISTRY, *UPCASTERS}))]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _shape(hint: Any) -> Any:
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return [str(hint), [[f.name, _shape(hints[f.name])] for f in fields(hint)]]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(hint), [member.value for member in hint]]
    return [str(get_origin(hint) or hint), [_shape(a) for a in get_args(hint)]]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return [_plain(getattr(value, f.name)) for f in fields(value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """What makes a value of this type of JSON; the mark has vouched for the shape."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _reader_of_fields(hint)
    if origin is tuple:
        each = _reader(arguments[0])
        return lambda plain: tuple([each(v) for v in plain])
    if origin is Mapping:
        each = _reader(arguments[1])
        return lambda plain: {k: each(v) for k, v in plain.items()}
    if origin in (types.UnionType, Union):
        each = _reader(next(a for a in arguments if a is not type(None)))
        return lambda plain: None if plain is None else each(plain)
    if origin is frozenset or (isinstance(hint, type) and issubclass(hint, Enum)):
        make: Callable[[Any], Any] = origin or hint
        return make
    return lambda plain: plain


def _reader_of_fields(cls: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(cls)
    readers = [_reader(hints[f.name]) for f in fields(cls)]
    return lambda plain: cls(*[read(v) for read, v in zip(readers, plain, strict=True)])
