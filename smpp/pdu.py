"""The PDUs of SMPP 3.4 (chapter 4) as values.

A response is what a peer said, so its fields take anything; what we ask for is checked here when
a peer could misunderstand it silently (a password cut short), and by the codec otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from smpp.address import NOWHERE, Address
from smpp.constants import INTERFACE_VERSION, RESPONSE, Command, Status, Tag
from smpp.errors import LocalProtocolError
from smpp.quick import quick
from smpp.tlv import Tlvs as Tlvs  # also found under this name
from smpp.tlv import find, read_int

# -- the session ------------------------------------------------------------------------------


def _check(name: str, value: str, longest: int) -> None:
    # §5.2.1 to 5.2.3: smpplib and others cut these silently, then the SMSC says "wrong password"
    # and a person looks for the fault in the wrong place.
    if len(value) > longest:
        raise LocalProtocolError(f"{name} has at most {longest} characters")
    if any(c == "\0" or c > "\xff" for c in value):
        raise LocalProtocolError(f"{name} is Latin-1 without NUL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """bind_transceiver, _transmitter or _receiver, §4.1; the password is not in its repr."""

    sequence: int = 0
    mode: Command = Command.BIND_TRANSCEIVER
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __post_init__(self) -> None:
        _check("system_id", self.system_id, 15)
        _check("password", self.password, 8)
        _check("system_type", self.system_type, 12)
        _check("address_range", self.address_range, 40)

    @property
    def command_id(self) -> int:
        """Its mode."""
        return self.mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbind:
    """The SMSC asks us to bind as a receiver, §4.1.7; never answered, but by that bind."""

    command_id: ClassVar[int] = Command.OUTBIND

    sequence: int = 0
    system_id: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        _check("system_id", self.system_id, 15)
        _check("password", self.password, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLink:
    """Are you there? §4.11.1."""

    command_id: ClassVar[int] = Command.ENQUIRE_LINK

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind:
    """The end of the session is asked for, §4.2.1."""

    command_id: ClassVar[int] = Command.UNBIND

    sequence: int


# -- responses --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What every response has; `status` is of §5.1.3 or a carrier's own."""

    sequence: int
    status: int = Status.ESME_ROK


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class IdResponse(Response):
    """A response with the SMSC's id of the message, verbatim, and TLVs (most have none)."""

    message_id: str = ""
    tlvs: Tlvs = field(default=(), repr=False)

    def tlv(self, tag: int) -> bytes | None:
        """The value of the first optional parameter of that tag."""
        return find(self.tlvs, tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindResp(Response):
    """The answer to a bind, §4.1.2."""

    mode: Command = Command.BIND_TRANSCEIVER
    system_id: str = ""
    tlvs: Tlvs = ()

    @property
    def command_id(self) -> int:
        """That of its mode."""
        return self.mode | RESPONSE

    @property
    def sc_interface_version(self) -> int | None:
        """What the SMSC speaks (§5.3.2.25); None means 3.3 or nothing said: send it no TLVs."""
        return read_int(find(self.tlvs, Tag.SC_INTERFACE_VERSION) or b"")


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSmResp(IdResponse):
    """The SMSC's answer to a text, §4.4.2."""

    command_id: ClassVar[int] = Command.SUBMIT_SM_RESP


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSmResp(IdResponse):
    """Our answer to a deliver_sm, §4.6.2: its message_id is unused."""

    command_id: ClassVar[int] = Command.DELIVER_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSmResp(IdResponse):
    """The answer to a data_sm, §4.7.2."""

    command_id: ClassVar[int] = Command.DATA_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLinkResp(Response):
    """Yes. §4.11.2."""

    command_id: ClassVar[int] = Command.ENQUIRE_LINK_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbindResp(Response):
    """...and agreed to, §4.2.2."""

    command_id: ClassVar[int] = Command.UNBIND_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericNack:
    """A PDU was not understood, §4.3.1; sequence 0 if not even its sequence was."""

    command_id: ClassVar[int] = Command.GENERIC_NACK

    sequence: int
    status: int


# -- texts ------------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What carries octets from one address to another; they are not in the repr."""

    sequence: int = 0
    source: Address = NOWHERE
    destination: Address = NOWHERE
    data_coding: int = 0
    esm_class: int = 0
    registered_delivery: int = 0
    service_type: str = ""
    tlvs: Tlvs = field(default=(), repr=False)

    def tlv(self, tag: int) -> bytes | None:
        """The value of the first optional parameter of that tag."""
        return find(self.tlvs, tag)

    @property
    def octets(self) -> bytes:
        """The user part: message_payload (§5.3.2.32)."""
        return find(self.tlvs, Tag.MESSAGE_PAYLOAD) or b""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DataSm(Transfer):
    """A text or a receipt in either direction, all of it in TLVs, §4.7.1."""

    command_id: ClassVar[int] = Command.DATA_SM


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ShortMessage(Transfer):
    """What submit_sm (§4.4.1), deliver_sm (§4.6.1) and submit_multi (§4.5.1) have in common.

    The times are as `smpp.times` writes them; "" is at once, or the SMSC's default.
    """

    short_message: bytes = field(default=b"", repr=False)
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present_flag: int = 0
    sm_default_msg_id: int = 0

    @property
    def octets(self) -> bytes:
        """The user part: short_message, or message_payload in its place (§5.3.2.32)."""
        return self.short_message or find(self.tlvs, Tag.MESSAGE_PAYLOAD) or b""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSm(ShortMessage):
    """A text from us, §4.4.1."""

    command_id: ClassVar[int] = Command.SUBMIT_SM


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSm(ShortMessage):
    """A text or a receipt for us, §4.6.1."""

    command_id: ClassVar[int] = Command.DELIVER_SM


@dataclass(frozen=True, slots=True)
class DistributionList:
    """A list of recipients that the SMSC keeps, §5.2.27."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMulti(ShortMessage):
    """One text for 1 to 254 `destinations`, §4.5.1; its `destination` is unused."""

    command_id: ClassVar[int] = Command.SUBMIT_MULTI

    destinations: tuple[Address | DistributionList, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsuccess:
    """One recipient of a submit_multi that was not accepted, and why, §4.5.2.1."""

    address: Address
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitMultiResp(IdResponse):
    """The answer to a submit_multi, §4.5.2: accepted, but for these."""

    command_id: ClassVar[int] = Command.SUBMIT_MULTI_RESP

    unsuccess: tuple[Unsuccess, ...] = ()


# -- messages that the SMSC has ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySm:
    """What became of a message? §4.8.1; the source must be that of its submit_sm."""

    command_id: ClassVar[int] = Command.QUERY_SM

    sequence: int = 0
    message_id: str
    source: Address = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySmResp(Response):
    """What became of it, §4.8.2; `final_date` is as `smpp.times` reads it, "" until then."""

    command_id: ClassVar[int] = Command.QUERY_SM_RESP

    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSm:
    """Do not send it: one message by its id, or all between two addresses, §4.9.1."""

    command_id: ClassVar[int] = Command.CANCEL_SM

    sequence: int = 0
    service_type: str = ""
    message_id: str = ""
    source: Address = NOWHERE
    destination: Address = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSmResp(Response):
    """It will not be sent, §4.9.2."""

    command_id: ClassVar[int] = Command.CANCEL_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSm:
    """Send this instead, §4.10.1; the source must be that of the submit_sm."""

    command_id: ClassVar[int] = Command.REPLACE_SM

    sequence: int = 0
    message_id: str
    source: Address = NOWHERE
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSmResp(Response):
    """It was replaced, §4.10.2."""

    command_id: ClassVar[int] = Command.REPLACE_SM_RESP


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNotification:
    """A handset that set_dpf waited for is reachable again, §4.12.1; never answered."""

    command_id: ClassVar[int] = Command.ALERT_NOTIFICATION

    sequence: int = 0
    source: Address = NOWHERE
    esme: Address = NOWHERE
    tlvs: Tlvs = ()


# -- anything else ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A sound frame of a command that SMPP 3.4 does not have; written as it was read."""

    sequence: int
    command_id: int
    status: int
    body: bytes = field(default=b"", repr=False)

    @property
    def is_response(self) -> bool:
        """Whether it answers something; a response is never answered."""
        return bool(self.command_id & RESPONSE)


Pdu: TypeAlias = (
    Bind
    | BindResp
    | Outbind
    | Unbind
    | UnbindResp
    | EnquireLink
    | EnquireLinkResp
    | GenericNack
    | SubmitSm
    | SubmitSmResp
    | SubmitMulti
    | SubmitMultiResp
    | DeliverSm
    | DeliverSmResp
    | DataSm
    | DataSmResp
    | QuerySm
    | QuerySmResp
    | CancelSm
    | CancelSmResp
    | ReplaceSm
    | ReplaceSmResp
    | AlertNotification
    | Unknown
)
