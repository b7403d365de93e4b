"""What a session tells: past-tense facts, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from smpp.address import Address
from smpp.constants import Status
from smpp.pdu import DeliverSm, Pdu


@dataclass(frozen=True, slots=True)
class Bound:
    """The SMSC has accepted the bind."""

    system_id: str


@dataclass(frozen=True, slots=True)
class BindFailed:
    """The SMSC has refused the bind; the session is closed."""

    status: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """The SMSC has taken a message."""

    sequence: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The SMSC has not taken a message, by submit_sm_resp or generic_nack."""

    sequence: int
    status: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The response deadline of a message or request has passed: its fate is unknown."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AnsweredLate:
    """...and then the answer to the message came after all."""

    sequence: int
    status: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A request of ours has its answer: the response that fits it, or generic_nack."""

    sequence: int
    pdu: Pdu


@dataclass(frozen=True, slots=True)
class Delivered:
    """A deliver_sm or data_sm has come; `answer` it when it is stored."""

    pdu: DeliverSm


@dataclass(frozen=True, slots=True)
class Available:
    """alert_notification (§4.12): a handset that could not be reached can be now."""

    source: Address  # the handset
    destination: Address  # the ESME that asked to be told


@dataclass(frozen=True, slots=True)
class Skipped:
    """A PDU was answered or ignored, and not understood."""

    command_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; the fate of the messages in `pending` is unknown."""

    reason: str
    pending: tuple[int, ...] = field(default=())


Event: TypeAlias = (
    Bound
    | BindFailed
    | Submitted
    | Refused
    | Unanswered
    | AnsweredLate
    | Answered
    | Delivered
    | Available
    | Skipped
    | Ended
)

Item: TypeAlias = Any  #: what the caller of `Session.submit_octets` knows a message by
Pending: TypeAlias = Sequence[tuple[int, Item]]  #: sequences and items


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """Who is told, with a plain call for each fact: an event made for each message costs more."""

    #: sequence, item, when it was written, status, message id; by submit_sm_resp or generic_nack
    answered: Callable[[int, Item, float, int, str], None]
    #: sequence, item
    unanswered: Callable[[int, Item], None]
    #: sequence, item, status, message id
    late: Callable[[int, Item, int, str], None]
    delivered: Callable[[DeliverSm], None]
    #: the reason; what is unknown for ever
    ended: Callable[[str, Pending], None]
    #: everything else
    happened: Callable[[Event], None]


class Recorder:
    """An ear that makes an event of each fact."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self.ear = Ear(
            answered=self._answered,
            unanswered=lambda sequence, item: self._events.append(Unanswered(sequence)),
            late=lambda sequence, item, status, message_id: self._events.append(
                AnsweredLate(sequence, status, message_id)
            ),
            delivered=lambda pdu: self._events.append(Delivered(pdu)),
            ended=lambda reason, pending: self._events.append(
                Ended(reason, tuple(sequence for sequence, _ in pending))
            ),
            happened=lambda event: self._events.append(event),
        )

    def _answered(
        self, sequence: int, item: Item, written: float, status: int, message_id: str
    ) -> None:
        if status == Status.ESME_ROK:
            self._events.append(Submitted(sequence, message_id))
        else:
            self._events.append(Refused(sequence, status))

    def take(self) -> list[Event]:
        """What was recorded since the last time."""
        events, self._events = self._events, []
        return events
