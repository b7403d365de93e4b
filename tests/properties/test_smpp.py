"""What must hold for any octets, any text and any PDU; smpplib is the oracle of the codec."""

import contextlib
import string
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts
from smpplib import smpp as reference
from smpplib.exceptions import UnknownCommandError

from smpp.address import Address, LongAddress
from smpp.codec import FrameReader, decode, encode
from smpp.constants import MAX_PDU, RESPONSE, Command, Tag
from smpp.errors import (
    LocalProtocolError,
    MalformedPdu,
    RemoteProtocolError,
    UnreadableReceipt,
)
from smpp.gsm0338 import decode as gsm_decode
from smpp.gsm0338 import decode_text, septets_of
from smpp.gsm0338 import encode as gsm_encode
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
    ShortMessage,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlvs,
    Unbind,
    UnbindResp,
    Unknown,
    Unsuccess,
)
from smpp.protocol import Event, Session
from smpp.receipt import parse
from smpp.segmentation import Joiner, read_part, split
from smpp.tlv import make

# -- any octets -------------------------------------------------------------------------------

_COMMANDS = [*Command, 0x00000104, 0x00010203, 0x80010203]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame whose header is sound and whose body is anything."""
    body = draw(st.binary(max_size=80))
    header = b"".join(
        n.to_bytes(4, "big")
        for n in (
            16 + len(body),
            draw(st.sampled_from(_COMMANDS)),
            draw(st.integers(0, 0x500)),
            draw(st.sampled_from([0, 1, 2, 3, 0x7FFFFFFF, 0xFFFFFFFF])),
        )
    )
    return header + body


streams = st.lists(st.one_of(frames(), st.binary(max_size=40)), max_size=6).map(b"".join)


@given(frames())
def test_any_frame_is_decoded_or_refused_as_documented(frame: bytes) -> None:
    with contextlib.suppress(MalformedPdu, UnreadableReceipt):
        pdu = decode(frame)
        if isinstance(pdu, DeliverSm):
            read_part(pdu)
            decode_text(pdu.octets, pdu.data_coding)
            parse(pdu)


@given(frames())
def test_a_request_that_was_read_is_written_as_it_was_meant(frame: bytes) -> None:
    with contextlib.suppress(MalformedPdu, LocalProtocolError):
        pdu = decode(frame)
        if not pdu.command_id & RESPONSE:
            assert decode(encode(pdu)) == pdu


def _heard(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    session = Session(Bind(system_id="x", password=""))
    session.connect(0.0)
    events: list[Event] = session.receive(encode(BindResp(sequence=1)), 0.0)
    session.submit(SubmitSm(), 0.0)
    for chunk in chunks:
        events += session.receive(chunk, 0.0)
    return events, session.data_to_send()


@given(streams)
def test_any_stream_means_the_same_in_one_chunk_and_octet_by_octet(stream: bytes) -> None:
    assert _heard([stream]) == _heard([bytes((o,)) for o in stream])


@given(streams)
def test_no_stream_makes_the_reader_hold_more_than_one_pdu(stream: bytes) -> None:
    reader = FrameReader()
    try:
        for frame in reader.feed(stream):
            assert 16 <= len(frame) <= MAX_PDU
    except RemoteProtocolError:
        return
    assert len(reader._buffer) <= MAX_PDU


# -- any PDU ----------------------------------------------------------------------------------

octet = st.integers(0, 255)
long = st.integers(0, 0xFFFFFFFF)
statuses = st.one_of(st.just(0), st.sampled_from([0x58, 0x400, 0xFFFFFFFF]))
sequences = st.integers(0, 0x7FFFFFFF)
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=4).map(tuple)


def latin(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    """What a C-octet string can say."""
    characters = st.characters(min_codepoint=1, max_codepoint=0xFF)
    return st.text(characters, min_size=shortest, max_size=longest)


addresses = st.builds(Address, octet, octet, latin(20))
long_addresses = st.one_of(addresses, st.builds(LongAddress, octet, octet, latin(64, shortest=21)))
ids = latin(64)
times = st.one_of(st.sampled_from(["", "261120115600000+", "000000001000000R"]), latin(16))
text = {
    "sequence": sequences,
    "source": addresses,
    "short_message": st.binary(max_size=254),
    "data_coding": octet,
    "esm_class": octet,
    "registered_delivery": octet,
    "service_type": latin(5),
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": times,
    "validity_period": times,
    "replace_if_present_flag": octet,
    "sm_default_msg_id": octet,
}
bind_modes = st.sampled_from(
    [Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER]
)
binds = st.builds(
    Bind,
    sequence=sequences,
    mode=bind_modes,
    system_id=latin(15),
    password=latin(8),
    system_type=latin(12),
    interface_version=octet,
    addr_ton=octet,
    addr_npi=octet,
    address_range=latin(40),
)
query_sms = st.builds(
    QuerySm, sequence=sequences, message_id=latin(64, shortest=1), source=addresses
)
query_sm_resps = st.builds(
    QuerySmResp,
    sequence=sequences,
    status=statuses,
    message_id=ids,
    final_date=times,
    message_state=octet,
    error_code=octet,
)
unbinds = st.builds(Unbind, sequence=sequences)
enquiries = st.builds(EnquireLink, sequence=sequences)
unbind_resps = st.builds(UnbindResp, sequence=sequences, status=statuses)
enquiry_resps = st.builds(EnquireLinkResp, sequence=sequences, status=statuses)
nacks = st.builds(GenericNack, sequence=sequences, status=statuses)
header_only = st.one_of(unbinds, enquiries, unbind_resps, enquiry_resps, nacks)
requests = st.one_of(
    binds,
    query_sms,
    st.builds(Outbind, sequence=sequences, system_id=latin(15), password=latin(8)),
    st.builds(SubmitSm, **text, destination=addresses, tlvs=tlvs),
    st.builds(DeliverSm, **text, destination=addresses, tlvs=tlvs),
    st.builds(
        SubmitMulti,
        **text,
        tlvs=tlvs,
        destinations=st.lists(
            st.one_of(addresses, st.builds(DistributionList, latin(20))), min_size=1, max_size=5
        ).map(tuple),
    ),
    st.builds(
        DataSm,
        sequence=sequences,
        source=long_addresses,
        destination=long_addresses,
        data_coding=octet,
        esm_class=octet,
        registered_delivery=octet,
        service_type=latin(5),
        tlvs=tlvs,
    ),
    st.builds(
        CancelSm,
        sequence=sequences,
        service_type=latin(5),
        message_id=ids,
        source=addresses,
        destination=addresses,
    ),
    st.builds(
        ReplaceSm,
        sequence=sequences,
        message_id=ids,
        source=addresses,
        schedule_delivery_time=times,
        validity_period=times,
        registered_delivery=octet,
        sm_default_msg_id=octet,
        short_message=st.binary(max_size=254),
    ),
    st.builds(
        AlertNotification,
        sequence=sequences,
        source=long_addresses,
        esme=long_addresses,
        tlvs=tlvs,
    ),
)
accepted = st.one_of(
    st.builds(SubmitSmResp, sequence=sequences, message_id=ids, tlvs=tlvs),
    st.builds(BindResp, sequence=sequences, mode=bind_modes, system_id=latin(15), tlvs=tlvs),
    st.builds(
        SubmitMultiResp,
        sequence=sequences,
        message_id=ids,
        unsuccess=st.lists(st.builds(Unsuccess, addresses, long), max_size=4).map(tuple),
        tlvs=tlvs,
    ),
)
answered = st.one_of(
    accepted,
    query_sm_resps,
    st.builds(SubmitSmResp, sequence=sequences, status=long, tlvs=tlvs),
    st.builds(BindResp, sequence=sequences, mode=bind_modes, status=long, tlvs=tlvs),
    *(
        st.builds(kind, sequence=sequences, status=statuses, message_id=ids, tlvs=tlvs)
        for kind in (DeliverSmResp, DataSmResp)
    ),
    *(
        st.builds(kind, sequence=sequences, status=long)
        for kind in (CancelSmResp, ReplaceSmResp, SubmitMultiResp)
    ),
)
unknowns = st.builds(
    Unknown,
    sequence=long,
    command_id=long.filter(lambda id: id not in set(Command)),
    status=long,
    body=st.binary(max_size=80),
)


@given(st.one_of(requests, answered, header_only, unknowns))
def test_any_pdu_comes_back_as_it_was(pdu: Pdu) -> None:
    frame = encode(pdu)
    assert int.from_bytes(frame[:4], "big") == len(frame)
    assert int.from_bytes(frame[4:8], "big") == pdu.command_id
    assert decode(frame) == pdu


# -- smpplib ----------------------------------------------------------------------------------

# What smpplib writes otherwise than the specification says; tests/unit/smpp/test_reference.py
# shows each of them.
_WRONG = {
    ("submit_sm", "source_addr_subunit"),
    ("data_sm", "source_telematics_id"),
    ("data_sm_resp", "network_error_code"),
    ("data_sm_resp", "delivery_failure_reason"),
    *((name, "alert_on_message_delivery") for name in ("submit_sm", "data_sm")),
    # These are octets (§5.3.2.15), smpplib ends them with a NUL as if they were strings.
    *((name, "source_subaddress") for name in ("submit_sm", "deliver_sm", "data_sm")),
    *((name, "dest_subaddress") for name in ("submit_sm", "deliver_sm", "data_sm")),
    ("data_sm", "callback_num_atag"),
}

Optional = dict[str, int | str | bytes]


def optional(name: str) -> st.SearchStrategy[Optional]:
    """Optional parameters of a command by smpplib's names, in the order in which it writes them."""
    kind = type(reference.make_pdu(name, sequence=1))
    found: dict[str, st.SearchStrategy[Any]] = {}
    for field in kind.params_order:
        param = kind.params[field]
        if field not in consts.OPTIONAL_PARAMS or (name, field) in _WRONG:
            continue
        if name == "query_sm_resp":
            continue  # its message_state is no TLV
        if param.type is int:
            found[field] = st.integers(0, 256**param.size - 1)
        elif param.type is str:
            # smpplib writes these in UTF-8.
            found[field] = st.text(string.ascii_letters + string.digits, min_size=1, max_size=64)
        else:
            found[field] = st.binary(min_size=1, max_size=30)
    return st.fixed_dictionaries({}, optional=found).map(
        lambda drawn: {field: drawn[field] for field in found if field in drawn}
    )


def as_tlvs(fields: Optional) -> Tlvs:
    """The same for us."""
    return tuple(make(Tag[name.upper()], _of_kind(name, value)) for name, value in fields.items())


def _of_kind(name: str, value: int | str | bytes) -> int | str | bytes:
    # Two octets (§5.3.2.43): a session's number, then a number in it and whether it is the last.
    if name == "its_session_info" and isinstance(value, int):
        return value.to_bytes(2, "big")
    return value


def addressed(prefix: str, address: Address) -> dict[str, Any]:
    """An address by smpplib's names."""
    short = {"destination": "dest", "source": "source", "esme": "esme"}[prefix]
    return {
        f"{short}_addr_ton": address.ton,
        f"{short}_addr_npi": address.npi,
        f"{prefix}_addr": address.digits,
    }


def mandatory(pdu: Pdu) -> dict[str, Any]:
    """The fields of a PDU by smpplib's names."""
    match pdu:
        case ShortMessage():
            names = text.keys() - {"sequence", "source"}
            return {
                **{name: getattr(pdu, name) for name in names},
                **addressed("source", pdu.source),
                **addressed("destination", pdu.destination),
            }
        case DataSm():
            return {
                "service_type": pdu.service_type,
                **addressed("source", pdu.source),
                **addressed("destination", pdu.destination),
                "esm_class": pdu.esm_class,
                "registered_delivery": pdu.registered_delivery,
                "data_coding": pdu.data_coding,
            }
        case Bind():
            names = {"system_id", "password", "system_type", "address_range"}
            names |= {"interface_version", "addr_ton", "addr_npi"}
            return {name: getattr(pdu, name) for name in names}
        case BindResp():
            return {"system_id": pdu.system_id}
        case SubmitSmResp() | DeliverSmResp() | DataSmResp():
            return {"message_id": pdu.message_id}
        case QuerySm():
            return {"message_id": pdu.message_id, **addressed("source", pdu.source)}
        case QuerySmResp():
            names = {"message_id", "final_date", "message_state", "error_code"}
            return {name: getattr(pdu, name) for name in names}
        case AlertNotification():
            return {**addressed("source", pdu.source), **addressed("esme", pdu.esme)}
        case _:
            return {}


def with_optional(name: str, pdus: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    """PDUs of a command, each with optional parameters by smpplib's names."""
    return st.tuples(pdus, optional(name))


def of(kind: type, **fields: Any) -> st.SearchStrategy[Any]:
    """PDUs without optional parameters."""
    return st.builds(kind, sequence=sequences, **fields)


_TEXT = {name: value for name, value in text.items() if name != "sequence"}
_TRANSFER = {name: text[name] for name in ("data_coding", "esm_class", "registered_delivery")}
_BETWEEN = {"source": addresses, "destination": addresses}


def _alone(pdus: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(pdus, st.just({}))


_MODES = (Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER)

COMMON = {
    Command.SUBMIT_SM: with_optional("submit_sm", of(SubmitSm, **_TEXT, destination=addresses)),
    Command.DELIVER_SM: with_optional("deliver_sm", of(DeliverSm, **_TEXT, destination=addresses)),
    Command.DATA_SM: with_optional(
        "data_sm", of(DataSm, **_TRANSFER, **_BETWEEN, service_type=latin(5))
    ),
    Command.DATA_SM_RESP: with_optional(
        "data_sm_resp", of(DataSmResp, status=statuses, message_id=ids)
    ),
    Command.ALERT_NOTIFICATION: with_optional(
        "alert_notification", of(AlertNotification, source=addresses, esme=addresses)
    ),
    **{mode: _alone(binds.map(partial(replace, mode=mode))) for mode in _MODES},
    **{
        Command(mode | RESPONSE): with_optional(
            f"{mode.name.lower()}_resp", of(BindResp, mode=st.just(mode), system_id=latin(15))
        )
        for mode in _MODES
    },
    # smpplib has no TLVs for these, and gives a refusal by submit_sm_resp a body.
    Command.SUBMIT_SM_RESP: _alone(of(SubmitSmResp, message_id=ids)),
    Command.DELIVER_SM_RESP: _alone(of(DeliverSmResp, status=statuses, message_id=ids)),
    Command.QUERY_SM: _alone(query_sms),
    Command.QUERY_SM_RESP: _alone(query_sm_resps),
    Command.UNBIND: _alone(unbinds),
    Command.UNBIND_RESP: _alone(unbind_resps),
    Command.ENQUIRE_LINK: _alone(enquiries),
    Command.ENQUIRE_LINK_RESP: _alone(enquiry_resps),
    Command.GENERIC_NACK: _alone(nacks),
}


def combined(pdu: Any, fields: Optional) -> tuple[Pdu, Optional]:
    """The PDU with its optional parameters; a text is not both in the PDU and in its payload."""
    if isinstance(pdu, ShortMessage) and pdu.short_message:
        fields = {name: value for name, value in fields.items() if name != "message_payload"}
    return (replace(pdu, tlvs=as_tlvs(fields)) if fields else pdu), fields


def smpplibs(pdu: Pdu, fields: Optional) -> Any:
    """The same PDU of smpplib."""
    values = mandatory(pdu) | fields
    theirs = reference.make_pdu(Command(pdu.command_id).name.lower(), sequence=1, **values)
    for name, value in values.items():  # its constructor ignores some
        setattr(theirs, name, value)
    theirs.sequence, theirs.status = pdu.sequence, getattr(pdu, "status", 0)
    return theirs


@pytest.mark.parametrize("command", COMMON)
@given(data=st.data())
def test_our_octets_are_those_of_smpplib_and_so_is_their_meaning(
    command: Command, data: st.DataObject
) -> None:
    pdu, fields = combined(*data.draw(COMMON[command]))
    frame = smpplibs(pdu, fields).generate()
    assert encode(pdu) == frame
    assert decode(frame) == pdu


@pytest.mark.parametrize("command", COMMON)
@given(data=st.data())
def test_smpplib_reads_our_octets_as_we_meant_them(command: Command, data: st.DataObject) -> None:
    pdu, fields = combined(*data.draw(COMMON[command]))
    found = reference.parse_pdu(encode(pdu), sequence=1)
    wanted = mandatory(pdu) | fields
    assert {name: _as_read(getattr(found, name)) for name in wanted} == {
        name: _as_read(value) for name, value in wanted.items()
    }
    assert (found.sequence, found.status) == (pdu.sequence, getattr(pdu, "status", 0))
    assert found.command == Command(pdu.command_id).name.lower()


def _as_read(value: Any) -> Any:
    if isinstance(value, str):
        value = value.encode("latin-1")
    return None if value == b"" else value  # a short_message of no octets may be left alone


def _speaks(name: str) -> bool:
    try:
        reference.make_pdu(name, sequence=1)
    except UnknownCommandError:
        return False
    return True


def test_every_command_that_smpplib_speaks_is_held_against_it() -> None:
    assert {command for command in Command if _speaks(command.name.lower())} == set(COMMON)


# -- any text ---------------------------------------------------------------------------------

gsm_text = st.text(st.sampled_from(sorted(septets_of())), max_size=700)


@given(gsm_text)
def test_gsm_text_comes_back(text: str) -> None:
    octets = gsm_encode(text)
    assert octets is not None
    assert gsm_decode(octets) == text


@given(st.binary(max_size=300), octet)
def test_any_octets_of_any_coding_are_text(octets: bytes, coding: int) -> None:
    assert isinstance(decode_text(octets, coding), str)


@given(
    st.one_of(gsm_text, st.text(max_size=500), st.text("ab€ж😀", max_size=500)),
    octet,
    st.randoms(use_true_random=False),
)
def test_any_text_cut_into_segments_is_whole_again_in_any_order(
    text: str, reference_number: int, random: object
) -> None:
    segments = list(split(text, reference_number))
    assert all(len(s.octets) <= (160 if s.data_coding == 0 else 140) for s in segments)
    for segment in segments[1:]:  # each is readable by itself: nothing was cut in two
        assert "\ufffd" not in decode_text(segment.octets[6:], segment.data_coding) or (
            "\ufffd" in text
        )
    getattr(random, "shuffle")(segments)  # noqa: B009  # hypothesis does not type it
    joiner = Joiner()
    wholes = [
        joiner.add(
            Address.of("+33123456789"),
            Address.of("36200"),
            read_part(
                DeliverSm(esm_class=s.esm_class, data_coding=s.data_coding, short_message=s.octets)
            ),
            0.0,
        )
        for s in segments
    ]
    assert all(whole is None for whole in islice(wholes, len(wholes) - 1))
    last = wholes[-1]
    assert last is not None
    assert last.text == text
