"""User data: headers, segments, alphabets.

Invariant: any user part under any esm_class and data_coding is a part with a place that makes
sense, and text, never longer than twice its octets; nothing is raised. A joiner takes any part and
gives a whole only when all of its parts are there.
"""

from __future__ import annotations

from smpp.address import NOWHERE
from smpp.gsm0338 import decode_text
from smpp.pdu import DeliverSm
from smpp.segmentation import Joiner, read_part
from tests.fuzz.smpp_receipt import deliveries


def one(data: bytes) -> None:
    """Raises if the invariant does not hold."""
    joiner = Joiner()
    for pdu in deliveries(data):
        if not isinstance(pdu, DeliverSm):
            continue  # a session makes a deliver_sm of it first
        text = decode_text(pdu.octets, pdu.data_coding)
        assert len(text) <= 2 * len(pdu.octets)
        part = read_part(pdu)
        assert 1 <= part.number <= part.total
        assert len(part.octets) <= len(pdu.octets)
        whole = joiner.add(NOWHERE, NOWHERE, part, 0.0)
        assert (whole is not None) is (part.total == 1)
        if whole is not None:
            assert whole.complete
            assert isinstance(whole.text, str)
