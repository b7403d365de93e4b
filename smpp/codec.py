"""
Between octets and PDUs (SMPP 3.4, chapters 3 to 5), without I/O.

submit_sm, deliver_sm and every response are read and written by hand, because the SMSC's octets
must never be able to stop us: a TLV string without its NUL, an unknown TLV or command, a truncated
body. The rare requests of an ESME (bind, unbind, enquire_link) are written by smpplib, our
reference codec; the property tests hold the rest against it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from smpplib import smpp as reference

from smpp.address import Address
from smpp.constants import (
    HEADER,
    MAX_PDU,
    MAX_SEQUENCE,
    MAX_SHORT_MESSAGE,
    RESPONSE,
    Command,
    Status,
)
from smpp.errors import LocalProtocolError, MalformedPdu, RemoteProtocolError
from smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    ShortMessage,
    SubmitSm,
    SubmitSmResp,
    Tlvs,
    Unbind,
    UnbindResp,
    Unknown,
)

_HEADER = struct.Struct(">IIII")
_TLV = struct.Struct(">HH")

_BINDS = (Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER)

# -- frames -----------------------------------------------------------------------------------


class FrameReader:
    """Cuts a stream into frames by command_length (§3.2), at most MAX_PDU octets each."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def halfway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The frames that are complete now; RemoteProtocolError if the next length is absurd.

        After the error the stream is lost: nobody can know where the next PDU begins.
        """
        self._buffer += octets
        start = 0
        try:
            while len(self._buffer) - start >= 4:
                length = int.from_bytes(self._buffer[start : start + 4], "big")
                if not HEADER <= length <= MAX_PDU:
                    raise RemoteProtocolError(f"command_length {length} is absurd")
                if len(self._buffer) - start < length:
                    break
                frame = bytes(self._buffer[start : start + length])
                start += length
                yield frame
        finally:
            # Once per feed, not per frame: a burst of small PDUs must not cost its square.
            del self._buffer[:start]


# -- octets to PDUs ---------------------------------------------------------------------------


def decode(frame: bytes) -> Pdu:
    """The PDU of one frame; MalformedPdu if its body is not what the command says."""
    _, command_id, status, sequence = _HEADER.unpack_from(frame)
    body = _Body(frame, command_id, sequence)
    match command_id:
        case Command.SUBMIT_SM_RESP:
            return SubmitSmResp(sequence=sequence, status=status, message_id=body.last_string())
        case Command.DELIVER_SM:
            return _short_message(DeliverSm, sequence, body)
        case Command.SUBMIT_SM:
            return _short_message(SubmitSm, sequence, body)
        case Command.DELIVER_SM_RESP:
            return DeliverSmResp(sequence=sequence, status=status)
        case Command.ENQUIRE_LINK:
            return EnquireLink(sequence=sequence)
        case Command.ENQUIRE_LINK_RESP:
            return EnquireLinkResp(sequence=sequence, status=status)
        case Command.UNBIND:
            return Unbind(sequence=sequence)
        case Command.UNBIND_RESP:
            return UnbindResp(sequence=sequence, status=status)
        case Command.GENERIC_NACK:
            return GenericNack(sequence=sequence, status=status)
        case _ if command_id in _BINDS:
            return _bind(Command(command_id), sequence, body)
        case _ if command_id & RESPONSE and command_id ^ RESPONSE in _BINDS:
            return BindResp(
                sequence=sequence,
                mode=Command(command_id ^ RESPONSE),
                status=status,
                system_id=body.last_string(),
            )
        case _:
            return Unknown(
                sequence=sequence, command_id=command_id, status=status, body=frame[HEADER:]
            )


class _Body:
    """Reads the fields of one frame in order; every shortage is a MalformedPdu."""

    def __init__(self, frame: bytes, command_id: int, sequence: int) -> None:
        self._frame = frame
        self._at = HEADER
        self._command_id = command_id
        self._sequence = sequence

    def malformed(self, reason: str, status: int) -> MalformedPdu:
        return MalformedPdu(
            reason, command_id=self._command_id, sequence=self._sequence, status=status
        )

    def octet(self) -> int:
        return self.octets(1)[0]

    def octets(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._frame):
            raise self.malformed("the body is truncated", Status.ESME_RINVCMDLEN)
        value = self._frame[self._at : end]
        self._at = end
        return value

    def string(self) -> str:
        """A C-octet string in the middle of a body: without its NUL nothing after it is safe."""
        end = self._frame.find(b"\0", self._at)
        if end < 0:
            raise self.malformed("a string has no end", Status.ESME_RINVCMDLEN)
        value = self._frame[self._at : end].decode("latin-1")
        self._at = end + 1
        return value

    def last_string(self) -> str:
        """A C-octet string that ends a body: some SMSCs leave out the NUL, or all of it."""
        value, _, _ = self._frame[self._at :].partition(b"\0")
        return value.decode("latin-1")

    def address(self, status: int) -> Address:
        ton, npi, digits = self.octet(), self.octet(), self.string()
        try:
            return Address(ton, npi, digits)
        except LocalProtocolError as error:
            raise self.malformed(str(error), status) from None

    def tlvs(self) -> Tlvs:
        """All optional parameters, known or not (§3.3: ignore what you do not know)."""
        found: list[tuple[int, bytes]] = []
        while self._at < len(self._frame):
            try:
                tag, length = _TLV.unpack(self.octets(_TLV.size))
                found.append((tag, self.octets(length)))
            except MalformedPdu:
                raise self.malformed(
                    "an optional parameter is truncated", Status.ESME_RINVOPTPARSTREAM
                ) from None
        return tuple(found)


def _short_message(
    kind: type[DeliverSm] | type[SubmitSm], sequence: int, body: _Body
) -> DeliverSm | SubmitSm:
    service_type = body.string()
    source = body.address(Status.ESME_RINVSRCADR)
    destination = body.address(Status.ESME_RINVDSTADR)
    esm_class, protocol_id, priority_flag = body.octets(3)
    schedule_delivery_time = body.string()
    validity_period = body.string()
    registered_delivery, replace_if_present_flag, data_coding, default_id, length = body.octets(5)
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
        replace_if_present_flag=replace_if_present_flag,
        data_coding=data_coding,
        sm_default_msg_id=default_id,
        short_message=body.octets(length),
        tlvs=body.tlvs(),
    )


def _bind(mode: Command, sequence: int, body: _Body) -> Bind:
    system_id, password, system_type = body.string(), body.string(), body.string()
    interface_version, addr_ton, addr_npi = body.octets(3)
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


# -- PDUs to octets ---------------------------------------------------------------------------


def encode(pdu: Pdu) -> bytes:
    """The frame of a PDU; LocalProtocolError if SMPP 3.4 has no place for its values."""
    match pdu:
        case SubmitSm():
            return _frame(Command.SUBMIT_SM, 0, pdu.sequence, _short_message_body(pdu))
        case DeliverSm():
            return _frame(Command.DELIVER_SM, 0, pdu.sequence, _short_message_body(pdu))
        case SubmitSmResp():
            # §4.4.2: no body if it was refused; harmless to an ESME that expects one.
            body = b"" if pdu.status else _string(pdu.message_id, 64)
            return _frame(Command.SUBMIT_SM_RESP, pdu.status, pdu.sequence, body)
        case DeliverSmResp():
            # §4.6.2: message_id is unused and set to NULL.
            return _frame(Command.DELIVER_SM_RESP, pdu.status, pdu.sequence, b"\0")
        case EnquireLinkResp():
            return _frame(Command.ENQUIRE_LINK_RESP, pdu.status, pdu.sequence)
        case UnbindResp():
            return _frame(Command.UNBIND_RESP, pdu.status, pdu.sequence)
        case BindResp():
            body = b"" if pdu.status else _string(pdu.system_id, 15)
            return _frame(pdu.mode | RESPONSE, pdu.status, pdu.sequence, body)
        case GenericNack():
            return _frame(Command.GENERIC_NACK, pdu.status, pdu.sequence)
        case Unknown():
            return _frame(pdu.command_id, pdu.status, pdu.sequence, pdu.body)
        case EnquireLink():
            return _by_reference("enquire_link", pdu.sequence)
        case Unbind():
            return _by_reference("unbind", pdu.sequence)
        case Bind():
            return _by_reference(
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


def _by_reference(command: str, sequence: int, **fields: str | int) -> bytes:
    # The constructor ignores the sequence and the interface_version that it is given.
    pdu = reference.make_pdu(command, sequence=sequence, **fields)
    for name, value in fields.items():
        setattr(pdu, name, value)
    pdu.sequence = sequence
    return bytes(pdu.generate())


def _frame(command_id: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    if not 0 <= sequence <= 0xFFFFFFFF:
        raise LocalProtocolError(f"no sequence: {sequence}")
    length = HEADER + len(body)
    if length > MAX_PDU:
        raise LocalProtocolError("the PDU is too long")
    return _HEADER.pack(length, command_id, status, sequence) + body


def _string(value: str, longest: int) -> bytes:
    if len(value) > longest or "\0" in value:
        raise LocalProtocolError(f"a string of at most {longest} characters, no NUL")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise LocalProtocolError("a C-octet string is Latin-1") from None


def _short_message_body(pdu: ShortMessage) -> bytes:
    if len(pdu.short_message) > MAX_SHORT_MESSAGE:
        raise LocalProtocolError(f"short_message has at most {MAX_SHORT_MESSAGE} octets")
    try:
        return b"".join(
            (
                _string(pdu.service_type, 5),
                bytes((pdu.source.ton, pdu.source.npi)),
                _string(pdu.source.digits, 20),
                bytes((pdu.destination.ton, pdu.destination.npi)),
                _string(pdu.destination.digits, 20),
                bytes((pdu.esm_class, pdu.protocol_id, pdu.priority_flag)),
                _string(pdu.schedule_delivery_time, 16),
                _string(pdu.validity_period, 16),
                bytes(
                    (
                        pdu.registered_delivery,
                        pdu.replace_if_present_flag,
                        pdu.data_coding,
                        pdu.sm_default_msg_id,
                        len(pdu.short_message),
                    )
                ),
                pdu.short_message,
                *(_TLV.pack(tag, len(value)) + value for tag, value in pdu.tlvs),
            )
        )
    except (ValueError, struct.error) as error:
        raise LocalProtocolError(f"a field is out of range: {error}") from None


def next_sequence(sequence: int) -> int:
    """The sequence number after this one (§3.2): 1 follows 0x7FFFFFFF."""
    return sequence % MAX_SEQUENCE + 1
