"""
Which carrier takes a text: by longest E.164 prefix, then cost, then health. Pure.

The longest prefix decides first, so that an exception for one network (+336) beats the price of the
whole country (+33); what has a shorter prefix stands behind it for fail-over. Among offers that are
equal in both, the weights and a chance that is passed in share the traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from smpp.address import Address
from smpp.errors import LocalProtocolError, SmppError

_PREFIX = re.compile(r"(\+[1-9][0-9]{0,14})?")
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")


class NoRoute(SmppError):
    """No carrier can take the text; `.permanent` says that none ever will with these offers."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a carrier takes for a segment to numbers that begin with `prefix`."""

    carrier: str
    prefix: str = ""  #: such as +336; empty: the whole world
    cost: Decimal = Decimal(0)  #: of a segment; the same currency in all offers
    weight: int = 1  #: share among offers of equal prefix and cost; 0: only for fail-over

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise LocalProtocolError(
                f"the prefix {self.prefix!r} of {self.carrier} is not a plus and 1 to 15 digits"
            )
        if not self.cost.is_finite() or self.cost < 0:
            raise LocalProtocolError(f"the cost {self.cost} of {self.carrier} is not 0 or more")
        if self.weight < 0:
            raise LocalProtocolError(f"the weight {self.weight} of {self.carrier} is not 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a carrier is doing now."""

    up: bool
    failure_ratio: float = 0.0  #: 0 to 1, of recent texts
    latency: float = 0.0  #: seconds from submit_sm to its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Beyond either of these a carrier is asked only after the healthy ones."""

    failure_ratio: float = 0.2
    latency: float = 5.0  #: seconds


class Verdict(Enum):
    """Why an offer stands where it stands."""

    CHOSEN = "chosen"
    NEXT = "next"  #: fail-over
    FAILING = "failing"  #: behind the healthy ones: too many of its texts fail
    SLOW = "slow"  #: behind the healthy ones: its answers take too long
    DOWN = "down"  #: not asked
    UNKNOWN = "unknown"  #: not asked: nobody has told of its health


@dataclass(frozen=True, slots=True)
class Row:
    """One offer that fits the number, for a person who asks why."""

    place: int  #: 1 is asked first; 0 is not asked
    carrier: str
    prefix: str
    cost: Decimal
    verdict: Verdict
    failure_ratio: float = 0.0
    latency: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """Which carriers to ask, in this order, and why."""

    carriers: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def carrier(self) -> str:
        """Who is asked first."""
        return self.carriers[0]


class Routing:
    """The offers of all carriers."""

    def __init__(self, offers: Iterable[Offer], tolerance: Tolerance | None = None) -> None:
        """LocalProtocolError if a carrier offers the same prefix twice."""
        self._tolerance = tolerance or Tolerance()
        self._offers: dict[str, list[Offer]] = {}  # by prefix
        self._carriers: set[str] = set()
        for offer in offers:
            rivals = self._offers.setdefault(offer.prefix, [])
            if any(rival.carrier == offer.carrier for rival in rivals):
                prefix = offer.prefix or "the whole world"
                raise LocalProtocolError(f"{offer.carrier} has two offers for {prefix}")
            rivals.append(offer)
            self._carriers.add(offer.carrier)

    @property
    def digits(self) -> int | None:
        """How many characters of a number decide on its route; None if chance does as well."""
        for rivals in self._offers.values():
            if len({rival.cost for rival in rivals}) < len(rivals):
                return None
        return max((len(prefix) for prefix in self._offers), default=0)

    def route(self, number: str, health: Mapping[str, Health], chance: float = 0.0) -> Route:
        """The carriers for an E.164 number; `chance` (0 to 1) decides between equal offers.

        A carrier is asked once, by its longest prefix. NoRoute if no offer fits (permanent), or
        if all that fit are down.
        """
        masked = _masked(number)
        verdicts = {
            carrier: _verdict(health.get(carrier), self._tolerance) for carrier in self._carriers
        }
        rows: list[Row] = []
        for group in (_HEALTHY, _WEAK, _NOT_ASKED):
            carriers = {carrier for carrier, verdict in verdicts.items() if verdict in group}
            if not carriers:
                continue
            for offer in self._fitting(number, carriers, chance):
                place = 0 if group is _NOT_ASKED else len(rows) + 1
                rows.append(_row(place, offer, verdicts[offer.carrier], health))
        asked = tuple(row.carrier for row in rows if row.place)
        if not rows:
            raise NoRoute(f"no carrier has an offer for {masked}", permanent=True)
        if not asked:
            names = ", ".join(row.carrier for row in rows)
            raise NoRoute(f"no carrier for {masked} is up: {names}", permanent=False)
        return Route(asked, tuple(rows))

    def _fitting(self, number: str, carriers: set[str], chance: float) -> list[Offer]:
        """Of these carriers: longest prefix, then cheapest; of each its first offer."""
        found: dict[str, Offer] = {}
        for length in range(len(number), -1, -1):
            offers = [o for o in self._offers.get(number[:length], ()) if o.carrier in carriers]
            for offer in _shared(offers, chance) if len(offers) > 1 else offers:
                found.setdefault(offer.carrier, offer)
        return list(found.values())


_HEALTHY = (Verdict.NEXT,)
_WEAK = (Verdict.FAILING, Verdict.SLOW)
_NOT_ASKED = (Verdict.DOWN, Verdict.UNKNOWN)


def _shared(offers: list[Offer], chance: float) -> list[Offer]:
    """By cost; among equals the weights say how often each comes first."""
    ordered: list[Offer] = []
    for cost in sorted({offer.cost for offer in offers}):
        equal = [offer for offer in offers if offer.cost == cost]
        equal.sort(key=lambda offer: -offer.weight)
        mark = chance * sum(offer.weight for offer in equal)
        for offer in equal:
            if mark < offer.weight:
                equal.remove(offer)
                equal.insert(0, offer)
                break
            mark -= offer.weight
        ordered += equal
    return ordered


def _verdict(health: Health | None, tolerance: Tolerance) -> Verdict:
    if health is None:
        return Verdict.UNKNOWN
    if not health.up:
        return Verdict.DOWN
    if health.failure_ratio > tolerance.failure_ratio:
        return Verdict.FAILING
    if health.latency > tolerance.latency:
        return Verdict.SLOW
    return Verdict.NEXT


def _row(place: int, offer: Offer, verdict: Verdict, health: Mapping[str, Health]) -> Row:
    known = health.get(offer.carrier) or Health(up=False)
    if place == 1 and verdict is Verdict.NEXT:
        verdict = Verdict.CHOSEN
    return Row(
        place,
        offer.carrier,
        offer.prefix,
        offer.cost,
        verdict,
        known.failure_ratio,
        known.latency,
    )


def _masked(number: str) -> str:
    if not _E164.fullmatch(number):
        raise NoRoute("only an E.164 number, such as +33123456789, has a route", permanent=True)
    return Address.of(number).masked


class Pulse:
    """The recent failures and latency of one carrier; what is old counts for less and less.

    `now` is in seconds of any steady clock.
    """

    def __init__(self, *, half_life: float = 60.0, least: float = 5.0) -> None:
        """A text counts half after `half_life` seconds; below `least` texts nothing is judged.

        So a carrier that is asked no more, because it failed, is trusted again after a while.
        """
        self._half_life = half_life
        self._least = least
        self._texts = 0.0
        self._failed = 0.0
        self._latency = 0.0  # summed over the texts
        self._at = 0.0

    def taken(self, latency: float, now: float) -> None:
        """A text was answered, whatever the answer said of the text itself."""
        self._fade(now)
        self._texts += 1
        self._latency += latency

    def failed(self, now: float) -> None:
        """A text was refused by the carrier's own fault, or not answered."""
        self._fade(now)
        self._texts += 1
        self._failed += 1

    def health(self, up: bool, now: float) -> Health:
        """What the routing wants to know."""
        self._fade(now)
        if self._texts < self._least:
            return Health(up=up)
        answered = self._texts - self._failed
        latency = self._latency / answered if answered > 0.5 else 0.0
        return Health(up=up, failure_ratio=self._failed / self._texts, latency=latency)

    def _fade(self, now: float) -> None:
        rest = 0.5 ** (max(0.0, now - self._at) / self._half_life)
        self._texts *= rest
        self._failed *= rest
        self._latency *= rest
        self._at = max(self._at, now)
