"""
The SMSC in the box: accepts binds and texts, sends receipts and texts, misbehaves on demand.

For the demo, the tests and rehearsals. It stores nothing on disk; the texts it takes are visible
in `accepted` and to watchers, never in a log.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from smpp.address import Address
from smpp.codec import FrameReader, decode, encode, next_sequence
from smpp.constants import Command, EsmClass, Status, Tag, status_name
from smpp.errors import MalformedPdu, NotSent, RemoteProtocolError, SessionClosed, SmppError
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
from smpp.segmentation import Joiner, References, Whole, read_part, split

logger = logging.getLogger(__name__)

_KEPT = 10_000  # accepted texts, and notices of a watcher that does not read
_Text: TypeAlias = tuple[Address, Address, int]
_STATE_NUMBERS = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "REJECTD": 8}


@dataclass(slots=True)
class Faults:
    """How to misbehave; may be changed while it runs."""

    bind_status: int = 0  #: refuse every bind with it
    throttle_first: int = 0  #: so many submit_sm are answered ESME_RTHROTTLED, counting down
    refuse_status: int = 0  #: refuse every submit_sm with it
    never_answer: bool = False  #: take submit_sm and say nothing
    deaf_to_enquire_link: bool = False
    drop_after: int | None = None  #: close the connection at so many submit_sm, without answer
    receipt_first: bool = False  #: deliver_sm before its submit_sm_resp
    duplicate_receipts: bool = False
    hex_ids: bool = False  #: the id is hexadecimal in submit_sm_resp, decimal in the receipt
    receipt_tlvs: bool = True  #: else the receipt has its text only
    receipt_state: str = "DELIVRD"


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A text the SMSC took, joined if it came in parts."""

    ids: tuple[str, ...]  # as submit_sm_resp had them
    sender: str  # as on the wire: digits without a plus
    recipient: str
    text: str = field(repr=False)
    at: float  # time.monotonic() of the last part
    registered_delivery: int
    data_coding: int


@dataclass(frozen=True, slots=True)
class ReceiptSent:
    """A receipt went out."""

    id: str
    state: str


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


Notice: TypeAlias = AcceptedMessage | ReceiptSent | ReceiptAnswered | TextAnswered


class _Connection(asyncio.Protocol):
    """One ESME's connection, as the SMSC sees it."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._frames = FrameReader()
        self._sequence = 1
        self._answers: dict[int, asyncio.Future[int]] = {}
        self.transport: asyncio.Transport | None = None
        self.mode: Command | None = None

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may go here."""
        return self.mode in (Command.BIND_TRANSCEIVER, Command.BIND_RECEIVER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._smsc.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.mode = None
        self._smsc.connections.discard(self)
        for future in self._answers.values():
            if not future.done():
                future.set_exception(SessionClosed("the ESME is gone"))
        self._answers.clear()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._read(frame)
        except RemoteProtocolError as error:
            logger.warning("an ESME sends no SMPP: %s", error)
            self.close()

    def send(self, pdu: Pdu) -> None:
        self.write(encode(pdu))

    def write(self, octets: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(octets)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def deliver(self, pdu: DeliverSm, timeout: float) -> int:
        """The status of deliver_sm_resp; SessionClosed or TimeoutError otherwise."""
        sequence = self._take_sequence()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[sequence] = future
        self.send(replace(pdu, sequence=sequence))
        try:
            async with asyncio.timeout(timeout):
                return await future
        finally:
            self._answers.pop(sequence, None)

    def enquire(self) -> None:
        """Ask whether the ESME is there."""
        self.send(EnquireLink(sequence=self._take_sequence()))

    def unbind(self) -> None:
        """Ask the ESME to end the session."""
        self.send(Unbind(sequence=self._take_sequence()))

    def _take_sequence(self) -> int:
        sequence = self._sequence
        self._sequence = next_sequence(sequence)
        return sequence

    def _read(self, frame: bytes) -> None:
        try:
            pdu = decode(frame)
        except MalformedPdu as error:
            self.send(GenericNack(sequence=error.sequence, status=error.status))
            return
        match pdu:
            case Bind():
                self._bind(pdu)
            case SubmitSm():
                if self.mode in (Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER):
                    self._smsc.submitted(self, pdu)
                else:
                    status = Status.ESME_RINVBNDSTS
                    self.send(SubmitSmResp(sequence=pdu.sequence, status=status))
            case DeliverSmResp(sequence=sequence, status=status):
                self._answered(sequence, status)
            case GenericNack(sequence=sequence, status=status):
                self._answered(sequence, status or Status.ESME_RUNKNOWNERR)
            case EnquireLink():
                if not self._smsc.faults.deaf_to_enquire_link:
                    self.send(EnquireLinkResp(sequence=pdu.sequence))
            case Unbind():
                self.mode = None
                self.send(UnbindResp(sequence=pdu.sequence))
                self.close()
            case UnbindResp():
                self.close()
            case Unknown(is_response=False) | DeliverSm():
                status = Status.ESME_RINVCMDID
                self.send(GenericNack(sequence=pdu.sequence, status=status))
            case _:
                pass  # answers that nobody waits for

    def _answered(self, sequence: int, status: int) -> None:
        future = self._answers.get(sequence)
        if future is not None and not future.done():
            future.set_result(status)

    def _bind(self, pdu: Bind) -> None:
        status = self._smsc.judge(pdu) if self.mode is None else Status.ESME_RALYBND
        if status == Status.ESME_ROK:
            self.mode = pdu.mode
        self.send(
            BindResp(
                sequence=pdu.sequence, mode=pdu.mode, status=status, system_id=self._smsc.system_id
            )
        )
        logger.info("bind of %r: %s", pdu.system_id, status_name(status))
        if status == Status.ESME_ROK:
            self._smsc.bound()


class Smsc:
    """An SMSC on a port of this machine."""

    def __init__(
        self,
        *,
        accounts: dict[str, str] | None = None,
        receipt_delay: float = 0.0,
        retry_delay: float = 1.0,
        answer_timeout: float = 10.0,
        faults: Faults | None = None,
        system_id: str = "segue-smsc",
    ) -> None:
        """`accounts` are the passwords by system_id; None lets everybody bind."""
        self.system_id = system_id
        self.faults = faults or Faults()
        self.receipt_delay = receipt_delay
        self.connections: set[_Connection] = set()
        #: Every text that was taken, the newest last.
        self.accepted: list[AcceptedMessage] = []
        #: Every submit_sm as it came, refused ones too.
        self.submits: list[SubmitSm] = []
        #: How many binds were asked for.
        self.binds = 0
        self._accounts = accounts
        self._retry_delay = retry_delay
        self._answer_timeout = answer_timeout
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watchers: set[asyncio.Queue[Notice]] = set()
        self._joiner = Joiner()
        self._ids: OrderedDict[_Text, list[str]] = OrderedDict()  # of the parts of one text
        self._references = References()
        self._next_id = 1_000_000
        self._changed = asyncio.Condition()

    # -- life ---------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None, "start it first"
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Close every connection and the port."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._server is not None:
            await self._server.wait_closed()

    # -- on demand ----------------------------------------------------------------------------

    def drop(self) -> None:
        """Close every connection without a word."""
        for connection in tuple(self.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def send_raw(self, octets: bytes) -> None:
        """Write these octets, garbage or not, to every bound ESME."""
        for connection in self.connections:
            if connection.mode is not None:
                connection.write(octets)

    def enquire(self) -> None:
        """Send enquire_link to every ESME."""
        for connection in self.connections:
            connection.enquire()

    def unbind(self) -> None:
        """Ask every ESME to end its session."""
        for connection in self.connections:
            connection.unbind()

    async def send_mo(
        self, sender: str, recipient: str, text: str, *, timeout: float = 60.0, attempts: int = 100
    ) -> int:
        """A text from a handset, in parts if it is long; the last status of deliver_sm_resp.

        Waits for a bind; repeats what was answered ESME_RX_T_APPN or not at all. NotSent if
        that did not end in time.
        """
        source, destination = Address.of(sender), Address.of(recipient)
        status = 0
        try:
            async with asyncio.timeout(timeout):
                for segment in split(text, self._references.next(sender + recipient)):
                    pdu = DeliverSm(
                        source=source,
                        destination=destination,
                        esm_class=segment.esm_class,
                        data_coding=segment.data_coding,
                        short_message=segment.octets,
                    )
                    status = await self._deliver(pdu, attempts)
        except TimeoutError:
            raise NotSent("no ESME took the text in time") from None
        self._tell(TextAnswered(sender, recipient, status))
        return status

    def watch(self) -> asyncio.Queue[Notice]:
        """What happens from now on; give the queue back to `unwatch`."""
        queue: asyncio.Queue[Notice] = asyncio.Queue(_KEPT)
        self._watchers.add(queue)
        return queue

    def unwatch(self, queue: asyncio.Queue[Notice]) -> None:
        """Stop telling this queue."""
        self._watchers.discard(queue)

    async def wait_accepted(self, count: int, timeout: float) -> list[AcceptedMessage]:
        """Return when so many texts have been taken; TimeoutError otherwise."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.accepted) >= count)
        return self.accepted

    # -- what connections tell ----------------------------------------------------------------

    def judge(self, pdu: Bind) -> int:
        """The status of a bind."""
        self.binds += 1
        if self.faults.bind_status:
            return self.faults.bind_status
        if self._accounts is None:
            return Status.ESME_ROK
        if pdu.system_id not in self._accounts:
            return Status.ESME_RINVSYSID
        if pdu.password != self._accounts[pdu.system_id]:
            return Status.ESME_RINVPASWD
        return Status.ESME_ROK

    def bound(self) -> None:
        """A new bind: what waits for one may go."""
        self._spawn(self._wake())

    def submitted(self, connection: _Connection, pdu: SubmitSm) -> None:
        """A submit_sm has come: answer it, or misbehave."""
        self.submits.append(pdu)
        del self.submits[:-_KEPT]
        faults = self.faults
        if faults.drop_after is not None and len(self.submits) >= faults.drop_after:
            faults.drop_after = None  # once
            connection.close()
            return
        status = faults.refuse_status
        if faults.throttle_first > 0:
            faults.throttle_first -= 1
            status = Status.ESME_RTHROTTLED
        if status:
            connection.send(SubmitSmResp(sequence=pdu.sequence, status=status))
            return
        self._next_id += 1
        number = self._next_id
        id = f"{number:X}" if faults.hex_ids else str(number)
        answer = SubmitSmResp(sequence=pdu.sequence, message_id=id)
        if not faults.never_answer and not faults.receipt_first:
            connection.send(answer)
        self._accept(pdu, id)
        if pdu.registered_delivery & 0x03:
            delay = 0.0 if faults.receipt_first else self.receipt_delay
            for _ in range(2 if faults.duplicate_receipts else 1):
                self._spawn(self._send_receipt(pdu, str(number), delay))
        if not faults.never_answer and faults.receipt_first:
            # A callback of the same turn runs after the first step of the tasks made before it,
            # in which the receipts are written.
            asyncio.get_running_loop().call_soon(connection.send, answer)

    # -- inside -------------------------------------------------------------------------------

    def _accept(self, pdu: SubmitSm, id: str) -> None:
        part = read_part(pdu)
        whole = self._joiner.add(pdu.source, pdu.destination, part, time.monotonic())
        key = (pdu.source, pdu.destination, part.reference)
        ids = self._ids.setdefault(key, [])
        ids.append(id)
        if whole is not None:
            del self._ids[key]
            self._joiner.settled(whole)
            self._keep(pdu, whole, ids)
        elif len(self._ids) > _KEPT:
            self._ids.popitem(last=False)

    def _keep(self, pdu: SubmitSm, whole: Whole, ids: list[str]) -> None:
        message = AcceptedMessage(
            ids=tuple(ids),
            sender=pdu.source.digits,
            recipient=pdu.destination.digits,
            text=whole.text,
            at=time.monotonic(),
            registered_delivery=pdu.registered_delivery,
            data_coding=pdu.data_coding,
        )
        self.accepted.append(message)
        del self.accepted[:-_KEPT]
        logger.info("took a text of %d parts for %s", len(ids), pdu.destination.masked)
        self._tell(message)
        self._spawn(self._wake())

    async def _send_receipt(self, submit: SubmitSm, id: str, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        state = self.faults.receipt_state
        stamp = time.strftime("%y%m%d%H%M", time.gmtime())
        # Appendix B; the first 20 characters of the message are left out.
        text = (
            f"id:{id} sub:001 dlvrd:{'001' if state == 'DELIVRD' else '000'} "
            f"submit date:{stamp} done date:{stamp} stat:{state} err:000 text:"
        )
        tlvs = (
            (Tag.RECEIPTED_MESSAGE_ID, id.encode() + b"\0"),
            (Tag.MESSAGE_STATE, bytes((_STATE_NUMBERS.get(state, 7),))),
        )
        pdu = DeliverSm(
            source=submit.destination,
            destination=submit.source,
            esm_class=EsmClass.RECEIPT,
            short_message=text.encode("ascii"),
            tlvs=tlvs if self.faults.receipt_tlvs else (),
        )
        self._tell(ReceiptSent(id, state))
        status = await self._deliver(pdu, attempts=100)
        self._tell(ReceiptAnswered(id, status))

    async def _deliver(self, pdu: DeliverSm, attempts: int) -> int:
        """Store and forward: to the first ESME that receives, again until it has taken it."""
        while True:
            attempts -= 1
            connection = self._receiver()
            if connection is None:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._receiver() is not None)
                attempts += 1
                continue
            try:
                status = await connection.deliver(pdu, self._answer_timeout)
            except (SmppError, TimeoutError):
                status = Status.ESME_RX_T_APPN
            if status != Status.ESME_RX_T_APPN or attempts <= 0:
                return status
            await asyncio.sleep(self._retry_delay)

    def _receiver(self) -> _Connection | None:
        return next(
            (
                connection
                for connection in self.connections
                if connection.receives
                and connection.transport is not None
                and not connection.transport.is_closing()
            ),
            None,
        )

    def _tell(self, notice: Notice) -> None:
        for queue in self._watchers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(notice)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
