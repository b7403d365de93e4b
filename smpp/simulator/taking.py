"""What an ESME asks to be sent: one copy for each handset, joined into texts."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeAlias

from smpp.address import Address
from smpp.constants import Status
from smpp.pdu import DataSm, SubmitMulti, SubmitSm, Unsuccess
from smpp.segmentation import PLAIN, Joiner, JoinerFull, TextStyle, Whole, read_part
from smpp.simulator.held import Held
from smpp.simulator.notices import AcceptedMessage

_Key: TypeAlias = tuple[Address, Address, int]


def copies(pdu: SubmitSm | DataSm | SubmitMulti) -> Iterator[SubmitSm]:
    """The submit_sm to each handset that it means; a distribution list is nobody."""
    if isinstance(pdu, SubmitSm):
        yield pdu
        return
    several = isinstance(pdu, SubmitMulti)
    for destination in pdu.destinations if isinstance(pdu, SubmitMulti) else (pdu.destination,):
        if isinstance(destination, Address):
            yield SubmitSm(
                source=pdu.source,
                destination=destination,
                service_type=pdu.service_type,
                esm_class=pdu.esm_class,
                registered_delivery=pdu.registered_delivery,
                data_coding=pdu.data_coding,
                short_message=pdu.short_message if several else b"",  # type: ignore[union-attr]
                tlvs=pdu.tlvs,
            )


def unsuccess(pdu: SubmitMulti) -> tuple[Unsuccess, ...]:
    """The distribution lists, of which we keep none (§4.5.2.1); named in place of an address."""
    return tuple(
        Unsuccess(Address(0, 0, one.name), Status.ESME_RINVDLNAME)
        for one in pdu.destinations
        if not isinstance(one, Address)
    )


class Texts:
    """Joins what comes in parts; bounded, and what never becomes whole is shown with its gaps."""

    def __init__(self, style: TextStyle = PLAIN, most: int = 10_000) -> None:
        self._style = style
        self._most = most
        self._joiner = Joiner(style=style)
        self._parts: OrderedDict[_Key, list[tuple[SubmitSm, Held]]] = OrderedDict()

    def add(self, pdu: SubmitSm, held: Held) -> list[AcceptedMessage]:
        """The texts that are whole now, or are waited for no longer: mostly one, or none yet."""
        now = time.monotonic()
        part = read_part(pdu, self._style)
        if part.total == 1:
            whole = self._joiner.add(pdu.source, pdu.destination, part, now)
            assert whole is not None
            return [_message(whole, [(pdu, held)], now)]
        given_up = [self._finish(whole, now) for whole in self._overdue(now)]
        self._parts.setdefault((pdu.source, pdu.destination, part.reference), []).append(
            (pdu, held)
        )
        if len(self._parts) > self._most:
            self._parts.popitem(last=False)
        try:
            found = self._joiner.add(pdu.source, pdu.destination, part, now)
        except JoinerFull:
            given_up += [self._finish(whole, now) for whole in self._joiner.overdue(now)]
            found = self._joiner.add(pdu.source, pdu.destination, part, now)
        return [*given_up, self._finish(found, now)] if found else given_up

    def _overdue(self, now: float) -> list[Whole]:
        deadline = self._joiner.next_deadline()
        return self._joiner.overdue(now) if deadline is not None and now >= deadline else []

    def _finish(self, whole: Whole, now: float) -> AcceptedMessage:
        self._joiner.settled(whole)
        parts = self._parts.pop((whole.source, whole.destination, whole.reference), [])
        return _message(whole, parts, now)


def _message(whole: Whole, parts: list[tuple[SubmitSm, Held]], now: float) -> AcceptedMessage:
    pdu, held = parts[-1] if parts else (SubmitSm(), None)
    return AcceptedMessage(
        ids=tuple(one.answered for _, one in parts),
        sender=whole.source.digits,
        recipient=whole.destination.digits,
        text=whole.text,
        at=now,
        registered_delivery=pdu.registered_delivery,
        data_coding=pdu.data_coding,
        system_id=held.system_id if held else "",
    )
