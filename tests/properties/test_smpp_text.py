"""What must hold for any text in any style, and for any octets of any data_coding."""

from itertools import accumulate, pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from smpp.address import Address
from smpp.constants import Tag
from smpp.encoding import plan, preview, read_text
from smpp.errors import LocalProtocolError
from smpp.gsm0338 import decode, encode, fill_bits, pack, packs, septets_of, unpack
from smpp.joining import Joiner, JoinerFull, Part, StoredPart, Whole, read_part
from smpp.national import LOCKING, Language, Shift
from smpp.pdu import DeliverSm
from smpp.segmentation import Segment, split
from smpp.style import Concatenation, DefaultAlphabet, TextStyle
from smpp.udh import read as read_header

ALICE = Address.of("+33123456789")
US = Address.of("36200")

languages = st.sampled_from(Language)
shifts = st.builds(Shift, st.none() | st.sampled_from(sorted(LOCKING)), st.none() | languages)
styles = st.builds(
    TextStyle,
    default_alphabet=st.sampled_from(DefaultAlphabet),
    concatenation=st.sampled_from(Concatenation),
    national=st.lists(languages, max_size=3, unique=True).map(tuple),
    replace=st.booleans(),
)

# What a person sees as one character; each begins with something that joins nothing before it.
CLUSTERS = [
    *"aé€[@\n`çşж~",
    "\r\n",
    "e\u0301",
    "👍🏽",
    "👨‍👩‍👧",
    "🇫🇷",
    "❤️‍🔥",
    "क्षि",
    "각",
]
clusters = st.lists(st.sampled_from(CLUSTERS), max_size=260)


@st.composite
def national_texts(draw: st.DrawFn) -> str:
    """In the letters of one language, with some of another place."""
    shift = draw(shifts)
    letters = st.sampled_from(sorted(septets_of(shift)))
    return draw(st.text(letters | st.sampled_from("€ж"), max_size=400))


texts = (
    clusters.map("".join)
    | national_texts()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.text("a@\r", min_size=140, max_size=330)
    | st.integers(150, 310).map(lambda n: "a" * n)
)


def delivered(segment: Segment) -> DeliverSm:
    return DeliverSm(
        source=ALICE,
        destination=US,
        esm_class=segment.esm_class,
        data_coding=segment.data_coding,
        short_message=segment.octets,
        tlvs=segment.tlvs,
    )


def joined(segments: tuple[Segment, ...], style: TextStyle) -> Whole:
    joiner = Joiner(style=style)
    wholes = [
        joiner.add(ALICE, US, read_part(delivered(segment), style), 0.0)
        for segment in reversed(segments)
    ]
    assert wholes[:-1] == [None] * (len(segments) - 1)
    assert wholes[-1] is not None
    return wholes[-1]


@given(texts, styles, st.integers(0, 0xFFFF))
@example("1234567@", TextStyle(default_alphabet=DefaultAlphabet.PACKED), 0)
def test_a_text_that_was_split_is_read_back_whole(
    text: str, style: TextStyle, reference: int
) -> None:
    found = joined(split(text, reference, style), style).text
    assert found == "".join(plan(text, style).pieces)
    if not style.replace:
        assert found == text


@given(texts, styles)
def test_no_segment_is_longer_than_the_air_or_the_pdu_allows(text: str, style: TextStyle) -> None:
    segments = split(text, 5, style)
    assert len(segments) <= 255
    for segment in segments:
        assert len(segment.octets) <= 160
        if any(tag == Tag.MESSAGE_PAYLOAD for tag, _ in segment.tlvs):
            assert (len(segments), segment.octets) == (1, b"")
            continue
        header = read_header(segment.octets).length if segment.esm_class else 0
        # A SAR TLV is a five-octet element on the air, behind a length octet.
        header += (5 if header else 6) if segment.tlvs else 0
        behind = read_part(delivered(segment), style).octets
        septets = segment.data_coding == 0 and style.default_alphabet not in (
            DefaultAlphabet.LATIN1,
            DefaultAlphabet.LATIN9,
        )
        assert header * 8 + len(behind) * (7 if septets else 8) <= 140 * 8
        if style.default_alphabet is DefaultAlphabet.PACKED:
            assert len(segment.octets) <= 140


@given(clusters, styles)
def test_no_character_that_a_person_sees_is_cut(found: list[str], style: TextStyle) -> None:
    if style.replace:
        found = [cluster for cluster in found if cluster != "`"]
    whole = {0, *accumulate(map(len, found))}
    pieces = plan("".join(found), style).pieces
    assert set(accumulate(map(len, pieces))) <= whole


@given(texts, styles)
def test_each_segment_can_be_read_alone(text: str, style: TextStyle) -> None:
    segments = split(text, 5, style)
    alone = [
        joined((segment,), style).text
        if len(segments) == 1
        else Whole(ALICE, US, 0, 1, 0.0, {1: read_part(delivered(segment), style)}, style).text
        for segment in segments
    ]
    assert "".join(alone) == "".join(plan(text, style).pieces)


@given(texts, styles)
def test_a_preview_is_what_split_makes(text: str, style: TextStyle) -> None:
    shown, segments = preview(text, style), split(text, 5, style)
    assert shown.pdus == len(segments)
    assert shown.segments == (len(plan(text, style).pieces))
    assert {s.data_coding for s in segments} == {shown.data_coding}
    assert shown.text == joined(segments, style).text
    assert shown.units_left >= 0
    if shown.forced_by is not None:
        char, index = shown.forced_by
        assert text[index] == char


@given(st.text("aé", min_size=1, max_size=200), styles)
def test_what_is_left_of_the_last_segment_is_really_left(text: str, style: TextStyle) -> None:
    shown = preview(text, style)
    assert preview(text + "a" * shown.units_left, style).segments == shown.segments
    assert preview(text + "a" * (shown.units_left + 1), style).segments == shown.segments + 1


@given(texts, styles)
def test_what_saves_segments_is_told_truly(text: str, style: TextStyle) -> None:
    shown = preview(text, style)
    if shown.suggestion is not None:
        fewer, rest = shown.suggestion.rsplit(": ", 1)[1].split(" ", 1)
        assert int(fewer) < shown.segments
        assert rest.endswith(f"instead of {shown.segments}.")


@given(texts)
def test_national_tables_never_cost_segments(text: str) -> None:
    pieces = [
        len(plan(text, TextStyle(national=national)).pieces)
        for national in ((), (Language.TURKISH,), tuple(Language))
    ]
    assert all(before >= after for before, after in pairwise(pieces))


@given(st.binary(max_size=300), st.integers(0, 255), styles, shifts)
def test_any_octets_of_any_coding_are_text(
    octets: bytes, coding: int, style: TextStyle, shift: Shift
) -> None:
    assert isinstance(read_text(octets, coding, style, shift), str)


@given(st.binary(max_size=160), st.integers(0, 255), st.integers(0, 255), styles)
def test_any_user_data_is_a_part_of_something(
    octets: bytes, esm_class: int, coding: int, style: TextStyle
) -> None:
    pdu = DeliverSm(esm_class=esm_class, data_coding=coding, short_message=octets)
    part = read_part(pdu, style)
    assert 1 <= part.number <= part.total <= 255
    whole = Whole(ALICE, US, part.reference, part.total, 0.0, {part.number: part}, style)
    assert isinstance(whole.text, str)
    if style.default_alphabet is not DefaultAlphabet.PACKED:
        assert octets.endswith(whole.octets)


@given(st.text(max_size=200), shifts)
def test_what_the_tables_can_say_comes_back(text: str, shift: Shift) -> None:
    septets = encode(text, shift)
    sayable = set(text) <= set(septets_of(shift))
    assert (septets is not None) is sayable
    if septets is not None:
        assert decode(septets, shift) == text


@given(st.lists(st.integers(0, 127), max_size=170).map(bytes), st.integers(0, 20), st.booleans())
def test_packed_septets_come_back_unless_they_look_like_filling(
    septets: bytes, header: int, final: bool
) -> None:
    fill = fill_bits(header)
    packed = pack(septets, fill)
    assert len(packed) == -(-(fill + 7 * len(septets)) // 8)
    assert (unpack(packed, fill, final=final) == septets) is packs(septets, fill, final=final)


@given(st.binary(max_size=300), st.integers(0, 6), st.booleans())
def test_any_octets_are_septets(octets: bytes, fill: int, final: bool) -> None:
    assert max(unpack(octets, fill, final=final), default=0) < 0x80


parts = st.builds(
    Part,
    st.sampled_from([0, 8]),
    st.binary(max_size=40),
    st.integers(0, 3),
    st.integers(2, 3),
    st.integers(1, 2),
    shifts,
)


@given(st.lists(parts, max_size=60), st.integers(1, 3))
def test_a_joiner_holds_no_more_than_it_promises_and_loses_nothing(
    arriving: list[Part], most: int
) -> None:
    joiner = Joiner(most=most, most_octets=60)
    taken: dict[tuple[int, int, int], Part] = {}
    for now, part in enumerate(arriving):
        place = (part.reference, part.total, part.number)
        try:
            joiner.add(ALICE, US, part, now)
        except JoinerFull:
            continue
        taken[place] = part
        assert len(joiner) <= 2 * most
        assert sum(len(p.octets) for p in taken.values()) <= 2 * 60
    left = joiner.overdue(1e9)
    assert {
        (whole.reference, whole.total, number): part
        for whole in left
        for number, part in whole.parts.items()
    } == taken


@given(st.lists(parts, max_size=30))
def test_a_joiner_is_the_same_after_a_restart(arriving: list[Part]) -> None:
    before, after = Joiner(), Joiner()
    kept: list[str] = []
    for now, part in enumerate(arriving):
        kept.append(StoredPart.of(ALICE, US, part, now).to_json())
        before.add(ALICE, US, part, now)
    after.restore(map(StoredPart.from_json, kept))
    assert after.overdue(1e9) == before.overdue(1e9)
    assert after.next_deadline() == before.next_deadline()


def test_a_text_too_long_is_refused_whatever_the_style() -> None:
    for concatenation in Concatenation:
        style = TextStyle(concatenation=concatenation, national=tuple(Language), replace=True)
        try:
            split("ж" * 40_000, 0, style)
        except LocalProtocolError:
            continue
        raise AssertionError(concatenation)
