"""Long texts: cut into segments on the way out, joined on the way in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from smpp.address import Address
from smpp.constants import DataCoding, EsmClass, Tag
from smpp.errors import LocalProtocolError
from smpp.gsm0338 import ESCAPE, decode_text, encode_text
from smpp.pdu import ShortMessage

# 3GPP TS 23.040 §9.2.3.24.1: a user part has 140 octets, six of them the header of a segment.
_SINGLE = {DataCoding.DEFAULT: 160, DataCoding.UCS2: 140}
_SEGMENT = {DataCoding.DEFAULT: 153, DataCoding.UCS2: 134}
_MOST = 255

_CONCAT_8 = 0x00
_CONCAT_16 = 0x08

# -- out --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """What one submit_sm or deliver_sm carries of a text."""

    data_coding: int
    esm_class: int
    octets: bytes = field(repr=False)


def split(text: str, reference: int) -> tuple[Segment, ...]:
    """160/153 septets or 70/67 UCS-2 units; no escape and no surrogate pair is ever cut.

    `reference` (0 to 255) must differ from that of the recipient's recent long texts.
    """
    coding, octets = encode_text(text)
    if len(octets) <= _SINGLE[coding]:
        return (Segment(coding, EsmClass.DEFAULT, octets),)
    parts = _cut(octets, _SEGMENT[coding], coding)
    if len(parts) > _MOST:
        raise LocalProtocolError(f"a text has at most {_MOST} segments, this one {len(parts)}")
    return tuple(
        Segment(
            coding,
            EsmClass.UDHI,
            bytes((5, _CONCAT_8, 3, reference & 0xFF, len(parts), number)) + part,
        )
        for number, part in enumerate(parts, 1)
    )


def _cut(octets: bytes, longest: int, coding: DataCoding) -> list[bytes]:
    parts: list[bytes] = []
    start = 0
    while start < len(octets):
        end = min(start + longest, len(octets))
        if end < len(octets):
            if coding is DataCoding.DEFAULT and octets[end - 1] == ESCAPE:
                end -= 1
            elif coding is DataCoding.UCS2 and 0xD8 <= octets[end - 2] <= 0xDB:
                end -= 2  # a high surrogate belongs to what follows it
        parts.append(octets[start:end])
        start = end
    return parts


class References:
    """The 8-bit reference of the next long text: sequential for each recipient, never random.

    A random one is the last one's twin once in 256, and then two texts are joined into nonsense.
    """

    def __init__(self, first: int = 0, recipients: int = 10_000) -> None:
        self._first = first
        self._recipients = recipients
        self._last: OrderedDict[str, int] = OrderedDict()

    def next(self, recipient: str) -> int:
        """0 to 255."""
        reference = (self._last.pop(recipient, self._first) + 1) & 0xFF
        self._last[recipient] = reference
        if len(self._last) > self._recipients:
            self._last.popitem(last=False)
        return reference


# -- in ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """What one PDU carries: a whole text, or one segment of several."""

    data_coding: int
    octets: bytes = field(repr=False)
    reference: int = 0
    total: int = 1
    number: int = 1


def read_part(pdu: ShortMessage) -> Part:
    """The user part of a PDU without its header, and its place in a longer text.

    The place comes from a concatenation element (8 or 16 bits, among others, in any order) or
    from the sar TLVs (§5.3.2.22 to 24). A header that lies about its length is read as text.
    """
    octets = pdu.octets
    place: tuple[int, int, int] | None = None
    if pdu.esm_class & EsmClass.UDHI and octets and octets[0] < len(octets):
        place = _concatenation(octets[1 : 1 + octets[0]])
        octets = octets[1 + octets[0] :]
    reference, total, number = place or _sar(pdu) or (0, 1, 1)
    if total < 2 or not 1 <= number <= total:
        return Part(pdu.data_coding, octets)
    return Part(pdu.data_coding, octets, reference, total, number)


def _concatenation(header: bytes) -> tuple[int, int, int] | None:
    at = 0
    while at + 2 <= len(header):
        element, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if element == _CONCAT_8 and len(value) == 3:
            return value[0], value[1], value[2]
        if element == _CONCAT_16 and len(value) == 4:
            # Not the same reference as an 8-bit one of the same value.
            return 0x10000 | value[0] << 8 | value[1], value[2], value[3]
        at += 2 + length
    return None


def _sar(pdu: ShortMessage) -> tuple[int, int, int] | None:
    reference = pdu.tlv(Tag.SAR_MSG_REF_NUM)
    total = pdu.tlv(Tag.SAR_TOTAL_SEGMENTS)
    number = pdu.tlv(Tag.SAR_SEGMENT_SEQNUM)
    if not reference or not total or not number:
        return None
    place = tuple(int.from_bytes(value, "big") for value in (reference, total, number))
    if any(value > 0xFFFF for value in place):
        return None
    return 0x20000 | place[0], place[1], place[2]


@dataclass(frozen=True, slots=True)
class _Key:
    source: Address
    destination: Address
    reference: int
    total: int


@dataclass(slots=True)
class Whole:
    """A text that is complete, or as much of it as came in time."""

    source: Address
    destination: Address
    reference: int
    total: int
    since: float
    parts: dict[int, Part] = field(repr=False)

    @property
    def complete(self) -> bool:
        """Whether no part is missing."""
        return len(self.parts) == self.total

    @property
    def text(self) -> str:
        """The parts in order; a gap is shown as […], so that nobody takes the rest for all.

        Neighbours are read together, because handsets do cut escapes and surrogate pairs.
        """
        found: list[str] = []
        run = b""
        coding = 0
        for number in range(1, self.total + 1):
            part = self.parts.get(number)
            if run and (part is None or part.data_coding != coding):
                found.append(decode_text(run, coding))
                run = b""
            if part is not None:
                run, coding = run + part.octets, part.data_coding
            elif not found or found[-1] != _GAP:
                found.append(_GAP)
        if run:
            found.append(decode_text(run, coding))
        return "".join(found)


_GAP = "[…]"


class Joiner:
    """Holds the parts of long texts until they are whole; bounded in number and time.

    A text that was returned stays here until `settled`, so that a part which is delivered again,
    because nobody could store the whole, completes it again.
    """

    def __init__(self, *, patience: float = 300.0, most: int = 1000) -> None:
        self._patience = patience
        self._most = most
        self._open: OrderedDict[_Key, Whole] = OrderedDict()
        self._settled: OrderedDict[_Key, Whole] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, source: Address, destination: Address, part: Part, now: float) -> Whole | None:
        """The whole text if this part completes it, else None (also for a repeated part)."""
        if part.total == 1:
            return Whole(source, destination, 0, 1, now, {1: part})
        self._forget_settled(now)
        key = _Key(source, destination, part.reference, part.total)
        before = self._settled.get(key)
        if before is not None:
            if before.parts.get(part.number) == part:
                return None
            del self._settled[key]  # the reference has come round
        whole = self._open.get(key)
        if whole is None:
            whole = Whole(source, destination, part.reference, part.total, now, {})
            self._open[key] = whole
        whole.parts[part.number] = part
        return whole if whole.complete else None

    def settled(self, whole: Whole) -> None:
        """The text is stored: forget it, but know its parts again if they are repeated."""
        if whole.total == 1:
            return
        key = _Key(whole.source, whole.destination, whole.reference, whole.total)
        if self._open.get(key) is whole:
            del self._open[key]
        self._settled[key] = whole
        if len(self._settled) > self._most:
            self._settled.popitem(last=False)

    def overdue(self, now: float) -> list[Whole]:
        """Texts whose missing parts are waited for no longer: too old, or too many.

        They stay until `settled`.
        """
        too_many = max(0, len(self._open) - self._most)
        return [
            whole
            for place, whole in enumerate(self._open.values())
            if place < too_many or now - whole.since >= self._patience
        ]

    def next_deadline(self) -> float | None:
        """When `overdue` has something to say."""
        first = next(iter(self._open.values()), None)
        return None if first is None else first.since + self._patience

    def _forget_settled(self, now: float) -> None:
        while self._settled:
            key, whole = next(iter(self._settled.items()))
            if now - whole.since < self._patience:
                return
            del self._settled[key]
