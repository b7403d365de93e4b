"""What happens by chance: how long something takes, and what becomes of a message. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TypeAlias

from smpp.constants import MESSAGE_STATES

Draw: TypeAlias = Callable[[Random], float]
"""Seconds, another number each time."""

_NUMBER = r"[0-9]{1,7}(?:\.[0-9]{1,6})?"
_CONSTANT = re.compile(_NUMBER)
_EVEN = re.compile(rf"({_NUMBER})-({_NUMBER})")
_SKEWED = re.compile(rf"({_NUMBER})~({_NUMBER})")
_FATE = re.compile(rf"([A-Z]{{5,8}})=({_NUMBER})(?:/([0-9A-Za-z]{{1,5}}))?")

# Share, median in seconds, spread: a handset that is on, one that comes back, one that is away.
_CARRIER = ((0.90, 3.0, 0.7), (0.08, 120.0, 1.0), (0.02, 3600.0, 1.0))


@lru_cache(maxsize=256)
def delay(written: str) -> Draw:
    """`2` is two seconds, `1-3` evenly between, `2~0.8` a median and the spread of its logarithm.

    `carrier` is what a mobile network does: most in seconds, some in minutes, a few in hours.
    ValueError for anything else.
    """
    written = written.strip()
    if written == "carrier":
        return _carrier
    if _CONSTANT.fullmatch(written):
        seconds = float(written)
        return lambda _: seconds
    if found := _EVEN.fullmatch(written):
        low, high = sorted((float(found[1]), float(found[2])))
        return lambda chance: chance.uniform(low, high)
    if (found := _SKEWED.fullmatch(written)) and float(found[1]) and float(found[2]) <= 5:
        median, spread = math.log(float(found[1])), float(found[2])
        return lambda chance: chance.lognormvariate(median, spread)
    raise ValueError("a delay is 2, 1-3, 2~0.8 (median, and a spread up to 5) or carrier")


def _carrier(chance: Random) -> float:
    shares, medians, spreads = zip(*_CARRIER, strict=True)
    (kind,) = chance.choices(range(len(_CARRIER)), shares)
    return chance.lognormvariate(math.log(medians[kind]), spreads[kind])


@dataclass(frozen=True, slots=True)
class Fate:
    """How a message ends: a word of appendix B, and the network's error code."""

    state: str
    error: str = "000"


@dataclass(frozen=True, slots=True)
class Fates:
    """Ends other than the usual one, each with its share of all messages."""

    shares: tuple[tuple[float, Fate], ...] = ()

    def draw(self, chance: Random) -> Fate | None:
        """One of them, or None for the usual end."""
        at = chance.random() if self.shares else 1.0
        for share, fate in self.shares:
            at -= share
            if at < 0:
                return fate
        return None


@lru_cache(maxsize=256)
def fates(written: str) -> Fates:
    """`UNDELIV=0.05/006,EXPIRED=0.01`: state, share, and perhaps an error code.

    ValueError for anything else, and if there are more than all.
    """
    found: list[tuple[float, Fate]] = []
    for one in filter(None, (one.strip() for one in written.split(","))):
        match = _FATE.fullmatch(one)
        if match is None or match[1] not in MESSAGE_STATES.values():
            raise ValueError("failures are such as UNDELIV=0.05/006,EXPIRED=0.01")
        found.append((float(match[2]), Fate(match[1], match[3] or "000")))
    if sum(share for share, _ in found) > 1 + 1e-9:
        raise ValueError("the shares of failures are more than 1 together")
    return Fates(tuple(found))
