"""What all of ours send, and how they say what came of it."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Sequence

from smpp.address import Address
from smpp.hot import Template
from smpp.pdu import SubmitSm

#: 54 characters of the GSM alphabet.
TEXT = "Your appointment at the harbour clinic is at 10 h 15 a"
#: Seconds in which a receipt must be stored: the lean SMSC never repeats what was refused.
PATIENCE = 100.0
TEMPLATE = Template(SubmitSm(source=Address.of("Segue"), registered_delivery=1))


class Stopwatch:
    """Wall and CPU time of this process since it was made."""

    def __init__(self) -> None:
        gc.collect()
        self._spent, self._began = time.process_time(), time.perf_counter()

    def tell(self, count: int, waits: Sequence[float] = (), **more: float) -> None:
        """One line of JSON; `waits` are seconds."""
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._spent
        ordered = sorted(waits) or [0.0]
        said = {
            "rate": count / seconds,
            "cpu": cpu / count * 1e6,
            "p50": ordered[len(ordered) // 2] * 1e3,
            "p99": ordered[int(len(ordered) * 0.99)] * 1e3,
            **more,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def destination(number: int) -> bytes:
    """One of a hundred million handsets, as a body carries it (SMPP 3.4 §5.2.5 to 5.2.9)."""
    return b"\1\x013361%08d\0" % number
