"""Long texts on the way out: cut into segments. The way in, `joining`, has its names here too."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from smpp import udh
from smpp.alphabets import USER_DATA
from smpp.constants import DataCoding, EsmClass, Tag
from smpp.encoding import concatenation_octets, plan
from smpp.errors import LocalProtocolError
from smpp.gsm0338 import encode
from smpp.joining import Joiner, JoinerFull, Part, StoredPart, Whole, read_part
from smpp.national import Language
from smpp.pdu import Tlvs
from smpp.style import PLAIN, Concatenation, DefaultAlphabet, TextStyle

__all__ = [
    "PLAIN",
    "Concatenation",
    "DefaultAlphabet",
    "Joiner",
    "JoinerFull",
    "Language",
    "Part",
    "References",
    "Segment",
    "StoredPart",
    "TextStyle",
    "Whole",
    "read_part",
    "split",
    "split_octets",
]

_SINGLE = 160  # septets of a text that needs no header
_LONGEST_PAYLOAD = 0xFFFF  # octets, SMPP 3.4 §5.3.2.32


@dataclass(frozen=True, slots=True)
class Segment:
    """What one submit_sm or deliver_sm carries of a text: its octets, its header, its TLVs."""

    data_coding: int
    esm_class: int
    octets: bytes = field(repr=False)
    tlvs: Tlvs = field(default=(), repr=False)


def split(text: str, reference: int, style: TextStyle = PLAIN) -> tuple[Segment, ...]:
    """In the cheapest alphabet that loses nothing, and cut where no character breaks.

    A segment has 160 septets, 140 octets or 70 UTF-16 units, less what its header takes: 153,
    134 or 67 of a long text with an 8-bit reference. `reference` must differ from that of the
    recipient's recent long texts; what is beyond the style's 8 or 16 bits is left out.
    LocalProtocolError if there would be more than 255 segments, or a payload beyond 64 KiB.
    """
    if style.default_alphabet is DefaultAlphabet.GSM7 and len(text) <= _SINGLE:
        septets = encode(text)
        if septets is not None and len(septets) <= _SINGLE:
            return (Segment(DataCoding.DEFAULT, EsmClass.DEFAULT, septets),)
    found = plan(text, style)
    coding, pieces = found.coding, found.pieces
    elements = udh.shift_elements(coding.shift)
    if len(pieces) > 1 and style.concatenation is Concatenation.PAYLOAD:
        header = udh.header(elements)
        return (_payload(coding.data_coding, header, coding.on_wire("".join(pieces), header)),)
    frames = _frames(reference, len(pieces), elements, style.concatenation)
    return tuple(
        _segment(coding.data_coding, header, coding.on_wire(piece, header), tlvs)
        for piece, (header, tlvs) in zip(pieces, frames, strict=True)
    )


def split_octets(
    octets: bytes, reference: int, style: TextStyle = PLAIN, *, data_coding: int = DataCoding.OCTETS
) -> tuple[Segment, ...]:
    """What is no text, such as a vCard: 140 octets, or 134 of several segments (133 at 16 bits).

    `reference` and LocalProtocolError as for `split`.
    """
    if len(octets) > USER_DATA and style.concatenation is Concatenation.PAYLOAD:
        return (_payload(data_coding, b"", octets),)
    longest = USER_DATA
    if len(octets) > USER_DATA:
        longest -= 1 + concatenation_octets(style)
    pieces = [octets[at : at + longest] for at in range(0, len(octets), longest)] or [b""]
    if len(pieces) > udh.MOST_PARTS:
        raise LocalProtocolError(f"at most {udh.MOST_PARTS} segments, these are {len(pieces)}")
    frames = _frames(reference, len(pieces), b"", style.concatenation)
    return tuple(
        _segment(data_coding, header, header + piece, tlvs)
        for piece, (header, tlvs) in zip(pieces, frames, strict=True)
    )


def _segment(data_coding: int, header: bytes, octets: bytes, tlvs: Tlvs = ()) -> Segment:
    return Segment(data_coding, EsmClass.UDHI if header else EsmClass.DEFAULT, octets, tlvs)


def _payload(data_coding: int, header: bytes, octets: bytes) -> Segment:
    """§5.3.2.32: short_message is empty, and the SMSC makes the segments."""
    if len(octets) > _LONGEST_PAYLOAD:
        raise LocalProtocolError(
            f"a message_payload has at most {_LONGEST_PAYLOAD} octets, this one {len(octets)}"
        )
    return _segment(data_coding, header, b"", ((Tag.MESSAGE_PAYLOAD, octets),))


def _frames(
    reference: int, total: int, elements: bytes, concatenation: Concatenation
) -> Iterator[tuple[bytes, Tlvs]]:
    """The header and the TLVs of each of `total` segments."""
    for number in range(1, total + 1):
        if total == 1:
            yield udh.header(elements), ()
        elif concatenation is Concatenation.SAR:
            yield udh.header(elements), _sar(reference, total, number)
        elif concatenation is Concatenation.UDH16:
            yield udh.header(udh.concatenation_16(reference, total, number) + elements), ()
        else:
            yield udh.header(udh.concatenation_8(reference, total, number) + elements), ()


def _sar(reference: int, total: int, number: int) -> Tlvs:
    return (
        (Tag.SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2, "big")),
        (Tag.SAR_TOTAL_SEGMENTS, bytes((total,))),
        (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
    )


class References:
    """The reference of the next long text: sequential for each recipient, never random.

    A random one of 8 bits is the last one's twin once in 256, and then two texts are joined into
    nonsense. Of so many `recipients` the last one is known; the others begin at `first` again.
    """

    def __init__(self, first: int = 0, recipients: int = 10_000, *, bits: int = 8) -> None:
        self._first = first
        self._recipients = recipients
        self._mask = (1 << bits) - 1
        self._last: OrderedDict[str, int] = OrderedDict()

    def next(self, recipient: str) -> int:
        """0 to 255, or to 65535 with 16 bits."""
        reference = (self._last.pop(recipient, self._first) + 1) & self._mask
        self._last[recipient] = reference
        if len(self._last) > self._recipients:
            self._last.popitem(last=False)
        return reference
