"""PDUs to octets and back, and what becomes of broken ones."""

import struct

import pytest

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode, next_sequence
from smpp.constants import MAX_PDU, MAX_SEQUENCE, Command, Status, Tag, status_name
from smpp.errors import LocalProtocolError, MalformedPdu, RemoteProtocolError
from smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)

DELIVERY = DeliverSm(
    sequence=7,
    source=Address.of("+33123456789"),
    destination=Address.of("36200"),
    short_message=b"hello",
    tlvs=((Tag.USER_MESSAGE_REFERENCE, b"\x00\x07"), (0x1400, b"vendor")),
)


def frame(command: int, body: bytes = b"", *, status: int = 0, sequence: int = 1) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


@pytest.mark.parametrize(
    "pdu",
    [
        Bind(sequence=1, system_id="segue", password="secret", system_type="SMPP"),
        Bind(sequence=1, mode=Command.BIND_RECEIVER, system_id="segue", password=""),
        BindResp(sequence=1, system_id="SMSC"),
        BindResp(sequence=1, mode=Command.BIND_TRANSMITTER, status=Status.ESME_RINVPASWD),
        SubmitSm(sequence=3, source=Address.of("Segue"), short_message=b"\x00@", data_coding=8),
        DELIVERY,
        SubmitSmResp(sequence=3, message_id="0aF3"),
        SubmitSmResp(sequence=3, status=0x400),
        DeliverSmResp(sequence=4, status=Status.ESME_RX_T_APPN),
        EnquireLink(sequence=5),
        EnquireLinkResp(sequence=5),
        Unbind(sequence=6),
        UnbindResp(sequence=6),
        GenericNack(sequence=0, status=Status.ESME_RINVCMDID),
        Unknown(sequence=9, command_id=0x00010203, status=0, body=b"what"),
    ],
)
def test_a_pdu_comes_back_as_it_was(pdu: Pdu) -> None:
    assert decode(encode(pdu)) == pdu


def test_a_message_id_without_its_nul_keeps_its_last_character() -> None:
    assert decode(frame(Command.SUBMIT_SM_RESP, b"12345")) == SubmitSmResp(
        sequence=1, message_id="12345"
    )


def test_an_error_response_may_have_a_body_or_none() -> None:
    for body in (b"", b"\0", b"junk"):
        answer = decode(frame(Command.SUBMIT_SM_RESP, body, status=0x58))
        assert isinstance(answer, SubmitSmResp)
        assert answer.status == Status.ESME_RTHROTTLED


def test_an_optional_parameter_that_nobody_knows_is_kept() -> None:
    found = decode(encode(DELIVERY))
    assert isinstance(found, DeliverSm)
    assert found.tlv(0x1400) == b"vendor"
    assert found.tlv(0x1401) is None


def test_a_message_payload_stands_in_for_an_empty_short_message() -> None:
    pdu = DeliverSm(sequence=1, tlvs=((Tag.MESSAGE_PAYLOAD, b"x" * 64000),))
    found = decode(encode(pdu))
    assert isinstance(found, DeliverSm)
    assert len(found.octets) == 64000


@pytest.mark.parametrize("length", range(16, len(encode(DELIVERY))))
def test_a_deliver_sm_cut_anywhere_is_malformed_and_says_how_to_answer(length: int) -> None:
    cut = encode(DELIVERY)[:length]
    whole_without_tlvs = len(encode(DELIVERY)) - len(b"\x02\x04\x00\x02\x00\x07") - 10
    if length in (whole_without_tlvs, whole_without_tlvs + 6):
        assert isinstance(decode(cut), DeliverSm)
        return
    with pytest.raises(MalformedPdu) as refusal:
        decode(cut)
    assert refusal.value.sequence == 7
    assert refusal.value.status


def test_an_address_too_long_for_a_pdu_is_malformed_not_cut() -> None:
    body = b"\0\1\1" + b"1" * 30 + b"\0\1\1" + b"2\0" + b"\0" * 10
    with pytest.raises(MalformedPdu) as refusal:
        decode(frame(Command.DELIVER_SM, body))
    assert refusal.value.status == Status.ESME_RINVSRCADR


@pytest.mark.parametrize("length", [0, 1, 3, 4, 15, MAX_PDU + 1, 0xFFFFFFFF])
def test_an_absurd_length_is_refused_at_once(length: int) -> None:
    with pytest.raises(RemoteProtocolError, match="absurd"):
        list(FrameReader().feed(struct.pack(">I", length)))


def test_frames_are_cut_from_any_chunks() -> None:
    stream = encode(EnquireLink(sequence=1)) + encode(DELIVERY)
    reader = FrameReader()
    found = [f for at in range(len(stream)) for f in reader.feed(stream[at : at + 1])]
    assert [decode(f) for f in found] == [EnquireLink(sequence=1), DELIVERY]
    assert not reader.halfway


def test_a_reader_that_is_stopped_early_keeps_the_rest() -> None:
    stream = encode(EnquireLink(sequence=1)) + encode(EnquireLink(sequence=2))
    reader = FrameReader()
    first = reader.feed(stream)
    next(first)
    del first
    assert [decode(f) for f in reader.feed(b"")] == [EnquireLink(sequence=2)]


@pytest.mark.parametrize(
    "fields",
    [
        {"system_id": "x" * 16, "password": ""},
        {"system_id": "x", "password": "nine char"},
        {"system_id": "x", "password": "", "system_type": "y" * 13},
        {"system_id": "x\0", "password": ""},
    ],
)
def test_a_credential_is_refused_rather_than_cut(fields: dict[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        Bind(**fields)  # type: ignore[arg-type]  # only its strings are at stake


@pytest.mark.parametrize(
    "pdu",
    [
        SubmitSm(sequence=1, short_message=b"x" * 255),
        SubmitSm(sequence=1, data_coding=256),
        SubmitSm(sequence=1, service_type="toolong"),
        SubmitSm(sequence=1, tlvs=((0x1400, b"x" * 70000),)),
        SubmitSm(sequence=1, tlvs=((0x424, b"x" * 60000), (0x424, b"x" * 60000))),
        SubmitSm(sequence=-1),
        SubmitSmResp(sequence=1, message_id="€"),
    ],
)
def test_what_no_pdu_can_carry_is_our_fault(pdu: Pdu) -> None:
    with pytest.raises(LocalProtocolError):
        encode(pdu)


def test_neither_password_nor_text_nor_number_is_in_a_repr() -> None:
    shown = repr(Bind(system_id="segue", password="hunter2")) + repr(DELIVERY)
    assert "hunter2" not in shown
    assert "hello" not in shown
    assert "33123456789" not in shown


def test_sequences_wrap_to_one() -> None:
    assert next_sequence(1) == 2
    assert next_sequence(MAX_SEQUENCE) == 1


def test_a_status_has_its_name_or_its_number() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x400) == "0x00000400"
