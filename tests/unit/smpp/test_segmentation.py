"""Long texts on the way out."""

import pytest

from smpp.constants import EsmClass, Tag
from smpp.errors import LocalProtocolError
from smpp.segmentation import (
    Concatenation,
    DefaultAlphabet,
    Language,
    References,
    Segment,
    TextStyle,
    split,
    split_octets,
)

UDH16 = TextStyle(concatenation=Concatenation.UDH16)
SAR = TextStyle(concatenation=Concatenation.SAR)
PAYLOAD = TextStyle(concatenation=Concatenation.PAYLOAD)
TURKISH = TextStyle(national=(Language.TURKISH,))
PACKED = TextStyle(default_alphabet=DefaultAlphabet.PACKED)


def lengths_of(segments: tuple[Segment, ...]) -> list[int]:
    """Octets behind the header."""
    return [len(s.octets) - (1 + s.octets[0] if s.esm_class else 0) for s in segments]


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
    assert lengths_of(segments) == lengths
    assert all(len(s.octets) <= 160 for s in segments)


@pytest.mark.parametrize(
    ("text", "style", "lengths"),
    [
        ("a" * 161, UDH16, [152, 9]),
        ("ж" * 71, UDH16, [132, 10]),
        ("é" * 140, TextStyle(default_alphabet=DefaultAlphabet.LATIN1), [140]),
        ("é" * 141, TextStyle(default_alphabet=DefaultAlphabet.LATIN1), [134, 7]),
        ("[" * 77, TextStyle(default_alphabet=DefaultAlphabet.ASCII), [77]),
        ("[" * 81, TextStyle(default_alphabet=DefaultAlphabet.ASCII), [76, 5]),
        ("a" * 160, PACKED, [140]),
        ("a" * 161, PACKED, [134, 8]),
        # A header for the tables: 155 septets, 149 in parts; with both tables 152 and 146.
        ("ş" * 155, TURKISH, [155]),
        ("ş" * 156, TURKISH, [149, 7]),
        (
            "ê" * 130 + "[" * 6 + "Φ" * 5,
            TextStyle(national=(Language.PORTUGUESE,)),
            [152],
        ),
        (
            "ê" * 250 + "Φ" * 21,
            TextStyle(national=(Language.PORTUGUESE,)),
            [146, 146],
        ),
        ("a" * 161, SAR, [153, 8]),
        ("a" * 160, PAYLOAD, [160]),
    ],
)
def test_a_segment_is_as_long_as_its_alphabet_and_its_header_allow(
    text: str, style: TextStyle, lengths: list[int]
) -> None:
    assert lengths_of(split(text, 5, style)) == lengths


def test_a_cluster_is_not_cut_unless_it_is_longer_than_a_segment() -> None:
    family = "👨‍👩‍👧"  # eight units
    first, second = split("ж" * 60 + family + "ж" * 5, 5)
    assert first.octets[6:].decode("utf-16-be") == "ж" * 60
    assert second.octets[6:].decode("utf-16-be") == family + "ж" * 5
    tower = "a" + "\u0301" * 70
    assert lengths_of(split(tower, 5)) == [134, 8]


def test_a_segment_says_its_place_in_an_8_bit_header() -> None:
    first, second = split("a" * 161, 0x1FE)
    assert first.octets[:6] == bytes((5, 0, 3, 0xFE, 2, 1))
    assert second.octets[:6] == bytes((5, 0, 3, 0xFE, 2, 2))
    assert first.esm_class == EsmClass.UDHI


def test_a_segment_says_its_place_in_a_16_bit_header() -> None:
    _, second = split("a" * 161, 0x101FE, UDH16)
    assert second.octets[:7] == bytes((6, 8, 4, 0x01, 0xFE, 2, 2))


def test_a_segment_says_its_place_in_tlvs() -> None:
    _, second = split("a" * 161, 0x101FE, SAR)
    assert second.esm_class == EsmClass.DEFAULT
    assert second.tlvs == (
        (Tag.SAR_MSG_REF_NUM, b"\x01\xfe"),
        (Tag.SAR_TOTAL_SEGMENTS, b"\x02"),
        (Tag.SAR_SEGMENT_SEQNUM, b"\x02"),
    )


def test_a_segment_names_its_tables_in_its_header() -> None:
    (only,) = split("ş" * 80, 5, TURKISH)
    assert only.octets[:5] == bytes((3, 0x25, 1, 1, 0x1D))
    first, _ = split("ş" * 160, 5, TURKISH)
    assert first.octets[:9] == bytes((8, 0, 3, 5, 2, 1, 0x25, 1, 1))
    assert first.esm_class == EsmClass.UDHI


def test_a_long_text_goes_in_one_payload() -> None:
    (only,) = split("a" * 1000, 5, PAYLOAD)
    assert only.octets == b""
    assert only.tlvs == ((Tag.MESSAGE_PAYLOAD, b"a" * 1000),)
    assert only.esm_class == EsmClass.DEFAULT
    (national,) = split(
        "ş" * 1000, 5, TextStyle(concatenation=Concatenation.PAYLOAD, national=(Language.TURKISH,))
    )
    assert national.esm_class == EsmClass.UDHI
    assert national.tlvs == ((Tag.MESSAGE_PAYLOAD, bytes((3, 0x25, 1, 1)) + b"\x1d" * 1000),)


def test_a_payload_beyond_64_kib_is_refused() -> None:
    assert len(split("a" * 0xFFFF, 0, PAYLOAD)) == 1
    with pytest.raises(LocalProtocolError, match="at most 65535 octets, this one 65536"):
        split("ж" * 0x8000, 0, PAYLOAD)
    with pytest.raises(LocalProtocolError):
        split_octets(bytes(0x10000), 0, PAYLOAD)


def test_more_than_255_segments_are_refused() -> None:
    assert len(split("a" * 153 * 255, 0)) == 255
    with pytest.raises(LocalProtocolError):
        split("a" * (153 * 255 + 1), 0)
    with pytest.raises(LocalProtocolError):
        split_octets(bytes(134 * 255 + 1), 0)


@pytest.mark.parametrize(
    ("length", "style", "lengths"),
    [
        (0, TextStyle(), [0]),
        (140, TextStyle(), [140]),
        (141, TextStyle(), [134, 7]),
        (141, UDH16, [133, 8]),
        (141, SAR, [134, 7]),
    ],
)
def test_octets_that_are_no_text_are_cut_too(
    length: int, style: TextStyle, lengths: list[int]
) -> None:
    segments = split_octets(bytes(length), 5, style)
    assert lengths_of(segments) == lengths
    assert {s.data_coding for s in segments} == {4}


def test_octets_that_are_no_text_go_in_one_payload_too() -> None:
    (only,) = split_octets(b"x" * 141, 5, PAYLOAD, data_coding=0xF5)
    assert (only.data_coding, only.octets) == (0xF5, b"")
    assert only.tlvs == ((Tag.MESSAGE_PAYLOAD, b"x" * 141),)


def test_a_segment_keeps_its_text_out_of_its_repr() -> None:
    assert "secret" not in repr(split("secret", 0)) + repr(split("secret" * 30, 0, PAYLOAD))


def test_references_are_sequential_for_each_recipient_and_wrap() -> None:
    references = References(first=253, recipients=2)
    assert [references.next("alice") for _ in range(3)] == [254, 255, 0]
    assert references.next("bob") == 254
    assert references.next("carol") == 254
    assert references.next("alice") == 254  # forgotten: only so many are known


def test_references_of_16_bits_go_further() -> None:
    references = References(first=0xFE, bits=16)
    assert [references.next("alice") for _ in range(2)] == [0xFF, 0x100]
    assert References(first=0xFFFF, bits=16).next("alice") == 0
