"""Long texts out and in."""

import pytest

from smpp.address import Address
from smpp.constants import EsmClass, Tag
from smpp.errors import LocalProtocolError
from smpp.pdu import DeliverSm
from smpp.segmentation import Joiner, Part, References, Segment, read_part, split

ALICE = Address.of("+33123456789")
US = Address.of("36200")


def part(number: int, octets: bytes, *, total: int = 2, reference: int = 9) -> Part:
    return Part(0, octets, reference, total, number)


def delivered(segment: Segment) -> DeliverSm:
    return DeliverSm(
        esm_class=segment.esm_class,
        data_coding=segment.data_coding,
        short_message=segment.octets,
    )


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", [0]),
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("€" * 80, [160]),
        ("a" * 152 + "€" + "b" * 8, [152, 10]),  # the escape would be the 153rd
        ("ж" * 70, [140]),
        ("ж" * 71, [134, 8]),
        ("ж" * 66 + "😀" + "ж" * 4, [132, 12]),  # the surrogate would be the 67th
    ],
)
def test_a_text_is_cut_where_nothing_breaks(text: str, lengths: list[int]) -> None:
    segments = split(text, 5)
    header = 6 if len(segments) > 1 else 0
    assert [len(s.octets) - header for s in segments] == lengths
    assert all(len(s.octets) <= 160 for s in segments)


def test_a_segment_says_its_place_in_an_8_bit_header() -> None:
    first, second = split("a" * 161, 0x1FE)
    assert first.octets[:6] == bytes((5, 0, 3, 0xFE, 2, 1))
    assert second.octets[:6] == bytes((5, 0, 3, 0xFE, 2, 2))
    assert first.esm_class == EsmClass.UDHI


def test_more_than_255_segments_are_refused() -> None:
    with pytest.raises(LocalProtocolError):
        split("a" * (153 * 255 + 1), 0)


def test_references_are_sequential_for_each_recipient_and_wrap() -> None:
    references = References(first=253, recipients=2)
    assert [references.next("alice") for _ in range(3)] == [254, 255, 0]
    assert references.next("bob") == 254
    assert references.next("carol") == 254
    assert references.next("alice") == 254  # forgotten: only so many are known


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (DeliverSm(short_message=b"plain"), Part(0, b"plain")),
        (
            DeliverSm(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x01abc"),
            Part(0, b"abc", 7, 2, 1),
        ),
        (  # a 16-bit reference behind a port element
            DeliverSm(
                esm_class=0x40,
                short_message=b"\x0c\x05\x04\x00\x01\x00\x02\x08\x04\x01\x02\x02\x02abc",
            ),
            Part(0, b"abc", 0x10102, 2, 2),
        ),
        (  # the header lies about its length: all of it is text
            DeliverSm(esm_class=0x40, short_message=b"\x50abc"),
            Part(0, b"\x50abc"),
        ),
        (  # part 3 of 2 is no part
            DeliverSm(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x02\x03abc"),
            Part(0, b"abc"),
        ),
        (
            DeliverSm(
                short_message=b"abc",
                tlvs=(
                    (Tag.SAR_MSG_REF_NUM, b"\x00\x05"),
                    (Tag.SAR_TOTAL_SEGMENTS, b"\x03"),
                    (Tag.SAR_SEGMENT_SEQNUM, b"\x02"),
                ),
            ),
            Part(0, b"abc", 0x20005, 3, 2),
        ),
    ],
)
def test_the_place_of_a_part_is_found(pdu: DeliverSm, expected: Part) -> None:
    assert read_part(pdu) == expected


def test_parts_in_any_order_make_the_whole() -> None:
    joiner = Joiner()
    assert joiner.add(ALICE, US, part(2, b"world"), 0.0) is None
    whole = joiner.add(ALICE, US, part(1, b"hello "), 1.0)
    assert whole is not None
    assert whole.text == "hello world"
    assert whole.complete


def test_a_surrogate_that_a_handset_has_cut_is_whole_again() -> None:
    joiner = Joiner()
    joiner.add(ALICE, US, Part(8, b"\xd8\x3d", 1, 2, 1), 0.0)
    whole = joiner.add(ALICE, US, Part(8, b"\xde\x00", 1, 2, 2), 0.0)
    assert whole is not None
    assert whole.text == "😀"


def test_a_whole_that_was_not_stored_is_completed_again_by_the_repeated_part() -> None:
    joiner = Joiner()
    joiner.add(ALICE, US, part(1, b"a"), 0.0)
    assert joiner.add(ALICE, US, part(2, b"b"), 0.0) is not None
    assert joiner.add(ALICE, US, part(2, b"b"), 1.0) is not None


def test_a_repeated_part_of_a_stored_text_is_nothing_new() -> None:
    joiner = Joiner()
    joiner.add(ALICE, US, part(1, b"a"), 0.0)
    whole = joiner.add(ALICE, US, part(2, b"b"), 0.0)
    assert whole is not None
    joiner.settled(whole)
    assert joiner.add(ALICE, US, part(2, b"b"), 1.0) is None
    assert len(joiner) == 0


def test_a_reference_that_has_come_round_begins_a_new_text() -> None:
    joiner = Joiner()
    joiner.add(ALICE, US, part(1, b"a"), 0.0)
    whole = joiner.add(ALICE, US, part(2, b"b"), 0.0)
    assert whole is not None
    joiner.settled(whole)
    joiner.add(ALICE, US, part(1, b"c"), 1.0)
    again = joiner.add(ALICE, US, part(2, b"d"), 1.0)
    assert again is not None
    assert again.text == "cd"


def test_what_came_is_given_when_the_rest_does_not() -> None:
    joiner = Joiner(patience=60.0)
    joiner.add(ALICE, US, part(1, b"one", total=4), 0.0)
    joiner.add(ALICE, US, part(4, b"four", total=4), 10.0)
    assert joiner.next_deadline() == 60.0
    assert joiner.overdue(59.0) == []
    (whole,) = joiner.overdue(60.0)
    assert whole.text == "one[…]four"
    assert joiner.overdue(60.0) == [whole]
    joiner.settled(whole)
    assert joiner.overdue(60.0) == []
    assert joiner.next_deadline() is None


def test_no_more_than_so_many_texts_are_held() -> None:
    joiner = Joiner(most=3)
    for reference in range(10):
        joiner.add(ALICE, US, part(1, b"x", reference=reference), 0.0)
        for whole in joiner.overdue(0.0):
            joiner.settled(whole)
    assert len(joiner) == 3
