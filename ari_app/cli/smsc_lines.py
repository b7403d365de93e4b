"""What the simulated SMSC says in a terminal: numbers masked, texts not at all."""

from __future__ import annotations

from smpp.address import Address
from smpp.constants import Npi, Ton, status_name
from smpp.simulator import (
    AcceptedMessage,
    AnswerWithheld,
    BindAnswered,
    ConnectionEnded,
    FaultsChanged,
    ReceiptAnswered,
    ReceiptSent,
    TextAnswered,
    TextCancelled,
    TextRefused,
    TextReplaced,
    TextSent,
    TextUntaken,
    Told,
)


def line(told: Told) -> str:
    """One sentence, safe to be kept in a log."""
    match told:
        case AcceptedMessage():
            parts = _counted(len(told.ids), "part")
            return f"took a text of {parts} for {_masked(told.recipient)}: {', '.join(told.ids)}"
        case ReceiptSent():
            return f"receipt {told.id}: {told.state}"
        case ReceiptAnswered():
            return f"receipt {told.id} answered {status_name(told.status)}"
        case TextSent():
            return f"{_masked(told.sender)} writes a text of {_counted(told.parts, 'part')}"
        case TextAnswered():
            return f"the text of {_masked(told.sender)} answered {status_name(told.status)}"
        case TextUntaken():
            return f"no ESME took text {told.number} of a handset in time"
        case BindAnswered():
            return f"[{told.connection}] {told.mode} of {told.system_id!r}: " + status_name(
                told.status
            )
        case ConnectionEnded():
            return f"[{told.connection}] connection ended"
        case TextRefused():
            return f"[{told.connection}] text refused: {status_name(told.status)}"
        case AnswerWithheld():
            return f"[{told.connection}] took {told.message} and does not say so"
        case TextCancelled():
            return f"{told.message} cancelled"
        case TextReplaced():
            return f"{told.message} replaced"
        case FaultsChanged():
            return "switched: " + ", ".join(f"{k}={v}" for k, v in told.changes.items())


def _masked(digits: str) -> str:
    ton = Ton.INTERNATIONAL if digits.isdecimal() and len(digits) > 8 else Ton.UNKNOWN
    return Address(ton, Npi.UNKNOWN, digits.lstrip("+")[: Address.longest]).masked


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
