"""Events by name and version: how a payload is written, and read again by any later program."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ari_app.conversation.upcast import Stored, newest
from ari_app.errors import UnreadableEvent

if TYPE_CHECKING:
    from ari_app.conversation.events import Event

_E = TypeVar("_E")
#: From what JSON brought to what an event holds.
Reader = Callable[[Any], Any]

REGISTRY: dict[tuple[str, int], type[Any]] = {}
#: By name and version: each personal field, its data class, and how it is read when erased.
PERSONAL_FIELDS: dict[tuple[str, int], tuple[tuple[str, str, Any], ...]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """An event of a newer version of this program: carried, not understood."""

    name: str
    version: int
    payload: dict[str, Any]


class _Reading(NamedTuple):
    """What is looked up once for a class, since every event of the log is read through it."""

    cls: type[Any]
    kinds: dict[str, frozenset[type[Any]]]  # by field: what json.loads may have made of it
    deep: tuple[tuple[str, Reader], ...]  # fields with something inside


_NAMES: dict[type[Any], tuple[str, int]] = {}
_FIELDS: dict[type[Any], tuple[str, ...]] = {}  # dataclasses.fields takes longer than all else
_READINGS: dict[tuple[str, int], _Reading] = {}


def event(version: int) -> Callable[[type[_E]], type[_E]]:
    """Enter a dataclass as this version of the event that its name says."""

    def register(cls: type[_E]) -> type[_E]:
        key = _name(cls), version
        hints = get_type_hints(cls)
        REGISTRY[key] = cls
        _NAMES[cls] = key
        _FIELDS[cls] = tuple(f.name for f in fields(cls))  # type: ignore[arg-type]  # a dataclass
        deep = {name: _reader(hint) for name, hint in hints.items()}
        _READINGS[key] = _Reading(
            cls,
            {name: _kinds(hint) for name, hint in hints.items()},
            tuple((name, reader) for name, reader in deep.items() if reader),
        )
        PERSONAL_FIELDS[key] = tuple(
            (f.name, f.metadata["personal"], _erased(hints[f.name]))
            for f in fields(cls)  # type: ignore[arg-type]  # a dataclass, which no bound can say
            if f.metadata.get("personal")
        )
        return cls

    return register


def _name(cls: type[Any]) -> str:
    """`CallAnswered` is `call.answered`, `TextSightLost` is `text.sight_lost`."""
    first, *rest = re.findall(r"[A-Z][a-z0-9]*", cls.__name__)
    return f"{first.lower()}.{'_'.join(rest).lower()}"


def name_of(event: Event) -> tuple[str, int]:
    """The name and version under which the event is stored."""
    if isinstance(event, Unrecognised):
        return event.name, event.version
    return _NAMES[type(event)]


def to_payload(event: Event) -> dict[str, Any]:
    """The event's fields, JSON-ready."""
    if isinstance(event, Unrecognised):
        return event.payload
    return {name: getattr(event, name) for name in _FIELDS[type(event)]}


def from_payload(name: str, version: int, payload: dict[str, Any]) -> Event:
    """The event that was stored; Unrecognised if it comes from a newer program.

    A field that this program does not know is passed over, one that was not known yet has its
    default. UnreadableEvent if a field is missing, or holds what its type does not allow.
    """
    if type(payload) is not dict:
        raise UnreadableEvent(name, version, "payload", "is not an object")
    reading = _READINGS.get((name, version))
    if reading is None:
        name, version, payload = _upcast(name, version, payload)
        reading = _READINGS.get((name, version))
    if reading is None:
        return Unrecognised(name=name, version=version, payload=payload)
    if reading.deep:
        payload = _deep(reading, name, version, payload)
    try:
        happened: Event = reading.cls(**payload)
    except TypeError:
        # A field too many or too few: rare, so it is not looked for in every event.
        payload = _fitted(reading, name, version, payload)
        happened = reading.cls(**payload)
    kinds = reading.kinds
    for field, value in payload.items():
        if type(value) not in kinds[field]:
            raise UnreadableEvent(name, version, field, _WRONG)
    return happened


# No value is ever quoted: it may be a person's.
_WRONG = "is of another type than the event's"


def _upcast(name: str, version: int, payload: dict[str, Any]) -> Stored:
    try:
        return newest(name, version, payload)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # An upcaster takes what its version promised, and looks for nothing else.
        raise UnreadableEvent(name, version, "payload", "has no upcast to today's") from error


def _deep(reading: _Reading, name: str, version: int, payload: dict[str, Any]) -> dict[str, Any]:
    payload = payload.copy()
    for field, read in reading.deep:
        if field in payload:
            try:
                payload[field] = read(payload[field])
            except _Unfit:
                raise UnreadableEvent(name, version, field, _WRONG) from None
    return payload


def _fitted(reading: _Reading, name: str, version: int, payload: dict[str, Any]) -> dict[str, Any]:
    """Only the fields of the class, with all that it needs."""
    for f in fields(reading.cls):
        if f.name not in payload and f.default is MISSING and f.default_factory is MISSING:
            raise UnreadableEvent(name, version, f.name, "is missing")
    return {field: value for field, value in payload.items() if field in reading.kinds}


class _Unfit(Exception):
    """Something inside a field is of another type."""


_LISTS = (list, tuple)
_JSON: frozenset[type[Any]] = frozenset({str, int, float, bool, type(None), list, tuple, dict})


def _kinds(hint: Any) -> frozenset[type[Any]]:
    """The types of what a field may hold, once lists are tuples."""
    if hint is Any:
        return _JSON
    if hint is float:  # in JSON, 1 is a number like 1.0
        return frozenset({float, int})
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return frozenset(kind for one in get_args(hint) for kind in _kinds(one))
    plain: type[Any] = origin or hint
    return frozenset({plain})


def _reader(hint: Any) -> Reader | None:
    """What looks inside a value, and makes tuples of its lists, which are all that JSON has.

    None if there is no inside. What is of another type altogether comes back as it is.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        readers = [r for r in map(_reader, arguments) if r]
        assert len(readers) <= 1, "of two kinds of lists nobody could say which it is"
        return readers[0] if readers else None
    if origin is dict and arguments[1] is not Any:
        return _reader_of_dict(_whole(arguments[1]))
    if origin is tuple and arguments[-1] is ...:
        return _reader_of_any_length(_whole(arguments[0]))
    if origin is tuple:
        return _reader_of_one_length(tuple(map(_whole, arguments)))
    return None


def _whole(hint: Any) -> Reader:
    """Looks at what a list or dict holds: itself, and inside."""
    kinds, inside = _kinds(hint), _reader(hint)

    def plain(value: Any) -> Any:
        if type(value) not in kinds:
            raise _Unfit
        return value

    def deep(value: Any) -> Any:
        assert inside is not None
        return plain(inside(value))

    return deep if inside else plain


def _reader_of_dict(read: Reader) -> Reader:
    def reader(value: Any) -> Any:
        return {k: read(v) for k, v in value.items()} if type(value) is dict else value

    return reader


def _reader_of_any_length(read: Reader) -> Reader:
    def reader(value: Any) -> Any:
        return tuple([read(v) for v in value]) if type(value) in _LISTS else value

    return reader


def _reader_of_one_length(reads: tuple[Reader, ...]) -> Reader:
    def reader(value: Any) -> Any:
        if type(value) not in _LISTS:
            return value
        if len(value) != len(reads):
            raise _Unfit
        return tuple([read(v) for read, v in zip(reads, value, strict=True)])

    return reader


def _erased(hint: Any) -> Any:
    """What a field is read as once its key has been shredded."""
    if type(None) in get_args(hint):
        return None
    return {str: "[erased]", tuple: [], dict: {}}[get_origin(hint) or hint]
