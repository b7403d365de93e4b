"""
Fast paths of the codec for the two PDUs that come by the million, without I/O.

What they write and read is what smpp.codec would; the property tests hold them to it octet by
octet. What is not ordinary is None here, and the codec's to judge.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from smpp.address import Address
from smpp.codec import encode
from smpp.constants import HEADER, MAX_PDU, MAX_SHORT_MESSAGE, Command
from smpp.errors import LocalProtocolError
from smpp.pdu import DeliverSm, ShortMessage, SubmitSm, Tlvs

#: command_length, command_id, command_status, sequence_number (SMPP 3.4 §3.2).
header = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")
_read_tlv = _TLV.unpack_from
# Of deliver_sm, behind the addresses, if it has no times: esm_class, protocol_id, priority_flag,
# two empty strings, registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id,
# sm_length.
_FIXED = struct.Struct("10B")
_read_fixed = _FIXED.unpack_from
_resp = struct.Struct(">IIIIB")
_EMPTY_RESP = HEADER + 1
_DELIVER_SM_RESP = int(Command.DELIVER_SM_RESP)  # plain: an IntEnum is slow to pack
_MOST_BODY = MAX_PDU - HEADER
_KEPT = 4096  # heads and templates that are remembered
_LONGEST_HEAD = 6 + 23 + 23  # §4.6.1
_new = object.__new__
_OCTET = {value: bytes((value,)) for value in range(256)}

# -- submit_sm --------------------------------------------------------------------------------


class Template:
    """submit_sm of one sender and one set of flags; the rest is spliced in per message."""

    __slots__ = ("_after_coding", "_head", "_middle")

    def __init__(self, pdu: ShortMessage) -> None:
        """LocalProtocolError if no PDU can carry the fields of `pdu`.

        Its sequence, destination, esm_class, data_coding, octets and TLVs are not used.
        """
        body = encode(
            SubmitSm(
                source=pdu.source,
                registered_delivery=pdu.registered_delivery,
                service_type=pdu.service_type,
                protocol_id=pdu.protocol_id,
                priority_flag=pdu.priority_flag,
                schedule_delivery_time=pdu.schedule_delivery_time,
                validity_period=pdu.validity_period,
                replace_if_present_flag=pdu.replace_if_present_flag,
                sm_default_msg_id=pdu.sm_default_msg_id,
            )
        )[HEADER:]
        # service_type and source: two strings with two octets between them.
        end = body.index(b"\0", body.index(b"\0") + 3) + 1
        self._head = body[:end]  # to the destination, which is empty: ton, npi, NUL
        self._middle = body[end + 4 : -3]  # esm_class lies before it, data_coding after it
        self._after_coding = body[-2:-1]  # sm_default_msg_id; sm_length lies after it

    def body(
        self,
        destination: bytes,
        octets: bytes,
        *,
        data_coding: int = 0,
        esm_class: int = 0,
        tlvs: bytes = b"",
    ) -> bytes:
        """The body of submit_sm (§4.4.1): everything after the header.

        `destination` is from `address_octets`, `tlvs` from `tlv_octets`. LocalProtocolError if
        there are more than 254 octets, or so many TLVs that the PDU is too long.
        """
        if len(octets) > MAX_SHORT_MESSAGE:
            raise LocalProtocolError(f"short_message has at most {MAX_SHORT_MESSAGE} octets")
        try:
            body = b"".join(
                (
                    self._head,
                    destination,
                    _OCTET[esm_class],
                    self._middle,
                    _OCTET[data_coding],
                    self._after_coding,
                    _OCTET[len(octets)],
                    octets,
                    tlvs,
                )
            )
        except KeyError:
            raise LocalProtocolError("esm_class and data_coding are octets") from None
        if len(body) > _MOST_BODY:
            raise LocalProtocolError("the PDU is too long")
        return body


class Templates:
    """Bodies of any submit_sm, by the template of its sender and flags; a few thousand are kept."""

    def __init__(self) -> None:
        self._templates: dict[tuple[object, ...], Template] = {}

    def body(self, pdu: SubmitSm) -> bytes:
        """The body of this submit_sm; LocalProtocolError if no PDU can carry it."""
        key = (
            pdu.source,
            pdu.registered_delivery,
            pdu.service_type,
            pdu.protocol_id,
            pdu.priority_flag,
            pdu.schedule_delivery_time,
            pdu.validity_period,
            pdu.replace_if_present_flag,
            pdu.sm_default_msg_id,
        )
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _KEPT:
                self._templates.clear()
            template = self._templates[key] = Template(pdu)
        return template.body(
            address_octets(pdu.destination),
            pdu.short_message,
            data_coding=pdu.data_coding,
            esm_class=pdu.esm_class,
            tlvs=tlv_octets(pdu.tlvs) if pdu.tlvs else b"",
        )


def address_octets(address: Address) -> bytes:
    """An address as a body carries it (§5.2.5 to 5.2.9)."""
    try:
        return b"%c%c%b\0" % (address.ton, address.npi, address.digits.encode("latin-1"))
    except OverflowError:
        raise LocalProtocolError("TON and NPI are octets") from None


def tlv_octets(tlvs: Tlvs) -> bytes:
    """Optional parameters as a body carries them (§3.2.4)."""
    try:
        return b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs])
    except struct.error as error:
        raise LocalProtocolError(f"an optional parameter is out of range: {error}") from None


# -- deliver_sm -------------------------------------------------------------------------------


class _Thawed(DeliverSm):
    """A deliver_sm in the making, which becomes one by its class.

    The constructor of a frozen dataclass looks up a setter for each field; a plain assignment is a
    fifth of its time, and there is one PDU for each text and receipt that comes.
    """

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__  # both, or the interpreter takes the slow way for both


class Reader:
    """Reads deliver_sm bodies; what stands at their head again and again is made once."""

    def __init__(self) -> None:
        # service_type, source and destination, by their octets.
        self._heads: dict[bytes, tuple[str, Address, Address]] = {}

    def deliver_sm(self, octets: bytes, start: int, end: int, sequence: int) -> DeliverSm | None:
        """The deliver_sm (§4.6.1) whose body is octets[start:end]; None: let the codec judge."""
        index = octets.index
        try:
            # Each index is bounded by `end`; the fixed fields and the text may lie beyond it, and
            # then no TLVs end there.
            at = start + 1 if not octets[start] else index(b"\0", start, end) + 1
            source_end = index(b"\0", at + 2, end) + 1
            fixed = index(b"\0", source_end + 2, end) + 1
            (
                esm_class, protocol_id, priority_flag, schedule, validity,
                registered_delivery, replace_flag, data_coding, default_id, length,
            ) = _read_fixed(octets, fixed)  # fmt: skip
            text = fixed + _FIXED.size
            stop = text + length
            if schedule or validity:
                return None  # in deliver_sm both times are NULL
            key = octets[start:fixed]
            service_type, source, destination = self._heads.get(key) or self._head(
                key, at - start, source_end - start
            )
            tlvs = () if stop == end else _tlvs(octets, stop, end)
        except (LocalProtocolError, IndexError, ValueError, struct.error):
            return None
        if tlvs is None:
            return None
        pdu: Any = _new(_Thawed)
        pdu.sequence = sequence
        pdu.service_type = service_type
        pdu.source = source
        pdu.destination = destination
        pdu.esm_class = esm_class
        pdu.protocol_id = protocol_id
        pdu.priority_flag = priority_flag
        pdu.schedule_delivery_time = ""
        pdu.validity_period = ""
        pdu.registered_delivery = registered_delivery
        pdu.replace_if_present_flag = replace_flag
        pdu.data_coding = data_coding
        pdu.sm_default_msg_id = default_id
        pdu.short_message = octets[text:stop]
        pdu.tlvs = tlvs
        pdu.__class__ = DeliverSm
        return pdu  # type: ignore[no-any-return]

    def _head(self, octets: bytes, source: int, destination: int) -> tuple[str, Address, Address]:
        """Where the two addresses begin; LocalProtocolError if one of them is none."""
        head = (
            str(octets[: source - 1], "latin-1"),
            _address(octets[source:destination]),
            _address(octets[destination:]),
        )
        if len(octets) <= _LONGEST_HEAD:
            if len(self._heads) >= _KEPT:
                self._heads.clear()
            self._heads[octets] = head
        return head


def _address(octets: bytes) -> Address:
    return Address(octets[0], octets[1], str(octets[2:-1], "latin-1"))


def _tlvs(octets: bytes, at: int, end: int) -> Tlvs | None:
    found: list[tuple[int, bytes]] = []
    while at < end:
        tag, length = _read_tlv(octets, at)
        value = at + 4
        at = value + length
        found.append((tag, octets[value:at]))
    return tuple(found) if at == end else None


# -- answers ----------------------------------------------------------------------------------


def message_id(read: str, start: int, end: int) -> str:
    """The id in a submit_sm_resp (§4.4.2), verbatim; some SMSCs leave out the NUL, or all of it.

    `read` are octets as Latin-1, read[start:end] the body.
    """
    id = read[start : end - 1]
    if read[end - 1] == "\0" and "\0" not in id:
        return id
    return read[start:end].partition("\0")[0]


def deliver_sm_resps(sequences: Sequence[int], status: int) -> bytes:
    """The deliver_sm_resp (§4.6.2) of each sequence; message_id is unused and NULL."""
    pack = _resp.pack
    return b"".join(
        [pack(_EMPTY_RESP, _DELIVER_SM_RESP, status, sequence, 0) for sequence in sequences]
    )
