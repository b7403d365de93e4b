"""Which alphabet a text goes in, where it is cut, and what that costs."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from smpp import udh
from smpp.alphabets import PLAIN_CODINGS, UCS2, Coding, read_text
from smpp.errors import LocalProtocolError
from smpp.graphemes import is_boundary
from smpp.gsm0338 import SEPTETS, fill_bits, packs
from smpp.national import LOCKING, Shift
from smpp.style import PLAIN, Concatenation, DefaultAlphabet, TextStyle

__all__ = [
    "PLAIN",
    "Concatenation",
    "DefaultAlphabet",
    "Plan",
    "Preview",
    "TextStyle",
    "concatenation_octets",
    "plan",
    "preview",
    "read_text",
]

_LONGEST = 0xFFFF  # characters; no style has room for more

_PLAIN_COUSINS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′‹›`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f", " "),
        "…": "...",
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A text cut as the air will carry it; joined, the pieces are the text that is sent."""

    coding: Coding
    pieces: tuple[str, ...] = field(repr=False)


def plan(text: str, style: TextStyle = PLAIN) -> Plan:
    """The fewest segments that lose no character; of equals, the alphabet most handsets have.

    That is the carrier's default alphabet before UCS-2 before the national tables. No escape, no
    surrogate pair and no grapheme cluster that fits a segment is cut. LocalProtocolError for a
    text of more than 255 segments, or of more than 64 KiB where message_payload takes it.
    """
    if len(text) > _LONGEST:
        raise LocalProtocolError(f"a text has at most {_LONGEST} characters, this one {len(text)}")
    found = min(_plans(text, style), key=lambda one: len(one.pieces))
    if len(found.pieces) > udh.MOST_PARTS and style.concatenation is not Concatenation.PAYLOAD:
        raise LocalProtocolError(
            f"a text has at most {udh.MOST_PARTS} segments, this one {len(found.pieces)}"
        )
    return found


def _plans(text: str, style: TextStyle) -> Iterator[Plan]:
    """In the order of preference."""
    plain, *national = _codings(style)
    found = _cut(text, plain, style)
    if found is not None:
        yield found
        return
    cousins = text.translate(_PLAIN_COUSINS) if style.replace else text
    ways = [(text, UCS2), *((text, coding) for coding in national)]
    if cousins != text:
        ways = [(cousins, plain), *ways, (cousins, UCS2), *((cousins, c) for c in national)]
    for written, coding in ways:
        found = _cut(written, coding, style)
        if found is not None:
            yield found


def _codings(style: TextStyle) -> list[Coding]:
    plain = PLAIN_CODINGS[style.default_alphabet]
    if plain.codec != SEPTETS:
        return [plain]
    return [plain, *(_shifted(plain, shift) for shift in _shifts(style))]


def _shifts(style: TextStyle) -> Iterator[Shift]:
    for language in style.national:
        yield Shift(None, language)
        if language in LOCKING:
            yield Shift(language, None)
            yield Shift(language, language)


def _shifted(plain: Coding, shift: Shift) -> Coding:
    language = shift.locking or shift.single
    tables = [name for name, of in (("locking", shift.locking), ("single", shift.single)) if of]
    name = f"{plain.name}, {language.name.title()} {' and '.join(tables)} shift" if language else ""
    return Coding(name, plain.data_coding, plain.bits, plain.codec, shift, plain.packed)


# -- cutting ----------------------------------------------------------------------------------


def concatenation_octets(style: TextStyle) -> int:
    """Of the element that a part has on the air; of a TLV the SMSC makes the 8-bit one."""
    return 6 if style.concatenation is Concatenation.UDH16 else 5


def _cut(text: str, coding: Coding, style: TextStyle) -> Plan | None:
    if coding.octets(text) is None:
        return None
    ends = list(accumulate(coding.widths(text)))
    if not ends or ends[-1] <= coding.capacity():
        pieces: tuple[str, ...] = (text,)
    else:
        pieces = tuple(_pieces(text, ends, coding.capacity(concatenation_octets(style))))
    found = Plan(coding, pieces)
    return None if coding.packed and not _unpacks(found, style) else found


def _pieces(text: str, ends: list[int], longest: int) -> Iterator[str]:
    start = used = 0
    while start < len(text):
        end = furthest = bisect_right(ends, used + longest)
        while not is_boundary(text, end, start):
            end -= 1
        if end == start:
            end = furthest  # a cluster longer than a segment
        yield text[start:end]
        start, used = end, ends[end - 1]


def _unpacks(found: Plan, style: TextStyle) -> bool:
    """Whether no last character would be taken for the filling of its octet."""
    pieces, elements = found.pieces, len(udh.shift_elements(found.coding.shift))
    if len(pieces) > 1 and style.concatenation is Concatenation.PAYLOAD:
        pieces = ("".join(pieces),)
    elif len(pieces) > 1 and style.concatenation is not Concatenation.SAR:
        elements += concatenation_octets(style)
    fill = fill_bits(1 + elements if elements else 0)
    return all(
        packs(found.coding.octets(piece) or b"", fill, final=number == len(pieces))
        for number, piece in enumerate(pieces, 1)
    )


# -- telling ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a text will be and cost, for whoever writes it."""

    text: str = field(repr=False)  # as it will be sent
    encoding: str
    data_coding: int
    segments: int  # on the air, which is what is paid for
    pdus: int  # submit_sm; fewer than segments where message_payload takes a long text
    units_used: int  # of the last segment: septets, octets or UTF-16 units
    units_left: int
    forced_by: tuple[str, int] | None  # the first character beyond the default alphabet; its index
    suggestion: str | None


def preview(text: str, style: TextStyle = PLAIN) -> Preview:
    """What `split` will make of it; LocalProtocolError as there.

    The suggestion is one only if it saves segments.
    """
    found = plan(text, style)
    coding, segments = found.coding, len(found.pieces)
    used = sum(coding.widths(found.pieces[-1]))
    plain = PLAIN_CODINGS[style.default_alphabet]
    forced = coding != plain
    return Preview(
        text="".join(found.pieces),
        encoding=coding.name,
        data_coding=coding.data_coding,
        segments=segments,
        pdus=1 if style.concatenation is Concatenation.PAYLOAD else segments,
        units_used=used,
        units_left=coding.capacity(concatenation_octets(style) if segments > 1 else 0) - used,
        forced_by=_forcing(text, plain, style) if forced else None,
        suggestion=_suggestion(text, plain, segments, style) if forced else None,
    )


def _forcing(text: str, plain: Coding, style: TextStyle) -> tuple[str, int] | None:
    for index, char in enumerate(text):
        written = char.translate(_PLAIN_COUSINS) if style.replace else char
        if plain.octets(written) is None:
            return char, index
    return None


def _suggestion(text: str, plain: Coding, segments: int, style: TextStyle) -> str | None:
    instead: dict[str, str | int | None] = {}
    for char in dict.fromkeys(text):
        if plain.octets(char) is None:
            cousin = _cousin(char, plain)
            if cousin is None:
                return None
            instead[char] = cousin
    fewer = len(plan(text.translate(str.maketrans(instead)), style).pieces)
    if fewer >= segments:
        return None
    changes = [f"{cousin} for {char}" for char, cousin in instead.items() if cousin]
    omitted = [char for char, cousin in instead.items() if not cousin]
    seen = [char for char in omitted if unicodedata.category(char) == "So"]
    words = [f"write {_listed(changes)}"] * bool(changes)
    words += [f"leave out {_listed(seen or ['invisible characters'])}"] * bool(omitted)
    advice = ", ".join(words)
    unit = "segment" if fewer == 1 else "segments"
    return f"{advice[0].upper()}{advice[1:]}: {fewer} {unit} instead of {segments}."


def _cousin(char: str, plain: Coding) -> str | None:
    """What says nearly the same, nothing for a picture, None if the character is needed."""
    letter = unicodedata.normalize("NFKD", char)[0]
    for cousin in (char.translate(_PLAIN_COUSINS), letter):
        if plain.octets(cousin) is not None:
            return cousin
    return "" if unicodedata.category(char) in ("So", "Sk", "Cf", "Mn") else None


def _listed(words: list[str]) -> str:
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")
