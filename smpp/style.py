"""How a carrier wants its texts: what differs between carriers, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from smpp.national import Language


class DefaultAlphabet(Enum):
    """What data_coding 0 means, which SMPP 3.4 §5.2.19 leaves to the SMSC."""

    GSM7 = "gsm7"  # a septet in each octet
    LATIN1 = "latin1"
    LATIN9 = "latin9"  # ISO 8859-15: Latin-1 with the euro
    ASCII = "ascii"
    PACKED = "packed"  # eight septets in seven octets


class Concatenation(Enum):
    """How the parts of a long text say that they belong together."""

    UDH8 = "udh8"  # a header with an 8-bit reference, TS 23.040 §9.2.3.24.1
    UDH16 = "udh16"  # a header with a 16-bit reference, §9.2.3.24.8
    SAR = "sar"  # TLVs, SMPP 3.4 §5.3.2.22 to 24
    PAYLOAD = "payload"  # one message_payload of up to 64 KiB, §5.3.2.32, which the SMSC cuts


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStyle:
    """How a carrier wants texts.

    `national` are the shift tables that may be used, on carriers whose alphabet is GSM7 or
    PACKED. `replace` lets typographic quotes, dashes and spaces become their plain cousins
    where that makes a text cheaper; nothing else is ever changed.
    """

    default_alphabet: DefaultAlphabet = DefaultAlphabet.GSM7
    concatenation: Concatenation = Concatenation.UDH8
    national: tuple[Language, ...] = ()
    replace: bool = False


PLAIN = TextStyle()
"""What most carriers want."""
