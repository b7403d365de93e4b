"""
Alphabets: GSM 03.38 both ways, UCS-2 where it cannot, and reading whatever data_coding says.

One septet travels as one octet here, which is how SMPP carries the SMSC default alphabet.
"""

from __future__ import annotations

from smpp.constants import DataCoding

# GSM 03.38 (3GPP TS 23.038) §6.2.1, in order; 0x1B leads to the extension table.
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# §6.2.1.1.
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

ESCAPE = 0x1B
_REPLACEMENT = "\ufffd"

_ENCODE: dict[str, bytes] = {
    **{char: bytes((code,)) for code, char in enumerate(_BASIC) if code != ESCAPE},
    **{char: bytes((ESCAPE, code)) for code, char in _EXTENSION.items()},
}


def encode(text: str) -> bytes | None:
    """One octet per septet, or None if the text has a character that GSM 03.38 has not."""
    try:
        return b"".join([_ENCODE[char] for char in text])
    except KeyError:
        return None


def decode(octets: bytes) -> str:
    """Never fails: an octet that is no septet becomes U+FFFD.

    An escape to nothing shows the basic character, as §6.2.1.1 asks for; one at the end is
    dropped.
    """
    found: list[str] = []
    escaped = False
    for octet in octets:
        if escaped:
            escaped = False
            found.append(_EXTENSION.get(octet) or _basic(octet))
        elif octet == ESCAPE:
            escaped = True
        else:
            found.append(_basic(octet))
    return "".join(found)


def _basic(octet: int) -> str:
    if octet == ESCAPE:
        return " "  # §6.2.1.1, note 1: a second escape is shown as a space
    return _BASIC[octet] if octet < 0x80 else _REPLACEMENT


def encode_text(text: str) -> tuple[DataCoding, bytes]:
    """The shorter alphabet that can say it: GSM 03.38, else UCS-2 (with surrogates)."""
    septets = encode(text)
    if septets is not None:
        return DataCoding.DEFAULT, septets
    return DataCoding.UCS2, text.encode("utf-16-be", errors="replace")


# §5.2.19: the codings that are text; 2, 4 and 9 are octets that only somebody else understands.
_CODECS = {
    1: "ascii",
    2: "latin-1",
    3: "latin-1",
    4: "latin-1",
    5: "shift_jis",
    6: "iso8859-5",
    7: "iso8859-8",
    8: "utf-16-be",
    10: "iso2022_jp",
    13: "euc_jp",
    14: "euc_kr",
}


def decode_text(octets: bytes, data_coding: int) -> str:
    """What the octets say; never fails, what cannot be read becomes U+FFFD."""
    if data_coding >= 0xF0:
        # GSM 03.38 §4, group 1111: message class; bit 2 says 8-bit.
        codec = "latin-1" if data_coding & 0x04 else None
    elif data_coding >= 0x10:
        # General group: bits 3 and 2 are the alphabet (0x10 and 0x18 are flash texts).
        codec = {0x04: "latin-1", 0x08: "utf-16-be"}.get(data_coding & 0x0C)
    else:
        codec = _CODECS.get(data_coding)
    if codec is None:
        return decode(octets)
    return octets.decode(codec, errors="replace")
