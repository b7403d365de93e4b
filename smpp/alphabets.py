"""The alphabets of texts both ways: what a character costs, what octets say."""

from __future__ import annotations

from dataclasses import dataclass

from smpp import udh
from smpp.constants import DataCoding
from smpp.gsm0338 import (
    SEPTETS,
    codec_of,
    decode_octets,
    encode,
    fill_bits,
    pack,
    septets_of,
    unpack,
)
from smpp.national import UNSHIFTED, Shift
from smpp.style import PLAIN, DefaultAlphabet, TextStyle

USER_DATA = 140  # octets that the air carries, with the header: TS 23.040 §9.2.3.24


@dataclass(frozen=True, slots=True)
class Coding:
    """One way to write a text; a unit is a septet, an octet or half a UTF-16 surrogate pair."""

    name: str
    data_coding: int
    bits: int  # of a unit on the air
    codec: str
    shift: Shift = UNSHIFTED
    packed: bool = False

    def octets(self, text: str) -> bytes | None:
        """Unpacked, without a header; None if a character is missing in this alphabet."""
        if self.codec == SEPTETS:
            return encode(text, self.shift)
        try:
            return text.encode(self.codec, "replace" if self.bits == 16 else "strict")
        except UnicodeEncodeError:
            return None

    def on_wire(self, text: str, header: bytes = b"") -> bytes:
        """What a PDU carries of a text that this alphabet can say."""
        octets = self.octets(text) or b""
        return header + (pack(octets, fill_bits(len(header))) if self.packed else octets)

    def widths(self, text: str) -> list[int]:
        """The units of each character on the air."""
        if self.bits == 8 or not text or (self.bits == 16 and max(text) < "\U00010000"):
            return [1] * len(text)
        if self.bits == 16:
            return [1 if char < "\U00010000" else 2 for char in text]
        # ASCII too becomes septets on its way to the handset.
        table = septets_of(self.shift)
        return [len(table.get(char, b" ")) for char in text]

    def capacity(self, elements: int = 0) -> int:
        """The units of one segment, with so many octets of header elements besides our own."""
        elements += len(udh.shift_elements(self.shift))
        return (USER_DATA - (1 + elements if elements else 0)) * 8 // self.bits


PLAIN_CODINGS = {
    DefaultAlphabet.GSM7: Coding("GSM-7", DataCoding.DEFAULT, 7, SEPTETS),
    DefaultAlphabet.PACKED: Coding("GSM-7 packed", DataCoding.DEFAULT, 7, SEPTETS, packed=True),
    DefaultAlphabet.ASCII: Coding("ASCII", DataCoding.DEFAULT, 7, "ascii"),
    DefaultAlphabet.LATIN1: Coding("Latin-1", DataCoding.DEFAULT, 8, "latin-1"),
    DefaultAlphabet.LATIN9: Coding("Latin-9", DataCoding.DEFAULT, 8, "iso8859-15"),
}
UCS2 = Coding("UCS-2", DataCoding.UCS2, 16, "utf-16-be")


def codec_for(data_coding: int, style: TextStyle = PLAIN) -> str:
    """How octets of this carrier are read, as `gsm0338.codec_of`; 0 means what the style says."""
    alphabet = style.default_alphabet
    # Who has Latin-9 for 0 means it by 3 too: its 0xA4 is the euro.
    latin9 = alphabet is DefaultAlphabet.LATIN9
    if data_coding == DataCoding.DEFAULT or (latin9 and data_coding == DataCoding.LATIN1):
        return PLAIN_CODINGS[alphabet].codec
    return codec_of(data_coding)


def is_packed(data_coding: int, style: TextStyle = PLAIN) -> bool:
    """Whether this carrier's septets of this coding come packed."""
    if style.default_alphabet is not DefaultAlphabet.PACKED:
        return False
    return codec_for(data_coding, style) == SEPTETS


def read_text(
    octets: bytes, data_coding: int, style: TextStyle = PLAIN, shift: Shift = UNSHIFTED
) -> str:
    """What octets without a header say; never fails, U+FFFD stands for what cannot be read."""
    if is_packed(data_coding, style):
        octets = unpack(octets)
    return decode_octets(octets, codec_for(data_coding, style), shift)
