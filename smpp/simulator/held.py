"""The messages that the simulated SMSC has, for those who ask about them later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from smpp.address import Address
from smpp.constants import RegisteredDelivery
from smpp.ids import folded
from smpp.pdu import CancelSm
from smpp.simulator.chance import Fate

_CANCELLED = Fate("DELETED")


@dataclass(slots=True)
class Held:
    """One message: to one handset, from one submit_sm."""

    answered: str  #: its id in the response
    reported: str  #: its id in receipts
    source: Address
    destination: Address
    service_type: str
    registered_delivery: int
    data_coding: int
    system_id: str
    at: float  #: when it came, in seconds since 1970
    wait: float  #: how long until its fate is known
    due: float  #: when that is, by the loop's clock
    fate: Fate
    reports: list[asyncio.Task[None]] = field(default_factory=list)

    def state(self, now: float) -> Fate:
        """What is known of it at `now`, by the loop's clock."""
        return self.fate if now >= self.due else Fate("ENROUTE")

    def cancel(self, now: float) -> bool:
        """Whether it was not too late."""
        if now >= self.due:
            return False
        self.wait -= self.due - now
        self.fate, self.due = _CANCELLED, now
        for report in self.reports:
            report.cancel()
        self.reports.clear()
        return True

    @property
    def is_reported(self) -> bool:
        """Whether its fate is to be reported (§5.2.17); 2 asks for failures only."""
        wanted = self.registered_delivery & RegisteredDelivery.RECEIPT_MASK
        if wanted == RegisteredDelivery.FAILURE:
            return self.fate.state != "DELIVRD"
        return bool(wanted)


class Messages:
    """The most recent ones, by the id of their response; one id may be of many recipients."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, list[Held]] = OrderedDict()

    def add(self, held: Held) -> None:
        """It may be asked for from now on."""
        self._held.setdefault(folded(held.answered), []).append(held)
        if len(self._held) > self._most:
            self._held.popitem(last=False)

    def find(self, id: str, source: Address) -> Held | None:
        """The message of that id, whose sender must be named again (§4.8.1)."""
        there = self._held.get(folded(id), ())
        return next((held for held in there if held.source.digits == source.digits), None)

    def meant(self, pdu: CancelSm) -> list[Held]:
        """What a cancel_sm means: one by its id, or all between two addresses (§4.9.1)."""
        if pdu.message_id:
            found = self.find(pdu.message_id, pdu.source)
            return [found] if found else []
        return [
            held
            for there in self._held.values()
            for held in there
            if (held.source.digits, held.destination.digits)
            == (pdu.source.digits, pdu.destination.digits)
            and pdu.service_type in ("", held.service_type)
        ]
