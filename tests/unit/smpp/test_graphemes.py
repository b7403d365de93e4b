"""Where a text may be cut."""

import pytest

from smpp.graphemes import is_boundary


def cuts(text: str) -> list[str]:
    places = [at for at in range(len(text) + 1) if is_boundary(text, at)]
    return [text[a:b] for a, b in zip(places, places[1:], strict=False)]


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("", []),
        ("ab", ["a", "b"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("\n\r", ["\n", "\r"]),
        ("e\u0301x", ["e\u0301", "x"]),
        ("\n\u0301", ["\n", "\u0301"]),  # nothing belongs to a line feed
        ("❤️‍🔥!", ["❤️‍🔥", "!"]),
        ("👨‍👩‍👧👨", ["👨‍👩‍👧", "👨"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("🇫🇷🇩🇪🇮", ["🇫🇷", "🇩🇪", "🇮"]),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿🏴", ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏴"]),
        ("1️⃣2", ["1️⃣", "2"]),
        ("नमस्ते", ["न", "म", "स्ते"]),
        ("가각", ["가", "각"]),
        ("\u1100\u1161\u11a8\u1100", ["\u1100\u1161\u11a8", "\u1100"]),
        ("가\u11a8\u1161", ["가\u11a8", "\u1161"]),
        ("각\u11a8", ["각\u11a8"]),
        ("ｶﾞ", ["ｶﾞ"]),
    ],
)
def test_what_a_person_sees_as_one_character_is_not_cut(text: str, clusters: list[str]) -> None:
    assert cuts(text) == clusters


def test_flags_are_counted_from_where_the_last_cut_was() -> None:
    text = "🇫🇷🇩🇪"
    assert not is_boundary(text, 2, start=1)
    assert is_boundary(text, 3, start=1)
