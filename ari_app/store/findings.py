"""What a check of the doctor found, and how it is said."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

_SLOW = 0.02  # seconds: an append waits for one


class State(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # it works, and will not for ever
    FAIL = "fail"  # it does not work, or what is promised does not hold


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    what: str
    fix: str = ""  # what to do; "" if nothing


def good(name: str, what: str) -> Check:
    """All is well."""
    return Check(name, State.OK, what)


def bad(name: str, what: str, fix: str, state: State = State.WARN) -> Check:
    """Something is to be done."""
    return Check(name, state, what, fix)


def sentence(name: str, state: State, error: Exception) -> Check:
    """Our errors are one sentence: what is wrong, a colon, what to do."""
    what, _, fix = str(error).rpartition(": ")
    return Check(name, state, what or str(error), fix if what else "")


def worse(value: float, warn: float, fail: float) -> State:
    """By limits that the value must not be above."""
    if value > fail:
        return State.FAIL
    return State.WARN if value > warn else State.OK


def size_of(count: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def latency(name: str, took: Sequence[float], fix: str) -> Check:
    """What these times of one commit each, in seconds and sorted, allow."""
    median, p99 = statistics.median(took), took[-1 - len(took) // 100]
    what = (
        f"median {median * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms: "
        f"at most {1 / max(median, 1e-6):.0f} single commits/s"
    )
    return bad(name, what, fix) if median > _SLOW else good(name, what)
