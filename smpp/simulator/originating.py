"""Texts from handsets: cut, numbered and delivered as a carrier would, or worse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from smpp.address import Address
from smpp.constants import DataCoding
from smpp.errors import NotSent
from smpp.pdu import DeliverSm
from smpp.segmentation import Concatenation, References, Segment, TextStyle, split, split_octets
from smpp.simulator.delivering import Delivering
from smpp.simulator.notices import TextAnswered, TextSent, TextUntaken, Told

_WIDE = (Concatenation.UDH16, Concatenation.SAR)  # their references have 16 bits


class Originating:
    """Delivers what a person at a handset writes."""

    def __init__(self, delivering: Delivering, tell: Callable[[Told], None]) -> None:
        self._delivering = delivering
        self._tell = tell
        self._narrow = References()
        self._wide = References(bits=16)
        self._number = 0

    async def text(
        self,
        sender: str,
        recipient: str,
        text: str,
        style: TextStyle,
        *,
        order: str,
        system_id: str | None,
        timeout: float,
        attempts: int,
    ) -> int:
        """The last status of deliver_sm_resp; NotSent if not all went in time."""
        addresses = Address.of(sender), Address.of(recipient)
        segments = split(text, self._reference(sender + recipient, style), style)
        self._number += 1
        number = self._number
        self._tell(TextSent(number, sender, recipient, text, len(segments)))
        try:
            status = await self._send(
                addresses, _ordered(segments, order), system_id, timeout, attempts
            )
        except NotSent:
            self._tell(TextUntaken(number))
            raise
        self._tell(TextAnswered(sender, recipient, status, number))
        return status

    async def octets(
        self,
        sender: str,
        recipient: str,
        octets: bytes,
        style: TextStyle,
        *,
        data_coding: int = DataCoding.OCTETS,
        timeout: float,
        attempts: int,
    ) -> int:
        """What is no text, such as a picture; as `text`."""
        addresses = Address.of(sender), Address.of(recipient)
        reference = self._reference(sender + recipient, style)
        segments = split_octets(octets, reference, style, data_coding=data_coding)
        return await self._send(addresses, segments, None, timeout, attempts)

    def _reference(self, pair: str, style: TextStyle) -> int:
        return (self._wide if style.concatenation in _WIDE else self._narrow).next(pair)

    async def _send(
        self,
        addresses: tuple[Address, Address],
        segments: Sequence[Segment],
        system_id: str | None,
        timeout: float,
        attempts: int,
    ) -> int:
        status = 0
        try:
            async with asyncio.timeout(timeout):
                for segment in segments:
                    pdu = DeliverSm(
                        source=addresses[0],
                        destination=addresses[1],
                        esm_class=segment.esm_class,
                        data_coding=segment.data_coding,
                        short_message=segment.octets,
                        tlvs=segment.tlvs,
                    )
                    status = await self._delivering.deliver(pdu, attempts, system_id=system_id)
        except TimeoutError:
            raise NotSent("no ESME took the text in time") from None
        return status


def _ordered(segments: tuple[Segment, ...], order: str) -> tuple[Segment, ...]:
    match order:
        case "reversed":
            return segments[::-1]
        case "twice":
            return tuple(segment for segment in segments for _ in range(2))
        case "last lost" if len(segments) > 1:
            return segments[:-1]
        case _:
            return segments
