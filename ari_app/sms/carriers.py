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
from ari_app.sms.shares import Share
from smpp.routing import Health, NoRoute, Pulse, Route, Routing

# As many as the outbox claims.
_MOST = 1000
# Seconds between looks for a carrier of a text whose carriers are all down or paused.
_AWAY = 5.0
# How many of these come again in a second, if there are many.
_AWAY_RATE = 200.0
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
        *,
        most: int = _MOST,
    ) -> None:
        """Every carrier that the routing names has its gateway here.

        `most` texts are in hand at a time, an equal share with each carrier.
        """
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._routing = routing
        self._clock = clock
        self._chance = chance
        self._pulses = {name: Pulse() for name in self._gateways}
        share = max(1, most // max(1, len(self._gateways)))
        self._shares = {name: Share(share) for name in self._gateways}
        # Of carriers that are all away: a long queue must not be claimed again and again.
        self._nobody = Share(0, slowest=_AWAY_RATE)
        self._paused: frozenset[str] = frozenset()

    @property
    def up(self) -> bool:
        """Whether any of them can send."""
        return any(gateway.up for gateway in self._gateways.values())

    @property
    def room(self) -> int:
        """See the port: what the emptiest takes. What is for a fuller one is turned away.

        Also of those that are paused: only a claim can say that they are paused no longer.
        """
        rooms = (self._room(name) for name, gateway in self._gateways.items() if gateway.up)
        return max(rooms, default=0)

    @property
    def names(self) -> Sequence[str]:
        """See the port `SeveralCarriers`."""
        return tuple(self._gateways)

    def pause(self, carriers: frozenset[str]) -> None:
        """See the port `SeveralCarriers`."""
        self._paused = carriers

    @property
    def gateways(self) -> Sequence[SmppGateway]:
        """All of them, in the order of their names in `names`."""
        return tuple(self._gateways.values())

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
                    refused.append(Outcome(text.message, self._unrouted(error)))
                    continue
                if digits is not None:
                    routes[alike] = route
            shares.setdefault(route.carrier, []).append(text)
        for carrier, mine in shares.items():
            taken = mine[: self._room(carrier)]
            refused += self._turned_away(carrier, mine[len(taken) :])
            self._shares[carrier].give(len(taken))
            if taken:
                self._gateways[carrier].send_many(taken, self._felt(carrier, told))
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

    def _room(self, carrier: str) -> int:
        return min(self._gateways[carrier].room, self._shares[carrier].room)

    def _unrouted(self, error: NoRoute) -> Refused | Throttled:
        """An outage, or the kill switch, uses up no attempts."""
        if error.permanent:
            return Refused(str(error), transient=False)
        return Throttled(max(_AWAY, self._nobody.turned_away(self._clock.monotonic())))

    def _turned_away(self, carrier: str, texts: Sequence[OutgoingText]) -> list[Outcome]:
        share, now = self._shares[carrier], self._clock.monotonic()
        return [Outcome(text.message, Throttled(share.turned_away(now))) for text in texts]

    def _felt(self, carrier: str, told: Outcomes) -> Outcomes:
        pulse, share, gateway = (
            self._pulses[carrier],
            self._shares[carrier],
            self._gateways[carrier],
        )

        def tell(outcomes: Sequence[Outcome]) -> None:
            now, over = self._clock.monotonic(), 0
            for _, fate in outcomes:
                match fate:
                    case Accepted() | Refused(transient=False):
                        pulse.taken(gateway.latency, now)
                    case Refused() | Lost():
                        pulse.failed(now)
                    case Throttled():
                        pass
                    case Late():
                        continue  # it was over before
                over += 1
            share.answered(over, now)
            told(outcomes)

        return tell
