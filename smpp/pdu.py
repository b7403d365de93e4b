"""The PDUs of SMPP 3.4 (chapter 4) as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from smpp.address import NOWHERE, Address
from smpp.constants import INTERFACE_VERSION, RESPONSE, Command, Status, Tag
from smpp.errors import LocalProtocolError

Tlvs: TypeAlias = tuple[tuple[int, bytes], ...]


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
        # §5.2.1 to 5.2.3: smpplib and others cut these silently, then the SMSC says "wrong
        # password" and a person looks for the fault in the wrong place.
        for name, value, longest in (
            ("system_id", self.system_id, 15),
            ("password", self.password, 8),
            ("system_type", self.system_type, 12),
            ("address_range", self.address_range, 40),
        ):
            if len(value) > longest:
                raise LocalProtocolError(f"{name} has at most {longest} characters")
            if any(c == "\0" or c > "\xff" for c in value):
                raise LocalProtocolError(f"{name} is Latin-1 without NUL")


@dataclass(frozen=True, slots=True, kw_only=True)
class BindResp:
    """The answer to a bind, §4.1.2."""

    sequence: int
    mode: Command = Command.BIND_TRANSCEIVER
    status: int = Status.ESME_ROK
    system_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortMessage:
    """What submit_sm (§4.4.1) and deliver_sm (§4.6.1) have in common; text is not in the repr."""

    sequence: int = 0
    source: Address = NOWHERE
    destination: Address = NOWHERE
    short_message: bytes = field(default=b"", repr=False)
    data_coding: int = 0
    esm_class: int = 0
    registered_delivery: int = 0
    service_type: str = ""
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present_flag: int = 0
    sm_default_msg_id: int = 0
    tlvs: Tlvs = field(default=(), repr=False)

    def tlv(self, tag: int) -> bytes | None:
        """The value of the first optional parameter of that tag."""
        return next((value for found, value in self.tlvs if found == tag), None)

    @property
    def octets(self) -> bytes:
        """The user part: short_message, or message_payload in its place (§5.3.2.32)."""
        return self.short_message or self.tlv(Tag.MESSAGE_PAYLOAD) or b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSm(ShortMessage):
    """A text from us, §4.4.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSm(ShortMessage):
    """A text or a receipt for us, §4.6.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSmResp:
    """The SMSC's answer to a text, §4.4.2; the id is verbatim."""

    sequence: int
    status: int = Status.ESME_ROK
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSmResp:
    """Our answer to a deliver_sm, §4.6.2."""

    sequence: int
    status: int = Status.ESME_ROK


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLink:
    """Are you there? §4.11.1."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnquireLinkResp:
    """Yes. §4.11.2."""

    sequence: int
    status: int = Status.ESME_ROK


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind:
    """The end of the session is asked for, §4.2.1."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbindResp:
    """...and agreed to, §4.2.2."""

    sequence: int
    status: int = Status.ESME_ROK


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericNack:
    """A PDU was not understood, §4.3.1; sequence 0 if not even its sequence was."""

    sequence: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A sound frame of a command that this library does not speak."""

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
    | SubmitSm
    | SubmitSmResp
    | DeliverSm
    | DeliverSmResp
    | EnquireLink
    | EnquireLinkResp
    | Unbind
    | UnbindResp
    | GenericNack
    | Unknown
)
