"""
One SMPP session of an ESME, without I/O: octets and `now` in, events and octets out.

The contract: after `connect` (or `listen`), `submit`, `request`, `answer`, `unbind`, `receive` or
`tick`, write what `data_to_send` returns; call `tick` at `next_deadline`; when `state` is CLOSED,
close the transport; when the transport is gone, call `lost`. Nothing here raises on what the SMSC
sends.

Two layers stand on this one session. For people, PDUs are values, and `receive`, `tick` and `lost`
return events. For speed, `submit_batch` takes bodies that are ready and `Ear` is told of each
answer without a value made for it. The life of the bind is the table `smpp.states.NEXT`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from smpp import hot
from smpp.codec import decode, encode
from smpp.constants import HEADER, MAX_PDU, RESPONSE, Command, Status, status_name
from smpp.errors import LocalProtocolError, MalformedPdu, NotSent
from smpp.events import (
    Answered,
    AnsweredLate,
    Available,
    BindFailed,
    Bound,
    Delivered,
    Ear,
    Ended,
    Event,
    Item,
    Recorder,
    Refused,
    Skipped,
    Submitted,
    Unanswered,
)
from smpp.health import Health
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.replies import Replies
from smpp.states import NEXT, Move, State, advance
from smpp.window import Window

__all__ = [
    "NEXT",
    "Answered",
    "AnsweredLate",
    "Available",
    "BindFailed",
    "Bound",
    "Delivered",
    "Ear",
    "Ended",
    "Event",
    "Move",
    "Refused",
    "Request",
    "Session",
    "Skipped",
    "State",
    "Submitted",
    "Unanswered",
]

#: What `Session.request` asks of the SMSC.
Request: TypeAlias = QuerySm | CancelSm | ReplaceSm | DataSm | SubmitMulti | Unknown


# Plain names: the loop that reads compares each PDU with them.
_SUBMIT_SM_RESP = int(Command.SUBMIT_SM_RESP)
_DELIVER_SM = int(Command.DELIVER_SM)
_SUBMIT_SM = int(Command.SUBMIT_SM)
_OPEN, _UNBOUND, _CLOSED = State.OPEN, State.UNBOUND, State.CLOSED


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
        outbind: tuple[str, str] | None = None,
        ear: Ear | None = None,
    ) -> None:
        """`outbind` is the name and password an SMSC must give that connects to us.

        With an `ear`, everything is told to it, and the methods return no events.
        """
        self._bind = bind
        # §2.3: a receiver submits nothing.
        size = 0 if bind.mode == Command.BIND_RECEIVER else window
        self._window = Window(size, response_timeout, first_sequence)
        self._capacity = 0  # of the window; 0 unless bound
        self._timeout = response_timeout
        self._outbind = outbind
        self._recorder = Recorder()
        self._ear = ear or self._recorder.ear
        self._state = State.CLOSED
        self._rest = bytearray()  # of a frame that is not whole yet
        self._reader = hot.Reader()
        self._replies = Replies()
        self._health = Health(enquire_link_interval, response_timeout)
        self._bind_sequence = 0
        self._closing_by: float | None = None  # of OPEN, BINDING, UNBINDING, UNBOUND

    @property
    def state(self) -> State:
        """Where the bind stands."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether the transport is to be closed (or is not connected yet)."""
        return self._state is State.CLOSED

    @property
    def sends(self) -> bool:
        """Whether it is bound to submit: not as a receiver."""
        return self._capacity > 0

    @property
    def room(self) -> int:
        """How many messages the window still takes; 0 unless bound to submit."""
        return self._capacity - len(self._window.messages) if self._capacity else 0

    @property
    def pending(self) -> int:
        """How many messages wait for their answer."""
        return len(self._window.messages)

    # -- what we do ---------------------------------------------------------------------------

    def connect(self, now: float) -> None:
        """The transport is there: bind."""
        self._send_bind(now)

    def listen(self, now: float) -> None:
        """The SMSC has connected to us: wait for its outbind (§2.2.1), then bind."""
        self._move(Move.ACCEPTED)
        self._health.heard(now)
        self._closing_by = now + self._timeout

    def submit(self, pdu: SubmitSm, now: float) -> int:
        """Give the message a sequence and put it into the window.

        NotSent if there is no bind or no room; LocalProtocolError if no PDU can carry it.
        """
        return self.submit_octets(encode(replace(pdu, sequence=1))[HEADER:], None, now)

    def submit_octets(self, body: bytes, item: Item, now: float) -> int:
        """`submit` of a body that smpp.hot has made; `item` comes back with the answer."""
        return self.submit_batch((body,), (item,), now)[0]

    def submit_batch(
        self, bodies: Sequence[bytes], items: Sequence[Item], now: float
    ) -> Sequence[int]:
        """`submit_octets` of each; NotSent, and none of them, if there is no room for all."""
        window = self._window
        if len(window.messages) + len(items) > self._capacity:
            raise NotSent(self._why_no_room())
        pack, write = hot.header.pack, self._replies.write
        sequences = window.take_batch(items, now)
        for sequence, body in zip(sequences, bodies, strict=True):
            write(pack(HEADER + len(body), _SUBMIT_SM, 0, sequence))
            write(body)
        return sequences

    def request(self, pdu: Request, now: float) -> int:
        """Ask about or change a message (§4.8 to 4.10); `Answered` or `Unanswered` follows.

        NotSent if there is no bind or too much is asked already; LocalProtocolError if no PDU
        can carry it.
        """
        if not self.sends:
            raise NotSent(self._why_no_room())
        if self._window.requests_full:
            raise NotSent("too many requests wait for their answers")
        if pdu.command_id & RESPONSE:
            raise LocalProtocolError("an answer is not a request")
        encode(replace(pdu, sequence=1))  # if that fails, nothing waits for an answer
        sequence = self._window.take_request(pdu.command_id | RESPONSE, now)
        self._replies.send(replace(pdu, sequence=sequence))
        return sequence

    def answer(self, sequence: int, status: int = Status.ESME_ROK) -> None:
        """Answer a deliver_sm or data_sm; too late for that is no error."""
        self.answer_all([sequence], status)

    def answer_all(self, sequences: Sequence[int], status: int = Status.ESME_ROK) -> None:
        """Answer many at once."""
        if self._state is not State.CLOSED:
            self._replies.answer(sequences, status)

    def unbind(self, now: float) -> None:
        """Ask for the end; drain the window first."""
        self._move(Move.UNBIND_SENT)
        self._closing_by = now + self._timeout
        self._replies.send(Unbind(sequence=self._window.take_sequence()))

    def hold(self, now: float) -> None:
        """We stop reading: until `release` nobody's silence is held against them."""
        self._health.hold(now)

    def release(self, now: float) -> None:
        """We read again: every answer that was due has as much time left as it had."""
        self._window.shift(self._health.release(now))

    def data_to_send(self) -> bytes:
        """What to write now; each octet is returned once."""
        return self._replies.take()

    # -- what happens to us -------------------------------------------------------------------

    def receive(self, octets: bytes, now: float) -> list[Event]:
        """What the octets of the SMSC mean; never raises."""
        if self.over:
            return self._recorder.take()
        if self._rest:
            self._rest += octets
            if len(self._rest) < (wanted := _wanted(self._rest)) and HEADER <= wanted <= MAX_PDU:
                return self._recorder.take()  # a PDU drop by drop is not looked at for each drop
            octets = bytes(self._rest)
            self._rest.clear()
        done = self._read_frames(octets, now)
        if done:
            self._health.heard(now)
        if self._state is not State.CLOSED and done < len(octets):
            self._rest += octets[done:]
            if not HEADER <= (length := _wanted(self._rest)) <= MAX_PDU:
                # §4.3.1: say so, although a peer that lost count may not understand it.
                self._replies.send(GenericNack(sequence=0, status=Status.ESME_RINVCMDLEN))
                self._end(f"command_length {length} is absurd", Move.LOST)
        return self._recorder.take()

    def lost(self, reason: str) -> list[Event]:
        """The transport is gone."""
        self._replies.forget()
        if self._state is not State.CLOSED:
            self._end(reason, Move.LOST)
        return self._recorder.take()

    def tick(self, now: float) -> list[Event]:
        """What the passing of time means."""
        if not self._health.held:
            self._give_up(now)
        self._drain()
        if self._closing_by is not None and now >= self._closing_by:
            self._end(f"no answer while {self._state.value}", Move.LOST)
        elif self._state is State.BOUND:  # the other states have a deadline of their own
            if self._health.dead(now):
                self._end("no answer to enquire_link", Move.LOST)
            elif self._health.quiet(now):
                self._health.asked(now)
                self._replies.send(EnquireLink(sequence=self._window.take_sequence()))
        return self._recorder.take()

    def next_deadline(self) -> float | None:
        """When `tick` has something to do; None if only the SMSC or the caller has."""
        if self._state is State.CLOSED:
            return None
        deadlines = [] if self._closing_by is None else [self._closing_by]
        if not self._health.held:
            deadlines += self._window.deadlines()
            if self._state is State.BOUND:
                deadlines.append(self._health.deadline)
        return min(deadlines, default=None)

    # -- inside: reading ----------------------------------------------------------------------

    def _read_frames(self, octets: bytes, now: float) -> int:
        """Read every whole frame; where the first that is not whole begins."""
        start, end = 0, len(octets)
        unpack, pending, ear = hot.header.unpack_from, self._window.messages, self._ear
        answered, delivered, message_id = ear.answered, ear.delivered, hot.message_id
        deliver_sm = self._reader.deliver_sm
        read = str(octets, "latin-1")
        while end - start >= HEADER:
            length, command_id, status, sequence = unpack(octets, start)
            stop = start + length
            if stop > end or not HEADER <= length <= MAX_PDU:
                break
            if command_id == _SUBMIT_SM_RESP and (entry := pending.pop(sequence, None)):
                id = message_id(read, start + HEADER, stop)
                answered(sequence, entry[1], entry[0], status, id)
                if self._state is _UNBOUND:
                    self._drain()
            elif (
                command_id == _DELIVER_SM
                and self._state is not _OPEN
                and (pdu := deliver_sm(octets, start + HEADER, stop, sequence))
            ):
                delivered(pdu)
            else:
                self._read(octets[start:stop], now)
            start = stop
            if self._state is _CLOSED:
                break
        return start

    def _read(self, frame: bytes, now: float) -> None:
        try:
            pdu = decode(frame)
        except MalformedPdu as error:
            self._replies.refuse_malformed(error)
            self._skip(error.command_id, str(error))
            return
        match pdu:
            case DeliverSm():
                self._delivered(pdu)
            case DataSm():
                self._replies.owe_data_sm_resp(pdu.sequence)
                self._delivered(_as_deliver_sm(pdu))
            case BindResp():
                self._bind_answered(pdu, now)
            case EnquireLink():
                self._replies.send(EnquireLinkResp(sequence=pdu.sequence))
            case EnquireLinkResp():
                pass  # every PDU has already shown that the link is up
            case Unbind():
                self._unbind_asked(pdu, now)
            case UnbindResp() if self._state is State.UNBINDING:
                self._end("unbound", Move.UNBIND_ANSWERED)
            case UnbindResp():
                pass  # twice, or of nothing: no harm
            case GenericNack():
                self._nacked(pdu)
            case Outbind():
                self._outbound(pdu, now)
            case AlertNotification():
                self._ear.happened(Available(pdu.source, pdu.esme))
            case _ if pdu.command_id & RESPONSE:
                self._request_answered(pdu)
            case _:
                self._reject(pdu)

    def _delivered(self, pdu: DeliverSm) -> None:
        if self._state is State.OPEN:
            self.answer(pdu.sequence, Status.ESME_RINVBNDSTS)
            self._skip(Command.DELIVER_SM, "before the bind")
        else:
            self._ear.delivered(pdu)

    def _outbound(self, pdu: Outbind, now: float) -> None:
        if self._state is not State.OPEN:
            self._skip(Command.OUTBIND, "out of place")
        elif self._outbind is not None and not _same(self._outbind, (pdu.system_id, pdu.password)):
            self._end("outbind with a wrong name or password", Move.LOST)
        else:
            self._send_bind(now)

    def _bind_answered(self, pdu: BindResp, now: float) -> None:
        if self._state is not State.BINDING or pdu.sequence != self._bind_sequence:
            self._skip(pdu.mode | RESPONSE, "an answer to nothing")
        elif pdu.mode != self._bind.mode:
            self._skip(pdu.mode | RESPONSE, "does not fit its request")
        elif pdu.status == Status.ESME_ROK:
            self._move(Move.BIND_ACCEPTED)
            self._closing_by = None
            self._ear.happened(Bound(pdu.system_id))
        else:
            self._bind_refused(pdu.status)

    def _bind_refused(self, status: int) -> None:
        self._ear.happened(BindFailed(status))
        self._end(f"bind refused: {status_name(status)}", Move.BIND_REFUSED)

    def _unbind_asked(self, pdu: Unbind, now: float) -> None:
        self._replies.send(UnbindResp(sequence=pdu.sequence))
        was = self._state
        self._move(Move.UNBIND_RECEIVED)
        if was is not self._state:
            self._closing_by = now + self._timeout
        self._drain()

    def _nacked(self, pdu: GenericNack) -> None:
        # A nack with status 0 still is not an acceptance.
        status = pdu.status or Status.ESME_RUNKNOWNERR
        if self._state is State.BINDING and pdu.sequence in (0, self._bind_sequence):
            self._bind_refused(status)
        elif entry := self._window.messages.pop(pdu.sequence, None):
            self._ear.answered(pdu.sequence, entry[1], entry[0], status, "")
            self._drain()
        elif self._window.is_late(pdu.sequence):
            self._ear.late(pdu.sequence, self._window.pop_late(pdu.sequence), status, "")
        elif self._window.pop_request(pdu.sequence):
            self._ear.happened(Answered(pdu.sequence, pdu))
        else:
            # Some SMSCs nack with sequence 0: nobody can say which PDU was meant.
            self._skip(Command.GENERIC_NACK, f"of nothing known: {status_name(pdu.status)}")

    def _request_answered(self, pdu: Pdu) -> None:
        """A response other than those to bind, unbind and enquire_link, and to what is pending."""
        sequence, command_id = pdu.sequence, pdu.command_id
        wanted = self._window.answer_of(sequence)
        if wanted == command_id:
            self._window.pop_request(sequence)
            self._ear.happened(Answered(sequence, pdu))
        elif wanted is not None or sequence in self._window.messages:
            # What it was meant for is unknown, so the request goes on waiting for its own answer.
            self._skip(command_id, "does not fit its request")
        elif isinstance(pdu, SubmitSmResp) and self._window.is_late(sequence):
            item = self._window.pop_late(sequence)
            self._ear.late(sequence, item, pdu.status, pdu.message_id)
        else:
            self._skip(command_id, "an answer to nothing")

    def _reject(self, pdu: Pdu) -> None:
        self._replies.refuse_unknown(pdu)
        known = not isinstance(pdu, Unknown)
        self._skip(pdu.command_id, "a command for an SMSC" if known else "an unknown command")

    def _skip(self, command_id: int, reason: str) -> None:
        self._ear.happened(Skipped(command_id, reason))

    # -- inside: time, state, sequences -------------------------------------------------------

    def _give_up(self, now: float) -> None:
        """Wait no longer for answers that are overdue."""
        for sequence, item in self._window.overdue_messages(now):
            self._ear.unanswered(sequence, item)
        for sequence in self._window.overdue_requests(now):
            self._ear.happened(Unanswered(sequence))

    def _send_bind(self, now: float) -> None:
        self._move(Move.BIND_SENT)
        self._health.heard(now)
        self._closing_by = now + self._timeout
        self._bind_sequence = self._window.take_sequence()
        self._replies.send(replace(self._bind, sequence=self._bind_sequence))

    def _drain(self) -> None:
        if self._state is State.UNBOUND and not self._window.messages:
            self._end("unbound by the SMSC", Move.DRAINED)

    def _end(self, reason: str, move: Move) -> None:
        self._move(move)
        pending = self._window.clear()
        self._closing_by = None
        self._ear.ended(reason, pending)

    def _move(self, move: Move) -> None:
        self._state = advance(self._state, move)
        self._capacity = self._window.size if self._state is State.BOUND else 0

    def _why_no_room(self) -> str:
        if self._state is not State.BOUND:
            return f"the session is {self._state.value}"
        return "the window is full" if self.sends else "a receiver bind submits nothing"


def _wanted(octets: bytearray) -> int:
    """The command_length of the frame that begins here; a header's until it is known."""
    return int.from_bytes(octets[:4], "big") if len(octets) >= 4 else HEADER


def _same(wanted: tuple[str, str], given: tuple[str, str]) -> bool:
    return hmac.compare_digest(repr(wanted).encode(), repr(given).encode())


def _as_deliver_sm(pdu: DataSm) -> DeliverSm:
    """The same text or receipt; `DeliverSm.octets` finds it in message_payload too."""
    return DeliverSm(
        sequence=pdu.sequence,
        source=pdu.source,
        destination=pdu.destination,
        data_coding=pdu.data_coding,
        esm_class=pdu.esm_class,
        registered_delivery=pdu.registered_delivery,
        service_type=pdu.service_type,
        tlvs=pdu.tlvs,
    )
