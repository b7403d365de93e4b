"""
The asyncio shell of an ESME: a bind that comes back by itself.

Esme keeps at most one Link; a Link is one connection, from bind to close, around a Session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from smpp import protocol
from smpp.constants import Status, status_name
from smpp.errors import (
    AnswerTimeout,
    BindRefused,
    LocalProtocolError,
    NotSent,
    SessionClosed,
    SmppError,
    command_error,
)
from smpp.pdu import Bind, DeliverSm, SubmitSm
from smpp.protocol import Session, State

logger = logging.getLogger(__name__)

Handler = Callable[[DeliverSm], Awaitable[None]]

_MOST_WAITING = 10_000  # messages before the window
_MOST_UNHANDLED = 100  # deliver_sm before we stop reading
_CLOSE_WITHIN = 2.0  # seconds for a transport to write its rest


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before connecting again."""

    first: float = 1.0
    longest: float = 60.0
    held: float = 45.0  # the SMSC still holds our old bind: several ask for 30 to 60 s
    refused: float = 300.0  # name or password are wrong: a person must act, do not hammer
    healthy_after: float = 60.0  # a link counts as good again only after it has stayed this long

    def delay(self, failures: int, chance: float) -> float:
        """After so many failures in a row; `chance` (0 to 1) spreads ESMEs that fell together."""
        return min(self.longest, self.first * 2.0 ** min(failures, 30)) * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """The carrier's contract; each carrier differs."""

    window: int = 10
    enquire_link_interval: float = 30.0
    response_timeout: float = 10.0
    connect_timeout: float = 10.0
    handler_timeout: float = 8.0  # the SMSC waits about 10 s for deliver_sm_resp
    drain_timeout: float = 5.0


class Link(asyncio.Protocol):
    """One connection to the SMSC; every message given to it gets an answer or an error."""

    def __init__(self, bind: Bind, limits: Limits, handler: Handler, number: int) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._session = Session(
            bind,
            window=limits.window,
            enquire_link_interval=limits.enquire_link_interval,
            response_timeout=limits.response_timeout,
        )
        self._limits = limits
        self._handler = handler
        self.number = number
        self.bound: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flush_due = False
        self._waiting: deque[tuple[SubmitSm, asyncio.Future[str]]] = deque()
        self._pending: dict[int, asyncio.Future[str]] = {}
        self._unhandled: asyncio.Queue[DeliverSm] = asyncio.Queue()
        self._in_hand = 0  # deliver_sm taken and not answered
        self._reading = True
        self._writable = True
        self._idle = asyncio.Event()
        self._idle.set()
        self._handling = asyncio.create_task(self._handle())

    @property
    def connected(self) -> bool:
        """Whether there is a transport."""
        return self._transport is not None

    @property
    def up(self) -> bool:
        """Whether a message could be submitted."""
        return self._session.state is State.BOUND

    # -- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bind at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Without NODELAY a window with receipts costs 40 ms a time (Nagle, delayed ACK).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._session.connect(self._loop.time())
        self._apply([])

    def data_received(self, data: bytes) -> None:
        """Feed the session."""
        self._apply(self._session.receive(data, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        """The fate of what was in the window is unknown."""
        reason = f"connection lost: {exc}" if exc else "connection closed by the SMSC"
        self._apply(self._session.lost(reason))

    def pause_writing(self) -> None:
        """The SMSC does not read: give it nothing more to answer."""
        self._writable = False
        self._steer_reading()

    def resume_writing(self) -> None:
        """The SMSC reads again."""
        self._writable = True
        self._steer_reading()
        self._apply([])

    # -- out ----------------------------------------------------------------------------------

    def submit(self, pdus: Sequence[SubmitSm]) -> list[asyncio.Future[str]]:
        """Queue the messages, consecutively; each future gets the message id or an SmppError."""
        if not self.up:
            raise NotSent("not bound")
        if len(self._waiting) + len(pdus) > _MOST_WAITING:
            raise NotSent("too many messages wait for the window")
        futures: list[asyncio.Future[str]] = []
        for pdu in pdus:
            future: asyncio.Future[str] = self._loop.create_future()
            self._waiting.append((pdu, future))
            futures.append(future)
        self._idle.clear()
        if not self._flush_due:
            # One write for all that is submitted in this turn of the loop.
            self._flush_due = True
            self._loop.call_soon(self._flush_soon)
        return futures

    def _flush_soon(self) -> None:
        self._flush_due = False
        self._apply([])

    async def drain(self, timeout: float) -> None:
        """Wait until nothing is under way, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._idle.wait()

    async def close(self) -> None:
        """Unbind (§4.2) and close; returns within the response and handler timeouts."""
        if self.up:
            self._session.unbind(self._loop.time())
            self._apply([])
        elif not self._session.over:
            self._apply(self._session.lost("closed by us"))
        if self._transport is not None:
            await self.ended
        # What is being stored may end; its repeat on the next bind comes after it.
        await self.drain(self._limits.handler_timeout)
        self._handling.cancel()
        await asyncio.wait([self._handling])

    # -- in -----------------------------------------------------------------------------------

    async def _handle(self) -> None:
        # One at a time: two texts of one person must not overtake each other.
        while True:
            pdu = await self._unhandled.get()
            status = await self._status_of(pdu)
            self._session.answer(pdu.sequence, status)
            self._in_hand -= 1
            self._steer_reading()
            self._apply([])

    async def _status_of(self, pdu: DeliverSm) -> Status:
        try:
            async with asyncio.timeout(self._limits.handler_timeout):
                await self._handler(pdu)
        except TimeoutError:
            logger.warning("deliver_sm %d took too long: the SMSC is asked to repeat", pdu.sequence)
            return Status.ESME_RX_T_APPN
        except Exception as error:  # noqa: BLE001  # whatever it was, it is not stored
            # The type only: the text of a foreign exception may quote the message.
            logger.warning(
                "deliver_sm %d not stored (%s): the SMSC is asked to repeat",
                pdu.sequence,
                type(error).__name__,
            )
            return Status.ESME_RX_T_APPN
        return Status.ESME_ROK

    def _steer_reading(self) -> None:
        reading = self._writable and self._in_hand < _MOST_UNHANDLED
        if self._transport is None or self._transport.is_closing() or reading is self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # -- between the session and the transport ------------------------------------------------

    def _apply(self, events: list[protocol.Event]) -> None:
        for event in events:
            self._on(event)
        if not self._session.over:
            self._fill_window()
        octets = self._session.data_to_send()
        if self._transport is not None and not self._transport.is_closing():
            if octets:
                self._transport.write(octets)
            if self._session.over:
                self._shut()
        self._set_timer()
        if not (self._waiting or self._pending or self._in_hand):
            self._idle.set()

    def _on(self, event: protocol.Event) -> None:
        match event:
            case protocol.Submitted(sequence, message_id):
                self._settle(sequence, message_id)
            case protocol.Refused(sequence, status):
                self._settle(sequence, command_error(status))
            case protocol.Unanswered(sequence):
                self._settle(sequence, AnswerTimeout("submit_sm was not answered in time"))
            case protocol.AnsweredLate(sequence, status, message_id):
                logger.warning(
                    "submit_sm %d was answered late: %s, id %r",
                    sequence,
                    status_name(status),
                    message_id,
                )
            case protocol.Delivered(pdu):
                self._in_hand += 1
                self._idle.clear()
                self._unhandled.put_nowait(pdu)
                self._steer_reading()
            case protocol.Bound(system_id):
                logger.info("bound to %r", system_id)
                if not self.bound.done():
                    self.bound.set_result(None)
            case protocol.BindFailed(status):
                if not self.bound.done():
                    self.bound.set_exception(BindRefused(status))
            case protocol.Skipped(command_id, reason):
                logger.warning("skipped a PDU 0x%08X: %s", command_id, reason)
            case protocol.Ended(reason):
                self._end(reason)

    def _fill_window(self) -> None:
        while self._waiting and self._session.room > 0:
            pdu, future = self._waiting.popleft()
            if future.done():  # nobody waits for it any more, and nothing was written
                continue
            try:
                sequence = self._session.submit(pdu, self._loop.time())
            except LocalProtocolError as error:
                future.set_exception(error)
            else:
                self._pending[sequence] = future

    def _settle(self, sequence: int, outcome: str | SmppError) -> None:
        future = self._pending.pop(sequence, None)
        if future is None or future.done():
            return
        if isinstance(outcome, str):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)

    def _end(self, reason: str) -> None:
        for sequence in tuple(self._pending):
            self._settle(sequence, SessionClosed(f"the session ended: {reason}"))
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(NotSent(f"the session ended before it was sent: {reason}"))
        self._waiting.clear()
        # What is not stored is not answered, so the SMSC brings it again on the next bind.
        while not self._unhandled.empty():
            self._unhandled.get_nowait()
            self._in_hand -= 1
        if not self.bound.done():
            self.bound.set_exception(SessionClosed(reason))
        if not self.ended.done():
            self.ended.set_result(reason)

    def _shut(self) -> None:
        assert self._transport is not None
        self._transport.close()
        # An SMSC that does not read would keep the socket open for ever.
        self._loop.call_later(_CLOSE_WITHIN, self._transport.abort)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._session.next_deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        # call_at may come a clock tick early; a timer set again for the same time comes at once.
        self._apply(self._session.tick(self._loop.time()))


class Esme:
    """A transceiver bind that is kept up until `aclose`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        system_id: str,
        password: str,
        handler: Handler,
        system_type: str = "",
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[str], None] = lambda reason: None,
        on_alarm: Callable[[BindRefused], None] = lambda error: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`handler` stores a deliver_sm; it is answered ESME_ROK when that returns.

        If it raises, or is slower than `limits.handler_timeout`, the answer is ESME_RX_T_APPN
        and the SMSC repeats. `on_alarm` is told each refusal of name or password.
        """
        self._host = host
        self._port = port
        self._bind = Bind(system_id=system_id, password=password, system_type=system_type)
        self._handler = handler
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._tls = tls
        self._on_up = on_up
        self._on_down = on_down
        self._on_alarm = on_alarm
        self._chance = chance
        self._link: Link | None = None
        self._links = 0
        self._failures = 0  # in a row
        self._closing = asyncio.Event()
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether there is a bind now."""
        return self._link is not None and self._link.up and not self._closing.is_set()

    @property
    def link_number(self) -> int:
        """Which connection this is since the start: repeats of a deliver_sm come on a later one."""
        return self._links

    def start(self) -> None:
        """Connect, and keep connected, in the background."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def wait_up(self, timeout: float) -> None:
        """Return when bound; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while not self.up:
                self._changed.clear()
                await self._changed.wait()

    async def submit(self, pdu: SubmitSm) -> str:
        """The SMSC's message id, verbatim.

        NotSent: nothing was written. CommandError (Throttled): the SMSC refused. SessionClosed
        (AnswerTimeout): written, fate unknown. LocalProtocolError: no PDU can carry it.
        """
        return await self.submit_all([pdu])[0]

    def submit_all(self, pdus: Sequence[SubmitSm]) -> list[asyncio.Future[str]]:
        """The parts of one text, consecutively on one bind; each future is as `submit`."""
        if not self.up or self._link is None:
            raise NotSent("not bound")
        return self._link.submit(pdus)

    async def aclose(self) -> None:
        """Take nothing new, let the window drain, unbind, close."""
        self._closing.set()
        if self._link is not None and self._link.connected:
            await self._link.drain(self._limits.drain_timeout)
            await self._link.close()
        elif self._running is not None:
            self._running.cancel()
        if self._running is not None:
            await asyncio.wait([self._running])

    # -- the life of the bind -----------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                healthy = await self._live()
            except BindRefused as error:
                self._failures += 1
                delay = self._after_refusal(error)
            except (OSError, SmppError) as error:  # TimeoutError is an OSError
                delay = self._backoff.delay(self._failures, self._chance())
                self._failures += 1
                logger.warning(
                    "no bind at %s:%d: %s; again in %.1f s",
                    self._host,
                    self._port,
                    str(error) or type(error).__name__,
                    delay,
                )
            else:
                # Reset by health, not by binding: an SMSC that takes every bind and drops it at
                # once must not be stormed.
                self._failures = 0 if healthy else self._failures
                delay = self._backoff.delay(self._failures, self._chance())
                self._failures += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._closing.wait()

    def _after_refusal(self, error: BindRefused) -> float:
        if error.permanent:
            delay = self._backoff.refused
            logger.error(
                "the SMSC at %s:%d refuses the bind for good: %s; again in %.0f s",
                self._host,
                self._port,
                error,
                delay,
            )
            self._on_alarm(error)
            return delay
        delay = self._backoff.delay(self._failures - 1, self._chance())
        if error.held:
            delay = max(delay, self._backoff.held)
        logger.warning("bind refused: %s; again in %.1f s", error, delay)
        return delay

    async def _live(self) -> bool:
        """One connection from bind to end; whether it stayed up long enough to be trusted."""
        loop = asyncio.get_running_loop()
        link = await self._connect()
        since = loop.time()
        self._on_up()
        self._changed.set()
        reason = await link.ended
        stayed = loop.time() - since
        self._link = None
        await link.close()
        level = logging.INFO if self._closing.is_set() else logging.WARNING
        logger.log(level, "the bind is down after %.0f s: %s", stayed, reason)
        self._on_down(reason)
        return stayed >= self._backoff.healthy_after

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        self._links += 1
        link = Link(self._bind, self._limits, self._handler, self._links)
        self._link = link
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                await loop.create_connection(lambda: link, self._host, self._port, ssl=self._tls)
            # The session has its own deadline for the bind.
            await link.bound
        except BaseException:
            self._link = None
            await link.close()
            raise
        return link
