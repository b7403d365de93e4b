"""How an event of an old version is read as one of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Payload = dict[str, Any]
Stored = tuple[str, int, Payload]

#: From what is stored to the next name, version and payload; never changes what it is given.
Upcaster = Callable[[Payload], Stored]

# A class that is replaced leaves REGISTRY and leaves an entry here, for ever.
UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def newest(
    name: str,
    version: int,
    payload: Payload,
    table: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> Stored:
    """What the table makes of it, step by step; what has no step is the newest."""
    while step := table.get((name, version)):
        name, version, payload = step(payload)
    return name, version, payload
