"""Takes out of log records what must not be in a log."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Fields that hold what people said or what opens a door: only their length is logged.
_HIDDEN = frozenset({"text", "body", "words", "password", "secret", "token"})

# What looks like a number but is not one, or a number: the first that matches decides.
_FIND = re.compile(
    r"""
    (?P<kept>
        (?<![0-9a-f])[0-9a-f]{32,}(?![0-9a-f])                  # our ids, digests
      | (?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])
      | (?<![0-9+.\-])[12][0-9]{3}-[01][0-9]-[0-3][0-9]         # ISO 8601
        (?:[T ][0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]{1,9})?)?)?(?![0-9])
      | (?<![0-9+.\-])(?:(?:25[0-5]|2[0-4][0-9]|1?[1-9]?[0-9])\.){3}  # IPv4, perhaps a port
        (?:25[0-5]|2[0-4][0-9]|1?[1-9]?[0-9])(?::[0-9]{1,5})?(?![0-9]|[.\- ][0-9])
      | (?<![0-9+.\-])0\.[0-9]+(?![0-9.\-])                     # a fraction
    )
  | (?P<number>\+?\(?[0-9](?:[ .\-()/]{0,3}[0-9]){6,})
    """,
    re.VERBOSE,
)

_DEEPEST = 6


def masked(text: str) -> str:
    """The text with every run of seven or more digits masked: +331*****89.

    Digits may be grouped as people write them; ids, times, addresses and fractions stay.
    """
    return _FIND.sub(_mask, text)


def redacted(value: object, name: str = "", depth: int = 0) -> object:
    """A value that may be logged under this name: built of plain types only."""
    if _HIDDEN.intersection(name.lower().replace("-", "_").split("_")):
        return _length(value)
    match value:
        case None | bool() | float():
            return value
        case int():
            # As long as a phone number: ids and microseconds are longer, sizes mostly shorter.
            return masked(str(value)) if 10 <= len(str(abs(value))) <= 15 else value
        case str():
            return masked(value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case Mapping() if depth < _DEEPEST:
            return {
                masked(str(key)): redacted(item, str(key), depth + 1) for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [redacted(item, name, depth + 1) for item in value]
        case _:
            return masked(repr(value))


def _mask(match: re.Match[str]) -> str:
    if match["kept"] is not None:
        return match["kept"]
    number = re.sub(r"[^0-9+]", "", match["number"])
    return number[:4] + "*" * (len(number) - 6) + number[-2:]


def _length(value: object) -> str:
    try:
        return f"<length {len(value)}>"  # type: ignore[arg-type]  # what has none is caught
    except TypeError:
        return "<hidden>"
