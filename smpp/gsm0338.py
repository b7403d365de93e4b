"""
Septets: GSM 03.38 (3GPP TS 23.038) both ways, packed or not, and what a data_coding says.

One septet travels as one octet here, which is how SMPP carries the SMSC default alphabet; a
carrier that wants them packed eight to seven octets gets them from `pack`.
"""

from __future__ import annotations

import codecs
from functools import cache

from smpp.constants import DataCoding
from smpp.national import DEFAULT, EXTENSION, HOLE, LOCKING, SINGLE, UNSHIFTED, Shift

ESCAPE = 0x1B
_REPLACEMENT = "\ufffd"
_CR = 0x0D  # fills the seven bits that would else be an @, §6.1.2.3.1


def _reversed(basic: str, extension: dict[int, str]) -> dict[str, bytes]:
    """A character that is in both takes one septet; one that is twice takes the first place."""
    found: dict[str, bytes] = {}
    for code, char in enumerate(basic):
        if code != ESCAPE and char != HOLE:
            found.setdefault(char, bytes((code,)))
    for code, char in sorted(extension.items()):
        found.setdefault(char, bytes((ESCAPE, code)))
    return found


_ENCODE = _reversed(DEFAULT, EXTENSION)

# Nearly every text is ASCII and in the basic table: one pass writes it, and marks what is not.
_NO_SEPTET = 0xFF
_OF_ASCII = [_ENCODE.get(chr(code), b"") for code in range(128)]
_SEPTETS = bytes(one[0] if len(one) == 1 else _NO_SEPTET for one in _OF_ASCII) + bytes(128)
_DEFAULT, _UCS2 = DataCoding.DEFAULT, DataCoding.UCS2


@cache
def septets_of(shift: Shift = UNSHIFTED) -> dict[str, bytes]:
    """What each character costs with these tables: one octet, or an escape and one."""
    if shift == UNSHIFTED:
        return _ENCODE
    return _reversed(_basic(shift), _extension(shift))


@cache
def _table(shift: Shift) -> dict[int, bytes]:
    return {ord(char): septets for char, septets in septets_of(shift).items()}


def _basic(shift: Shift) -> str:
    return DEFAULT if shift.locking is None else LOCKING.get(shift.locking, DEFAULT)


def _extension(shift: Shift) -> dict[int, str]:
    return EXTENSION if shift.single is None else SINGLE.get(shift.single, EXTENSION)


def encode(text: str, shift: Shift = UNSHIFTED) -> bytes | None:
    """One octet per septet, or None if the text has a character that the tables have not."""
    if shift is UNSHIFTED and text.isascii():
        septets = text.encode().translate(_SEPTETS)
        if _NO_SEPTET not in septets:
            return septets
    try:
        return codecs.charmap_encode(text, "strict", _table(shift))[0]
    except UnicodeEncodeError:
        return None


def decode(octets: bytes, shift: Shift = UNSHIFTED) -> str:
    """Never fails: an octet that is no septet, or has no character, becomes U+FFFD.

    An escape to nothing shows the basic character, as §6.2.1.1 asks for; one at the end is
    dropped.
    """
    basic = _basic(shift)
    first, *escaped = octets.split(b"\x1b")
    found = [codecs.charmap_decode(first, "replace", basic)[0]]
    if not escaped:
        return found[0]
    extension = _extension(shift)
    alone = False  # the octet before was an escape that nothing has followed yet
    for run in escaped:
        if not run:
            # §6.2.1.1, note 1: a second escape is shown as a space.
            found.append(" " if alone else "")
            alone = not alone
            continue
        if alone:
            found.append(" ")
        else:
            char = extension.get(run[0])
            found.append(char or codecs.charmap_decode(run[:1], "replace", basic)[0])
            run = run[1:]
        alone = False
        found.append(codecs.charmap_decode(run, "replace", basic)[0])
    return "".join(found)


# -- packed -----------------------------------------------------------------------------------


def fill_bits(header: int) -> int:
    """How many bits stand between a header of so many octets and the first septet behind it.

    TS 23.040 §9.2.3.24: septets begin where one would if the header were septets too.
    """
    return -header * 8 % 7


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Eight septets in seven octets, least significant bit first (§6.1.2.1).

    Seven bits left over become a carriage return, because zeros would be read as an @.
    """
    bits = fill + 7 * len(septets)
    if bits % 8 == 1:
        septets, bits = septets + bytes((_CR,)), bits + 7
    held = b"".join(_squeezed(septets[n : n + 8]) for n in range(0, len(septets), 8))
    filled = int.from_bytes(held, "little") << fill
    return filled.to_bytes(len(held) + 1, "little")[: (bits + 7) // 8]


def _squeezed(eight: bytes) -> bytes:
    return sum(septet << 7 * n for n, septet in enumerate(eight)).to_bytes(7, "little")


def unpack(octets: bytes, fill: int = 0, *, final: bool = True) -> bytes:
    """The septets, one octet each; what fills the last seven bits is left out.

    That is a carriage return, or zeros where no further segment follows (`final`).
    """
    count = max(0, 8 * len(octets) - fill) // 7
    held = (int.from_bytes(octets, "little") >> fill).to_bytes(len(octets), "little")
    septets = b"".join(_spread(held[n : n + 7]) for n in range(0, len(held), 7))[:count]
    full = count > 0 and fill + 7 * count == 8 * len(octets)
    if full and (septets[-1] == _CR or (final and septets[-1] == 0)):
        return septets[:-1]
    return septets


def _spread(seven: bytes) -> bytes:
    bits = int.from_bytes(seven, "little")
    return bytes(bits >> 7 * n & 0x7F for n in range(8))


def packs(septets: bytes, fill: int = 0, *, final: bool = True) -> bool:
    """Whether `unpack` gives them back: a last CR or @ that ends an octet may be left out."""
    ends_octet = bool(septets) and (fill + 7 * len(septets)) % 8 == 0
    return not (ends_octet and (septets[-1] == _CR or (final and septets[-1] == 0)))


# -- data_coding ------------------------------------------------------------------------------


def encode_text(text: str) -> tuple[DataCoding, bytes]:
    """The shorter alphabet that can say it: GSM 03.38, else UCS-2 (with surrogates)."""
    septets = encode(text)
    if septets is not None:
        return _DEFAULT, septets
    return _UCS2, text.encode("utf-16-be", errors="replace")


SEPTETS = "septets"
COMPRESSED = "compressed"

# SMPP 3.4 §5.2.19: the codings that are text; 2, 4 and 9 are octets that somebody else
# understands, and Latin-1 keeps every one of them.
_CODECS = {
    1: "ascii",
    2: "latin-1",
    3: "latin-1",
    4: "latin-1",
    5: "shift_jis",
    6: "iso8859-5",
    7: "iso8859-8",
    8: "utf-16-be",
    9: "latin-1",
    10: "iso2022_jp",
    13: "euc_jp",
    14: "euc_kr",
}
_ALPHABETS = {0x04: "latin-1", 0x08: "utf-16-be"}  # TS 23.038 §4: bits 3 and 2


def codec_of(data_coding: int) -> str:
    """How its octets are read: a codec of Python, `SEPTETS` or `COMPRESSED`.

    The first sixteen values are SMPP's own; from 0x10 the groups of TS 23.038 §4 hold, where
    whatever is reserved is the default alphabet.
    """
    if data_coding < 0x10:
        return _CODECS.get(data_coding, SEPTETS)
    if data_coding < 0x80:
        # General, also "delete it by yourself": bit 5 compressed, bits 1 and 0 the class.
        return COMPRESSED if data_coding & 0x20 else _ALPHABETS.get(data_coding & 0x0C, SEPTETS)
    if data_coding >= 0xF0:
        return "latin-1" if data_coding & 0x04 else SEPTETS
    # Message waiting: 1110 is the one group of the three whose text is UCS-2.
    return "utf-16-be" if data_coding >= 0xE0 else SEPTETS


def decode_octets(octets: bytes, codec: str, shift: Shift = UNSHIFTED) -> str:
    """What the octets say in a codec of `codec_of`; never fails, U+FFFD stands for the unread."""
    if codec == SEPTETS:
        return decode(octets, shift)
    if codec == COMPRESSED:  # TS 23.042, which nobody sends; its bits are not characters
        return _REPLACEMENT * len(octets)
    return octets.decode(codec, errors="replace")


def decode_text(octets: bytes, data_coding: int) -> str:
    """What the octets say; never fails, what cannot be read becomes U+FFFD."""
    return decode_octets(octets, codec_of(data_coding))
