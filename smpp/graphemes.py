"""
Where a text may be cut so that no character a person sees is broken.

The rules of Unicode Standard Annex 29 that `unicodedata` can tell: marks stay with their letter,
emoji with their modifiers and joiners, the two letters of a flag and the parts of a Korean
syllable together, and an Indian conjunct whole.
"""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_MARKS = frozenset({"Mn", "Me", "Mc"})
_CONTROLS = "\r\n"
_VIRAMA = 9  # canonical combining class


def is_boundary(text: str, at: int, start: int = 0) -> bool:
    """Whether text[:at] and text[at:] are both whole; `start` is a place where one is."""
    if at <= start or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    if before in _CONTROLS or after in _CONTROLS:
        return True
    if _extends(after) or before == _JOINER:
        return False
    if unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo":
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        return _flag_letters_before(text, at, start) % 2 == 0
    return not _one_syllable(before, after)


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char) in _MARKS
        or char in "\u200c\u200d\uff9e\uff9f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags: the flags of England, Scotland and Wales
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int, start: int) -> int:
    first = at
    while first > start and _is_flag_letter(text[first - 1]):
        first -= 1
    return at - first


def _one_syllable(before: str, after: str) -> bool:
    """UAX 29, GB6 to GB8: leading consonants, a vowel, trailing consonants."""
    return (_jamo(before), _jamo(after)) in _SYLLABLES


_SYLLABLES = frozenset(
    {("L", "L"), ("L", "V"), ("L", "LV"), ("L", "LVT"), ("T", "T"), ("LVT", "T")}
    | {("V", "V"), ("V", "T"), ("LV", "V"), ("LV", "T")}
)


def _jamo(char: str) -> str:
    code = ord(char)
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "LVT" if (code - 0xAC00) % 28 else "LV"
    return ""
