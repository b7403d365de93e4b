"""Several carriers as one: each text goes where it is cheapest and well received."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from ari_app.ports import (
    Accepted,
    Clock,
    Late,
    Lost,
    Outcome,
    Outcomes,
    OutgoingText,
    Receipt,
    Refused,
    Throttled,
)
from ari_app.sms.gateway import SmppGateway
from smpp.routing import Health, NoRoute, Pulse, Route, Routing

# Seconds between looks for a carrier of a text whose carriers are all down or paused.
_AWAY = 5.0
# Seconds that the others have, when one is up, to be asked by price and not by who was first.
_MOMENT = 1.0


class Carriers:
    """Implements `BatchGateway` and `Inquiries` over one or more gateways, by their names."""

    def __init__(
        self,
        gateways: Sequence[SmppGateway],
        routing: Routing,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Every carrier that the routing names has its gateway here."""
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._routing = routing
        self._clock = clock
        self._chance = chance
        self._pulses = {name: Pulse() for name in self._gateways}
        self._paused: frozenset[str] = frozenset()

    @property
    def up(self) -> bool:
        """Whether any of them can send."""
        return any(gateway.up for gateway in self._gateways.values())

    @property
    def room(self) -> int:
        """See the port: the next texts may all be for the fullest of those that are up.

        Also of those that are paused: only a claim can say that they are paused no longer.
        """
        return min((gateway.room for gateway in self._gateways.values() if gateway.up), default=0)

    @property
    def names(self) -> Sequence[str]:
        """See the port `SeveralCarriers`."""
        return tuple(self._gateways)

    def pause(self, carriers: frozenset[str]) -> None:
        """See the port `SeveralCarriers`."""
        self._paused = carriers

    def start(self) -> None:
        """Bind to all of them, in the background."""
        for gateway in self._gateways.values():
            gateway.start()

    async def wait_up(self, timeout: float) -> None:
        """Return when all are bound, or a moment after one that sends; TimeoutError if none is."""
        waits = {asyncio.create_task(g.wait_up(timeout)) for g in self._gateways.values()}
        try:
            rest = waits
            while rest and not self.up:
                _, rest = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
            if rest:
                await asyncio.wait(rest, timeout=_MOMENT)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if not self.up:
            raise TimeoutError

    async def aclose(self) -> None:
        """Drain, unbind, close."""
        await asyncio.gather(*(gateway.aclose() for gateway in self._gateways.values()))

    def route(self, number: str) -> Route:
        """Where a text to this E.164 number goes now, and why; NoRoute."""
        return self._routing.route(number, self._health(), self._chance())

    def send_many(self, texts: Sequence[OutgoingText], told: Outcomes) -> None:
        """See the port `BatchGateway`."""
        health, digits = self._health(), self._routing.digits
        routes: dict[str, Route] = {}
        shares: dict[str, list[OutgoingText]] = {}
        refused: list[Outcome] = []
        for text in texts:
            number = text.to.value
            # Numbers that begin alike go the same way, unless chance shares them out.
            alike = number if digits is None else number[:digits]
            route = routes.get(alike)
            if route is None:
                try:
                    route = self._routing.route(number, health, self._chance())
                except NoRoute as error:
                    refused.append(Outcome(text.message, _unrouted(error)))
                    continue
                if digits is not None:
                    routes[alike] = route
            shares.setdefault(route.carrier, []).append(text)
        for carrier, share in shares.items():
            self._gateways[carrier].send_many(share, self._felt(carrier, told))
        if refused:
            told(refused)

    async def inquire(self, carrier: str, id: str) -> Receipt | None:
        """See the port `Inquiries`."""
        gateway = self._gateways.get(carrier)
        return await gateway.inquire(carrier, id) if gateway else None

    def _health(self) -> dict[str, Health]:
        now = self._clock.monotonic()
        return {
            name: self._pulses[name].health(gateway.up and name not in self._paused, now)
            for name, gateway in self._gateways.items()
        }

    def _felt(self, carrier: str, told: Outcomes) -> Outcomes:
        pulse, since = self._pulses[carrier], self._clock.monotonic()

        def tell(outcomes: Sequence[Outcome]) -> None:
            now = self._clock.monotonic()
            for outcome in outcomes:
                match outcome.fate:
                    case Accepted() | Refused(transient=False):
                        pulse.taken(now - since, now)
                    case Refused() | Lost():
                        pulse.failed(now)
                    case Throttled() | Late():
                        pass
            told(outcomes)

        return tell


def _unrouted(error: NoRoute) -> Refused | Throttled:
    """An outage, or the kill switch, uses up no attempts."""
    return Refused(str(error), transient=False) if error.permanent else Throttled(_AWAY)
