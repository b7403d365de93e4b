"""Optional parameters (TLVs, §5.3): the stream of them, and the well-known ones by their types.

A PDU keeps its TLVs as they came: any tag, any length, repeated, in order. What a value means is
read from its octets, because SMSCs write one-octet integers in two, and strings without their NUL.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from smpp.constants import Tag
from smpp.errors import LocalProtocolError

Tlvs: TypeAlias = tuple[tuple[int, bytes], ...]

_HEAD = struct.Struct(">HH")

# -- the stream -------------------------------------------------------------------------------


def parse(octets: bytes, at: int = 0) -> tuple[Tlvs, bool]:
    """The TLVs from `at` to the end, and whether the last one is whole (§5.3.1).

    One that is cut is left out.
    """
    found: list[tuple[int, bytes]] = []
    end = len(octets)
    while at + 4 <= end:
        tag, length = _HEAD.unpack_from(octets, at)
        value = octets[at + 4 : at + 4 + length]
        if len(value) < length:
            break
        found.append((tag, value))
        at += 4 + length
    return tuple(found), at == end


def generate(tlvs: Tlvs) -> bytes:
    """The octets of TLVs, in order; LocalProtocolError if a tag or value is too large."""
    try:
        return b"".join([_HEAD.pack(tag, len(value)) + value for tag, value in tlvs])
    except struct.error:
        raise LocalProtocolError("a TLV has a tag of 16 bits and at most 65535 octets") from None


def find(tlvs: Tlvs, tag: int) -> bytes | None:
    """The value of the first TLV of that tag."""
    for found, value in tlvs:
        if found == tag:
            return value
    return None


def find_all(tlvs: Tlvs, tag: int) -> list[bytes]:
    """The values of all TLVs of that tag, in order (callback_num may be repeated, §5.3.2.36)."""
    return [value for found, value in tlvs if found == tag]


# -- values -----------------------------------------------------------------------------------


class Kind(Enum):
    """What the octets of a TLV are."""

    INT = "an unsigned integer, most significant octet first"
    STRING = "a C-octet string in Latin-1"
    OCTETS = "octets"
    FLAG = "nothing: that it is there says it all"


def read_int(value: bytes) -> int | None:
    """An integer of as many octets as there are; None if there are none."""
    return int.from_bytes(value, "big") if value else None


def read_string(value: bytes) -> str:
    """A C-octet string with or without its NUL."""
    return value.partition(b"\0")[0].decode("latin-1")


@dataclass(frozen=True, slots=True)
class NetworkError:
    """network_error_code, §5.3.2.31: which network (3 is GSM) says which code."""

    network: int
    code: int


def read_network_error(value: bytes) -> NetworkError | None:
    """None unless it has the three octets that the specification gives it."""
    return NetworkError(value[0], int.from_bytes(value[1:], "big")) if len(value) == 3 else None


# Tag: kind, and for an integer its octets (§5.3.2).
_KINDS: dict[int, tuple[Kind, int]] = {
    **dict.fromkeys(
        (
            Tag.DEST_ADDR_SUBUNIT,
            Tag.DEST_NETWORK_TYPE,
            Tag.DEST_BEARER_TYPE,
            Tag.SOURCE_ADDR_SUBUNIT,
            Tag.SOURCE_NETWORK_TYPE,
            Tag.SOURCE_BEARER_TYPE,
            Tag.SOURCE_TELEMATICS_ID,
            Tag.PAYLOAD_TYPE,
            Tag.MS_MSG_WAIT_FACILITIES,
            Tag.PRIVACY_INDICATOR,
            Tag.USER_RESPONSE_CODE,
            Tag.LANGUAGE_INDICATOR,
            Tag.SAR_TOTAL_SEGMENTS,
            Tag.SAR_SEGMENT_SEQNUM,
            Tag.SC_INTERFACE_VERSION,
            Tag.CALLBACK_NUM_PRES_IND,
            Tag.NUMBER_OF_MESSAGES,
            Tag.DPF_RESULT,
            Tag.SET_DPF,
            Tag.MS_AVAILABILITY_STATUS,
            Tag.DELIVERY_FAILURE_REASON,
            Tag.MORE_MESSAGES_TO_SEND,
            Tag.MESSAGE_STATE,
            Tag.USSD_SERVICE_OP,
            Tag.DISPLAY_TIME,
            Tag.MS_VALIDITY,
            Tag.ITS_REPLY_TYPE,
        ),
        (Kind.INT, 1),
    ),
    **dict.fromkeys(
        (
            Tag.DEST_TELEMATICS_ID,
            Tag.USER_MESSAGE_REFERENCE,
            Tag.SOURCE_PORT,
            Tag.DESTINATION_PORT,
            Tag.SAR_MSG_REF_NUM,
            Tag.SMS_SIGNAL,
        ),
        (Kind.INT, 2),
    ),
    Tag.QOS_TIME_TO_LIVE: (Kind.INT, 4),
    Tag.ADDITIONAL_STATUS_INFO_TEXT: (Kind.STRING, 0),
    Tag.RECEIPTED_MESSAGE_ID: (Kind.STRING, 0),
    Tag.ALERT_ON_MESSAGE_DELIVERY: (Kind.FLAG, 0),
}


def kind(tag: int) -> Kind:
    """What the specification says that the octets are; OCTETS for a tag it does not know."""
    return _KINDS.get(tag, (Kind.OCTETS, 0))[0]


def read(tag: int, value: bytes) -> int | str | bytes | bool | None:
    """The value in the type of its tag: an integer, a string, True for a flag, else octets."""
    match kind(tag):
        case Kind.INT:
            return read_int(value)
        case Kind.STRING:
            return read_string(value)
        case Kind.FLAG:
            return True
        case Kind.OCTETS:
            return value


def make(tag: int, value: int | str | bytes = b"") -> tuple[int, bytes]:
    """One TLV: an integer in the octets its tag has, a string with its NUL, octets as they are.

    LocalProtocolError if the value is not of the tag's type or does not fit. An integer needs a
    tag that the specification gives a size; a string of a carrier's own tag gets a NUL.
    """
    if isinstance(value, bytes):
        return tag, value
    wanted, size = _KINDS.get(tag, (Kind.OCTETS, 0))
    if isinstance(value, str):
        if wanted in (Kind.INT, Kind.FLAG):
            raise LocalProtocolError(f"TLV {tag_name(tag)} is {wanted.value}")
        return tag, _c_octets(value)
    if wanted is not Kind.INT:
        raise LocalProtocolError(f"TLV {tag_name(tag)} is {wanted.value}")
    try:
        return tag, value.to_bytes(size, "big")
    except OverflowError:
        raise LocalProtocolError(f"TLV {tag_name(tag)} has {size} octets") from None


def _c_octets(value: str) -> bytes:
    if "\0" in value:
        raise LocalProtocolError("a C-octet string has no NUL inside")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise LocalProtocolError("a C-octet string is Latin-1") from None


def tag_name(tag: int) -> str:
    """The specification's name in lower case, or hexadecimal for what it does not name."""
    try:
        return Tag(tag).name.lower()
    except ValueError:
        return f"0x{tag:04X}"
