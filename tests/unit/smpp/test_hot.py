"""The fast paths against the codec: the same octets, the same values, the same refusals."""

import string
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smpp import hot
from smpp.address import Address
from smpp.codec import decode, encode
from smpp.constants import HEADER, Command
from smpp.errors import LocalProtocolError, MalformedPdu
from smpp.hot import Reader, Template, Templates
from smpp.pdu import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp

octet = st.integers(0, 255)
latin = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)
addresses = st.builds(Address, octet, octet, latin)
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
fields: dict[str, Any] = {
    "source": addresses,
    "destination": addresses,
    "short_message": st.binary(max_size=254),
    "data_coding": octet,
    "esm_class": octet,
    "registered_delivery": octet,
    "service_type": st.text(string.ascii_letters, max_size=5),
    "protocol_id": octet,
    "priority_flag": octet,
    "schedule_delivery_time": st.sampled_from(["", "261120115600000+"]),
    "validity_period": st.sampled_from(["", "000000001000000R"]),
    "replace_if_present_flag": octet,
    "sm_default_msg_id": octet,
    "tlvs": tlvs,
}
submits = st.builds(SubmitSm, sequence=st.just(1), **fields)
delivers = st.builds(DeliverSm, sequence=st.integers(1, 0x7FFFFFFF), **fields)
TEXT = SubmitSm(sequence=1, source=Address.of("Segue"), destination=Address.of("36200"))


@given(submits)
def test_a_spliced_body_is_the_codecs(pdu: SubmitSm) -> None:
    body = Template(pdu).body(
        hot.address_octets(pdu.destination),
        pdu.short_message,
        data_coding=pdu.data_coding,
        esm_class=pdu.esm_class,
        tlvs=hot.tlv_octets(pdu.tlvs),
    )
    assert body == encode(pdu)[HEADER:]


@given(st.lists(submits, min_size=1, max_size=8))
def test_templates_that_are_kept_mix_nothing_up(pdus: list[SubmitSm]) -> None:
    templates = Templates()
    for pdu in [*pdus, *pdus]:
        assert templates.body(pdu) == encode(pdu)[HEADER:]


def test_only_so_many_templates_are_kept() -> None:
    templates = Templates()
    for n in range(5000):
        pdu = SubmitSm(sequence=1, source=Address.of(f"+3312{n:07}"))
        assert templates.body(pdu) == encode(pdu)[HEADER:]
    assert len(templates._templates) <= 4096


@pytest.mark.parametrize(
    "fields",
    [
        {"short_message": b"x" * 255},
        {"data_coding": 256},
        {"esm_class": 256},
        {"registered_delivery": 256},
        {"service_type": "x" * 6},
        {"validity_period": "0" * 17},
        {"destination": Address(256, 0, "1")},
        {"tlvs": ((0x10000, b""),)},
        {"tlvs": ((0x424, b"x" * 65_536),)},
        {"tlvs": ((0x424, b"x" * 60_000),) * 2},
    ],
)
def test_what_the_codec_refuses_the_template_refuses(fields: dict[str, Any]) -> None:
    pdu = SubmitSm(sequence=1, **fields)
    with pytest.raises(LocalProtocolError):
        encode(pdu)
    with pytest.raises(LocalProtocolError):
        Templates().body(pdu)


def test_a_negative_octet_is_refused_and_no_other_octet_taken_for_it() -> None:
    template = Template(TEXT)
    for fields in cast(list[dict[str, Any]], [{"esm_class": -1}, {"data_coding": -1}]):
        with pytest.raises(LocalProtocolError):
            template.body(b"\1\1\0", b"x", **fields)


def read(frame: bytes, before: bytes = b"", after: bytes = b"") -> DeliverSm | None:
    """By the fast path, somewhere in a longer read."""
    sequence = int.from_bytes(frame[12:16], "big")
    start = len(before) + HEADER
    stop = len(before) + len(frame)
    return Reader().deliver_sm(before + frame + after, start, stop, sequence)


def timed(pdu: DeliverSm) -> bool:
    """Whether it has one of the times that no deliver_sm has (§4.6.1): the codec reads it."""
    return bool(pdu.schedule_delivery_time or pdu.validity_period)


@given(delivers, st.binary(max_size=5), st.binary(max_size=5))
def test_a_deliver_sm_is_read_as_the_codec_reads_it(
    pdu: DeliverSm, before: bytes, after: bytes
) -> None:
    assert decode(encode(pdu)) == pdu
    assert read(encode(pdu), before, after) == (None if timed(pdu) else pdu)


@given(delivers, st.integers(0, 120), octet, st.integers(0, 120), st.binary(max_size=30))
@example(DeliverSm(sequence=1), 200, 0, 17, b"\1\1\1\1\1\1")  # the strings have no end
def test_a_broken_deliver_sm_is_left_to_the_codec_and_no_other_is(
    pdu: DeliverSm, place: int, value: int, cut: int, after: bytes
) -> None:
    octets = bytearray(encode(pdu))
    if HEADER <= place < len(octets):
        octets[place] = value
    frame = bytes(octets[: max(HEADER, len(octets) - cut)])
    found = read(frame, after=after)
    try:
        wanted = decode(frame)
    except MalformedPdu:
        assert found is None
    else:
        assert isinstance(wanted, DeliverSm)
        assert found == (None if timed(wanted) else wanted)


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_any_body_of_a_deliver_sm_is_read_alike(body: bytes, after: bytes) -> None:
    frame = hot.header.pack(HEADER + len(body), Command.DELIVER_SM, 0, 7) + body
    found = read(frame, after=after)
    try:
        wanted = decode(frame)
    except MalformedPdu:
        assert found is None
    else:
        assert isinstance(wanted, DeliverSm)
        assert found == (None if timed(wanted) else wanted)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_deliver_sm_that_is_cut_does_not_go_on_in_the_next(cut: int) -> None:
    whole = encode(DeliverSm(sequence=1, short_message=b"hello", tlvs=((0x1E, b"71"),)))
    assert read(whole, after=whole) is not None
    assert read(whole[:-cut], after=whole) == (
        DeliverSm(sequence=1, short_message=b"hello") if cut == 6 else None
    )


def test_only_so_many_heads_are_kept() -> None:
    reader = Reader()
    for n in range(5000):
        frame = encode(DeliverSm(sequence=1, source=Address.of(f"+3312{n:07}")))
        found = reader.deliver_sm(frame, HEADER, len(frame), 1)
        assert found is not None
        assert found.source.digits == f"3312{n:07}"
    assert 0 < len(reader._heads) <= 4096


def test_a_head_of_any_length_is_read_and_only_a_short_one_kept() -> None:
    reader = Reader()
    frame = encode(DeliverSm(sequence=1))
    frame = frame[:HEADER] + b"x" * 1000 + frame[HEADER:]
    found = reader.deliver_sm(frame, HEADER, len(frame), 1)
    assert found is not None
    assert found.service_type == "x" * 1000
    assert not reader._heads


@given(st.binary(max_size=40), st.binary(max_size=5))
@example(b"7\0x\0", b"")
@example(b"7\0x", b"\0")
def test_a_message_id_is_read_as_the_codec_reads_it(body: bytes, after: bytes) -> None:
    frame = hot.header.pack(HEADER + len(body), Command.SUBMIT_SM_RESP, 0, 7) + body
    pdu = decode(frame)
    assert isinstance(pdu, SubmitSmResp)
    assert hot.message_id(str(frame + after, "latin-1"), HEADER, len(frame)) == pdu.message_id


@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=5), st.integers(0, 0xFFFFFFFF))
def test_answers_in_one_go_are_the_codecs(sequences: list[int], status: int) -> None:
    one_by_one = [encode(DeliverSmResp(sequence=n, status=status)) for n in sequences]
    assert hot.deliver_sm_resps(sequences, status) == b"".join(one_by_one)
