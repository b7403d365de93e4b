"""One connection of an ESME, from bind to close: a Session on an asyncio transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smpp import events
from smpp.constants import Status, status_name
from smpp.errors import AnswerTimeout, BindRefused, NotSent, SessionClosed, command_error
from smpp.events import Ear
from smpp.intake import BatchHandler, Intake
from smpp.outflow import Outflow
from smpp.pdu import Bind, DeliverSm, Pdu, Response
from smpp.protocol import Request, Session, State
from smpp.rate import THROTTLING, Pace
from smpp.texts import Sink, Text

logger = logging.getLogger(__name__)

_MOST_UNWRITTEN = 1 << 20  # octets the SMSC has not read before we stop reading too
_CLOSE_WITHIN = 2.0  # seconds for a transport to write its rest


@dataclass(frozen=True, slots=True)
class Limits:
    """The carrier's contract; each carrier differs. Times are in seconds."""

    window: int = 10
    enquire_link_interval: float = 30.0
    response_timeout: float = 10.0
    connect_timeout: float = 10.0
    handler_timeout: float = 8.0  # the SMSC waits about 10 s for deliver_sm_resp
    drain_timeout: float = 5.0
    rate: float | None = None  # segments a second; None: as fast as the window lets
    #: How long `submit` repeats what the SMSC throttles; 0 tells the caller, Throttled, at once.
    throttle_patience: float = 0.0
    throttled: frozenset[int] = THROTTLING  # what the carrier says when we are too fast
    #: Whether a text waits until everything earlier to its recipient is answered.
    keep_order: bool = True


class Link(asyncio.Protocol):
    """One connection to the SMSC; every message given to it gets an answer or an error."""

    def __init__(
        self,
        bind: Bind,
        limits: Limits,
        handler: BatchHandler,
        number: int,
        *,
        batch: int = 1,
        pace: Pace | None = None,
        outbind: tuple[str, str] | None = None,
        listening: bool = False,
        on_available: Callable[[events.Available], None] = lambda event: None,
    ) -> None:
        """`handler` is given at most `batch` deliver_sm at a time."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._limits = limits
        self.number = number
        self._listening = listening
        self._on_available = on_available
        self._outflow = Outflow(
            pace or Pace(limits.rate, loop.time()),
            keep_order=limits.keep_order,
            throttled=limits.throttled,
        )
        self._arrived: list[DeliverSm] = []  # in this read
        self._session = Session(
            bind,
            window=limits.window,
            enquire_link_interval=limits.enquire_link_interval,
            response_timeout=limits.response_timeout,
            outbind=outbind,
            ear=Ear(
                answered=self._outflow.answered,
                unanswered=self._outflow.unanswered,
                late=self._late,
                delivered=self._arrived.append,
                ended=self._end,
                happened=self._on,
            ),
        )
        # No deadline of the session is ever nearer than this, so the timer is not set each time.
        self._soonest = min(limits.response_timeout, limits.enquire_link_interval)
        self.bound: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._aborting: asyncio.TimerHandle | None = None
        self._flush_due = False
        self._requests: dict[int, asyncio.Future[Pdu]] = {}
        self._intake = Intake(
            handler,
            batch=batch,
            timeout=limits.handler_timeout,
            answer=self._session.answer_all,
            progress=self._progress,
        )
        self._reading = True
        self._writable = True
        self._gone = asyncio.Event()  # the transport is
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def connected(self) -> bool:
        """Whether there is a transport."""
        return self._transport is not None

    @property
    def up(self) -> bool:
        """Whether it is bound."""
        return self._session.state is State.BOUND

    @property
    def room(self) -> int:
        """How many more messages it takes: places in the queue and in the window."""
        if not self._session.sends:
            return 0
        return self._outflow.room + self._session.room

    # -- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bind at once, or wait for the outbind."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Without NODELAY a window with receipts costs 40 ms a time (Nagle, delayed ACK).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._listening:
            self._session.listen(self._loop.time())
        else:
            self._session.connect(self._loop.time())
        self._apply()

    def data_received(self, data: bytes) -> None:
        """Feed the session."""
        now = self._loop.time()
        self._session.receive(data, now)
        if self._arrived:
            self._take_in(now)
        self._apply(now)
        if not self._writable:
            self._steer_reading()

    def eof_received(self) -> None:
        """The SMSC has closed its end: it answers nothing more, whatever we still write."""
        self._session.lost("connection closed by the SMSC")
        self._apply()

    def connection_lost(self, exc: Exception | None) -> None:
        """The fate of what was in the window is unknown."""
        self._gone.set()
        self._session.lost(f"connection lost: {exc}" if exc else "connection closed by the SMSC")
        self._apply()
        if self._aborting is not None:
            self._aborting.cancel()

    def pause_writing(self) -> None:
        """The SMSC does not read: write no more messages, and soon read no more either."""
        self._writable = False
        self._steer_reading()

    def resume_writing(self) -> None:
        """The SMSC reads again."""
        self._writable = True
        self._steer_reading()
        self._apply()

    # -- out ----------------------------------------------------------------------------------

    def submit(self, texts: Sequence[Text], sink: Sink) -> None:
        """Queue the texts; the sink gets every part's fate. NotSent: none of them was taken."""
        if not self._session.sends:
            raise NotSent("not bound" if not self.up else "a receiver bind submits nothing")
        self._outflow.add(texts, sink)
        self._flush_soon()

    def request(self, pdu: Request) -> asyncio.Future[Pdu]:
        """Ask the SMSC; the future gets the response, or an SmppError."""
        sequence = self._session.request(pdu, self._loop.time())
        future = self._requests[sequence] = self._loop.create_future()
        self._flush_soon()
        return future

    def _flush_soon(self) -> None:
        self._idle.clear()
        if not self._flush_due:
            # One write for all that is submitted in this turn of the loop.
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self._apply()

    async def drain(self, timeout: float) -> None:
        """Wait until nothing is under way, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._idle.wait()

    async def close(self) -> None:
        """Unbind (§4.2) and close; returns within the response and handler timeouts."""
        if self.up:
            self._session.unbind(self._loop.time())
        elif not self._session.over:
            self._session.lost("closed by us")
        self._apply()
        if self._transport is not None:
            await self.ended
        # What is being stored may end; its repeat on the next bind comes after it.
        await self.drain(self._limits.handler_timeout)
        await self._intake.aclose()
        if self._transport is not None:
            await self._gone.wait()

    # -- in -----------------------------------------------------------------------------------

    def _take_in(self, now: float) -> None:
        self._intake.take(self._arrived, now)
        self._arrived.clear()
        self._idle.clear()
        if self._intake.full:
            self._steer_reading()

    def _progress(self) -> None:
        self._steer_reading()
        self._apply()

    def _steer_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        # An SMSC that writes before it reads is let finish; one that never reads is not.
        unread = 0 if self._writable else transport.get_write_buffer_size()
        reading = not self._intake.full and unread < _MOST_UNWRITTEN
        if reading is self._reading:
            return
        self._reading = reading
        if reading:
            transport.resume_reading()
            self._session.release(self._loop.time())
        else:
            transport.pause_reading()
            if unread < _MOST_UNWRITTEN:
                self._session.hold(self._loop.time())  # our doing: nobody else is late

    # -- between the session, the outflow and the transport ------------------------------------

    def _apply(self, now: float | None = None) -> None:
        if now is None:
            now = self._loop.time()
        transport = self._transport
        if transport is not None:
            if self._writable:
                self._outflow.fill(self._session, now)
            octets = self._session.data_to_send()
            if octets and not transport.is_closing():
                transport.write(octets)
            if self._session.over and self._aborting is None and not self._gone.is_set():
                self._shut()
        for sink, settled in self._outflow.take_settled(now):
            try:
                sink.settle(settled)
            except Exception as error:  # noqa: BLE001  # the caller's; the link must go on
                logger.error("a sink failed: %s", type(error).__name__)
        self._set_timer(now)
        if self._outflow.idle and not (self._intake.in_hand or self._requests):
            self._idle.set()

    def _on(self, event: events.Event) -> None:
        match event:
            case events.Answered(sequence, pdu):
                self._settle_request(sequence, pdu)
            case events.Unanswered(sequence):
                self._settle_request(sequence, None)
            case events.Available():
                self._on_available(event)
            case events.Bound(system_id):
                logger.info("bound to %r", system_id)
                if not self.bound.done():
                    self.bound.set_result(None)
            case events.BindFailed(status):
                if not self.bound.done():
                    self.bound.set_exception(BindRefused(status))
            case events.Skipped(command_id, reason):
                logger.warning("skipped a PDU 0x%08X: %s", command_id, reason)
            case _:
                pass  # told by another way of the ear

    def _settle_request(self, sequence: int, pdu: Pdu | None) -> None:
        future = self._requests.pop(sequence, None)
        if future is None or future.done():
            return
        if pdu is None:
            future.set_exception(AnswerTimeout("the request was not answered in time"))
        elif isinstance(pdu, Response) and pdu.status == Status.ESME_ROK:
            future.set_result(pdu)
        else:
            status = getattr(pdu, "status", 0) or int(Status.ESME_RUNKNOWNERR)
            future.set_exception(command_error(status))

    def _late(self, sequence: int, item: events.Item, status: int, message_id: str) -> None:
        logger.warning(
            "submit_sm %d was answered late: %s, id %r", sequence, status_name(status), message_id
        )
        self._outflow.late(sequence, item, status, message_id)

    def _end(self, reason: str, pending: events.Pending) -> None:
        self._outflow.ended(reason, pending)
        for future in self._requests.values():
            if not future.done():
                future.set_exception(SessionClosed(f"the session ended: {reason}"))
        self._requests.clear()
        # What is not stored is not answered, so the SMSC brings it again on the next bind.
        self._intake.forget()
        self._arrived.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.bound.done():
            self.bound.set_exception(SessionClosed(reason))
        if not self.ended.done():
            self.ended.set_result(reason)

    def _shut(self) -> None:
        assert self._transport is not None
        self._transport.close()
        # An SMSC that does not read would keep the socket open for ever.
        self._aborting = self._loop.call_later(_CLOSE_WITHIN, self._transport.abort)

    # -- time ---------------------------------------------------------------------------------

    def _set_timer(self, now: float) -> None:
        soonest, timer = now + self._soonest, self._timer
        paced = self._outflow.next_at(now)
        if paced is not None:
            soonest = min(soonest, paced)
        if timer is not None and timer.when() <= soonest:
            return  # too early is no harm, and most deadlines only ever move away
        deadline = self._session.next_deadline()  # None: it is over
        if deadline is not None and paced is not None:
            deadline = min(deadline, paced)
        if timer is not None:
            if deadline is not None and timer.when() <= deadline:
                return
            timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        # call_at may come a clock tick early; a timer set again for the same time comes at once.
        self._timer = None
        now = self._loop.time()
        self._session.tick(now)
        self._apply(now)
