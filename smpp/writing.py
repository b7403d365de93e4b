"""From a PDU to its frame (SMPP 3.4, chapters 4 and 5), without I/O.

The rare requests of a session (bind, unbind, enquire_link, query_sm) are written by smpplib, our
reference codec, after our own checks, since it cuts what is too long. The texts and what smpplib
does not know are written here; the property tests hold both against each other.
"""

from __future__ import annotations

import struct

from smpplib import smpp as reference

from smpp import tlv
from smpp.address import Address
from smpp.constants import HEADER, MAX_PDU, MAX_SHORT_MESSAGE
from smpp.errors import LocalProtocolError
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    ShortMessage,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)

_HEADER = struct.Struct(">IIII")

_MESSAGE_ID = 64  # §5.2.23
_TIME = 16  # §5.2.16
_MOST_DESTINATIONS = 254  # §5.2.24
_SME, _LIST = 1, 2  # dest_flag, §5.2.25


def encode(pdu: Pdu) -> bytes:
    """The frame of a PDU; LocalProtocolError if SMPP 3.4 has no place for its values."""
    match pdu:
        case SubmitSm() | DeliverSm():
            body = _short_message(pdu, _address(pdu.destination))
            return _frame(pdu.command_id, 0, pdu.sequence, body)
        case DeliverSmResp() | SubmitSmResp() | DataSmResp():
            return _frame(pdu.command_id, pdu.status, pdu.sequence, _id_response(pdu))
        case Bind() | EnquireLink() | Unbind() | QuerySm():
            return _by_reference(pdu)
        case Unknown():
            return _frame(pdu.command_id, pdu.status, pdu.sequence, pdu.body)
        case DataSm() | SubmitMulti() | CancelSm() | ReplaceSm() | Outbind() | AlertNotification():
            return _frame(pdu.command_id, 0, pdu.sequence, _request(pdu))
        case _:
            return _frame(pdu.command_id, pdu.status, pdu.sequence, _response(pdu))


def _frame(command_id: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    length = HEADER + len(body)
    if length > MAX_PDU:
        raise LocalProtocolError("the PDU is too long")
    try:
        return _HEADER.pack(length, command_id, status, sequence) + body
    except struct.error:
        raise LocalProtocolError(
            f"command, status and sequence have 32 bits: {command_id}, {status}, {sequence}"
        ) from None


# -- by smpplib -------------------------------------------------------------------------------


def _by_reference(pdu: Bind | EnquireLink | Unbind | QuerySm) -> bytes:
    match pdu:
        case Bind():
            return _generate(
                pdu.mode.name.lower(),
                pdu.sequence,
                system_id=pdu.system_id,
                password=pdu.password,
                system_type=pdu.system_type,
                interface_version=pdu.interface_version,
                addr_ton=pdu.addr_ton,
                addr_npi=pdu.addr_npi,
                address_range=pdu.address_range,
            )
        case QuerySm():
            _string(pdu.message_id, _MESSAGE_ID)
            _address(pdu.source)
            return _generate(
                "query_sm",
                pdu.sequence,
                message_id=pdu.message_id,
                source_addr_ton=pdu.source.ton,
                source_addr_npi=pdu.source.npi,
                source_addr=pdu.source.digits,
            )
        case EnquireLink():
            return _generate("enquire_link", pdu.sequence)
        case Unbind():
            return _generate("unbind", pdu.sequence)


def _generate(command: str, sequence: int, **fields: str | int) -> bytes:
    # The constructor ignores the sequence and the interface_version that it is given.
    pdu = reference.make_pdu(command, sequence=sequence, **fields)
    for name, value in fields.items():
        setattr(pdu, name, value)
    pdu.sequence = sequence
    try:
        return bytes(pdu.generate())
    except (ValueError, struct.error) as error:
        raise LocalProtocolError(f"a field is out of range: {error}") from None


# -- by hand ----------------------------------------------------------------------------------


def _string(value: str, longest: int) -> bytes:
    if not value:
        return b"\0"
    if len(value) > longest or "\0" in value:
        raise LocalProtocolError(f"a string of at most {longest} characters, no NUL")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise LocalProtocolError("a C-octet string is Latin-1") from None


def _address(address: Address, longest: int = Address.longest) -> bytes:
    return _octets(address.ton, address.npi) + _string(address.digits, longest)


def _octets(*values: int) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise LocalProtocolError(f"not octets: {values}") from None


def _counted(short_message: bytes) -> bytes:
    if len(short_message) > MAX_SHORT_MESSAGE:
        raise LocalProtocolError(f"short_message has at most {MAX_SHORT_MESSAGE} octets")
    return _octets(len(short_message)) + short_message


def _request(
    pdu: DataSm | SubmitMulti | CancelSm | ReplaceSm | Outbind | AlertNotification,
) -> bytes:
    match pdu:
        case SubmitMulti():
            return _short_message(pdu, _destinations(pdu))
        case DataSm():
            return b"".join(
                (
                    _string(pdu.service_type, 5),
                    _address(pdu.source, 64),
                    _address(pdu.destination, 64),
                    _octets(pdu.esm_class, pdu.registered_delivery, pdu.data_coding),
                    tlv.generate(pdu.tlvs),
                )
            )
        case CancelSm():
            return b"".join(
                (
                    _string(pdu.service_type, 5),
                    _string(pdu.message_id, _MESSAGE_ID),
                    _address(pdu.source),
                    _address(pdu.destination),
                )
            )
        case ReplaceSm():
            return b"".join(
                (
                    _string(pdu.message_id, _MESSAGE_ID),
                    _address(pdu.source),
                    _string(pdu.schedule_delivery_time, _TIME),
                    _string(pdu.validity_period, _TIME),
                    _octets(pdu.registered_delivery, pdu.sm_default_msg_id),
                    _counted(pdu.short_message),
                )
            )
        case Outbind():
            return _string(pdu.system_id, 15) + _string(pdu.password, 8)
        case AlertNotification():
            addresses = _address(pdu.source, 64) + _address(pdu.esme, 64)
            return addresses + tlv.generate(pdu.tlvs)


def _short_message(pdu: ShortMessage, destination: bytes) -> bytes:
    return b"".join(
        (
            _string(pdu.service_type, 5),
            _address(pdu.source),
            destination,
            _octets(pdu.esm_class, pdu.protocol_id, pdu.priority_flag),
            _string(pdu.schedule_delivery_time, _TIME),
            _string(pdu.validity_period, _TIME),
            _octets(
                pdu.registered_delivery,
                pdu.replace_if_present_flag,
                pdu.data_coding,
                pdu.sm_default_msg_id,
            ),
            _counted(pdu.short_message),
            tlv.generate(pdu.tlvs) if pdu.tlvs else b"",
        )
    )


def _destinations(pdu: SubmitMulti) -> bytes:
    if not 1 <= len(pdu.destinations) <= _MOST_DESTINATIONS:
        raise LocalProtocolError(f"submit_multi has 1 to {_MOST_DESTINATIONS} destinations")
    found = [_octets(len(pdu.destinations))]
    for one in pdu.destinations:
        if isinstance(one, Address):
            found.append(_octets(_SME) + _address(one))
        else:
            found.append(_octets(_LIST) + _string(one.name, 20))
    return b"".join(found)


def _id_response(pdu: SubmitSmResp | DeliverSmResp | DataSmResp) -> bytes:
    if pdu.status and not pdu.tlvs and isinstance(pdu, SubmitSmResp):
        return b""  # §4.4.2: a refusal has no body
    if pdu.tlvs:
        return _string(pdu.message_id, _MESSAGE_ID) + tlv.generate(pdu.tlvs)
    return _string(pdu.message_id, _MESSAGE_ID)


def _response(
    pdu: BindResp
    | SubmitMultiResp
    | QuerySmResp
    | CancelSmResp
    | ReplaceSmResp
    | EnquireLinkResp
    | UnbindResp
    | GenericNack,
) -> bytes:
    match pdu:
        case BindResp() | SubmitMultiResp() if pdu.status and not pdu.tlvs:
            return b""  # §4.1.2, §4.5.2
        case SubmitMultiResp():
            return b"".join(
                (
                    _string(pdu.message_id, _MESSAGE_ID),
                    _octets(len(pdu.unsuccess)),
                    *(_address(one.address) + _status(one.status) for one in pdu.unsuccess),
                    tlv.generate(pdu.tlvs),
                )
            )
        case BindResp():
            return _string(pdu.system_id, 15) + tlv.generate(pdu.tlvs)
        case QuerySmResp():
            return b"".join(
                (
                    _string(pdu.message_id, _MESSAGE_ID),
                    _string(pdu.final_date, _TIME),
                    _octets(pdu.message_state, pdu.error_code),
                )
            )
        case _:
            return b""


def _status(status: int) -> bytes:
    try:
        return status.to_bytes(4, "big")
    except OverflowError:
        raise LocalProtocolError(f"a status has 32 bits: {status}") from None
