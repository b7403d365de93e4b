"""Keeps watch over one connection: do events still come, how late, and is the application ours?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ari_app.ari import events, requests
from ari_app.ari.ownership import Owner, mark, owner
from ari_app.ari.pulse import Beat, Pulse
from ari_app.ari.requests import Request
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import Clock, Meter

logger = logging.getLogger(__name__)

_LOOKS = 20  # in each `patience`
_LATE = 1.0  # seconds after which an event that is read late is worth a line in the log


def marked_filter(app: str, token: str) -> Request:
    """Only the events that we read, signed by us."""
    return requests.event_filter(app, (*events.RECOGNISED, mark(token)))


class Vigil:
    """The sign of life is an event of our own: it comes by the way of all others, or not at all."""

    def __init__(
        self,
        app: str,
        token: str,
        patience: float,
        ask: Callable[[Request], Awaitable[Any]],
        clock: Clock,
        meter: Meter,
    ) -> None:
        """`token` is ours alone. `patience`: seconds without any event that are too many."""
        self._app = app
        self._token = token
        self._patience = patience
        self._ask = ask
        self._clock = clock
        self._meter = meter
        self._pulse = Pulse(patience, clock.monotonic())
        self._asked_at: float | None = None  # when the sign was asked for that is awaited
        self._taken = False

    def heard(self, event: events.AriEvent) -> bool:
        """An event came; True if it is our own sign of life, and nobody else's business."""
        now = self._clock.monotonic()
        self._pulse.heard(now)
        if not isinstance(event, events.ChannelUserevent) or event.name != self._token:
            return False
        if self._asked_at is not None:
            lag, self._asked_at = now - self._asked_at, None
            self._meter.gauge("segue_ari_lag_seconds", lag)
            if lag > _LATE:
                logger.warning("events are read %.1f s late: too much is asked of us", lag)
        return True

    async def keep(self) -> None:
        """Returns when another process has the application; PbxUnavailable if nothing comes."""
        asking: asyncio.Task[None] | None = None
        try:
            while not self._taken:
                match self._pulse.look(self._clock.monotonic()):
                    case Beat.DEAD:
                        self._meter.count("segue_ari_silences_total")
                        raise PbxUnavailable(
                            f"Asterisk has sent no event for {self._patience:g} s, though asked to"
                        )
                    case Beat.ASK if asking is None or asking.done():
                        # Not awaited here: a request to the dead takes longer than a look.
                        asking = asyncio.create_task(self._ask_for_life())
                    case _:
                        pass
                await asyncio.sleep(self._patience / _LOOKS)
        finally:
            if asking is not None:
                asking.cancel()

    async def _ask_for_life(self) -> None:
        self._asked_at = self._clock.monotonic()
        try:
            await self._ask(requests.user_event(self._app, self._token))
            match owner(await self._ask(requests.application(self._app)), self._token):
                case Owner.ANOTHER:
                    self._taken = True
                case Owner.NOBODY:
                    logger.warning("somebody has reset the event filter of %s", self._app)
                    await self._ask(marked_filter(self._app, self._token))
                case Owner.WE:
                    pass
        except (AriRefused, PbxUnavailable) as error:
            logger.debug("no sign of life could be asked for: %s", error)
