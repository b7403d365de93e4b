"""User data headers, 3GPP TS 23.040 §9.2.3.24: what stands before the text in the same octets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from smpp.national import UNSHIFTED, Language, Shift

MOST_PARTS = 255


class Element(IntEnum):
    """Information element identifiers."""

    CONCATENATION_8 = 0x00
    PORTS_8 = 0x04
    PORTS_16 = 0x05
    CONCATENATION_16 = 0x08
    SINGLE_SHIFT = 0x24
    LOCKING_SHIFT = 0x25


Place: TypeAlias = tuple[int, int, int]
"""Reference, total and number of a part; total is at most 255."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was read; `length` is in octets, with the length octet itself."""

    length: int = 0
    place: Place | None = None
    shift: Shift = UNSHIFTED
    ports: tuple[int, int] | None = None  # destination and originator: this is not a text


NO_HEADER = Header()


def read(octets: bytes) -> Header:
    """The elements in any order; unknown ones are passed over.

    A length that goes beyond the octets is a lie, and there is no header. An element that goes
    beyond the header, or makes no sense, is ignored; of an element that is there twice the last
    one holds (§9.2.3.24). 16-bit references are told apart from 8-bit ones: they have 0x10000
    added.
    """
    if not octets or octets[0] >= len(octets):
        return NO_HEADER
    length = 1 + octets[0]
    place: Place | None = None
    ports: tuple[int, int] | None = None
    locking: Language | None = None
    single: Language | None = None
    at = 1
    while at + 2 <= length and at + 2 + octets[at + 1] <= length:
        match octets[at], *octets[at + 2 : at + 2 + octets[at + 1]]:
            case Element.CONCATENATION_8, reference, total, number:
                place = placed(reference, total, number) or place
            case Element.CONCATENATION_16, high, low, total, number:
                place = placed(0x10000 | high << 8 | low, total, number) or place
            case Element.PORTS_8, destination, originator:
                ports = destination, originator
            case Element.PORTS_16, a, b, c, d:
                ports = a << 8 | b, c << 8 | d
            case Element.SINGLE_SHIFT, language:
                single = _language(language) or single
            case Element.LOCKING_SHIFT, language:
                locking = _language(language) or locking
            case _:
                pass
        at += 2 + octets[at + 1]
    shift = UNSHIFTED if locking is None and single is None else Shift(locking, single)
    return Header(length, place, shift, ports)


def placed(reference: int, total: int, number: int) -> Place | None:
    """Only what can be: part 3 of 2 and part 0 are no parts, and one of one is a whole text."""
    return (reference, total, number) if 1 <= number <= total and 1 < total <= MOST_PARTS else None


def _language(identifier: int) -> Language | None:
    try:
        return Language(identifier)
    except ValueError:
        return None


def shift_elements(shift: Shift) -> bytes:
    """The elements that announce the tables, §9.2.3.24.15 and 16; nothing for the default."""
    found = b""
    if shift.locking is not None:
        found += bytes((Element.LOCKING_SHIFT, 1, shift.locking))
    if shift.single is not None:
        found += bytes((Element.SINGLE_SHIFT, 1, shift.single))
    return found


def concatenation_8(reference: int, total: int, number: int) -> bytes:
    """The element of a part with an 8-bit reference; what is beyond 8 bits is left out."""
    return bytes((Element.CONCATENATION_8, 3, reference & 0xFF, total, number))


def concatenation_16(reference: int, total: int, number: int) -> bytes:
    """The element of a part with a 16-bit reference; what is beyond 16 bits is left out."""
    high, low = divmod(reference & 0xFFFF, 0x100)
    return bytes((Element.CONCATENATION_16, 4, high, low, total, number))


def header(elements: bytes) -> bytes:
    """The elements behind their length; no octet at all if there are none."""
    return bytes((len(elements),)) + elements if elements else b""
