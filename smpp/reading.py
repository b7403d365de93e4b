"""From a frame to its PDU (SMPP 3.4, chapters 4 and 5), without I/O.

Read by hand, because the SMSC's octets must never be able to stop us: a string without its NUL, an
unknown TLV or command, a truncated body. What asks us for something is read strictly, since half
of it must not be acted on; what answers us is read generously, since an SMSC that leaves out a NUL
has still taken the message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from smpp.address import Address, LongAddress
from smpp.body import Body
from smpp.constants import HEADER, Command, Status
from smpp.errors import LocalProtocolError, MalformedPdu
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
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
    Unsuccess,
)

_HEADER = struct.Struct(">IIII")
_THREE = struct.Struct("3B")
_FIVE = struct.Struct("5B")

_SME, _LIST = 1, 2  # dest_flag, §5.2.25


def decode(frame: bytes) -> Pdu:
    """The PDU of one frame; MalformedPdu if its body is not what the command says."""
    try:
        _, command_id, status, sequence = _HEADER.unpack_from(frame)
    except struct.error:
        raise MalformedPdu(
            "the header is truncated", command_id=0, sequence=0, status=Status.ESME_RINVCMDLEN
        ) from None
    reader = _READERS.get(command_id)
    if reader is None:
        return Unknown(sequence=sequence, command_id=command_id, status=status, body=frame[HEADER:])
    return reader(frame, sequence, status)


# -- requests ---------------------------------------------------------------------------------


def _bind(frame: bytes, sequence: int, status: int) -> Bind:
    body = Body(frame)
    mode = Command(_HEADER.unpack_from(frame)[1])
    system_id, password, system_type = body.string(), body.string(), body.string()
    interface_version, addr_ton, addr_npi = body.unpack(_THREE)
    try:
        return Bind(
            sequence=sequence,
            mode=mode,
            system_id=system_id,
            password=password,
            system_type=system_type,
            interface_version=interface_version,
            addr_ton=addr_ton,
            addr_npi=addr_npi,
            address_range=body.string(),
        )
    except LocalProtocolError as error:
        raise body.malformed(str(error), Status.ESME_RINVPARLEN) from None


def _outbind(frame: bytes, sequence: int, status: int) -> Outbind:
    body = Body(frame)
    try:
        return Outbind(sequence=sequence, system_id=body.string(), password=body.string())
    except LocalProtocolError as error:
        raise body.malformed(str(error), Status.ESME_RINVPARLEN) from None


_Short = TypeVar("_Short", SubmitSm, DeliverSm)


def _short_message(kind: type[_Short]) -> Callable[[bytes, int, int], _Short]:
    def read(frame: bytes, sequence: int, status: int) -> _Short:
        body = Body(frame)
        service_type = body.string()
        source = body.address(Status.ESME_RINVSRCADR)
        destination = body.address(Status.ESME_RINVDSTADR)
        esm_class, protocol_id, priority_flag = body.unpack(_THREE)
        schedule_delivery_time = body.string()
        validity_period = body.string()
        registered_delivery, replace_flag, data_coding, default_id, length = body.unpack(_FIVE)
        return kind(
            sequence=sequence,
            service_type=service_type,
            source=source,
            destination=destination,
            esm_class=esm_class,
            protocol_id=protocol_id,
            priority_flag=priority_flag,
            schedule_delivery_time=schedule_delivery_time,
            validity_period=validity_period,
            registered_delivery=registered_delivery,
            replace_if_present_flag=replace_flag,
            data_coding=data_coding,
            sm_default_msg_id=default_id,
            short_message=body.octets(length),
            tlvs=body.tlvs(),
        )

    return read


def _submit_multi(frame: bytes, sequence: int, status: int) -> SubmitMulti:
    body = Body(frame)
    service_type = body.string()
    source = body.address(Status.ESME_RINVSRCADR)
    destinations = tuple(_destination(body) for _ in range(body.octet()))
    esm_class, protocol_id, priority_flag = body.unpack(_THREE)
    schedule_delivery_time = body.string()
    validity_period = body.string()
    registered_delivery, replace_flag, data_coding, default_id, length = body.unpack(_FIVE)
    return SubmitMulti(
        sequence=sequence,
        service_type=service_type,
        source=source,
        destinations=destinations,
        esm_class=esm_class,
        protocol_id=protocol_id,
        priority_flag=priority_flag,
        schedule_delivery_time=schedule_delivery_time,
        validity_period=validity_period,
        registered_delivery=registered_delivery,
        replace_if_present_flag=replace_flag,
        data_coding=data_coding,
        sm_default_msg_id=default_id,
        short_message=body.octets(length),
        tlvs=body.tlvs(),
    )


def _destination(body: Body) -> Address | DistributionList:
    flag = body.octet()
    if flag == _SME:
        return body.address(Status.ESME_RINVDSTADR)
    if flag == _LIST:
        return DistributionList(body.string())
    raise body.malformed(f"no dest_flag: {flag}", Status.ESME_RINVDESTFLAG)


def _data_sm(frame: bytes, sequence: int, status: int) -> DataSm:
    body = Body(frame)
    service_type = body.string()
    source = body.address(Status.ESME_RINVSRCADR, LongAddress)
    destination = body.address(Status.ESME_RINVDSTADR, LongAddress)
    esm_class, registered_delivery, data_coding = body.unpack(_THREE)
    return DataSm(
        sequence=sequence,
        service_type=service_type,
        source=source,
        destination=destination,
        esm_class=esm_class,
        registered_delivery=registered_delivery,
        data_coding=data_coding,
        tlvs=body.tlvs(),
    )


def _query_sm(frame: bytes, sequence: int, status: int) -> QuerySm:
    body = Body(frame)
    return QuerySm(
        sequence=sequence,
        message_id=body.string(),
        source=body.address(Status.ESME_RINVSRCADR),
    )


def _cancel_sm(frame: bytes, sequence: int, status: int) -> CancelSm:
    body = Body(frame)
    return CancelSm(
        sequence=sequence,
        service_type=body.string(),
        message_id=body.string(),
        source=body.address(Status.ESME_RINVSRCADR),
        destination=body.address(Status.ESME_RINVDSTADR),
    )


def _replace_sm(frame: bytes, sequence: int, status: int) -> ReplaceSm:
    body = Body(frame)
    return ReplaceSm(
        sequence=sequence,
        message_id=body.string(),
        source=body.address(Status.ESME_RINVSRCADR),
        schedule_delivery_time=body.string(),
        validity_period=body.string(),
        registered_delivery=body.octet(),
        sm_default_msg_id=body.octet(),
        short_message=body.octets(body.octet()),
    )


def _alert_notification(frame: bytes, sequence: int, status: int) -> AlertNotification:
    body = Body(frame)
    return AlertNotification(
        sequence=sequence,
        source=body.address(Status.ESME_RINVSRCADR, LongAddress),
        esme=body.address(Status.ESME_RINVDSTADR, LongAddress),
        tlvs=body.tlvs(),
    )


# -- responses --------------------------------------------------------------------------------

_Answer = TypeVar("_Answer", SubmitSmResp, DeliverSmResp, DataSmResp)


def _id_response(kind: type[_Answer]) -> Callable[[bytes, int, int], _Answer]:
    def read(frame: bytes, sequence: int, status: int) -> _Answer:
        end = frame.find(b"\0", HEADER)
        if end == len(frame) - 1:  # as the specification has it
            id = frame[HEADER:end].decode("latin-1")
            return kind(sequence=sequence, status=status, message_id=id)
        id, tlvs = Body(frame).ending(refused=bool(status))
        return kind(sequence=sequence, status=status, message_id=id, tlvs=tlvs)

    return read


def _bind_resp(frame: bytes, sequence: int, status: int) -> BindResp:
    mode = Command(_HEADER.unpack_from(frame)[1] & 0xFF)
    system_id, tlvs = Body(frame).ending(refused=bool(status))
    return BindResp(sequence=sequence, mode=mode, status=status, system_id=system_id, tlvs=tlvs)


def _submit_multi_resp(frame: bytes, sequence: int, status: int) -> SubmitMultiResp:
    body = Body(frame)
    message_id = body.last_string()
    if body.empty():
        return SubmitMultiResp(sequence=sequence, status=status, message_id=message_id)
    unsuccess = tuple(
        Unsuccess(body.address(Status.ESME_RINVDSTADR), int.from_bytes(body.octets(4), "big"))
        for _ in range(body.octet())
    )
    return SubmitMultiResp(
        sequence=sequence,
        status=status,
        message_id=message_id,
        unsuccess=unsuccess,
        tlvs=() if body.empty() else body.tlvs(),
    )


def _query_sm_resp(frame: bytes, sequence: int, status: int) -> QuerySmResp:
    body = Body(frame)
    if status and body.empty():
        return QuerySmResp(sequence=sequence, status=status)
    return QuerySmResp(
        sequence=sequence,
        status=status,
        message_id=body.string(),
        final_date=body.string(),
        message_state=body.octet(),
        error_code=body.octet(),
    )


_READERS: dict[int, Callable[[bytes, int, int], Pdu]] = {
    Command.BIND_RECEIVER: _bind,
    Command.BIND_RECEIVER_RESP: _bind_resp,
    Command.BIND_TRANSMITTER: _bind,
    Command.BIND_TRANSMITTER_RESP: _bind_resp,
    Command.BIND_TRANSCEIVER: _bind,
    Command.BIND_TRANSCEIVER_RESP: _bind_resp,
    Command.OUTBIND: _outbind,
    Command.SUBMIT_SM: _short_message(SubmitSm),
    Command.SUBMIT_SM_RESP: _id_response(SubmitSmResp),
    Command.SUBMIT_MULTI: _submit_multi,
    Command.SUBMIT_MULTI_RESP: _submit_multi_resp,
    Command.DELIVER_SM: _short_message(DeliverSm),
    Command.DELIVER_SM_RESP: _id_response(DeliverSmResp),
    Command.DATA_SM: _data_sm,
    Command.DATA_SM_RESP: _id_response(DataSmResp),
    Command.QUERY_SM: _query_sm,
    Command.QUERY_SM_RESP: _query_sm_resp,
    Command.CANCEL_SM: _cancel_sm,
    Command.REPLACE_SM: _replace_sm,
    Command.ALERT_NOTIFICATION: _alert_notification,
    # These have no body, and one that is there says nothing.
    Command.CANCEL_SM_RESP: lambda _, seq, status: CancelSmResp(sequence=seq, status=status),
    Command.REPLACE_SM_RESP: lambda _, seq, status: ReplaceSmResp(sequence=seq, status=status),
    Command.UNBIND: lambda _, seq, status: Unbind(sequence=seq),
    Command.UNBIND_RESP: lambda _, seq, status: UnbindResp(sequence=seq, status=status),
    Command.ENQUIRE_LINK: lambda _, seq, status: EnquireLink(sequence=seq),
    Command.ENQUIRE_LINK_RESP: lambda _, seq, status: EnquireLinkResp(sequence=seq, status=status),
    Command.GENERIC_NACK: lambda _, seq, status: GenericNack(sequence=seq, status=status),
}  # fmt: skip
