"""Which alphabet a text goes in, and what it costs."""

import pytest

from smpp.encoding import Preview, plan, preview
from smpp.errors import LocalProtocolError
from smpp.national import Language
from smpp.style import Concatenation, DefaultAlphabet, TextStyle

TURKISH = TextStyle(national=(Language.TURKISH,))
PORTUGUESE = TextStyle(national=(Language.PORTUGUESE,))
REPLACING = TextStyle(replace=True)
PAYLOAD = TextStyle(concatenation=Concatenation.PAYLOAD)


def of(alphabet: DefaultAlphabet) -> TextStyle:
    return TextStyle(default_alphabet=alphabet)


@pytest.mark.parametrize(
    ("text", "style", "name"),
    [
        ("hello", TextStyle(), "GSM-7"),
        ("ç", TextStyle(), "UCS-2"),
        ("`", TextStyle(), "UCS-2"),
        ("hello", TURKISH, "GSM-7"),
        ("ş" * 70, TURKISH, "UCS-2"),  # as cheap, and every handset has it
        ("ş" + "a" * 79, TURKISH, "GSM-7, Turkish single shift"),
        ("ş" * 71, TURKISH, "GSM-7, Turkish single shift"),
        ("ş" * 80, TURKISH, "GSM-7, Turkish locking shift"),
        ("ê" * 130 + "[" * 12, PORTUGUESE, "GSM-7, Portuguese locking shift"),
        ("ê" * 100 + "Ê" * 10 + "Φ" * 10, PORTUGUESE, "GSM-7, Portuguese locking and single shift"),
        ("ж" * 71, TURKISH, "UCS-2"),
        ("á" * 71, TextStyle(national=(Language.SPANISH,)), "GSM-7, Spanish single shift"),
        ("ç`é", of(DefaultAlphabet.LATIN1), "Latin-1"),
        ("€", of(DefaultAlphabet.LATIN1), "UCS-2"),
        ("€ç", of(DefaultAlphabet.LATIN9), "Latin-9"),
        ("¤", of(DefaultAlphabet.LATIN9), "UCS-2"),
        ("`{}", of(DefaultAlphabet.ASCII), "ASCII"),
        ("é", of(DefaultAlphabet.ASCII), "UCS-2"),
        ("é", of(DefaultAlphabet.PACKED), "GSM-7 packed"),
        ("1234567\r", of(DefaultAlphabet.PACKED), "UCS-2"),  # its end would be lost
        ("1234567@", of(DefaultAlphabet.PACKED), "UCS-2"),
        ("123456@\r@", of(DefaultAlphabet.PACKED), "GSM-7 packed"),
        # Behind a header of six octets 153 septets end an octet; a further segment follows.
        ("a" * 152 + "\rb" + "c" * 20, of(DefaultAlphabet.PACKED), "UCS-2"),
        ("a" * 152 + "@b" + "c" * 20, of(DefaultAlphabet.PACKED), "GSM-7 packed"),
    ],
)
def test_a_text_goes_in_the_cheapest_alphabet_that_can_say_all_of_it(
    text: str, style: TextStyle, name: str
) -> None:
    found = plan(text, style)
    assert found.coding.name == name
    assert "".join(found.pieces) == text


def test_national_tables_are_of_no_use_where_zero_means_another_alphabet() -> None:
    style = TextStyle(default_alphabet=DefaultAlphabet.LATIN1, national=(Language.TURKISH,))
    assert plan("ş" * 80, style).coding.name == "UCS-2"


def test_typographic_characters_are_replaced_only_if_the_carrier_wants_it_and_it_saves() -> None:
    text = "“It’s – well… fine”"
    assert "".join(plan(text).pieces) == text
    assert "".join(plan(text, REPLACING).pieces) == '"It\'s - well... fine"'
    cyrillic = "“жжж”…"  # UCS-2 all the same: nothing is gained
    assert "".join(plan(cyrillic, REPLACING).pieces) == cyrillic
    plain = 'He said "no" - twice'
    assert "".join(plan(plain, REPLACING).pieces) == plain
    latin = TextStyle(default_alphabet=DefaultAlphabet.LATIN1, replace=True)
    assert "".join(plan("«é»", latin).pieces) == "«é»"


def test_a_text_too_long_to_send_is_refused_in_one_sentence() -> None:
    with pytest.raises(LocalProtocolError, match="at most 255 segments, this one 256"):
        plan("a" * (255 * 153 + 1))
    with pytest.raises(LocalProtocolError, match="at most 65535 characters"):
        plan("a" * 70_000, PAYLOAD)
    assert len(plan("a" * 65_535, PAYLOAD).pieces) == 429


# -- preview ----------------------------------------------------------------------------------


def test_a_preview_says_what_a_text_costs() -> None:
    assert preview("hello €") == Preview(
        text="hello €",
        encoding="GSM-7",
        data_coding=0,
        segments=1,
        pdus=1,
        units_used=8,
        units_left=152,
        forced_by=None,
        suggestion=None,
    )


@pytest.mark.parametrize(
    ("text", "style", "segments", "used", "left"),
    [
        ("", TextStyle(), 1, 0, 160),
        ("a" * 160, TextStyle(), 1, 160, 0),
        ("a" * 161, TextStyle(), 2, 8, 145),
        ("a" * 152 + "€" + "b" * 8, TextStyle(), 2, 10, 143),
        ("ж" * 71, TextStyle(), 2, 4, 63),
        ("😀", TextStyle(), 1, 2, 68),
        ("ж" * 71, TextStyle(concatenation=Concatenation.UDH16), 2, 5, 61),
        ("ş" * 80, TURKISH, 1, 80, 75),
        ("é" * 141, of(DefaultAlphabet.LATIN1), 2, 7, 127),
        ("[" * 80, of(DefaultAlphabet.ASCII), 1, 160, 0),  # two septets each on the air
        ("[" * 81, of(DefaultAlphabet.ASCII), 2, 10, 143),
        ("a" * 161, PAYLOAD, 2, 8, 145),
    ],
)
def test_a_preview_counts_the_units_of_the_last_segment(
    text: str, style: TextStyle, segments: int, used: int, left: int
) -> None:
    found = preview(text, style)
    assert (found.segments, found.units_used, found.units_left) == (segments, used, left)


def test_a_payload_is_one_pdu_of_several_segments() -> None:
    found = preview("a" * 161, PAYLOAD)
    assert (found.pdus, found.segments) == (1, 2)


@pytest.mark.parametrize(
    ("text", "style", "forced_by"),
    [
        ("a€`b", TextStyle(), ("`", 2)),
        ("ab’ж", TextStyle(), ("’", 2)),
        ("ab’ж", REPLACING, ("ж", 3)),
        ("…’", REPLACING, None),
        ("a" * 79 + "ş", TURKISH, ("ş", 79)),
    ],
)
def test_a_preview_names_the_character_that_made_a_text_dear(
    text: str, style: TextStyle, forced_by: tuple[str, int] | None
) -> None:
    assert preview(text, style).forced_by == forced_by


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("a" * 100 + "’", "Write ' for ’: 1 segment instead of 2."),
        ("É" + "a" * 100 + "ç", "Write c for ç: 1 segment instead of 2."),
        ("a" * 300 + "–😀", "Write - for –, leave out 😀: 2 segments instead of 5."),
        ("a" * 100 + "❤️", "Leave out ❤: 1 segment instead of 2."),
        (
            "áâãąćď" + "a" * 100,
            "Write a for á, a for â, a for ã, a for ą, c for ć and 1 more: 1 segment instead of 2.",
        ),
        ("a" * 100 + "\u200b", "Leave out invisible characters: 1 segment instead of 2."),
        ("’", None),  # saves nothing
        ("a" * 100 + "ж", None),  # nothing can stand for it
    ],
)
def test_a_preview_suggests_what_saves_segments(text: str, suggestion: str | None) -> None:
    assert preview(text).suggestion == suggestion


def test_a_preview_keeps_the_text_out_of_its_repr() -> None:
    assert "secret" not in repr(preview("secret"))
