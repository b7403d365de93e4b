"""The SMSC in the box, for tests, the demo and rehearsals; `smsc.Smsc` is all of it."""

from __future__ import annotations

from smpp.simulator.chance import delay, fates
from smpp.simulator.faults import FaultError, FaultRow, Faults, change, describe, read
from smpp.simulator.handsets import Bubble, Handsets, Thread
from smpp.simulator.notices import (
    AcceptedMessage,
    AnswerWithheld,
    BindAnswered,
    ConnectionEnded,
    FaultsChanged,
    Notice,
    Progress,
    ReceiptAnswered,
    ReceiptSent,
    TextAnswered,
    TextCancelled,
    TextRefused,
    TextReplaced,
    TextSent,
    TextUntaken,
    Told,
    as_json,
)
from smpp.simulator.smsc import Smsc
from smpp.simulator.watching import Watch

__all__ = [
    "AcceptedMessage",
    "AnswerWithheld",
    "BindAnswered",
    "Bubble",
    "ConnectionEnded",
    "FaultError",
    "FaultRow",
    "Faults",
    "FaultsChanged",
    "Handsets",
    "Notice",
    "Progress",
    "ReceiptAnswered",
    "ReceiptSent",
    "Smsc",
    "TextAnswered",
    "TextCancelled",
    "TextRefused",
    "TextReplaced",
    "TextSent",
    "TextUntaken",
    "Thread",
    "Told",
    "Watch",
    "as_json",
    "change",
    "delay",
    "describe",
    "fates",
    "read",
]
