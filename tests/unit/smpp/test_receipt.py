"""Receipts as SMSCs really write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.constants import EsmClass, Tag
from smpp.errors import UnreadableReceipt
from smpp.pdu import DataSm, DeliverSm
from smpp.receipt import Receipt, is_receipt, parse


def of_text(text: str) -> DeliverSm:
    return DeliverSm(esm_class=EsmClass.RECEIPT, short_message=text.encode("ascii"))


def of_tlvs(*tlvs: tuple[int, bytes], text: bytes = b"") -> DeliverSm:
    return DeliverSm(short_message=text, tlvs=tlvs)


APPENDIX_B = (
    "id:123A sub:001 dlvrd:001 submit date:2611201156 done date:2611201157 "
    "stat:DELIVRD err:000 text:hello stat:EXPIRED"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (APPENDIX_B, Receipt("123A", "DELIVRD", "000", "2611201156", "2611201157")),
        ("STAT:undeliv ERR:00A ID:77", Receipt("77", "UNDELIV", "00A")),
        ("id: 5 stat: DELIVERED", Receipt("5", "DELIVRD")),
        ("id:5 stat:EXPIRED err:", Receipt("5", "EXPIRED")),
        ("id:5 err: stat:EXPIRED", Receipt("5", "EXPIRED")),
        ("id:5 done date: stat:EXPIRED", Receipt("5", "EXPIRED")),
        ("text:x id:5 stat:REJECTED", Receipt("5", "REJECTD")),
        ("Text: stat:REJECTD id:9\r\nid:5 stat:DELIVRD", Receipt("9", "REJECTD")),
        ("id:5 stat:DELIVRD text:err:066 done date:2611201157", Receipt("5", "DELIVRD")),
        ("id:5 stat:BUFFERED", Receipt("5", "BUFFERED")),
        ("message_id:5 status:UNDEL error:ABSENT-SUB", Receipt("5", "UNDELIV", "ABSENT-SUB")),
        ("id=5 stat=ACCEPTED", Receipt("5", "ACCEPTD")),
        ("id:5\nstat:FAILED\nerr:0x1F", Receipt("5", "UNDELIV", "0x1F")),
        ("id:5 stat:2", Receipt("5", "DELIVRD")),
        ("id:a-b_c stat:ENROUTE", Receipt("a-b_c", "ENROUTE")),
    ],
)
def test_the_text_is_read_in_any_case_and_order(text: str, expected: Receipt) -> None:
    assert parse(of_text(text)) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2611201157", "2611201157"),
        ("261120115700", "261120115700"),
        ("20261120115700", "20261120115700"),
        ("26112011571", ""),
        ("yesterday", ""),
    ],
)
def test_dates_of_10_12_or_14_digits_are_kept_as_they_are(written: str, read: str) -> None:
    for field_ in ("done date:{}", "DoneDate:{}", "done_date: {}"):
        assert parse(of_text(f"id:5 stat:DELIVRD {field_.format(written)}")).done == read
    assert parse(of_text(f"id:5 submit date:{written} stat:DELIVRD")).submitted == read


@pytest.mark.parametrize("id", [b"ABC123\0", b"ABC123", b"ABC123\0\0", b" ABC123"])
@pytest.mark.parametrize("state", [b"\x02", b"\x00\x02", b"\x02\x00"])
def test_optional_parameters_come_before_the_text(id: bytes, state: bytes) -> None:
    pdu = of_tlvs(
        (Tag.RECEIPTED_MESSAGE_ID, id),
        (Tag.MESSAGE_STATE, state),
        (Tag.NETWORK_ERROR_CODE, b"\x03\x00\x0c"),
        text=b"id:999 stat:EXPIRED err:007 done date:2611201157",
    )
    assert is_receipt(pdu)
    assert parse(pdu) == Receipt("ABC123", "DELIVRD", "012", "", "2611201157")


def test_what_the_optional_parameters_leave_out_is_in_the_text() -> None:
    id, state = (Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.MESSAGE_STATE, b"\x05")
    text = b"id:9 stat:DELIVRD err:007"
    assert parse(of_tlvs(id, text=text)) == Receipt("7", "DELIVRD", "007")
    assert parse(of_tlvs(state, text=text)) == Receipt("9", "UNDELIV", "007")
    empty = ((Tag.RECEIPTED_MESSAGE_ID, b""), (Tag.MESSAGE_STATE, b""))
    assert parse(of_tlvs(*empty, text=text)) == Receipt("9", "DELIVRD", "007")


def test_a_receipt_needs_no_text_at_all() -> None:
    pdu = of_tlvs((Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.MESSAGE_STATE, b"\x05"))
    assert parse(pdu) == Receipt("7", "UNDELIV")


@pytest.mark.parametrize(
    ("number", "state"), [(0, "SCHEDULED"), (1, "ENROUTE"), (9, "SKIPPED"), (99, "STATE_99")]
)
def test_a_state_that_no_specification_names_is_not_taken_for_another(
    number: int, state: str
) -> None:
    tlvs = ((Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.MESSAGE_STATE, bytes((number,))))
    assert parse(of_tlvs(*tlvs)).state == state


def test_a_word_says_more_than_a_number_without_a_name() -> None:
    tlvs = ((Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.MESSAGE_STATE, b"\x63"))
    assert parse(of_tlvs(*tlvs, text=b"stat:DELIVRD")).state == "DELIVRD"


def test_a_receipt_may_be_in_message_payload() -> None:
    payload = (Tag.MESSAGE_PAYLOAD, APPENDIX_B.encode())
    assert parse(DeliverSm(esm_class=EsmClass.RECEIPT, tlvs=(payload,))).id == "123A"


@pytest.mark.parametrize(
    ("octets", "coding"),
    [
        (APPENDIX_B.encode("utf-16-be"), 8),
        (APPENDIX_B.encode("utf-16"), 8),  # with a byte order mark, in the other order
        (APPENDIX_B.encode("utf-16-be"), 0),  # UCS-2, and data_coding does not say so
        (APPENDIX_B.replace("hello", "héé…").encode("utf-16-be"), 0x18),
        (APPENDIX_B.encode(), 8),  # ASCII, and data_coding says UCS-2
        (APPENDIX_B.encode(), 0xF1),
        (APPENDIX_B.encode(), 4),
    ],
)
def test_data_coding_may_say_what_it_likes(octets: bytes, coding: int) -> None:
    pdu = DeliverSm(esm_class=4, short_message=octets, data_coding=coding)
    assert parse(pdu) == Receipt("123A", "DELIVRD", "000", "2611201156", "2611201157")


def test_a_header_before_the_text_is_passed_over() -> None:
    octets = b"\x05\x00\x03\x07\x01\x01" + b"id:5 stat:DELIVRD"
    assert parse(DeliverSm(esm_class=0x44, short_message=octets)) == Receipt("5", "DELIVRD")


def test_a_receipt_may_come_as_data_sm() -> None:
    payload = (int(Tag.MESSAGE_PAYLOAD), b"id:5 stat:DELIVRD")  # §4.7.1: its only place
    data_sm = DataSm(esm_class=EsmClass.RECEIPT, tlvs=(payload,))
    assert is_receipt(data_sm)
    assert parse(data_sm) == Receipt("5", "DELIVRD")
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), b"9"), (int(Tag.MESSAGE_STATE), b"\x02"))
    assert is_receipt(DataSm(tlvs=tlvs))


def test_of_a_repeated_tlv_the_first_counts() -> None:
    ids = ((Tag.RECEIPTED_MESSAGE_ID, b"7\0"), (Tag.RECEIPTED_MESSAGE_ID, b"8\0"))
    states = ((Tag.MESSAGE_STATE, b"\x02"), (Tag.MESSAGE_STATE, b"\x05"))
    assert parse(of_tlvs(*ids, *states)) == Receipt("7", "DELIVRD")


@pytest.mark.parametrize("date", ["26112011560", "2611201156000"])
def test_a_date_of_so_many_digits_is_none(date: str) -> None:
    text = APPENDIX_B.replace("2611201156", date)
    assert parse(DeliverSm(esm_class=4, short_message=text.encode())).submitted == ""


@pytest.mark.parametrize(
    ("esm_class", "expected"), [(0x00, False), (0x04, True), (0x20, True), (0x44, True), (8, False)]
)
def test_esm_class_says_what_it_is(esm_class: int, expected: bool) -> None:
    assert is_receipt(DeliverSm(esm_class=esm_class)) is expected


@pytest.mark.parametrize(
    "text",
    ["", "stat:DELIVRD", "id:5", "id: stat:DELIVRD", "sid:5 upstat:x", "hello", "id:5 stat:…"],
)
def test_a_receipt_of_nothing_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableReceipt):
        parse(DeliverSm(esm_class=4, short_message=text.encode()))


@pytest.mark.parametrize("id", [b"1" * 256, b"\x07\x08", b"\0ABC"])
def test_an_id_that_nobody_could_have_given_is_unreadable(id: bytes) -> None:
    with pytest.raises(UnreadableReceipt):
        parse(of_tlvs((Tag.RECEIPTED_MESSAGE_ID, id), (Tag.MESSAGE_STATE, b"\x02")))


tlv_values = st.binary(max_size=300)


@given(
    octets=st.binary(max_size=300)
    | st.lists(
        st.sampled_from(["id", "stat", "err", "text", ":", " ", "5", "DELIVRD", "\0", "é", "="])
    ).map(lambda words: "".join(words).encode()),
    esm_class=st.integers(0, 255),
    data_coding=st.integers(0, 255),
    tlvs=st.lists(st.tuples(st.sampled_from([0x1E, 0x427, 0x423, 0x424]), tlv_values)),
)
def test_any_octets_are_read_or_refused_and_what_is_read_is_bounded(
    octets: bytes, esm_class: int, data_coding: int, tlvs: list[tuple[int, bytes]]
) -> None:
    pdu = DeliverSm(
        esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tuple(tlvs)
    )
    try:
        read = parse(pdu)
    except UnreadableReceipt:
        return
    assert 0 < len(read.id) <= 255
    assert read.id.isprintable()
    assert 0 < len(read.state) <= 20
    assert len(read.error) <= 20


@pytest.mark.parametrize("text", [" text:", " Text:hello stat:EXPIRED", ""])
@pytest.mark.parametrize("id", ["0", "7", "ABCdef-12_3", "9" * 65])
def test_what_is_written_as_appendix_b_has_it_is_read_as_anything_else_is(
    id: str, text: str
) -> None:
    said = (
        f"id:{id} sub:001 dlvrd:001 submit date:2611211200 done date:261121120005 "
        f"stat:DELIVRD err:00A{text}"
    )
    plain = parse(DeliverSm(esm_class=4, short_message=said.encode()))
    # A space more, and it is not what appendix B has.
    other = parse(DeliverSm(esm_class=4, short_message=said.replace(" sub", "  sub").encode()))
    assert plain == other == Receipt(id, "DELIVRD", "00A", "2611211200", "261121120005")
