"""Pure. Whether one more call may enter: caps on all, on each caller, on each trunk; draining."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from enum import Enum

from ari_app.ports import IncomingCall


class Refusal(Enum):
    """Why a call is not taken; the value is SEGUE_REASON in the dialplan."""

    FULL = "full"  #: as many calls are up as may be
    CALLER = "caller"  #: as many of this caller's
    TRUNK = "trunk"  #: as many of this trunk's
    DRAINING = "draining"  #: the service is stopping


@dataclass(frozen=True, slots=True)
class Caps:
    """The most calls at once; 0: any number."""

    all: int
    caller: int = 0  # of one number; withheld numbers are not counted
    trunk: int = 0  # of one endpoint, such as PJSIP/carrier


class Admission:
    """Counts who is in. A call that has been taken is never sent away by it."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._draining = False
        self._in: dict[str, IncomingCall] = {}  # by channel
        self._of_caller: Counter[str] = Counter()
        self._of_trunk: Counter[str] = Counter()

    def drain(self) -> None:
        """Take no more calls from now on."""
        self._draining = True

    def refuses(self, call: IncomingCall) -> Refusal | None:
        """Why the call may not enter now; None if it may."""
        caps = self._caps
        if self._draining:
            return Refusal.DRAINING
        if _reached(caps.all, len(self._in)):
            return Refusal.FULL
        if call.caller and _reached(caps.caller, self._of_caller[call.caller]):
            return Refusal.CALLER
        if call.trunk and _reached(caps.trunk, self._of_trunk[call.trunk]):
            return Refusal.TRUNK
        return None

    def entered(self, call: IncomingCall) -> None:
        """The call is in, also one that nobody was asked about: it is counted until it has left."""
        self.left(call.channel)
        self._in[call.channel] = call
        self._of_caller[call.caller] += 1
        self._of_trunk[call.trunk] += 1

    def left(self, channel: str) -> None:
        """The call on this channel is over; one that was not in changes nothing."""
        call = self._in.pop(channel, None)
        if call is None:
            return
        for counter, key in ((self._of_caller, call.caller), (self._of_trunk, call.trunk)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]


def cap_of(capacity: str, headroom: float) -> int:
    """The cap by a capacity file: its measured `calls`, less the headroom (0..1), at least 1.

    The file is JSON, as `segue bench capacity` writes it. ValueError in one sentence.
    """
    try:
        calls = json.loads(capacity)["calls"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is not a capacity file: there is no number of `calls` in it") from None
    if not isinstance(calls, int) or isinstance(calls, bool) or calls < 1:
        raise ValueError(f"its number of `calls` is {calls!r:.20}, not a whole number above 0")
    return max(1, math.floor(calls * (1 - headroom)))


def _reached(cap: int, count: int) -> bool:
    return bool(cap) and count >= cap
