"""Spoken whole numbers: "two thousand and six", "dos mil seis", "26"."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.understanding.languages import Language

_AND = frozenset({"and", "y"})
_MOST_WORDS = 12


def cardinal(words: Sequence[str], language: Language) -> int | None:
    """The number below a million that the words (plain form) say; None if they are none.

    Each part must be smaller than the one before: "twenty one" is 21, "one twenty" is none.
    """
    if not words or len(words) > _MOST_WORDS:
        return None
    if len(words) == 1 and words[0].isascii() and words[0].isdecimal() and len(words[0]) <= 6:
        return int(words[0])
    total, part, room, said = 0, 0, 1000, False
    for at, word in enumerate(words):
        if word in _AND and 0 < at < len(words) - 1:
            continue
        scale = language.scales.get(word)
        if scale == 1000:
            if total or said and not part:
                return None
            total, part, room, said = 1000 * (part or 1), 0, 1000, True
        elif scale == 100:
            if not 0 < part < 10 or room != 1:
                return None
            part, room = part * 100, 100
        else:
            number = language.hundreds.get(word, language.numbers.get(word))
            if number is None or number >= room or (number == 0 and said):
                return None
            part += number
            room = _room_after(number)
            said = True
    return total + part


def _room_after(number: int) -> int:
    """What may follow must be less: units after tens, anything below 100 after hundreds."""
    if number >= 100:
        return 100
    return 10 if number >= 20 and number % 10 == 0 else 1


def ordinal(words: Sequence[str], language: Language) -> int | None:
    """The number that an ordinal says: "third", "twenty first"; None if it is none."""
    if len(words) == 1:
        return language.ordinals.get(words[0])
    if len(words) == 2:
        tens, unit = language.numbers.get(words[0], 0), language.ordinals.get(words[1], 10)
        if tens >= 20 and tens % 10 == 0 and unit < 10:
            return tens + unit
    return None
