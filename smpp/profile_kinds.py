"""The kinds of value that a carrier's profile has, and how each is written in TOML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What a key may be."""

    allowed: str  #: the end of the sentence "allowed: …"
    read: Callable[[Any], Any]  #: from TOML; TypeError, KeyError or ValueError if not allowed
    holds: Callable[[Any], bool]  #: whether a value in Python is allowed
    written: Callable[[Any], str]  #: the value as TOML


@dataclass(frozen=True, slots=True)
class Host:
    """Where an SMSC listens; the name is looked up at each connect."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


# -- kinds ------------------------------------------------------------------------------------


def _plain(kind: type, allowed: str, holds: Callable[[Any], bool]) -> Kind:
    def read(raw: object) -> object:
        # A bool is an int in Python, and not in TOML.
        if not isinstance(raw, kind) or isinstance(raw, bool) is not (kind is bool):
            raise TypeError
        return raw

    return Kind(allowed, read, holds, _toml)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


FLAG = _plain(bool, "true or false", lambda value: isinstance(value, bool))


def whole(low: int, high: int) -> Kind:
    """A whole number."""
    return _plain(
        int,
        f"a whole number from {low} to {high}",
        lambda value: isinstance(value, int) and low <= value <= high,
    )


def number(low: float, high: float, unit: str, *, zero: str = "") -> Kind:
    """A number with or without a fraction; `zero` is what 0 means, if it may be 0 at all."""

    def read(raw: object) -> float:
        if not isinstance(raw, int | float) or isinstance(raw, bool):
            raise TypeError
        return float(raw)

    def holds(value: float) -> bool:
        return low <= value <= high or (bool(zero) and value == 0)  # NaN is neither

    allowed = f"{unit} from {low:.12g} to {high:.12g}" + (f", or 0 for {zero}" if zero else "")
    return Kind(allowed, read, holds, lambda value: f"{value:.12g}")


def seconds(low: float, high: float, *, zero: str = "") -> Kind:
    """A time."""
    return number(low, high, "seconds", zero=zero)


def text(longest: int) -> Kind:
    """What a C-octet string of the protocol can carry."""
    return _plain(
        str,
        f"at most {longest} characters of Latin-1",
        lambda value: len(value) <= longest and all("\0" < c <= "\xff" for c in value),
    )


def word(pattern: str, allowed: str) -> Kind:
    """A string of a given form."""
    return _plain(str, allowed, lambda value: re.fullmatch(pattern, value) is not None)


def choice(values: Iterable[Enum]) -> Kind:
    """One of several words; of a numbered Enum the names are the words."""
    words = {_word_of(value): value for value in values}
    return Kind(_or(words), lambda raw: words[raw], lambda value: value in words.values(), _quoted)


def choice_or(nothing: str, values: Iterable[Enum]) -> Kind:
    """One of several words, one of which is None in Python."""
    words: dict[str, Enum | None] = {nothing: None}
    words.update({_word_of(value): value for value in values})
    return Kind(
        _or(words),
        lambda raw: words[raw],
        lambda value: value in words.values(),
        lambda value: _toml(nothing) if value is None else _quoted(value),
    )


def choices(values: Iterable[Enum]) -> Kind:
    """Several words, each at most once."""
    words = {_word_of(value): value for value in values}

    def read(raw: object) -> tuple[Enum, ...]:
        return tuple(words[item] for item in _listed(raw))

    def holds(value: tuple[Enum, ...]) -> bool:
        return len(set(value)) == len(value) and set(value) <= set(words.values())

    return Kind(f"a list of {_or(words)}", read, holds, lambda value: _list(map(_quoted, value)))


def _word_of(value: Enum) -> str:
    return value.value if isinstance(value.value, str) else value.name.lower()


def _quoted(value: Enum) -> str:
    return _toml(_word_of(value))


def _or(words: Iterable[str]) -> str:
    *first, last = (f'"{word}"' for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def _listed(raw: object) -> list[Any]:
    if not isinstance(raw, list):
        raise TypeError
    return raw


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _read_file(raw: object) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise TypeError
    return Path(raw)


FILE = Kind(
    "a path, from the folder of this file if it is relative",
    _read_file,
    lambda value: value is None or isinstance(value, Path),
    lambda value: "" if value is None else _toml(str(value)),
)

_HOST = re.compile(r"\[([0-9A-Fa-f:.]+)\]:([0-9]{1,5})|([A-Za-z0-9._-]{1,253}):([0-9]{1,5})")


def _read_hosts(raw: object) -> tuple[Host, ...]:
    hosts = []
    for item in _listed(raw):
        found = _HOST.fullmatch(item)
        if not found:
            raise ValueError
        hosts.append(Host(found[1] or found[3], int(found[2] or found[4])))
    return tuple(hosts)


HOSTS = Kind(
    'a list of different hosts with ports, such as ["smsc.example:2775", "[2001:db8::1]:2775"]',
    _read_hosts,
    lambda value: (
        len(set(value)) == len(value)
        and all(_HOST.fullmatch(str(host)) and 0 < host.port < 65536 for host in value)
    ),
    lambda value: _list(_toml(str(host)) for host in value),
)


def _read_octets(raw: object) -> tuple[int, int]:
    ton, npi = _listed(raw)
    return ton, npi


TON_NPI = Kind(
    "[TON, NPI], two whole numbers from 0 to 255",
    _read_octets,
    lambda value: all(type(n) is int and 0 <= n <= 255 for n in value),
    lambda value: _list(map(str, value)),
)

STATUSES = Kind(
    "a list of command_status numbers, such as [0x14, 0x58]",
    lambda raw: frozenset(_listed(raw)),
    lambda value: all(type(n) is int and 0 < n <= 0xFFFFFFFF for n in value),
    lambda value: _list(f"0x{n:02X}" for n in sorted(value)),
)


def _read_tlvs(raw: Mapping[str, str]) -> tuple[tuple[int, bytes], ...]:
    return tuple((_read_tag(tag), _read_value(value)) for tag, value in raw.items())


def _read_tag(raw: str) -> int:
    if not re.fullmatch(r"0x[0-9A-Fa-f]{4}", raw):
        raise ValueError
    return int(raw, 16)


def _read_value(raw: str) -> bytes:
    form, colon, rest = raw.partition(":")
    match form + colon:
        case "hex:":
            return bytes.fromhex(rest)
        case "string:" if "\0" not in rest:
            return rest.encode("latin-1") + b"\0"
        case "octets:":
            return rest.encode("latin-1")
        case _:
            raise ValueError


TLVS = Kind(
    'a table such as { 0x1400 = "string:campaign", 0x1401 = "hex:01ff", 0x1402 = "octets:abc" }'
    " (a string ends with NUL) of at most 20 different tags, each of at most 254 octets",
    lambda raw: _read_tlvs(dict(raw.items())) if isinstance(raw, dict) else _listed(None),
    lambda value: (
        len({tag for tag, _ in value}) == len(value) <= 20
        and all(len(octets) <= 254 for _, octets in value)
    ),
    lambda value: (
        "{ " + ", ".join(f'0x{t:04X} = "hex:{v.hex()}"' for t, v in value) + " }" if value else "{}"
    ),
)
