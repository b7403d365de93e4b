"""
The national shift tables of 3GPP TS 23.038, annex A: what 128 septets mean in thirteen languages.

A locking shift takes the place of the default alphabet, a single shift that of its extension
table, where every character costs an escape. A header says which: TS 23.040 §9.2.3.24.15 and 16.

The nine scripts of India share one plan. Their blocks in Unicode are parallel, and the tables
give the letters of the block in its order, around the same digits and stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

HOLE = "\ufffe"  # what codecs.charmap_decode takes for "nothing is here"


class Language(IntEnum):
    """National language identifier, TS 23.038 §6.2.1.2.4."""

    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


@dataclass(frozen=True, slots=True)
class Shift:
    """Which tables a text is written with; None is the default alphabet or its extension."""

    locking: Language | None = None
    single: Language | None = None


UNSHIFTED = Shift()

# §6.2.1, in order; 0x1B is the escape.
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# §6.2.1.1.
EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip


def _changed(changes: dict[int, str]) -> str:
    table = list(DEFAULT)
    for code, character in changes.items():
        table[code] = character
    return "".join(table)


# A.3.1 and A.3.3: the default alphabet but for these.
_TURKISH_LOCKING = {
    0x04: "€", 0x07: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç",
}  # fmt: skip
_PORTUGUESE_LOCKING = {
    0x04: "ê", 0x06: "ú", 0x07: "í", 0x08: "ó", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á",
    0x0F: "á", 0x12: "ª", 0x13: "Ç", 0x14: "À", 0x15: "∞", 0x16: "^", 0x17: "\\", 0x18: "€",
    0x19: "Ó", 0x1A: "|", 0x1C: "Â", 0x1D: "â", 0x1E: "Ê", 0x24: "º", 0x40: "Í", 0x5B: "Ã",
    0x5C: "Õ", 0x5D: "Ú", 0x60: "~", 0x7B: "ã", 0x7C: "õ", 0x7D: "`",
}  # fmt: skip

# A.2.1 to A.2.3: the extension table and these.
_TURKISH_SINGLE = {
    0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş",
}  # fmt: skip
_SPANISH_SINGLE = {
    0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó",
    0x75: "ú",
}  # fmt: skip
_PORTUGUESE_SINGLE = {
    0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ",
    0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í",
    0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ", 0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú",
    0x7B: "ã", 0x7C: "õ", 0x7F: "â",
}  # fmt: skip

# A.3.4 to A.3.13: what all have; every · is a letter of the language.
_LOCKING_PLAN = (
    "··········\n··\r·············\x1b····"
    " !······)(··,·.·0123456789:;···?"
    "································"
    "·abcdefghijklmnopqrstuvwxyz·····"
)
# A.2.4 to A.2.13: likewise; ¬ is what no language has.
_SINGLE_PLAN = (
    "@£$¥¿\"¤%&'\f*+¬-/<=>¡^¡_#*··¬····"
    "········{}·····\\············[~]·"
    "|ABCDEFGHIJKLMNOPQRSTUVWXYZ¬¬¬¬¬"
    "¬¬¬¬¬€¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬¬"
)


def _filled(plan: str, letters: str) -> str:
    following = iter(letters)
    return "".join(next(following, HOLE) if c == "·" else HOLE if c == "¬" else c for c in plan)


def _letters(written: str, block: int) -> str:
    """`5F` and `66-6F` are places in the block, `0964` is a code point, `--` is a hole."""
    found: list[str] = []
    for word in written.split():
        if word == "--":
            found.append(HOLE)
            continue
        first, _, last = word.partition("-")
        start = 0 if len(first) == 4 else block
        found += map(chr, range(start + int(first, 16), start + int(last or first, 16) + 1))
    return "".join(found)


@dataclass(frozen=True, slots=True)
class _Script:
    """One script of India: what is in the places of the two plans."""

    block: int
    lacks: str  # of the block's order: not assigned when the table was made
    tail: str  # 0x60 and 0x7B to 0x7F of the locking shift
    signs: str  # the letters of the single shift

    @property
    def locking(self) -> str:
        lacking = {int(place, 16) for place in self.lacks.split()}
        order = "".join(
            HOLE if place in lacking else chr(self.block + place)
            for place in (*range(0x01, 0x04), *range(0x05, 0x3A), *range(0x3C, 0x4E))
        )
        return _filled(_LOCKING_PLAN, order + _letters(self.tail, self.block))

    @property
    def single(self) -> str:
        return _filled(_SINGLE_PLAN, _letters(self.signs, self.block))


# A.3.7 prints U+0CAA twice, at 0x24 too, where the order of the block has U+0CA1; A.2.11 prints
# U+0BEF twice, at 0x24 too, where the order of the digits has U+0BEE. Handsets read the order.
_SCRIPTS = {
    Language.BENGALI: _Script(
        0x0980,
        "0D 0E 11 12 29 31 33 34 35 45 46 49 4A",
        "4E 57 5C 5D 70 71",
        "66-6F 5F-63 72-7A",
    ),
    Language.GUJARATI: _Script(0x0A80, "0E 12 29 31 34 46 4A", "50 60-63 71", "0964 0965 66-6F"),
    Language.HINDI: _Script(0x0900, "", "50 72 7B 7C 7E 7F", "0964 0965 66-6F 51-54 58-63 70 71"),
    Language.KANNADA: _Script(
        0x0C80, "01 0D 11 29 34 45 49", "55 56 60-63", "0964 0965 66-6F 5E 71 72"
    ),
    Language.MALAYALAM: _Script(
        0x0D00, "01 0D 11 29 3C 45 49", "57 60-63 79", "0964 0965 66-75 7A-7F"
    ),
    Language.ORIYA: _Script(
        0x0B00,
        "0D 0E 11 12 29 31 34 45 46 49 4A",
        "56 57 60-63",
        "0964 0965 66-6F 5C 5D 5F 70 71",
    ),
    Language.PUNJABI: _Script(
        0x0A00,
        "0B 0C 0D 0E 11 12 29 31 34 37 3D 43 44 45 46 49 4A",
        "51 70-74",
        "0964 0965 66-6F 59-5C 5E 75",
    ),
    Language.TAMIL: _Script(
        0x0B80,
        "01 0B 0C 0D 11 16 17 18 1B 1D 20 21 22 25 26 27 2B 2C 2D 3C 3D 43 44 45 49",
        "50 57 70-72 79",
        "0964 0965 66-6F 73-78 7A",
    ),
    Language.TELUGU: _Script(
        0x0C00, "0D 11 29 34 3C 45 49", "55 56 60-63", "-- -- 66-6F 58 59 78-7F"
    ),
}
# A.3.13 and A.2.13: Urdu has the plan, not the order.
_URDU_LETTERS = """
    27 22 28 7B 80 7E A6 2A C2 7F 79 7D 7A 7C 2B 2C 81 84 83 85 86 87 2D-2F 8C 88-8A
    8F 8D 30 31 91 93 99 32 96 98 9A 33 34 35-39 41 42 A9-AB AF B3 B1 44-46 BA-BC 48 C4 D5 C1
    BE 21 CC D0 D2 4D 50 4F 57 54 55 51 53 56 70
"""
_URDU_SIGNS = "00 01 F0-F9 0C-14 1B 1F 40 52 58 6B 6C 72 73 CD D4"

# Spanish has no locking shift (A.3.2 is void).
LOCKING: dict[Language, str] = {
    Language.TURKISH: _changed(_TURKISH_LOCKING),
    Language.PORTUGUESE: _changed(_PORTUGUESE_LOCKING),
    **{language: script.locking for language, script in _SCRIPTS.items()},
    Language.URDU: _filled(_LOCKING_PLAN, _letters(_URDU_LETTERS, 0x0600)),
}
"""128 characters each, `HOLE` where there is none."""


def _sparse(table: str) -> dict[int, str]:
    return {code: character for code, character in enumerate(table) if character != HOLE}


SINGLE: dict[Language, dict[int, str]] = {
    Language.TURKISH: EXTENSION | _TURKISH_SINGLE,
    Language.SPANISH: EXTENSION | _SPANISH_SINGLE,
    Language.PORTUGUESE: EXTENSION | _PORTUGUESE_SINGLE,
    **{language: _sparse(script.single) for language, script in _SCRIPTS.items()},
    Language.URDU: _sparse(_filled(_SINGLE_PLAN, _letters(_URDU_SIGNS, 0x0600))),
}
"""What an escape and a septet mean."""
