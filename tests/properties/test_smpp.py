"""What must hold for any octets, any text and any PDU; smpplib is the oracle."""

import contextlib
import string
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp as reference

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode
from smpp.constants import MAX_PDU, Command
from smpp.errors import MalformedPdu, RemoteProtocolError, UnreadableReceipt
from smpp.gsm0338 import _ENCODE, decode_text
from smpp.gsm0338 import decode as gsm_decode
from smpp.gsm0338 import encode as gsm_encode
from smpp.pdu import Bind, BindResp, DeliverSm, SubmitSm, SubmitSmResp
from smpp.protocol import Event, Session
from smpp.receipt import parse
from smpp.segmentation import Joiner, read_part, split

_COMMANDS = [*Command, 0x80000009, 0x80000001, 0x00000103, 0x00010203]

addresses = st.builds(
    Address,
    st.sampled_from([0, 1, 2, 3, 5]),
    st.sampled_from([0, 1, 8]),
    st.text(string.ascii_letters + string.digits, max_size=20),
)
octet = st.integers(0, 255)


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


submits = st.builds(
    SubmitSm,
    sequence=st.integers(1, 0x7FFFFFFF),
    source=addresses,
    destination=addresses,
    short_message=st.binary(max_size=254),
    data_coding=octet,
    esm_class=octet,
    registered_delivery=octet,
    service_type=st.text(string.ascii_uppercase, max_size=5),
    protocol_id=octet,
    priority_flag=octet,
    schedule_delivery_time=st.sampled_from(["", "261120115600000+"]),
    validity_period=st.sampled_from(["", "000000001000000R"]),
    replace_if_present_flag=octet,
    sm_default_msg_id=octet,
)
_FIELDS = [
    "data_coding",
    "esm_class",
    "registered_delivery",
    "protocol_id",
    "priority_flag",
    "replace_if_present_flag",
    "sm_default_msg_id",
]


def _reference(command: str, frame: bytes) -> object:
    pdu = reference.make_pdu(command, sequence=1, allow_unknown_opt_params=True)
    pdu.parse(frame)
    return pdu


@given(submits)
def test_smpplib_reads_our_submit_sm_as_we_meant_it(pdu: SubmitSm) -> None:
    found = _reference("submit_sm", encode(pdu))
    wanted: dict[str, object] = {name: getattr(pdu, name) for name in _FIELDS}
    wanted |= {
        "sequence": pdu.sequence,
        "source_addr_ton": pdu.source.ton,
        "source_addr_npi": pdu.source.npi,
        "source_addr": pdu.source.digits.encode(),
        "dest_addr_ton": pdu.destination.ton,
        "dest_addr_npi": pdu.destination.npi,
        "destination_addr": pdu.destination.digits.encode(),
        "service_type": pdu.service_type.encode(),
        "schedule_delivery_time": pdu.schedule_delivery_time.encode(),
        "validity_period": pdu.validity_period.encode(),
    }
    assert {name: getattr(found, name) for name in wanted} == wanted
    # smpplib does not parse a short_message of no octets: it stays None.
    assert (getattr(found, "short_message") or b"") == pdu.short_message  # noqa: B009  # untyped


@given(submits)
def test_we_read_smpplibs_submit_sm_and_write_the_same_octets(pdu: SubmitSm) -> None:
    theirs = reference.make_pdu(
        "submit_sm",
        sequence=1,
        source_addr_ton=pdu.source.ton,
        source_addr_npi=pdu.source.npi,
        source_addr=pdu.source.digits,
        dest_addr_ton=pdu.destination.ton,
        dest_addr_npi=pdu.destination.npi,
        destination_addr=pdu.destination.digits,
        short_message=pdu.short_message,
        service_type=pdu.service_type,
        schedule_delivery_time=pdu.schedule_delivery_time,
        validity_period=pdu.validity_period,
        **{name: getattr(pdu, name) for name in _FIELDS},
    )
    theirs.sequence = pdu.sequence
    frame = theirs.generate()
    assert decode(frame) == pdu
    assert encode(pdu) == frame


@given(st.integers(1, 0x7FFFFFFF), st.text(string.hexdigits + "-", max_size=64))
def test_a_message_id_is_what_smpplib_reads_and_verbatim(sequence: int, id: str) -> None:
    frame = encode(SubmitSmResp(sequence=sequence, message_id=id))
    assert getattr(_reference("submit_sm_resp", frame), "message_id") == id.encode()  # noqa: B009  # untyped
    assert decode(frame) == SubmitSmResp(sequence=sequence, message_id=id)


gsm_text = st.text(st.sampled_from(sorted(_ENCODE)), max_size=700)


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
