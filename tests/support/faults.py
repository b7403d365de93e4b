"""What is promised for each fault, declared at the tests that prove it; `make faults` prints it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_T = TypeVar("_T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """One row of the matrix."""

    name: str
    promise: str
    engine: str  # where it is not a parameter of the test: `sqlite`, `postgres` or nothing


#: By module and name of the test.
DECLARED: dict[tuple[str, str], list[Fault]] = {}


def fault(name: str, promise: str, engine: str = "") -> Callable[[_T], _T]:
    """The test proves that the promise holds when this happens; several tests may share a row."""

    def declare(test: _T) -> _T:
        faults = DECLARED.setdefault((test.__module__, test.__qualname__), [])
        faults.append(Fault(name, promise, engine))
        return test

    return declare
