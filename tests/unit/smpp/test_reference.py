"""What smpplib 2.2.4, our reference codec, gets wrong: its answer beside ours.

Each case is why something is read or written by hand. One that begins to fail may have been
mended over there.
"""

import struct
from typing import Any

import pytest
from smpplib import exceptions
from smpplib import smpp as reference

from smpp.address import Address
from smpp.codec import decode, encode
from smpp.constants import Tag
from smpp.errors import LocalProtocolError, MalformedPdu
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unknown,
)
from tests.fuzz.seeds import octets

NUMBER = Address(1, 1, "33123456789")


def theirs(frame: bytes, *, allow: bool = True) -> Any:
    return reference.parse_pdu(frame, sequence=1, allow_unknown_opt_params=allow)


def made(command: str, **fields: object) -> Any:
    return reference.make_pdu(command, sequence=1, **fields)


def delivery(*tlvs: tuple[int, bytes]) -> bytes:
    return encode(DeliverSm(sequence=1, source=NUMBER, esm_class=4, tlvs=tlvs))


def ours(octets: bytes) -> DeliverSm:
    pdu = decode(octets)
    assert isinstance(pdu, DeliverSm)
    return pdu


# -- reading ----------------------------------------------------------------------------------


def test_it_takes_the_last_character_of_a_tlv_string_without_nul() -> None:
    receipt = delivery((Tag.RECEIPTED_MESSAGE_ID, b"ABC123"))
    assert theirs(receipt).receipted_message_id == b"ABC12"  # ...and the receipt matches nothing
    assert ours(receipt).tlv(Tag.RECEIPTED_MESSAGE_ID) == b"ABC123"


def test_it_takes_the_last_character_of_an_id_without_nul() -> None:
    answer = octets("odd_resp_id_without_nul")
    assert theirs(answer).message_id == b"1234"
    assert decode(answer) == SubmitSmResp(sequence=2, message_id="12345")


def test_it_reads_a_body_again_from_its_start_after_a_string_without_nul() -> None:
    cut = octets("odd_deliver_sm_truncated")
    assert theirs(cut).destination_addr == b"36"
    assert theirs(cut).short_message != b""  # fields from nowhere
    with pytest.raises(MalformedPdu, match="no end"):
        decode(cut)


def test_it_takes_a_body_that_ends_between_two_fields_for_whole() -> None:
    whole = encode(SubmitSm(sequence=1, source=NUMBER))
    cut = whole[: 16 + 1 + 2 + 12]  # up to the source address
    assert theirs(cut).destination_addr is None
    with pytest.raises(MalformedPdu):
        decode(cut)


def test_it_stops_at_a_tlv_that_it_does_not_know() -> None:
    vendor = delivery((0x1400, b"vendor"))
    with pytest.raises(exceptions.UnknownCommandError):
        theirs(vendor, allow=False)
    assert not hasattr(theirs(vendor), "tlvs")  # allowed is dropped
    assert ours(vendor).tlv(0x1400) == b"vendor"


@pytest.mark.parametrize("tag", [Tag.NUMBER_OF_MESSAGES, Tag.DEST_ADDR_SUBUNIT])
def test_it_stops_at_a_tlv_that_it_knows_from_another_pdu_even_if_allowed(tag: Tag) -> None:
    receipt = delivery((tag, b"\1"))
    with pytest.raises(KeyError):
        theirs(receipt)
    assert ours(receipt).tlv(tag) == b"\1"


def test_it_reads_an_integer_by_its_own_idea_of_the_length_and_loses_the_rest() -> None:
    receipt = delivery((Tag.MESSAGE_STATE, b"\0\2"), (Tag.USER_MESSAGE_REFERENCE, b"\0\7"))
    found = theirs(receipt)
    assert found.message_state == 0  # delivered, 2, became no state at all
    assert found.user_message_reference is None  # its tag was read as 0x0202
    assert ours(receipt).tlv(Tag.MESSAGE_STATE) == b"\0\2"
    assert ours(receipt).tlv(Tag.USER_MESSAGE_REFERENCE) == b"\0\7"


def test_it_stops_at_an_integer_of_no_octets() -> None:
    receipt = delivery((Tag.MESSAGE_STATE, b""))
    with pytest.raises(struct.error):
        theirs(receipt)
    assert ours(receipt).tlv(Tag.MESSAGE_STATE) == b""


def test_it_takes_a_length_past_the_end_for_what_is_there() -> None:
    cut = octets("odd_deliver_sm_truncated_tlv")
    assert theirs(cut).receipted_message_id == b"ABC"
    with pytest.raises(MalformedPdu, match="optional parameter"):
        decode(cut)


def test_it_stops_at_half_a_tlv_header() -> None:
    cut = delivery() + b"\x04"
    with pytest.raises(struct.error):
        theirs(cut)
    with pytest.raises(MalformedPdu, match="optional parameter"):
        decode(cut)


def test_it_stops_at_a_tlv_in_a_response() -> None:
    answer = octets("odd_resp_with_tlv")
    with pytest.raises(exceptions.UnknownCommandError):
        theirs(answer, allow=False)
    known = encode(SubmitSmResp(sequence=1, tlvs=((Tag.ADDITIONAL_STATUS_INFO_TEXT, b"why\0"),)))
    with pytest.raises(KeyError):
        theirs(known)
    assert decode(answer) == SubmitSmResp(sequence=2, message_id="0aF3", tlvs=((0x1400, b"\0\1"),))


def test_it_stops_at_a_command_that_it_does_not_know() -> None:
    with pytest.raises(exceptions.UnknownCommandError):
        theirs(octets("odd_unknown_command"))
    assert isinstance(decode(octets("odd_unknown_command")), Unknown)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("outbind", Outbind),
        ("submit_multi", SubmitMulti),
        ("cancel_sm", CancelSm),
        ("replace_sm", ReplaceSm),
    ],
)
def test_it_does_not_speak_these_commands(name: str, kind: type[Pdu]) -> None:
    with pytest.raises(exceptions.UnknownCommandError):
        theirs(octets(name))
    assert isinstance(decode(octets(name)), kind)


def test_it_cannot_write_what_it_has_read() -> None:
    frame = octets("deliver_sm_receipt")
    with pytest.raises(TypeError):
        theirs(frame).generate()
    assert encode(decode(frame)) == frame


# -- writing ----------------------------------------------------------------------------------


def submitted(frame: bytes) -> SubmitSm:
    pdu = decode(frame)
    assert isinstance(pdu, SubmitSm)
    return pdu


def test_it_calls_another_number_if_one_is_too_long() -> None:
    frame = made("submit_sm", destination_addr="1" * 20 + "2").generate()
    assert submitted(frame).destination.digits == "1" * 20
    with pytest.raises(LocalProtocolError):
        Address(1, 1, "1" * 20 + "2")


def test_it_sends_another_password_if_one_is_too_long() -> None:
    frame = made("bind_transceiver", system_id="x", password="nine char").generate()
    found = decode(frame)
    assert isinstance(found, Bind)
    assert found.password == "nine cha"
    with pytest.raises(LocalProtocolError):
        Bind(system_id="x", password="nine char")


def test_it_stops_at_an_address_that_is_not_latin_1() -> None:
    with pytest.raises(UnicodeEncodeError):
        made("submit_sm", source_addr="Секге").generate()
    with pytest.raises(LocalProtocolError):
        Address(5, 0, "Секге")


def test_it_writes_a_subunit_in_two_octets_and_another_in_one() -> None:
    # §5.3.2.1, §5.3.2.2: both have one.
    frame = made("submit_sm", source_addr_subunit=1, dest_addr_subunit=1).generate()
    assert submitted(frame).tlv(Tag.SOURCE_ADDR_SUBUNIT) == b"\0\1"
    assert submitted(frame).tlv(Tag.DEST_ADDR_SUBUNIT) == b"\1"


def test_it_writes_source_telematics_id_in_two_octets() -> None:
    frame = made("data_sm", source_telematics_id=1).generate()
    assert frame.endswith(b"\0\x10\0\2\0\1")  # §5.3.2.8: one octet


def test_it_never_writes_a_flag_or_a_vendors_tlv() -> None:
    bare = made("submit_sm").generate()
    assert made("submit_sm", alert_on_message_delivery=True).generate() == bare
    ours = SubmitSm(tlvs=((Tag.ALERT_ON_MESSAGE_DELIVERY, b""), (0x1400, b"\1")))
    assert encode(ours).endswith(b"\x13\x0c\0\0\x14\0\0\1\1")


def test_it_cannot_write_the_network_error_of_a_data_sm_resp() -> None:
    with pytest.raises(TypeError):
        made("data_sm_resp", network_error_code=b"\3\0\x0a").generate()
    ours = DataSmResp(sequence=1, status=0xFE, tlvs=((Tag.NETWORK_ERROR_CODE, b"\3\0\x0a"),))
    assert decode(encode(ours)) == ours


def test_it_gives_a_refusal_a_body() -> None:
    # §4.4.2 and §4.1.2: the body is not returned if the command_status is not 0.
    assert len(made("submit_sm_resp", status=0x58).generate()) == 17
    assert len(encode(SubmitSmResp(sequence=1, status=0x58))) == 16
    assert len(encode(BindResp(sequence=1, status=5))) == 16


@pytest.mark.parametrize(
    "pdu",
    [
        EnquireLink(sequence=7),
        Bind(sequence=7, system_id="x", password="", interface_version=0x33),
        QuerySm(sequence=7, message_id="0aF3", source=NUMBER),
    ],
)
def test_it_ignores_the_sequence_and_version_it_is_given_but_we_do_not(pdu: Pdu) -> None:
    ignored = made("bind_transceiver", system_id="x", password="", interface_version=0x33)
    ignored_frame = reference.make_pdu("enquire_link", sequence=7).generate()
    assert ignored.interface_version == 0x34
    assert ignored_frame[12:] == b"\0\0\0\0"
    assert decode(encode(pdu)) == pdu


def test_it_has_a_deliver_sm_resp_without_tlvs_and_an_alert_without_others() -> None:
    told = ((int(Tag.MS_AVAILABILITY_STATUS), b"\1"), (0x1400, b"x"))
    alert = AlertNotification(sequence=1, source=NUMBER, tlvs=told)
    with pytest.raises(exceptions.UnknownCommandError):
        theirs(encode(alert), allow=False)
    assert decode(encode(alert)) == alert
    answer = DeliverSmResp(sequence=1, tlvs=((Tag.DELIVERY_FAILURE_REASON, b"\1"),))
    with pytest.raises(KeyError):
        theirs(encode(answer))
    assert decode(encode(answer)) == answer


def test_a_refusal_with_bare_tlvs_has_no_id_but_a_reason() -> None:
    odd = octets("odd_refusal_with_bare_tlv")
    with pytest.raises((struct.error, KeyError, exceptions.UnknownCommandError)):
        theirs(odd, allow=False)
    found = decode(odd)
    assert isinstance(found, SubmitSmResp)
    assert (found.message_id, found.tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT)) == ("", b"why\0")
