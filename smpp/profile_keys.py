"""A table of a carrier's profile: fields that say what they may be and what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from smpp.errors import SmppError
from smpp.profile_kinds import Kind


class ProfileError(SmppError):
    """A profile cannot be used; one sentence with the file, the key and what is allowed."""


def key(default: Any, kind: Kind, meaning: str) -> Any:
    """A field of a section: what it is when the file says nothing, and what it is for."""
    return field(default=default, metadata={"kind": kind, "meaning": meaning})


class Section:
    """A table of the file; its fields are all made by `key`, and what exists is valid."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        for found in fields(self):
            kind: Kind | None = found.metadata.get("kind")
            value = getattr(self, found.name)
            if kind is not None and not kind.holds(value):
                raise ProfileError(f"{found.name} is {_shown(value)}; allowed: {kind.allowed}")
        self._agree()

    def _agree(self) -> None:
        """ProfileError if two keys contradict each other."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key, for the documentation."""

    key: str
    default: str
    allowed: str
    meaning: str


def rows_of(section: type[Section], table: str) -> list[KeyRow]:
    """Every key of a section, in the order of its fields."""
    rows = []
    for found in fields(section):
        kind: Kind | None = found.metadata.get("kind")
        if kind is not None:
            default = "" if found.default is MISSING else kind.written(found.default)
            rows.append(
                KeyRow(table + found.name, default, kind.allowed, found.metadata["meaning"])
            )
    return rows


_S = TypeVar("_S", bound=Section)


def read_section(section: type[_S], table: Mapping[str, object], **more: Any) -> _S:
    """The section that a table of TOML says; `more` are fields that are not keys.

    ProfileError, without the name of the file, for an unknown key or a value that is not allowed.
    """
    kinds: dict[str, Kind] = {
        found.name: found.metadata["kind"] for found in fields(section) if "kind" in found.metadata
    }
    values = {}
    for name, raw in table.items():
        if name not in kinds:
            raise ProfileError(f"{_named(name)} is no key; allowed: {', '.join(kinds)}")
        try:
            values[name] = kinds[name].read(raw)
        except (TypeError, KeyError, ValueError, AttributeError):
            allowed = kinds[name].allowed
            raise ProfileError(f"{name} is {_shown(raw)}; allowed: {allowed}") from None
    return section(**values, **more)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"


def _named(name: str) -> str:
    return name if name.isidentifier() and len(name) <= 60 else _shown(name)
