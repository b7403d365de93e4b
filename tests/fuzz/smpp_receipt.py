"""Receipts.

Invariant: any deliver_sm or data_sm is a receipt or not; as one it is read, with an id and a state
of bounded length, or refused with UnreadableReceipt, and nothing else.
"""

from __future__ import annotations

from smpp import tlv
from smpp.codec import decode
from smpp.errors import MalformedPdu, UnreadableReceipt
from smpp.pdu import DataSm, DeliverSm
from smpp.receipt import is_receipt, parse

_LONGEST = 300


def one(data: bytes) -> None:
    """Raises if the invariant does not hold."""
    for pdu in deliveries(data):
        assert is_receipt(pdu) in (True, False)
        try:
            receipt = parse(pdu)
        except UnreadableReceipt:
            continue
        assert 0 < len(receipt.id) <= _LONGEST
        assert 0 < len(receipt.state) <= _LONGEST
        assert len(receipt.error) <= _LONGEST


def deliveries(data: bytes) -> list[DeliverSm | DataSm]:
    """What the octets may stand for: a frame, or the fields that matter and then TLVs."""
    found: list[DeliverSm | DataSm] = []
    try:
        pdu = decode(data)
    except MalformedPdu:
        pass
    else:
        if isinstance(pdu, DeliverSm | DataSm):
            found.append(pdu)
    if len(data) >= 3:
        esm_class, data_coding, length = data[:3]
        text, rest = data[3 : 3 + length], data[3 + length :]
        tlvs, _ = tlv.parse(rest)
        found.append(
            DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=text, tlvs=tlvs)
        )
    return found
