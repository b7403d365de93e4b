"""PDUs to octets and back, and what becomes of broken ones.

The octets are fixtures: derived by hand from the tables of the specification, written by somebody
else's SMSC, or odd in a way that was really seen.
"""

import struct

import pytest

from smpp.address import Address, LongAddress
from smpp.codec import decode, encode, next_sequence
from smpp.constants import MAX_SEQUENCE, Command, Status, Tag
from smpp.errors import LocalProtocolError, MalformedPdu
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
    Unsuccess,
)
from smpp.tlv import read
from tests.fuzz.seeds import names, octets

CODE = Address(3, 0, "36200")
NUMBER = Address(1, 1, "33123456789")
RECEIPT = (
    b"id:0aF3 sub:001 dlvrd:001 submit date:2611201156 done date:2611201157"
    b" stat:DELIVRD err:000 text:hello"
)


def bind(mode: Command) -> Bind:
    return Bind(sequence=1, mode=mode, system_id="segue", password="secret", system_type="SMPP")


def short(kind: type[SubmitSm] | type[SubmitMulti], **fields: object) -> Pdu:
    return kind(
        source=CODE,
        priority_flag=1,
        validity_period="000000010000000R",
        registered_delivery=0x11,
        replace_if_present_flag=1,
        short_message=b"hello",
        **fields,  # type: ignore[arg-type]  # the rest of one PDU
    )


SPECIFIED: dict[str, Pdu] = {
    "bind_transceiver": bind(Command.BIND_TRANSCEIVER),
    "bind_transmitter": bind(Command.BIND_TRANSMITTER),
    "bind_receiver": bind(Command.BIND_RECEIVER),
    "bind_transceiver_resp": BindResp(
        sequence=1, system_id="SMSC", tlvs=((Tag.SC_INTERFACE_VERSION, b"\x34"),)
    ),
    "bind_receiver_resp": BindResp(
        sequence=1, mode=Command.BIND_RECEIVER, status=Status.ESME_RINVPASWD
    ),
    "outbind": Outbind(sequence=1, system_id="SMSC", password="pssst"),
    "unbind": Unbind(sequence=5),
    "unbind_resp": UnbindResp(sequence=5),
    "enquire_link": EnquireLink(sequence=MAX_SEQUENCE),
    "enquire_link_resp": EnquireLinkResp(sequence=MAX_SEQUENCE),
    "generic_nack": GenericNack(sequence=0, status=Status.ESME_RINVCMDID),
    "submit_sm": short(
        SubmitSm,
        sequence=2,
        service_type="CMT",
        destination=NUMBER,
        tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\0\7"),),
    ),
    "submit_sm_resp": SubmitSmResp(sequence=2, message_id="0aF3"),
    "submit_multi": short(
        SubmitMulti, sequence=3, destinations=(NUMBER, DistributionList("friends"))
    ),
    "submit_multi_resp": SubmitMultiResp(
        sequence=3, message_id="0aF4", unsuccess=(Unsuccess(NUMBER, Status.ESME_RINVDSTADR),)
    ),
    "deliver_sm_receipt": DeliverSm(
        sequence=9,
        source=NUMBER,
        destination=CODE,
        esm_class=4,
        short_message=RECEIPT,
        tlvs=((Tag.RECEIPTED_MESSAGE_ID, b"0aF3\0"), (Tag.MESSAGE_STATE, b"\2")),
    ),
    "deliver_sm_part": DeliverSm(
        sequence=10,
        source=NUMBER,
        destination=CODE,
        esm_class=0x40,
        data_coding=8,
        short_message=b"\5\0\3\x2a\3\2" + "ж!".encode("utf-16-be"),
    ),
    "deliver_sm_resp": DeliverSmResp(sequence=9, status=Status.ESME_RX_T_APPN),
    "data_sm": DataSm(
        sequence=4,
        source=NUMBER,
        destination=CODE,
        data_coding=3,
        tlvs=((Tag.MESSAGE_PAYLOAD, b"hello"),),
    ),
    "data_sm_resp": DataSmResp(
        sequence=4,
        status=Status.ESME_RDELIVERYFAILURE,
        message_id="0aF5",
        tlvs=((Tag.NETWORK_ERROR_CODE, b"\3\0\x0a"), (Tag.DELIVERY_FAILURE_REASON, b"\2")),
    ),
    "query_sm": QuerySm(sequence=6, message_id="0aF3", source=CODE),
    "query_sm_resp": QuerySmResp(
        sequence=6, message_id="0aF3", final_date="261120115700004+", message_state=2
    ),
    "cancel_sm": CancelSm(sequence=7, message_id="0aF3", source=CODE, destination=NUMBER),
    "cancel_sm_resp": CancelSmResp(sequence=7, status=Status.ESME_RCANCELFAIL),
    "replace_sm": ReplaceSm(
        sequence=8,
        message_id="0aF3",
        source=CODE,
        validity_period="000000010000000R",
        registered_delivery=1,
        short_message=b"hello",
    ),
    "replace_sm_resp": ReplaceSmResp(sequence=8, status=Status.ESME_RREPLACEFAIL),
    "alert_notification": AlertNotification(
        sequence=11, source=NUMBER, esme=CODE, tlvs=((Tag.MS_AVAILABILITY_STATUS, b"\0"),)
    ),
    "odd_unknown_command": Unknown(sequence=12, command_id=0x00010203, status=0, body=b"what"),
}


def frame(command: int, body: bytes = b"", *, status: int = 0, sequence: int = 1) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


# -- as the specification has it --------------------------------------------------------------


@pytest.mark.parametrize("name", SPECIFIED)
def test_the_octets_of_the_specification_are_read_and_written(name: str) -> None:
    assert decode(octets(name)) == SPECIFIED[name]
    assert encode(SPECIFIED[name]) == octets(name)


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("node_smpp_")])
def test_what_somebody_elses_smsc_writes_we_would_write_too(name: str) -> None:
    pdu = decode(octets(name))
    assert not isinstance(pdu, Unknown)
    assert encode(pdu) == octets(name)


def test_what_somebody_elses_smsc_means_is_understood() -> None:
    many = decode(octets("node_smpp_submit_multi"))
    assert isinstance(many, SubmitMulti)
    assert many.destinations == (NUMBER, Address(1, 1, "33123456780"))
    failed = decode(octets("node_smpp_submit_multi_resp"))
    assert isinstance(failed, SubmitMultiResp)
    assert failed.unsuccess == (Unsuccess(Address(1, 1, "33123456780"), 11),)
    told = decode(octets("node_smpp_query_sm_resp"))
    assert isinstance(told, QuerySmResp)
    assert (told.final_date, told.message_state) == ("261120115700000+", 2)
    receipt = decode(octets("node_smpp_deliver_sm_receipt"))
    assert isinstance(receipt, DeliverSm)
    assert receipt.tlv(Tag.RECEIPTED_MESSAGE_ID) == b"0aF3\0"
    assert receipt.tlv(Tag.NETWORK_ERROR_CODE) == b"\3\0\0"


def test_a_status_that_only_a_carrier_knows_is_carried() -> None:
    refusal = SubmitSmResp(sequence=1, status=0x400)
    assert decode(encode(refusal)) == refusal


def test_a_long_address_fits_data_sm_and_nothing_else() -> None:
    long = LongAddress(0, 14, "sms:somebody@example.net")
    for pdu in (DataSm(source=long, destination=long), AlertNotification(source=long, esme=long)):
        assert decode(encode(pdu)) == pdu
    with pytest.raises(LocalProtocolError):
        encode(SubmitSm(destination=long))


def test_a_message_payload_stands_in_for_an_empty_short_message() -> None:
    pdu = DeliverSm(sequence=1, tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 64000),))
    found = decode(encode(pdu))
    assert isinstance(found, DeliverSm)
    assert len(found.octets) == 64000


@pytest.mark.parametrize(
    "pdu",
    [SubmitSmResp(sequence=1, status=0x58, message_id="x"), BindResp(sequence=1, status=5)],
)
def test_a_refusal_of_ours_has_no_body(pdu: Pdu) -> None:
    assert len(encode(pdu)) == 16


def test_a_refusal_of_ours_may_say_why() -> None:
    why = ((int(Tag.ADDITIONAL_STATUS_INFO_TEXT), b"why\0"),)
    refusal = SubmitSmResp(sequence=1, status=0x400, tlvs=why)
    assert decode(encode(refusal)) == refusal


# -- odd answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pdu"),
    [
        ("odd_resp_id_without_nul", SubmitSmResp(sequence=2, message_id="12345")),
        ("odd_resp_without_body", SubmitSmResp(sequence=2)),
        ("odd_resp_padded", SubmitSmResp(sequence=2, message_id="0aF3")),
        ("odd_refusal_with_body", SubmitSmResp(sequence=2, status=0x58, message_id="junk")),
        ("odd_bind_resp_without_nul", BindResp(sequence=1, system_id="SMSC")),
        (
            "odd_resp_with_tlv",
            SubmitSmResp(sequence=2, message_id="0aF3", tlvs=((0x1400, b"\0\1"),)),
        ),
        (
            "odd_refusal_with_bare_tlv",
            SubmitSmResp(
                sequence=2, status=0x400, tlvs=((Tag.ADDITIONAL_STATUS_INFO_TEXT, b"why\0"),)
            ),
        ),
    ],
)
def test_an_odd_answer_is_still_an_answer(name: str, pdu: Pdu) -> None:
    assert decode(octets(name)) == pdu


def test_a_bare_tlv_is_not_taken_for_an_id_in_a_refusal_nor_an_id_for_one_in_an_answer() -> None:
    bare = b"\x04\x23\0\3\3\0\x0a"
    assert decode(frame(Command.SUBMIT_SM_RESP, bare, status=8)) == SubmitSmResp(
        sequence=1, status=8, tlvs=((Tag.NETWORK_ERROR_CODE, b"\3\0\x0a"),)
    )
    like_one = b"\x20\x20\0\2ab"
    assert decode(frame(Command.SUBMIT_SM_RESP, like_one)) == SubmitSmResp(
        sequence=1, message_id="  "
    )


@pytest.mark.parametrize("command", [c for c in Command if c & 0x80000000])
@pytest.mark.parametrize("status", [0, 0x58])
def test_a_response_without_a_body_is_read_unless_it_promised_one(
    command: Command, status: int
) -> None:
    if command is Command.QUERY_SM_RESP and not status:
        with pytest.raises(MalformedPdu):  # a state of nothing is no answer
            decode(frame(command))
        return
    found = decode(frame(command, status=status, sequence=7))
    assert (found.sequence, getattr(found, "status", None)) == (7, status)
    assert found.command_id == command


@pytest.mark.parametrize("command", [c for c in Command if c & 0x80000000])
@pytest.mark.parametrize("body", [b"\0", b"junk", b"\0\0\0\0\0\0", b"\xff" * 40])
def test_a_refusal_with_any_body_is_a_refusal_or_malformed(command: Command, body: bytes) -> None:
    try:
        found = decode(frame(command, body, status=0x58))
    except MalformedPdu as error:
        assert command in (Command.QUERY_SM_RESP, Command.SUBMIT_MULTI_RESP)  # noqa: PT017
        assert error.command_id == command  # noqa: PT017
    else:
        assert getattr(found, "status", None) == 0x58


def test_a_list_of_refused_recipients_that_is_cut_is_not_taken_for_success() -> None:
    whole = octets("submit_multi_resp")
    for length in range(22, len(whole)):
        with pytest.raises(MalformedPdu):
            decode(whole[:length])


# -- odd requests -----------------------------------------------------------------------------


def test_tlvs_of_any_tag_and_length_are_kept_repeated_and_in_order() -> None:
    found = decode(octets("odd_receipt_loose_tlvs"))
    assert isinstance(found, DeliverSm)
    assert found.tlvs == (
        (Tag.RECEIPTED_MESSAGE_ID, b"ABC123"),
        (Tag.MESSAGE_STATE, b"\0\2"),
        (Tag.NUMBER_OF_MESSAGES, b"\x63"),
        (0x1401, b""),
        (0x1400, b"\1\2\3"),
        (0x1400, b"\xff"),
    )
    assert read(*found.tlvs[0]) == "ABC123"
    assert read(*found.tlvs[1]) == 2
    assert encode(found) == octets("odd_receipt_loose_tlvs")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("odd_deliver_sm_truncated", Status.ESME_RINVCMDLEN),
        ("odd_deliver_sm_truncated_tlv", Status.ESME_RINVOPTPARSTREAM),
    ],
)
def test_a_bad_deliver_sm_says_how_to_answer_it(name: str, status: Status) -> None:
    with pytest.raises(MalformedPdu) as refusal:
        decode(octets(name))
    assert (refusal.value.command_id, refusal.value.sequence) == (Command.DELIVER_SM, 9)
    assert refusal.value.status == status


# Where a PDU may end and still be whole: before its TLVs, and after each of them.
_WHOLE = {
    "bind_transceiver": [],
    "outbind": [],
    "submit_sm": [6],
    "submit_multi": [],
    "deliver_sm_receipt": [9 + 5, 5],
    "data_sm": [9],
    "query_sm": [],
    "cancel_sm": [],
    "replace_sm": [],
    "alert_notification": [5],
}


@pytest.mark.parametrize("name", _WHOLE)
def test_a_request_cut_anywhere_is_malformed(name: str) -> None:
    whole = octets(name)
    for length in range(16, len(whole)):
        if len(whole) - length in _WHOLE[name]:
            decode(whole[:length])
            continue
        with pytest.raises(MalformedPdu) as refusal:
            decode(whole[:length])
        assert refusal.value.sequence == int.from_bytes(whole[12:16], "big")
        assert refusal.value.status


@pytest.mark.parametrize("length", range(16))
def test_a_frame_without_a_header_is_malformed(length: int) -> None:
    with pytest.raises(MalformedPdu):
        decode(bytes(length))


@pytest.mark.parametrize(
    ("source", "destination", "status"),
    [
        (b"1" * 21, b"2", Status.ESME_RINVSRCADR),
        (b"1", b"2" * 21, Status.ESME_RINVDSTADR),
    ],
)
def test_an_address_too_long_for_a_pdu_is_malformed_not_cut(
    source: bytes, destination: bytes, status: Status
) -> None:
    body = b"\0\1\1" + source + b"\0\1\1" + destination + b"\0" * 11
    with pytest.raises(MalformedPdu) as refusal:
        decode(frame(Command.DELIVER_SM, body))
    assert refusal.value.status == status


def test_a_destination_that_is_neither_a_number_nor_a_list_is_malformed() -> None:
    wrong = octets("submit_multi").replace(b"\1\1\x0133123456789", b"\3\1\x0133123456789")
    with pytest.raises(MalformedPdu) as refusal:
        decode(wrong)
    assert refusal.value.status == Status.ESME_RINVDESTFLAG


def test_a_password_too_long_is_malformed_not_compared() -> None:
    for command in (Command.BIND_RECEIVER, Command.OUTBIND):
        with pytest.raises(MalformedPdu) as refusal:
            decode(frame(command, b"x\0nine char\0\0\x34\0\0\0"))
        assert refusal.value.status == Status.ESME_RINVPARLEN


# -- our own mistakes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pdu",
    [
        SubmitSm(short_message=b"x" * 255),
        SubmitSm(data_coding=256),
        SubmitSm(priority_flag=-1),
        SubmitSm(service_type="toolong"),
        SubmitSm(validity_period="x" * 17),
        SubmitSm(source=Address(256, 0, "1")),
        SubmitSm(tlvs=((0x1400, b"x" * 70000),)),
        SubmitSm(tlvs=((0x424, b"x" * 60000), (0x424, b"x" * 60000))),
        SubmitSm(sequence=-1),
        SubmitSm(sequence=1 << 32),
        SubmitSmResp(sequence=1, message_id="€"),
        SubmitSmResp(sequence=1, message_id="x" * 65),
        SubmitSmResp(sequence=1, message_id="a\0b"),
        SubmitSmResp(sequence=1, status=1 << 32),
        SubmitMulti(),
        SubmitMulti(destinations=(NUMBER,) * 255),
        SubmitMulti(destinations=(DistributionList("x" * 21),)),
        SubmitMultiResp(sequence=1, unsuccess=(Unsuccess(NUMBER, -1),)),
        SubmitMultiResp(sequence=1, unsuccess=(Unsuccess(NUMBER, 0),) * 256),
        DataSm(source=LongAddress(300, 0, "x")),
        QuerySm(message_id="x" * 65),
        QuerySm(message_id=""),
        QuerySm(message_id="1", source=Address(256, 0, "1")),
        QuerySmResp(sequence=1, message_state=256),
        ReplaceSm(message_id="1", short_message=b"x" * 255),
        EnquireLink(sequence=1 << 32),
        Bind(system_id="", password="", addr_ton=256),
        Unknown(sequence=1, command_id=1 << 32, status=0),
    ],
)
def test_what_no_pdu_can_carry_is_our_fault(pdu: Pdu) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdu)


def test_sequences_wrap_to_one() -> None:
    assert next_sequence(1) == 2
    assert next_sequence(MAX_SEQUENCE) == 1
