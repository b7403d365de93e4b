"""Long texts on the way in."""

import json

import pytest

from smpp.address import Address
from smpp.constants import Tag
from smpp.joining import Joiner, JoinerFull, Part, StoredPart, Whole, read_part
from smpp.national import Language, Shift
from smpp.pdu import DeliverSm
from smpp.style import DefaultAlphabet, TextStyle

ALICE = Address.of("+33123456789")
US = Address.of("36200")
PACKED = TextStyle(default_alphabet=DefaultAlphabet.PACKED)
SWISS = Shift(Language.PORTUGUESE, Language.TURKISH)


def part(number: int, octets: bytes, *, total: int = 2, reference: int = 9) -> Part:
    return Part(0, octets, reference, total, number)


def stored(number: int, octets: bytes, at: float, *, reference: int = 9) -> StoredPart:
    return StoredPart.of(ALICE, US, part(number, octets, reference=reference), at)


def whole_of(*parts: Part, style: TextStyle | None = None) -> Whole:
    joiner = Joiner(style=style) if style else Joiner()
    *_, last = [joiner.add(ALICE, US, part, 0.0) for part in parts]
    assert last is not None
    return last


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
            Part(0, b"abc", 0x10102, 2, 2, ports=(1, 2)),
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


def sar(reference: bytes, total: bytes, number: bytes) -> DeliverSm:
    return DeliverSm(
        short_message=b"abc",
        tlvs=(
            (Tag.SAR_MSG_REF_NUM, reference),
            (Tag.SAR_TOTAL_SEGMENTS, total),
            (Tag.SAR_SEGMENT_SEQNUM, number),
        ),
    )


@pytest.mark.parametrize(
    "pdu",
    [
        sar(b"\x00\x05", b"\x03", b"\x04"),
        sar(b"\x00\x05", b"\x01", b"\x01"),
        sar(b"\x00\x05", b"", b"\x01"),
        sar(b"\x01\x00\x05", b"\x02", b"\x01"),
        sar(b"\x00\x05", b"\x01\x00", b"\x01"),
    ],
)
def test_tlvs_that_make_no_sense_are_no_place(pdu: DeliverSm) -> None:
    assert read_part(pdu) == Part(0, b"abc")


def test_the_place_in_a_header_goes_before_that_in_tlvs() -> None:
    pdu = DeliverSm(
        esm_class=0x40,
        short_message=b"\x05\x00\x03\x07\x02\x01abc",
        tlvs=sar(b"\x00\x05", b"\x03", b"\x02").tlvs,
    )
    assert read_part(pdu) == Part(0, b"abc", 7, 2, 1)


def test_a_header_in_a_payload_is_read() -> None:
    payload = ((Tag.MESSAGE_PAYLOAD, b"\x05\x00\x03\x07\x02\x01abc"),)
    assert read_part(DeliverSm(esm_class=0x40, tlvs=payload)) == Part(0, b"abc", 7, 2, 1)


def test_a_part_says_with_which_tables_it_is_read() -> None:
    pdu = DeliverSm(esm_class=0x40, short_message=b"\x06\x24\x01\x01\x25\x01\x03\x09\x1b\x53")
    assert read_part(pdu) == Part(0, b"\x09\x1b\x53", shift=SWISS)
    assert whole_of(read_part(pdu)).text == "çŞ"


def test_packed_septets_begin_behind_the_fill_bits_of_the_header() -> None:
    first = DeliverSm(esm_class=0x40, short_message=bytes.fromhex("050003070201") + b"\xd0\x65")
    assert read_part(first, PACKED).octets == b"he"
    second = DeliverSm(
        esm_class=0x40, short_message=bytes.fromhex("050003070202") + b"\xd8\xec\x37"
    )
    whole = whole_of(read_part(first, PACKED), read_part(second, PACKED), style=PACKED)
    assert whole.text == "hello"


def test_what_is_for_a_port_is_octets_and_not_a_text() -> None:
    header = b"\x06\x05\x04\x23\xf4\x00\x00"
    whole = whole_of(read_part(DeliverSm(esm_class=0x40, short_message=header + b"BEGIN:VCARD")))
    assert whole.ports == (0x23F4, 0)
    assert whole.octets == b"BEGIN:VCARD"
    assert whole.text == ""


def test_parts_that_are_read_differently_are_not_read_together() -> None:
    turkish = Part(0, b"\x60\x1b", 1, 3, 2, Shift(Language.TURKISH, None))
    whole = whole_of(Part(0, b"\x1b", 1, 3, 1), turkish, Part(8, b"\x00A", 1, 3, 3))
    assert whole.text == "çA"


def test_half_a_unit_garbles_only_the_part_that_has_it() -> None:
    whole = whole_of(Part(8, b"\x00A\x00", 1, 2, 1), Part(8, b"\x00B", 1, 2, 2))
    assert whole.text == "A\ufffdB"


def test_zero_is_read_as_the_carrier_means_it() -> None:
    latin = TextStyle(default_alphabet=DefaultAlphabet.LATIN1)
    assert whole_of(part(1, b"\xe9"), part(2, b"@"), style=latin).text == "é@"


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


def test_more_than_twice_as_many_texts_are_refused_and_a_part_of_a_known_one_is_not() -> None:
    joiner = Joiner(most=2)
    for reference in range(4):
        joiner.add(ALICE, US, part(1, b"x", reference=reference), 0.0)
    with pytest.raises(JoinerFull, match="4 texts wait"):
        joiner.add(ALICE, US, part(1, b"x", reference=4), 0.0)
    assert len(joiner) == 4
    assert joiner.add(ALICE, US, part(2, b"y", reference=0), 0.0) is not None


def test_no_more_than_so_many_octets_are_held() -> None:
    joiner = Joiner(most_octets=100)
    joiner.add(ALICE, US, part(1, bytes(90), reference=1), 0.0)
    assert joiner.overdue(0.0) == []
    joiner.add(ALICE, US, part(1, bytes(90), reference=1), 0.0)  # again, so not more
    joiner.add(ALICE, US, part(1, bytes(90), reference=2), 0.0)
    (oldest,) = joiner.overdue(0.0)
    assert oldest.reference == 1
    with pytest.raises(JoinerFull):
        joiner.add(ALICE, US, part(1, bytes(90), reference=3), 0.0)
    joiner.settled(oldest)
    joiner.add(ALICE, US, part(1, bytes(90), reference=3), 0.0)


def test_texts_that_are_stored_are_forgotten_in_time() -> None:
    joiner = Joiner(patience=60.0)
    joiner.add(ALICE, US, part(1, b"a"), 0.0)
    whole = joiner.add(ALICE, US, part(2, b"b"), 0.0)
    assert whole is not None
    joiner.settled(whole)
    assert joiner.add(ALICE, US, part(1, b"a"), 59.0) is None
    assert len(joiner) == 0
    joiner.add(ALICE, US, part(1, b"a"), 60.0)
    assert len(joiner) == 1


# -- after a restart --------------------------------------------------------------------------


def test_a_stored_part_is_read_back_as_it_was() -> None:
    for kept in (
        stored(1, b"hello", 1_800_000_000.25),
        StoredPart.of(ALICE, US, Part(245, b"\x00\xff", 0x20005, 3, 2, SWISS, (1, 2)), 0.5),
    ):
        assert StoredPart.from_json(kept.to_json()) == kept
        assert kept.part == StoredPart.from_json(kept.to_json()).part


def test_a_stored_part_keeps_the_text_out_of_its_repr() -> None:
    assert "hello" not in repr(stored(1, b"hello", 0.0))
    assert "123456789" not in repr(stored(1, b"hello", 0.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"octets": "xy"},
        {"octets": 5},
        {"place": [9, 2, 3]},
        {"place": [9, 2]},
        {"shift": [99, None]},
        {"source": [1, 1, "9" * 99]},
        {"at": None},
        {"ports": 5},
    ],
)
def test_what_is_no_stored_part_is_refused(changes: dict[str, object]) -> None:
    written = json.loads(stored(1, b"hello", 0.0).to_json()) | changes
    with pytest.raises(ValueError):  # noqa: PT011  # the kind is the promise, the words are not
        StoredPart.from_json(json.dumps(written))


@pytest.mark.parametrize("written", ["", "{", "[]", "{}", "5", "null"])
def test_what_is_not_even_an_object_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # as above
        StoredPart.from_json(written)


def test_parts_that_were_stored_wait_again_after_a_restart() -> None:
    joiner = Joiner(patience=60.0)
    assert joiner.restore([stored(2, b"world", 20.0)]) == []
    assert joiner.next_deadline() == 80.0
    whole = joiner.add(ALICE, US, part(1, b"hello "), 30.0)
    assert whole is not None
    assert whole.text == "hello world"


def test_a_text_whose_last_part_was_stored_before_the_end_is_whole_after_the_restart() -> None:
    joiner = Joiner()
    (whole,) = joiner.restore(
        [stored(2, b"b", 2.0), stored(1, b"a", 1.0), stored(1, b"c", 1.5, reference=10)]
    )
    assert whole.text == "ab"
    assert whole.since == 1.0
    assert joiner.next_deadline() == 301.0
    joiner.settled(whole)
    assert len(joiner) == 1


def test_a_restart_takes_up_more_than_would_be_taken_new() -> None:
    joiner = Joiner(most=1)
    joiner.restore([stored(1, b"a", 0.0, reference=n) for n in range(5)])
    assert len(joiner.overdue(0.0)) == 4
