"""A quicker constructor for frozen slotted dataclasses, of which every PDU makes one or three."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """The same dataclass; its `__init__` takes half the time and the same arguments.

    The standard one looks up `object.__setattr__` and the slot by its name for every field; this
    one calls the setters of the slots, which it has at hand. For `frozen`, `slots` and defaults
    that are values.
    """
    scope: dict[str, Any] = {}
    arguments: list[str] = []
    body: list[str] = []
    for field in fields(cls):  # type: ignore[arg-type]  # a TypeVar cannot ask for a dataclass
        if field.default_factory is not MISSING or not field.init:
            raise TypeError(f"{cls.__name__}.{field.name}: quick knows only plain defaults")
        scope[f"set_{field.name}"] = getattr(cls, field.name).__set__
        scope[f"default_{field.name}"] = field.default
        default = "" if field.default is MISSING else f"=default_{field.name}"
        if field.kw_only and "*" not in arguments:
            arguments.append("*")
        arguments.append(field.name + default)
        body.append(f"set_{field.name}(self, {field.name})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__(self, {', '.join(arguments)}):\n    " + "\n    ".join(body)
    exec(source, scope)  # as dataclasses itself does: nothing in it comes from outside
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = cls.__init__.__annotations__
    setattr(cls, "__init__", init)  # noqa: B010  # mypy does not let a method be assigned
    return cls
