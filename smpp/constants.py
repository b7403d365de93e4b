"""The numbers of SMPP 3.4 that we use, by the names the specification gives them."""

from __future__ import annotations

from enum import IntEnum, IntFlag

INTERFACE_VERSION = 0x34

# The header is four 4-octet integers (§3.2); the longest honest PDU carries a message_payload of
# 64 KiB (§5.3.2.32), so anything beyond that and some slack is not a PDU but a broken stream.
HEADER = 16
MAX_PDU = 64 * 1024 + 4 * 1024

MAX_SEQUENCE = 0x7FFFFFFF  # §3.2: 1 to this, then again from 1
RESPONSE = 0x80000000  # §5.1.2.1: set in the command_id of every response

MAX_SHORT_MESSAGE = 254  # §5.2.21


class Command(IntEnum):
    """command_id, §5.1.2.1."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_TRANSMITTER = 0x00000002
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    BIND_TRANSCEIVER = 0x00000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015
    ALERT_NOTIFICATION = 0x00000102


class Status(IntEnum):
    """command_status, §5.1.3; a carrier's own values (0x400 to 0x4FF) stay plain integers."""

    ESME_ROK = 0x00
    ESME_RINVMSGLEN = 0x01
    ESME_RINVCMDLEN = 0x02
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RSYSERR = 0x08
    ESME_RINVSRCADR = 0x0A
    ESME_RINVDSTADR = 0x0B
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RINVSYSID = 0x0F
    ESME_RMSGQFUL = 0x14
    ESME_RSUBMITFAIL = 0x45
    ESME_RINVSYSTYP = 0x53
    ESME_RTHROTTLED = 0x58
    ESME_RX_T_APPN = 0x64
    ESME_RX_P_APPN = 0x65
    ESME_RX_R_APPN = 0x66
    ESME_RINVOPTPARSTREAM = 0xC0
    ESME_RINVPARLEN = 0xC2
    ESME_RUNKNOWNERR = 0xFF


def status_name(status: int) -> str:
    """The specification's name, or hexadecimal for what it does not name."""
    try:
        return Status(status).name
    except ValueError:
        return f"0x{status:08X}"


class Tag(IntEnum):
    """Optional parameters, §5.3.2."""

    RECEIPTED_MESSAGE_ID = 0x001E
    USER_MESSAGE_REFERENCE = 0x0204
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Ton(IntEnum):
    """Type of number, §5.2.5."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    ALPHANUMERIC = 5


class Npi(IntEnum):
    """Numbering plan, §5.2.6."""

    UNKNOWN = 0
    ISDN = 1


class EsmClass(IntFlag):
    """esm_class, §5.2.12."""

    DEFAULT = 0x00
    RECEIPT = 0x04
    DELIVERY_ACKNOWLEDGEMENT = 0x08
    MANUAL_ACKNOWLEDGEMENT = 0x10
    INTERMEDIATE = 0x20
    TYPE_MASK = 0x3C
    UDHI = 0x40


class DataCoding(IntEnum):
    """data_coding, §5.2.19: what we send."""

    DEFAULT = 0x00
    LATIN1 = 0x03
    UCS2 = 0x08


class RegisteredDelivery(IntEnum):
    """registered_delivery, §5.2.17."""

    NONE = 0x00
    FINAL = 0x01


# message_state, §5.2.28, by the words of appendix B.
MESSAGE_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
