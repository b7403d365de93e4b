"""One ESME's connection, as the simulated SMSC sees it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeAlias

from smpp.codec import FrameReader, decode, encode, next_sequence
from smpp.constants import INTERFACE_VERSION, RESPONSE, Command, Status, Tag, status_name
from smpp.errors import MalformedPdu, RemoteProtocolError, SessionClosed
from smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlvs,
    Unbind,
    UnbindResp,
    Unknown,
)
from smpp.simulator.faults import Faults
from smpp.simulator.outlet import Outlet

logger = logging.getLogger(__name__)

Asking: TypeAlias = SubmitSm | DataSm | SubmitMulti
About: TypeAlias = QuerySm | CancelSm | ReplaceSm

_VENDOR: Tlvs = ((0x1400, b"\0\x2a"), (0x3FFF, b""), (0x1401, b"simulated\0"))
_RESPONSES: dict[type[Pdu], Callable[..., Pdu]] = {
    SubmitSm: SubmitSmResp,
    DataSm: DataSmResp,
    SubmitMulti: SubmitMultiResp,
    QuerySm: QuerySmResp,
    CancelSm: CancelSmResp,
    ReplaceSm: ReplaceSmResp,
}
_TRANSMITTING = (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER)


class Switchboard(Protocol):
    """What a connection asks of its SMSC."""

    faults: Faults
    system_id: str

    def judge(self, pdu: Bind) -> int:
        """The status of a bind."""

    def judged(self, connection: Connection, pdu: Bind, status: int) -> None:
        """That is what a bind is answered."""

    def submitted(self, connection: Connection, pdu: Asking) -> None:
        """A text has come: answer it, or misbehave."""

    def asked(self, connection: Connection, pdu: About) -> None:
        """Something about a message that was taken: answer it."""

    def count(self, what: str) -> None:
        """One more of these."""

    def opened(self, connection: Connection) -> bool:
        """Whether one more connection is taken."""

    def ready(self) -> None:
        """A bind takes deliver_sm that did not before."""

    def ended(self, connection: Connection) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """From accept to close; `number` tells it from the others."""

    def __init__(self, smsc: Switchboard, number: int, patience: float) -> None:
        """It is closed if no bind stands after `patience` seconds."""
        self.number = number
        self.transport: asyncio.Transport | None = None
        self.mode: Command | None = None
        self.system_id = ""
        self.mute = False  #: nothing is written any more, as on a line that was cut
        self._smsc = smsc
        self._patience = patience
        self._frames = FrameReader()
        self._sequence = 1
        self._answers: dict[int, asyncio.Future[int]] = {}
        self._outlet: Outlet | None = None
        self._unbound: asyncio.TimerHandle | None = None
        self._writable = True

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may go here."""
        return self.mode in (Command.BIND_TRANSCEIVER, Command.BIND_RECEIVER)

    @property
    def usable(self) -> bool:
        """Whether it receives and is not about to end."""
        open = self.transport is not None and not self.transport.is_closing()
        return open and self.receives and self._writable and not self.mute

    @property
    def waiting(self) -> int:
        """How many deliver_sm are not answered yet."""
        return len(self._answers)

    # -- asyncio ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up, or closed at once if there are too many."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._outlet = Outlet(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._smsc.opened(self):
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._unbound = loop.call_later(self._patience, self.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer is told."""
        if self._unbound is not None:
            self._unbound.cancel()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(SessionClosed("the ESME is gone"))
        self._answers.clear()
        self._smsc.ended(self)
        self.mode = None

    def data_received(self, data: bytes) -> None:
        """Every frame that is complete now."""
        try:
            for frame in self._frames.feed(data):
                if not self.mute and not self._smsc.faults.silent:
                    self._read(frame)
        except RemoteProtocolError as error:
            logger.warning("an ESME sends no SMPP: %s", error)
            self.close()

    def pause_writing(self) -> None:
        """An ESME that does not read is not read from, so that what we keep for it is bounded."""
        self._writable = False
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._writable = True
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            self._smsc.ready()

    # -- out ----------------------------------------------------------------------------------

    def send(self, pdu: Pdu) -> None:
        """Write it, in this turn."""
        if self._smsc.faults.vendor_tlvs and isinstance(
            pdu, BindResp | SubmitSmResp | DataSmResp | DeliverSm | DataSm
        ):
            pdu = replace(pdu, tlvs=(*pdu.tlvs, *_VENDOR))
        self.write(encode(pdu))

    def write(self, octets: bytes) -> None:
        """Write these octets, whatever they are, unless it is silent."""
        faults = self._smsc.faults
        if self._outlet is not None and not self.mute and not faults.silent:
            self._outlet.put(octets, faults.write_in)

    def close(self) -> None:
        """End it when everything is written."""
        if self._outlet is not None:
            self._outlet.end()

    async def deliver(self, pdu: DeliverSm | DataSm, timeout: float) -> int:
        """The status of the answer; SessionClosed or TimeoutError otherwise."""
        sequence = self._take_sequence()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[sequence] = future
        self._smsc.count(pdu.__class__.__name__)
        self.send(replace(pdu, sequence=sequence))
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            self._answers.pop(sequence, None)

    def flood(self, pdus: list[DeliverSm]) -> None:
        """Write all of these at once and wait for nothing."""
        for pdu in pdus:
            self.send(replace(pdu, sequence=self._take_sequence()))

    def enquire(self) -> None:
        """Ask whether the ESME is there."""
        self.send(EnquireLink(sequence=self._take_sequence()))

    def unbind(self) -> None:
        """Ask the ESME to end the session."""
        self.send(Unbind(sequence=self._take_sequence()))

    def outbind(self, system_id: str, password: str) -> None:
        """Ask the ESME that we have called to bind (§4.1.7)."""
        sequence = self._take_sequence()
        self.send(Outbind(sequence=sequence, system_id=system_id, password=password))

    def alert(self, pdu: AlertNotification) -> None:
        """A handset is reachable again (§4.12.1)."""
        self.send(replace(pdu, sequence=self._take_sequence()))

    def strange(self) -> None:
        """A request and a response that SMPP 3.4 does not have, and a nack of nothing."""
        sequence = self._take_sequence()
        self.send(Unknown(sequence=sequence, command_id=0x00010200, status=0, body=b"vendor\0"))
        self.send(Unknown(sequence=sequence, command_id=0x80010200, status=0x400))
        self.send(GenericNack(sequence=0, status=Status.ESME_RINVCMDID))

    def cut(self) -> None:
        """Half a PDU, and then never anything again."""
        frame = encode(EnquireLink(sequence=self._take_sequence()))
        self.write(frame[: len(frame) // 2])
        self.mute = True

    def _take_sequence(self) -> int:
        sequence = self._sequence
        self._sequence = next_sequence(sequence)
        return sequence

    # -- in -----------------------------------------------------------------------------------

    def _read(self, frame: bytes) -> None:
        try:
            pdu = decode(frame)
        except MalformedPdu as error:
            if not error.command_id & RESPONSE:  # a response is never answered
                self.send(GenericNack(sequence=error.sequence, status=error.status))
            return
        match pdu:
            case SubmitSm() | DataSm() | SubmitMulti():
                if self._may_transmit(pdu):
                    self._smsc.submitted(self, pdu)
            case DeliverSmResp(sequence=sequence, status=status):
                self._answered(sequence, status)
            case DataSmResp(sequence=sequence, status=status):
                self._answered(sequence, status)
            case GenericNack(sequence=sequence, status=status):
                self._answered(sequence, status or Status.ESME_RUNKNOWNERR)
            case EnquireLink():
                self._smsc.count("EnquireLink")
                if not self._smsc.faults.deaf_to_enquire_link:
                    self.send(EnquireLinkResp(sequence=pdu.sequence))
            case QuerySm() | CancelSm() | ReplaceSm():
                if self._may_transmit(pdu):
                    self._smsc.asked(self, pdu)
            case Bind():
                self._bind(pdu)
            case Unbind():
                self.mode = None
                self.send(UnbindResp(sequence=pdu.sequence))
                self.close()
            case UnbindResp():
                self.close()
            case Unknown(is_response=False) | DeliverSm() | Outbind() | AlertNotification():
                # The last three are the SMSC's to send.
                self.send(GenericNack(sequence=pdu.sequence, status=Status.ESME_RINVCMDID))
            case _:
                self._smsc.count("unasked")  # answers that nobody waits for

    def _may_transmit(self, pdu: Asking | About) -> bool:
        if self.mode in _TRANSMITTING:
            return True
        # data_sm goes both ways on every bind (§2.3).
        if self.mode is not None and isinstance(pdu, DataSm):
            return True
        respond = _RESPONSES[type(pdu)]
        self.send(respond(sequence=pdu.sequence, status=Status.ESME_RINVBNDSTS))
        return False

    def _answered(self, sequence: int, status: int) -> None:
        self._smsc.count("answers")
        future = self._answers.get(sequence)
        if future is not None and not future.done():
            future.set_result(status)

    def _bind(self, pdu: Bind) -> None:
        status = self._smsc.judge(pdu) if self.mode is None else Status.ESME_RALYBND
        logger.info("bind of %r: %s", pdu.system_id, status_name(status))
        faults = self._smsc.faults
        if status == Status.ESME_ROK:
            self.mode, self.system_id = pdu.mode, pdu.system_id
            if self._unbound is not None:
                self._unbound.cancel()
        version = ((Tag.SC_INTERFACE_VERSION, bytes((INTERFACE_VERSION,))),)
        answer = BindResp(
            sequence=pdu.sequence,
            mode=pdu.mode,
            status=status,
            system_id=self._smsc.system_id,
            tlvs=version if status == Status.ESME_ROK else (),
        )
        if faults.bind_unanswered:
            self.mode = None
        elif faults.deliver_first and status == Status.ESME_ROK:
            self.enquire()
            self._smsc.judged(self, pdu, status)
            # After what has waited for a bind, which begins in the next turn, is written.
            asyncio.get_running_loop().call_soon(self.send, answer)
        else:
            self.send(answer)
            self._smsc.judged(self, pdu, status)
