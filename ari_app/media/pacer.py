"""One timer for the outgoing audio of every line of the process, 20 ms by 20 ms."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from ari_app.ports import Clock

logger = logging.getLogger(__name__)

PERIOD = 0.02

# After a late wake-up at most so many packets are sent at once: more would be a burst that
# receivers drop. What was not sent then is time that passed without a packet.
_CATCH_UP = 3


class Paced(Protocol):
    """What has something to send every 20 ms."""

    def beat(self, now: float) -> None:
        """Send one packet's worth."""

    def skip(self, periods: int) -> None:
        """So many periods have passed in which nothing could be sent."""


class Pacer:
    """Beats at start + n x 20 ms for all its members, so that no delay adds up.

    The timer runs only while there are members and belongs to the loop that adds the first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._members: dict[Paced, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._start = 0.0
        self._done = 0  # periods since the start

    def add(self, member: Paced) -> None:
        """Begin with the next beat."""
        self._members[member] = None
        if self._timer is None:
            self._start, self._done = self._clock.monotonic(), 0
            self._arm()

    def remove(self, member: Paced) -> None:
        """No more beats; one that is not there is fine."""
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def run(self) -> None:
        """Do what is due by now."""
        now = self._clock.monotonic()
        due = int((now - self._start) / PERIOD + 1e-6) - self._done
        if due <= 0:
            return
        self._done += due
        skipped = max(0, due - _CATCH_UP)
        for member in tuple(self._members):
            if member not in self._members:
                continue  # removed by one before it
            try:
                if skipped:
                    member.skip(skipped)
                for _ in range(due - skipped):
                    member.beat(now)
            except Exception:  # noqa: BLE001 - one line's fault must not silence the others
                logger.exception("a line failed at its beat")

    def _arm(self) -> None:
        delay = self._start + (self._done + 1) * PERIOD - self._clock.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(delay, 0.0), self._wake)

    def _wake(self) -> None:
        self.run()
        if self._members:
            self._arm()
        else:
            self._timer = None
