"""Optional parameters: the stream of them, and what their octets mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.constants import Tag
from smpp.errors import LocalProtocolError
from smpp.tlv import (
    Kind,
    NetworkError,
    Tlvs,
    find,
    find_all,
    generate,
    kind,
    make,
    parse,
    read,
    read_int,
    read_network_error,
    read_string,
    tag_name,
)

tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30))).map(tuple)


@given(tlvs, st.binary(max_size=8))
def test_any_tlvs_come_back_repeated_and_in_order(found: Tlvs, before: bytes) -> None:
    assert parse(before + generate(found), len(before)) == (found, True)


@given(tlvs.filter(bool), st.data())
def test_a_stream_that_is_cut_gives_what_is_whole_and_says_so(
    found: Tlvs, data: st.DataObject
) -> None:
    octets = generate(found)
    cut = octets[: data.draw(st.integers(0, len(octets) - 1))]
    whole, ended = parse(cut)
    assert whole == found[: len(whole)]
    assert ended is (generate(whole) == cut)


def test_a_length_past_the_end_is_not_taken_for_what_is_there() -> None:
    assert parse(b"\x14\x00\x00\x05abc") == ((), False)


def test_the_first_or_all_of_one_tag_are_found() -> None:
    callbacks = ((Tag.CALLBACK_NUM, b"1"), (0x1400, b"x"), (Tag.CALLBACK_NUM, b"2"))
    assert find(callbacks, Tag.CALLBACK_NUM) == b"1"
    assert find_all(callbacks, Tag.CALLBACK_NUM) == [b"1", b"2"]
    assert find(callbacks, 0x1401) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [(b"\x02", 2), (b"\x00\x02", 2), (b"\x01\x00\x00\x00", 1 << 24), (b"", None)],
)
def test_an_integer_has_the_octets_it_came_with(value: bytes, number: int | None) -> None:
    assert read_int(value) == number
    assert read(Tag.MESSAGE_STATE, value) == number


@pytest.mark.parametrize("value", [b"ABC123", b"ABC123\0", b"ABC123\0junk"])
def test_a_string_ends_at_its_nul_or_where_it_ends(value: bytes) -> None:
    assert read_string(value) == "ABC123"
    assert read(Tag.RECEIPTED_MESSAGE_ID, value) == "ABC123"


def test_a_flag_is_true_because_it_is_there() -> None:
    assert read(Tag.ALERT_ON_MESSAGE_DELIVERY, b"") is True
    assert kind(Tag.ALERT_ON_MESSAGE_DELIVERY) is Kind.FLAG


def test_what_nobody_knows_is_octets() -> None:
    assert read(0x1400, b"\0\1") == b"\0\1"
    assert kind(0x3FFF) is Kind.OCTETS


def test_a_network_error_has_a_network_and_a_code() -> None:
    assert read_network_error(b"\x03\x00\x0a") == NetworkError(3, 10)
    assert read_network_error(b"\x03\x0a") is None


@pytest.mark.parametrize(
    ("tag", "value", "octets"),
    [
        (Tag.SAR_MSG_REF_NUM, 7, b"\x00\x07"),
        (Tag.SAR_TOTAL_SEGMENTS, 2, b"\x02"),
        (Tag.QOS_TIME_TO_LIVE, 60, b"\x00\x00\x00\x3c"),
        (Tag.SOURCE_ADDR_SUBUNIT, 1, b"\x01"),  # one octet, §5.3.2.2
        (Tag.SOURCE_TELEMATICS_ID, 1, b"\x01"),  # one octet, §5.3.2.8
        (Tag.DEST_TELEMATICS_ID, 1, b"\x00\x01"),  # two, §5.3.2.7
        (Tag.RECEIPTED_MESSAGE_ID, "AB", b"AB\0"),
        (0x1400, "vendor", b"vendor\0"),
        (0x1401, b"\x01", b"\x01"),
        (Tag.ALERT_ON_MESSAGE_DELIVERY, b"", b""),
        (Tag.MESSAGE_STATE, b"\x00\x02", b"\x00\x02"),  # octets go as they are
    ],
)
def test_a_tlv_is_made_in_the_octets_of_its_tag(
    tag: int, value: int | str | bytes, octets: bytes
) -> None:
    assert make(tag, value) == (tag, octets)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.SAR_TOTAL_SEGMENTS, 256),
        (Tag.SAR_TOTAL_SEGMENTS, -1),
        (Tag.SAR_TOTAL_SEGMENTS, "two"),
        (Tag.ALERT_ON_MESSAGE_DELIVERY, 1),
        (Tag.RECEIPTED_MESSAGE_ID, 7),
        (Tag.RECEIPTED_MESSAGE_ID, "a\0b"),
        (Tag.RECEIPTED_MESSAGE_ID, "€"),
        (0x1400, 7),
    ],
)
def test_a_value_that_is_not_of_its_tag_is_refused(tag: int, value: int | str) -> None:
    with pytest.raises(LocalProtocolError):
        make(tag, value)


@pytest.mark.parametrize("wrong", [(0x10000, b""), (-1, b""), (1, b"x" * 65536)])
def test_a_tlv_that_no_stream_can_carry_is_refused(wrong: tuple[int, bytes]) -> None:
    with pytest.raises(LocalProtocolError):
        generate((wrong,))


def test_a_tag_has_its_name_or_its_number() -> None:
    assert tag_name(0x0427) == "message_state"
    assert tag_name(0x1400) == "0x1400"
