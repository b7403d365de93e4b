"""Receipts as SMSCs really write them."""

import pytest

from smpp.constants import EsmClass, Tag
from smpp.errors import UnreadableReceipt
from smpp.pdu import DeliverSm
from smpp.receipt import Receipt, is_receipt, parse


def of_text(text: str) -> DeliverSm:
    return DeliverSm(esm_class=EsmClass.RECEIPT, short_message=text.encode("ascii"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "id:123A sub:001 dlvrd:001 submit date:2611201156 done date:2611201157 "
            "stat:DELIVRD err:000 text:hello stat:EXPIRED",
            Receipt("123A", "DELIVRD", "000"),
        ),
        ("STAT:undeliv ERR:00A ID:77", Receipt("77", "UNDELIV", "00A")),
        ("id: 5 stat: DELIVERED", Receipt("5", "DELIVRD", "")),
        ("id:5 stat:EXPIRED err:", Receipt("5", "EXPIRED", "")),
        ("text:x id:5 stat:REJECTED", Receipt("5", "REJECTD", "")),
        ("id:5 stat:BUFFERED", Receipt("5", "BUFFERED", "")),
        ("id:a-b-c sub:1 done date:20261120115700 stat:ACCEPTED", Receipt("a-b-c", "ACCEPTD", "")),
    ],
)
def test_the_text_is_read_in_any_case_and_order(text: str, expected: Receipt) -> None:
    assert parse(of_text(text)) == expected


@pytest.mark.parametrize("id", [b"ABC123\0", b"ABC123"])
@pytest.mark.parametrize("state", [b"\x02", b"\x00\x02"])
def test_optional_parameters_come_before_the_text(id: bytes, state: bytes) -> None:
    pdu = DeliverSm(
        short_message=b"id:999 stat:EXPIRED err:007",
        tlvs=((Tag.RECEIPTED_MESSAGE_ID, id), (Tag.MESSAGE_STATE, state)),
    )
    assert is_receipt(pdu)
    assert parse(pdu) == Receipt("ABC123", "DELIVRD", "007")


def test_a_receipt_needs_no_text_at_all() -> None:
    pdu = DeliverSm(
        tlvs=(
            (Tag.RECEIPTED_MESSAGE_ID, b"7\0"),
            (Tag.MESSAGE_STATE, b"\x05"),
            (Tag.NETWORK_ERROR_CODE, b"\x03\x00\x0c"),
        )
    )
    assert parse(pdu) == Receipt("7", "UNDELIV", "012")


def test_a_state_that_no_specification_names_is_unknown() -> None:
    pdu = DeliverSm(tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.MESSAGE_STATE, b"\x63")))
    assert parse(pdu).state == "UNKNOWN"


@pytest.mark.parametrize(
    ("esm_class", "expected"), [(0x00, False), (0x04, True), (0x20, True), (0x44, True), (8, False)]
)
def test_esm_class_says_what_it_is(esm_class: int, expected: bool) -> None:
    assert is_receipt(DeliverSm(esm_class=esm_class)) is expected


@pytest.mark.parametrize("text", ["", "stat:DELIVRD", "id:5", "sid:5 upstat:x", "hello"])
def test_a_receipt_of_nothing_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableReceipt):
        parse(of_text(text))
