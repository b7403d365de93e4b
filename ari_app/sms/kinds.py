"""What a deliver_sm is: a receipt, readable or not, a text, or an acknowledgement."""

from __future__ import annotations

from base64 import b64encode
from enum import Enum

from smpp import receipt as receipts
from smpp.constants import EsmClass
from smpp.errors import UnreadableReceipt
from smpp.pdu import DeliverSm

# As plain numbers: a flag takes ten times as long.
_TYPE = int(EsmClass.TYPE_MASK)
_ACKNOWLEDGEMENTS = (
    int(EsmClass.DELIVERY_ACKNOWLEDGEMENT),
    int(EsmClass.MANUAL_ACKNOWLEDGEMENT),
)


class Kind(Enum):
    """What is no receipt."""

    TEXT = "text"  #: a person wrote it, or a part of it
    ACKNOWLEDGEMENT = "acknowledgement"  #: a handset's automatic answer (§5.2.12)
    UNREADABLE = "unreadable"  #: a receipt without an id or a state


def kind_of(pdu: DeliverSm) -> receipts.Receipt | Kind:
    """The receipt that it is, else which kind. An acknowledgement may be written as a receipt."""
    of_type = pdu.esm_class & _TYPE
    if of_type not in _ACKNOWLEDGEMENTS and not receipts.is_receipt(pdu):
        return Kind.TEXT
    try:
        return receipts.parse(pdu)
    except UnreadableReceipt:
        pass
    if of_type not in _ACKNOWLEDGEMENTS:
        return Kind.UNREADABLE
    # A manual acknowledgement is what a person answered.
    manual = of_type == EsmClass.MANUAL_ACKNOWLEDGEMENT
    return Kind.TEXT if manual and pdu.octets else Kind.ACKNOWLEDGEMENT


def as_it_came(pdu: DeliverSm) -> dict[str, object]:
    """What a person needs to see why it could not be read; octets in base64, no addresses."""
    return {
        "esm_class": pdu.esm_class,
        "data_coding": pdu.data_coding,
        "short_message": _base64(pdu.short_message),
        "tlvs": [[tag, _base64(value)] for tag, value in pdu.tlvs],
    }


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
