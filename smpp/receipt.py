"""Delivery receipts: what the SMSC says of a message that it took, however it writes that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from smpp.constants import MESSAGE_STATES, EsmClass, Tag
from smpp.errors import UnreadableReceipt
from smpp.quick import quick
from smpp.tlv import Tlvs

_LONGEST_ID = 255  # §5.2.23 allows 65, and carriers write more

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
    "FAILE": "UNDELIV",
}
# Of SMPP 5.0, table 4-21; some send them over 3.4 as well.
_LATER_STATES = {0: "SCHEDULED", 9: "SKIPPED"}

# In lower case; a field without a value is followed by the next one.
_NAME = r"(?:id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:e|us)?|err(?:or)?|text)\s*[:=]"
_VALUE = r"[^\s\0-\x1f\x7f-\x9f]+"
_FIELD = re.compile(
    r"(?<![a-z])(id|stat(?:e|us)?|err(?:or)?|(?:submit|done)[ _]?date)\s*[:=]\s*"
    rf"(?!{_NAME})({_VALUE})"
)
_TEXT = re.compile(r"(?<![a-z])text\s*[:=]")
# As appendix B writes it, and most SMSCs do: each value is right as it stands.
_DIGITS = "([0-9]{10}|[0-9]{12}|[0-9]{14})"
_PLAIN = re.compile(
    r"id:([A-Za-z0-9_-]{1,65}) sub:[0-9]{3} dlvrd:[0-9]{3} "
    rf"submit date:{_DIGITS} done date:{_DIGITS} "
    r"stat:([A-Z]{5,10}) err:([A-Za-z0-9]{1,20})(?: [Tt]ext:|\Z)"
)
_STATE_WORD = re.compile(r"\w{1,20}", re.ASCII)
_ERROR = re.compile(r"[\w.+-]{1,20}", re.ASCII)
_DATE = re.compile(r"(?:[0-9]{10}|[0-9]{12}|[0-9]{14})\b")


class Delivery(Protocol):
    """What deliver_sm and data_sm have in common, as far as a receipt needs it."""

    @property
    def esm_class(self) -> int:
        """§5.2.12."""

    @property
    def data_coding(self) -> int:
        """§5.2.19."""

    @property
    def octets(self) -> bytes:
        """The user part: short_message, or message_payload in its place."""

    @property
    def tlvs(self) -> Tlvs:
        """The optional parameters, in order."""

    def tlv(self, tag: int) -> bytes | None:
        """The value of the first optional parameter of that tag."""


@quick
@dataclass(frozen=True, slots=True)
class Receipt:
    """Of one submit_sm; `id` is verbatim, `state` in the words of appendix B.

    A state that the specification does not name is carried as it is, `STATE_77` if it is only a
    number: it is never taken for one of those that are named. `error` is any token, "" if there is
    none. The dates are 10, 12 or 14 digits of the SMSC's own time, of which nobody says the zone.
    """

    id: str
    state: str
    error: str = ""
    submitted: str = ""
    done: str = ""


# As plain numbers: a flag takes ten times as long, and each deliver_sm is asked for it.
_TYPE, _UDHI = int(EsmClass.TYPE_MASK), int(EsmClass.UDHI)
_RECEIPTED_ID, _MESSAGE_STATE = int(Tag.RECEIPTED_MESSAGE_ID), int(Tag.MESSAGE_STATE)
_NETWORK_ERROR = int(Tag.NETWORK_ERROR_CODE)
_RECEIPTS = (int(EsmClass.RECEIPT), int(EsmClass.INTERMEDIATE))


def is_receipt(pdu: Delivery) -> bool:
    """By esm_class (§5.2.12: receipt or intermediate), or by the two TLVs that only one has."""
    if pdu.esm_class & _TYPE in _RECEIPTS:
        return True
    return pdu.tlv(_RECEIPTED_ID) is not None and pdu.tlv(_MESSAGE_STATE) is not None


def parse(pdu: Delivery) -> Receipt:
    """TLVs first (§5.3.2.12, §5.3.2.35, §5.3.2.31), then the text, in any case and order.

    UnreadableReceipt if neither has an id and a state.
    """
    first = dict(reversed(pdu.tlvs)).get  # the value of the first of each tag
    number = first(_MESSAGE_STATE)
    octets = pdu.octets
    header = bool(pdu.esm_class & _UDHI)
    plain = None if header else _PLAIN.match(str(octets, "latin-1"))
    if plain is not None:
        id, submitted, done, stat, error = plain.groups()
        state = _named(number) or _STATES.get(stat[:5], stat)
    else:
        fields = _fields(octets, header)
        id = fields.get("id", "")
        state = _named(number) or _word(fields.get("st", "")) or _unnamed(number)
        error = _match(_ERROR, fields.get("er", ""))
        submitted = _match(_DATE, fields.get("su", ""))
        done = _match(_DATE, fields.get("do", ""))
    id = _id(first(_RECEIPTED_ID)) or id
    if not id or len(id) > _LONGEST_ID:
        raise UnreadableReceipt("no message id in it" if not id else "its message id has no end")
    if not state:
        raise UnreadableReceipt("no state in it")
    return Receipt(id, state, _network_error(first(_NETWORK_ERROR)) or error, submitted, done)


def _fields(octets: bytes, header: bool) -> dict[str, str]:
    """What the text says, by the first two letters of its name; what is said first counts."""
    if header and octets and octets[0] < len(octets):
        octets = octets[1 + octets[0] :]
    # Appendix B is ASCII. As ASCII it is sent under every data_coding, except in UCS-2, which some
    # send without saying so. (As GSM 03.38 the underscore of an id would become another letter.)
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"")
    text, lower = octets.decode("latin-1"), octets.lower().decode("latin-1")
    # What follows "text:" was written by a person, and may contain "stat:" as well.
    quoted = _TEXT.search(lower)
    fields: dict[str, str] = {}
    _read(text, lower, 0, quoted.start() if quoted else len(text), fields)
    if quoted and not {"id", "st"} <= fields.keys():
        _read(text, lower, quoted.end(), len(text), fields)
    return fields


def _read(text: str, lower: str, begin: int, end: int, fields: dict[str, str]) -> None:
    for found in _FIELD.finditer(lower, begin, end):
        fields.setdefault(found[1][:2], text[found.start(2) : found.end(2)])


def _match(pattern: re.Pattern[str], value: str) -> str:
    found = pattern.match(value)
    return found.group() if found else ""


def _id(value: bytes | None) -> str:
    # A C-octet string, but many SMSCs leave out the NUL.
    id = value.partition(b"\0")[0].decode("latin-1").strip() if value else ""
    return id if id.isprintable() else ""


def _state(value: bytes | None) -> int | None:
    # One octet, but seen as two: at either end.
    if not value:
        return None
    return value[0] if value[0] or len(value) == 1 else value[-1]


def _named(value: bytes | None) -> str:
    number = _state(value)
    return "" if number is None else MESSAGE_STATES.get(number) or _LATER_STATES.get(number, "")


def _unnamed(value: bytes | None) -> str:
    number = _state(value)
    return "" if number is None else f"STATE_{number}"


def _word(stat: str) -> str:
    word = _match(_STATE_WORD, stat).upper()
    if word.isdigit() and int(word) in MESSAGE_STATES:
        return MESSAGE_STATES[int(word)]
    return _STATES.get(word[:5], word)


def _network_error(value: bytes | None) -> str:
    # §5.3.2.31: network type, then a 16-bit code.
    return str(int.from_bytes(value[1:3], "big")).zfill(3) if value and len(value) == 3 else ""
