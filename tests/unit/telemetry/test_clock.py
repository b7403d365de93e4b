"""The clock tells both kinds of time."""

from __future__ import annotations

import time

from ari_app.ports import Clock
from ari_app.telemetry.clock import SystemClock


def test_now_is_utc_in_microseconds_and_monotonic_never_goes_back() -> None:
    clock: Clock = SystemClock()
    assert abs(clock.now() / 1e6 - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()
