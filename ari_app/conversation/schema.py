"""What is promised of every event, as JSON Schema, and which change breaks the promise."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from ari_app.conversation.events import REGISTRY, Envelope

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
#: How the log stores what the envelope holds as `event`.
_EVENT: dict[str, Schema] = {
    "name": {"type": "string"},
    "version": {"type": "integer"},
    "payload": {"type": "object", "additionalProperties": {}},
}


def schemas() -> dict[str, Schema]:
    """Every schema by its title: `call.answered.v1`, …, and `envelope`."""
    found = {f"{name}.v{version}": _object(cls, name) for (name, version), cls in REGISTRY.items()}
    return {**dict(sorted(found.items())), "envelope": _envelope()}


def breaks(old: Schema, new: Schema) -> list[str]:
    """What was promised by the old schema and is not kept by the new; empty if nothing."""
    return list(_broken(old, new))


def _object(cls: type[Any], title: str) -> Schema:
    hints = typing.get_type_hints(cls)
    properties: dict[str, Schema] = {}
    required = []
    for f in fields(cls):
        if f.name not in hints:
            continue
        promised = properties[f.name] = of_hint(hints[f.name])
        if f.metadata.get("personal"):
            promised["x-personal"] = True
        if f.default is not MISSING:
            promised["default"] = f.default
        elif f.default_factory is not MISSING:
            promised["default"] = f.default_factory()
        else:
            required.append(f.name)
    return _sealed(title, cls.__doc__ or "", properties, required)


def _envelope() -> Schema:
    hints = typing.get_type_hints(Envelope)
    kept = [f.name for f in fields(Envelope) if f.name != "event"]
    properties = {name: of_hint(hints[name]) for name in kept} | _EVENT
    return _sealed("envelope", Envelope.__doc__ or "", properties, list(properties))


def _sealed(title: str, doc: str, properties: dict[str, Schema], required: list[str]) -> Schema:
    return {
        "$schema": _DIALECT,
        "title": title,
        "description": " ".join(doc.split()),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def of_hint(hint: Any) -> Schema:
    """The schema of a type; TypeError for what JSON cannot carry and bring back."""
    if hint is Any:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and arguments[-1] is ...:
        return {"type": "array", "items": of_hint(arguments[0])}
    if origin is tuple:
        each = [of_hint(a) for a in arguments]
        return {"type": "array", "prefixItems": each, "items": False, "minItems": len(each)}
    if origin is dict and arguments[0] is str:
        return {"type": "object", "additionalProperties": of_hint(arguments[1])}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [of_hint(a) for a in arguments]}
    raise TypeError(f"an event cannot hold {hint}")


def _broken(old: Schema, new: Schema) -> Iterator[str]:
    for name, was in old["properties"].items():
        now = new["properties"].get(name)
        if now is None:
            yield f"{name} is removed"
            continue
        if not _takes(now, was):
            yield f"{name} is narrowed" if _takes(was, now) else f"{name} is retyped"
        # A mark that comes or goes leaves stored values that erasure looks for in the wrong place.
        if was.get("x-personal") != now.get("x-personal"):
            yield f"{name} is {'now' if 'x-personal' in now else 'no longer'} personal"
        # What is stored without the field would read as something else.
        if "default" in was and "default" in now and not _same(was["default"], now["default"]):
            yield f"{name} has another default"
    yield from (f"{n} is newly required" for n in new["required"] if n not in old["required"])


def _same(one: Any, other: Any) -> bool:
    """In JSON, true is not 1."""
    return type(one) is type(other) and one == other


def _takes(wide: Schema, narrow: Schema) -> bool:
    """Whether every value of the narrow type is one of the wide."""
    if "anyOf" in narrow:
        return all(_takes(wide, one) for one in narrow["anyOf"])
    if "anyOf" in wide:
        return any(_takes(one, narrow) for one in wide["anyOf"])
    if "type" not in wide:  # anything
        return True
    if (wide["type"], narrow.get("type")) == ("number", "integer"):
        return True
    if wide["type"] != narrow.get("type"):
        return False
    if wide["type"] == "array":
        return _takes_items(wide, narrow)
    if wide["type"] == "object":
        return _takes(wide["additionalProperties"], narrow["additionalProperties"])
    return True


def _takes_items(wide: Schema, narrow: Schema) -> bool:
    each = narrow.get("prefixItems")
    if "prefixItems" in wide:
        slots = wide["prefixItems"]
        return (
            each is not None
            and len(slots) == len(each)
            and all(_takes(w, n) for w, n in zip(slots, each, strict=True))
        )
    inner = [narrow["items"]] if each is None else each
    return all(_takes(wide["items"], one) for one in inner)
