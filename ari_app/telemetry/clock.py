"""The system's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """The port Clock over this machine's time."""

    def now(self) -> int:
        """UTC in microseconds."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
