"""What the simulated SMSC tells of itself, as values and as JSON. Pure.

Texts and numbers are in here whole: notices are for the person who rehearses, never for a log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A text the SMSC took, joined if it came in parts; […] stands for parts that never came."""

    ids: tuple[str, ...]  # as submit_sm_resp had them
    sender: str  # as on the wire: digits without a plus
    recipient: str
    text: str = field(repr=False)
    at: float  # time.monotonic() of the last part
    registered_delivery: int
    data_coding: int
    system_id: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptSent:
    """A receipt went out; `message` is the id as submit_sm_resp had it."""

    id: str
    state: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptAnswered:
    """The ESME has answered a receipt."""

    id: str
    status: int


@dataclass(frozen=True, slots=True)
class TextAnswered:
    """The ESME has answered the last part of a text from a handset."""

    sender: str
    recipient: str
    status: int
    number: int = 0  # of its TextSent


Notice: TypeAlias = AcceptedMessage | ReceiptSent | ReceiptAnswered | TextAnswered


@dataclass(frozen=True, slots=True)
class TextSent:
    """A handset has written; the parts go out as soon as an ESME receives."""

    number: int
    sender: str
    recipient: str
    text: str = field(repr=False)
    parts: int


@dataclass(frozen=True, slots=True)
class TextUntaken:
    """Nobody has taken a text from a handset in time."""

    number: int  # of its TextSent


@dataclass(frozen=True, slots=True)
class BindAnswered:
    """An ESME has asked to bind; `connection` is a number of ours."""

    connection: int
    system_id: str
    mode: str
    status: int


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """A connection is gone, bound (as whom) or not."""

    connection: int
    system_id: str


@dataclass(frozen=True, slots=True)
class TextRefused:
    """A submit_sm, data_sm or submit_multi was refused."""

    connection: int
    status: int


@dataclass(frozen=True, slots=True)
class AnswerWithheld:
    """A message was taken, and the ESME is not told."""

    connection: int
    message: str


@dataclass(frozen=True, slots=True)
class TextCancelled:
    """A cancel_sm took a message back."""

    message: str


@dataclass(frozen=True, slots=True)
class TextReplaced:
    """A replace_sm gave a message another text."""

    message: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FaultsChanged:
    """Somebody has thrown switches."""

    changes: dict[str, object]


Progress: TypeAlias = (
    TextSent
    | TextUntaken
    | BindAnswered
    | ConnectionEnded
    | TextRefused
    | AnswerWithheld
    | TextCancelled
    | TextReplaced
    | FaultsChanged
)
Told: TypeAlias = Notice | Progress

_NAMES: dict[type[Told], str] = {
    AcceptedMessage: "accepted",
    ReceiptSent: "receipt_sent",
    ReceiptAnswered: "receipt_acknowledged",
    TextAnswered: "mo_acknowledged",
    TextSent: "mo_sent",
    TextUntaken: "mo_untaken",
    BindAnswered: "bind",
    ConnectionEnded: "connection_ended",
    TextRefused: "refused",
    AnswerWithheld: "answer_withheld",
    TextCancelled: "cancelled",
    TextReplaced: "replaced",
    FaultsChanged: "faults_changed",
}


def as_json(told: Told) -> dict[str, Any]:
    """A JSON object with `event` and the fields."""
    return {"event": _NAMES[type(told)], **asdict(told)}
