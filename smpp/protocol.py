"""
One SMPP session of an ESME, without I/O: octets and `now` in, events and octets out.

The contract: after `connect`, `submit`, `answer`, `unbind`, `receive` or `tick`, write what
`data_to_send` returns; call `tick` at `next_deadline`; when `state` is CLOSED, close the transport;
when the transport is gone, call `lost`. Nothing here raises on what the SMSC sends.

The life of the bind is the table NEXT (SMPP 3.4 §2.2), from which the diagram is drawn.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from smpp.codec import FrameReader, decode, encode, next_sequence
from smpp.constants import RESPONSE, Command, Status, status_name
from smpp.errors import LocalProtocolError, MalformedPdu, NotSent, RemoteProtocolError
from smpp.pdu import (
    Bind,
    BindResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)

# -- the life of a bind -----------------------------------------------------------------------


class State(Enum):
    """Where a bind stands; BOUND_TRX and its sisters (§2.2) are one state here."""

    CLOSED = "closed"  #: no session
    BINDING = "binding"  #: bind sent, not answered
    BOUND = "bound"  #: may submit
    UNBINDING = "unbinding"  #: we asked for the end
    UNBOUND = "unbound"  #: the SMSC asked for the end: the last answers are waited for


class Move(Enum):
    """What happens to a bind."""

    BIND_SENT = "bind sent"
    BIND_ACCEPTED = "bind accepted"
    BIND_REFUSED = "bind refused"
    UNBIND_SENT = "unbind sent"
    UNBIND_RECEIVED = "unbind received"
    UNBIND_ANSWERED = "unbind answered"
    DRAINED = "drained"
    LOST = "lost"


NEXT: dict[tuple[State, Move], State] = {
    (State.CLOSED, Move.BIND_SENT): State.BINDING,
    (State.BINDING, Move.BIND_ACCEPTED): State.BOUND,
    (State.BINDING, Move.BIND_REFUSED): State.CLOSED,
    (State.BINDING, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.BINDING, Move.LOST): State.CLOSED,
    (State.BOUND, Move.UNBIND_SENT): State.UNBINDING,
    (State.BOUND, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.BOUND, Move.LOST): State.CLOSED,
    (State.UNBINDING, Move.UNBIND_RECEIVED): State.UNBINDING,  # both at once: both are answered
    (State.UNBINDING, Move.UNBIND_ANSWERED): State.CLOSED,
    (State.UNBINDING, Move.LOST): State.CLOSED,
    (State.UNBOUND, Move.UNBIND_RECEIVED): State.UNBOUND,
    (State.UNBOUND, Move.DRAINED): State.CLOSED,
    (State.UNBOUND, Move.LOST): State.CLOSED,
}

# -- events -----------------------------------------------------------------------------------


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
    """The response deadline of a message has passed: its fate is unknown."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AnsweredLate:
    """...and then the answer came after all."""

    sequence: int
    status: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A deliver_sm has come; `answer` it when it is stored."""

    pdu: DeliverSm


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
    | Delivered
    | Skipped
    | Ended
)

# -- the session ------------------------------------------------------------------------------

_REMEMBERED = 1000  # unanswered messages whose late answer is still recognised


class Session:
    """One bind, once: a new connection needs a new Session."""

    def __init__(
        self,
        bind: Bind,
        *,
        window: int = 10,
        enquire_link_interval: float = 30.0,
        response_timeout: float = 10.0,
        first_sequence: int = 1,
    ) -> None:
        self._bind = bind
        self._window = window
        self._interval = enquire_link_interval
        self._timeout = response_timeout
        self._sequence = first_sequence
        self._state = State.CLOSED
        self._frames = FrameReader()
        self._out: list[bytes] = []
        self._events: list[Event] = []
        # By sequence: when the answer is due. All deadlines are equally far, so these are in order.
        self._pending: OrderedDict[int, float] = OrderedDict()
        self._late: OrderedDict[int, None] = OrderedDict()
        self._bind_sequence = 0
        self._closing_by: float | None = None  # of BINDING, UNBINDING, UNBOUND
        self._heard = 0.0  # the last complete PDU; octets alone prove nothing
        self._enquiry: tuple[int, float] | None = None  # sequence and deadline

    @property
    def state(self) -> State:
        """Where the bind stands."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether the transport is to be closed (or is not connected yet)."""
        return self._state is State.CLOSED

    @property
    def room(self) -> int:
        """How many messages the window still takes; 0 unless bound."""
        return self._window - len(self._pending) if self._state is State.BOUND else 0

    @property
    def pending(self) -> int:
        """How many messages wait for their answer."""
        return len(self._pending)

    # -- what we do ---------------------------------------------------------------------------

    def connect(self, now: float) -> None:
        """The transport is there: bind."""
        self._move(Move.BIND_SENT)
        self._heard = now
        self._closing_by = now + self._timeout
        self._bind_sequence = self._take_sequence()
        self._send(replace(self._bind, sequence=self._bind_sequence))

    def submit(self, pdu: SubmitSm, now: float) -> int:
        """Give the message a sequence and put it into the window.

        NotSent if there is no bind or no room; LocalProtocolError if no PDU can carry it.
        """
        if self._state is not State.BOUND:
            raise NotSent(f"the session is {self._state.value}")
        if self.room <= 0:
            raise NotSent("the window is full")
        octets = encode(replace(pdu, sequence=(sequence := self._take_sequence())))
        self._out.append(octets)
        self._pending[sequence] = now + self._timeout
        return sequence

    def answer(self, sequence: int, status: int = Status.ESME_ROK) -> None:
        """Answer a deliver_sm; too late for that is no error."""
        if self._state is not State.CLOSED:
            self._send(DeliverSmResp(sequence=sequence, status=status))

    def unbind(self, now: float) -> None:
        """Ask for the end; drain the window first."""
        self._move(Move.UNBIND_SENT)
        self._closing_by = now + self._timeout
        self._send(Unbind(sequence=self._take_sequence()))

    def data_to_send(self) -> bytes:
        """What to write now; each octet is returned once."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    # -- what happens to us -------------------------------------------------------------------

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """What the octets of the SMSC mean; never raises."""
        if not self.over:
            try:
                for frame in self._frames.feed(octets):
                    self._heard = now
                    self._enquiry = None  # whatever it says, somebody is there
                    self._read(frame, now)
                    if self.over:
                        break
            except RemoteProtocolError as error:
                # §4.3.1: say so, although a peer that lost count may not understand it.
                self._send(GenericNack(sequence=0, status=Status.ESME_RINVCMDLEN))
                self._end(str(error), Move.LOST)
        return self._take_events()

    def lost(self, reason: str) -> list[Event]:
        """The transport is gone."""
        self._out.clear()
        if self._state is not State.CLOSED:
            self._end(reason, Move.LOST)
        return self._take_events()

    def tick(self, now: float) -> list[Event]:
        """What the passing of time means."""
        while self._pending:
            sequence, deadline = next(iter(self._pending.items()))
            if now < deadline:
                break
            del self._pending[sequence]
            self._late[sequence] = None
            if len(self._late) > _REMEMBERED:
                self._late.popitem(last=False)
            self._events.append(Unanswered(sequence))
        self._drain()
        if self._closing_by is not None and now >= self._closing_by:
            self._end(f"no answer while {self._state.value}", Move.LOST)
        elif self._enquiry is not None and now >= self._enquiry[1]:
            self._end("no answer to enquire_link", Move.LOST)
        elif self._enquires and self._enquiry is None and now >= self._heard + self._interval:
            sequence = self._take_sequence()
            self._enquiry = (sequence, now + self._timeout)
            self._send(EnquireLink(sequence=sequence))
        return self._take_events()

    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None in a closed session."""
        if self._state is State.CLOSED:
            return None
        deadlines = list(self._pending.values())[:1]
        if self._closing_by is not None:
            deadlines.append(self._closing_by)
        if self._enquiry is not None:
            deadlines.append(self._enquiry[1])
        elif self._enquires:
            deadlines.append(self._heard + self._interval)
        return min(deadlines, default=None)

    # -- inside -------------------------------------------------------------------------------

    @property
    def _enquires(self) -> bool:
        # The other states have a deadline of their own.
        return self._state is State.BOUND

    def _read(self, frame: bytes, now: float) -> None:
        try:
            pdu = decode(frame)
        except MalformedPdu as error:
            self._skip_malformed(error)
            return
        match pdu:
            case DeliverSm():
                self._events.append(Delivered(pdu))
            case SubmitSmResp():
                self._answered(pdu.sequence, pdu.status, pdu.message_id)
            case BindResp():
                self._bind_answered(pdu, now)
            case EnquireLink():
                self._send(EnquireLinkResp(sequence=pdu.sequence))
            case EnquireLinkResp():
                pass  # every PDU has already shown that the link is up
            case Unbind():
                self._send(UnbindResp(sequence=pdu.sequence))
                was = self._state
                self._move(Move.UNBIND_RECEIVED)
                if was is not self._state:
                    self._closing_by = now + self._timeout
                self._drain()
            case UnbindResp():
                if self._state is State.UNBINDING:
                    self._end("unbound", Move.UNBIND_ANSWERED)
            case GenericNack():
                self._nacked(pdu)
            case Unknown():
                self._skip_unknown(pdu)
            case DeliverSmResp():
                self._skip(Command.DELIVER_SM_RESP, "an answer to nothing")
            case SubmitSm():
                self._reject(Command.SUBMIT_SM, pdu.sequence)
            case Bind():
                self._reject(pdu.mode, pdu.sequence)

    def _bind_answered(self, pdu: BindResp, now: float) -> None:
        if self._state is not State.BINDING or pdu.sequence != self._bind_sequence:
            self._skip(pdu.mode | RESPONSE, "an answer to nothing")
        elif pdu.status == Status.ESME_ROK:
            self._move(Move.BIND_ACCEPTED)
            self._closing_by = None
            self._events.append(Bound(pdu.system_id))
        else:
            self._bind_refused(pdu.status)

    def _bind_refused(self, status: int) -> None:
        self._events.append(BindFailed(status))
        self._end(f"bind refused: {status_name(status)}", Move.BIND_REFUSED)

    def _answered(self, sequence: int, status: int, message_id: str) -> None:
        if sequence in self._pending:
            del self._pending[sequence]
            if status == Status.ESME_ROK:
                self._events.append(Submitted(sequence, message_id))
            else:
                self._events.append(Refused(sequence, status))
            self._drain()
        elif sequence in self._late:
            del self._late[sequence]
            self._events.append(AnsweredLate(sequence, status, message_id))
        else:
            self._skip(Command.SUBMIT_SM_RESP, "an answer to nothing")

    def _nacked(self, pdu: GenericNack) -> None:
        if self._state is State.BINDING and pdu.sequence in (0, self._bind_sequence):
            self._bind_refused(pdu.status or Status.ESME_RUNKNOWNERR)
        elif pdu.sequence in self._pending or pdu.sequence in self._late:
            # A nack with status 0 still is not an acceptance.
            self._answered(pdu.sequence, pdu.status or Status.ESME_RUNKNOWNERR, "")
        else:
            # Some SMSCs nack with sequence 0: nobody can say which PDU was meant.
            self._skip(Command.GENERIC_NACK, f"of nothing known: {status_name(pdu.status)}")

    def _skip_malformed(self, error: MalformedPdu) -> None:
        if error.command_id == Command.DELIVER_SM:
            self._send(DeliverSmResp(sequence=error.sequence, status=error.status))
        elif not error.command_id & RESPONSE:
            self._send(GenericNack(sequence=error.sequence, status=error.status))
        self._skip(error.command_id, str(error))

    def _skip_unknown(self, pdu: Unknown) -> None:
        # §4.12.1 and §4.1.7: these two are never answered.
        silent = pdu.command_id in (Command.ALERT_NOTIFICATION, Command.OUTBIND)
        if not pdu.is_response and not silent:
            self._send(GenericNack(sequence=pdu.sequence, status=Status.ESME_RINVCMDID))
        self._skip(pdu.command_id, "an unknown command")

    def _reject(self, command: Command, sequence: int) -> None:
        self._send(GenericNack(sequence=sequence, status=Status.ESME_RINVCMDID))
        self._skip(command, "a command for an SMSC")

    def _skip(self, command_id: int, reason: str) -> None:
        self._events.append(Skipped(command_id, reason))

    def _drain(self) -> None:
        if self._state is State.UNBOUND and not self._pending:
            self._end("unbound by the SMSC", Move.DRAINED)

    def _end(self, reason: str, move: Move) -> None:
        self._move(move)
        pending = tuple(self._pending)
        self._pending.clear()
        self._closing_by = self._enquiry = None
        self._events.append(Ended(reason, pending))

    def _move(self, move: Move) -> None:
        try:
            self._state = NEXT[self._state, move]
        except KeyError:
            raise LocalProtocolError(f"no {move.value!r} while {self._state.value}") from None

    def _take_sequence(self) -> int:
        # One that waits for its answer, or may still get a late one, is not free.
        while self._sequence in self._pending or self._sequence in self._late:
            self._sequence = next_sequence(self._sequence)
        sequence = self._sequence
        self._sequence = next_sequence(sequence)
        return sequence

    def _send(self, pdu: Pdu) -> None:
        self._out.append(encode(pdu))

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events
