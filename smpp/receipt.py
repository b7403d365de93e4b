"""Delivery receipts: what the SMSC says of a message that it took."""

from __future__ import annotations

import re
from dataclasses import dataclass

from smpp.constants import MESSAGE_STATES, EsmClass, Tag
from smpp.errors import UnreadableReceipt
from smpp.gsm0338 import decode_text
from smpp.pdu import DeliverSm

# Appendix B writes seven letters; SMSCs write more, fewer, or the whole word.
_STATES = {
    "ENROU": "ENROUTE",
    "DELIV": "DELIVRD",
    "EXPIR": "EXPIRED",
    "DELET": "DELETED",
    "UNDEL": "UNDELIV",
    "ACCEP": "ACCEPTD",
    "UNKNO": "UNKNOWN",
    "REJEC": "REJECTD",
}

_FIELDS = {
    name: re.compile(rf"(?<![a-z]){name}\s*:\s*([^\s]+)", re.IGNORECASE)
    for name in ("id", "stat", "err")
}
_TEXT = re.compile(r"(?<![a-z])text\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Of one submit_sm; `id` is verbatim, `state` in the words of appendix B."""

    id: str
    state: str
    error: str = ""


def is_receipt(pdu: DeliverSm) -> bool:
    """By esm_class (§5.2.12: receipt or intermediate), or by the two TLVs that only one has."""
    if pdu.esm_class & EsmClass.TYPE_MASK in (EsmClass.RECEIPT, EsmClass.INTERMEDIATE):
        return True
    return pdu.tlv(Tag.RECEIPTED_MESSAGE_ID) is not None and pdu.tlv(Tag.MESSAGE_STATE) is not None


def parse(pdu: DeliverSm) -> Receipt:
    """TLVs first (§5.3.2.12, §5.3.2.35), then the text, in any case and order.

    UnreadableReceipt if neither has an id and a state.
    """
    text = _text(pdu)
    id = _id(pdu.tlv(Tag.RECEIPTED_MESSAGE_ID)) or _field("id", text)
    state = _state(pdu.tlv(Tag.MESSAGE_STATE)) or _word(_field("stat", text))
    if not id:
        raise UnreadableReceipt("no message id in it")
    if not state:
        raise UnreadableReceipt("no state in it")
    return Receipt(id, state, _field("err", text) or _network_error(pdu))


def _text(pdu: DeliverSm) -> str:
    octets = pdu.octets
    if pdu.esm_class & EsmClass.UDHI and octets and octets[0] < len(octets):
        octets = octets[1 + octets[0] :]
    return decode_text(octets, pdu.data_coding)


def _field(name: str, text: str) -> str:
    # What follows "text:" was written by a person and may contain "stat:"; look there last.
    start = _TEXT.search(text)
    fields = text[: start.start()] if start else text
    found = _FIELDS[name].search(fields) or _FIELDS[name].search(text)
    return found.group(1) if found else ""


def _id(value: bytes | None) -> str:
    # A C-octet string, but many SMSCs leave out the NUL.
    return value.partition(b"\0")[0].decode("latin-1") if value else ""


def _state(value: bytes | None) -> str:
    # One octet, but seen as two.
    if not value:
        return ""
    return MESSAGE_STATES.get(int.from_bytes(value, "big"), "UNKNOWN")


def _word(stat: str) -> str:
    word = stat.upper()
    return _STATES.get(word[:5], word)


def _network_error(pdu: DeliverSm) -> str:
    # §5.3.2.31: network type, then a 16-bit code.
    value = pdu.tlv(Tag.NETWORK_ERROR_CODE)
    return str(int.from_bytes(value[1:3], "big")).zfill(3) if value and len(value) == 3 else ""
