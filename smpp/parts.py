"""Parts of texts: read from PDUs, and kept in a store until the others have come."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from smpp import udh
from smpp.address import Address
from smpp.alphabets import is_packed
from smpp.constants import EsmClass, Tag
from smpp.errors import SmppError
from smpp.gsm0338 import fill_bits, unpack
from smpp.national import UNSHIFTED, Language, Shift
from smpp.pdu import ShortMessage
from smpp.style import PLAIN, TextStyle


@dataclass(frozen=True, slots=True)
class Part:
    """What one PDU carries: a whole text, or one segment of several.

    Septets that came packed are unpacked here; the octets of the PDU are still in the PDU.
    """

    data_coding: int
    octets: bytes = field(repr=False)
    reference: int = 0
    total: int = 1
    number: int = 1
    shift: Shift = UNSHIFTED
    ports: tuple[int, int] | None = None  # destination and originator: octets for a program


def read_part(pdu: ShortMessage, style: TextStyle = PLAIN) -> Part:
    """The user part of a PDU without its header, and its place in a longer text.

    The place comes from a concatenation element (8 or 16 bits, among others, in any order) or
    from the sar TLVs (§5.3.2.22 to 24). A header that lies about its length is read as text.
    Never fails.
    """
    octets = pdu.octets
    header = udh.read(octets) if pdu.esm_class & EsmClass.UDHI else udh.NO_HEADER
    octets = octets[header.length :]
    reference, total, number = header.place or _sar(pdu) or (0, 1, 1)
    if is_packed(pdu.data_coding, style):
        octets = unpack(octets, fill_bits(header.length), final=number == total)
    return Part(pdu.data_coding, octets, reference, total, number, header.shift, header.ports)


def _sar(pdu: ShortMessage) -> udh.Place | None:
    if not pdu.tlvs:
        return None
    values = [
        pdu.tlv(tag)
        for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    ]
    reference, total, number = (int.from_bytes(v, "big") if v else -1 for v in values)
    # Not the same reference as one in a header of the same value.
    return udh.placed(0x20000 | reference, total, number) if 0 <= reference <= 0xFFFF else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part as a store keeps it, before its deliver_sm is answered, so that a restart loses none.

    `at` is when it came, in seconds of a clock that outlives the process. `octets` and both
    addresses are a person's: keep them as secret as the text.
    """

    source: Address
    destination: Address
    reference: int
    total: int
    number: int
    data_coding: int
    octets: bytes = field(repr=False)
    at: float
    shift: Shift = UNSHIFTED
    ports: tuple[int, int] | None = None

    @classmethod
    def of(cls, source: Address, destination: Address, part: Part, at: float) -> StoredPart:
        """The part, with all that `Joiner.restore` needs to know of it."""
        return cls(
            source=source,
            destination=destination,
            reference=part.reference,
            total=part.total,
            number=part.number,
            data_coding=part.data_coding,
            octets=part.octets,
            at=at,
            shift=part.shift,
            ports=part.ports,
        )

    @property
    def part(self) -> Part:
        """As it was read from its PDU."""
        return Part(
            self.data_coding,
            self.octets,
            self.reference,
            self.total,
            self.number,
            self.shift,
            self.ports,
        )

    def to_json(self) -> str:
        """One line; `from_json` reads it back."""
        return json.dumps(
            {
                "source": [self.source.ton, self.source.npi, self.source.digits],
                "destination": [
                    self.destination.ton,
                    self.destination.npi,
                    self.destination.digits,
                ],
                "place": [self.reference, self.total, self.number],
                "data_coding": self.data_coding,
                "octets": self.octets.hex(),
                "at": self.at,
                "shift": [self.shift.locking, self.shift.single],
                "ports": self.ports,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, written: str) -> StoredPart:
        """ValueError for what `to_json` has not written."""
        try:
            found = json.loads(written)
            reference, total, number = map(int, found["place"])
            locking, single = (None if v is None else Language(v) for v in found["shift"])
            if not 1 <= number <= total <= udh.MOST_PARTS:
                raise ValueError(f"part {number} of {total}")
            return cls(
                source=Address(*found["source"]),
                destination=Address(*found["destination"]),
                reference=reference,
                total=total,
                number=number,
                data_coding=int(found["data_coding"]),
                octets=bytes.fromhex(found["octets"]),
                at=float(found["at"]),
                shift=Shift(locking, single),
                ports=tuple(found["ports"]) if found["ports"] else None,
            )
        except (KeyError, TypeError, AttributeError, OverflowError, SmppError) as error:
            raise ValueError("this is no stored part") from error
