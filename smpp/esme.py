"""
The asyncio shell of an ESME: a bind that comes back by itself.

Esme keeps at most one Link; a Link is one connection, from bind to close, around a Session.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from smpp.backoff import Attempts, Backoff
from smpp.connecting import Connecting, Dial
from smpp.constants import Command
from smpp.errors import BindRefused, LocalProtocolError, NotSent, SmppError
from smpp.events import Available
from smpp.futures import Futures
from smpp.hot import Templates
from smpp.intake import BatchHandler
from smpp.link import Limits, Link
from smpp.pdu import Bind, DeliverSm, Pdu, SubmitSm
from smpp.protocol import Request
from smpp.rate import Pace
from smpp.texts import Settled, Sink, Text

__all__ = ["Backoff", "BatchHandler", "Esme", "Handler", "Limits", "Settled", "Sink", "Text"]

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[DeliverSm], Awaitable[None]]

_BATCH = 500  # deliver_sm that are stored at once


class Esme:
    """A bind that is kept up until `aclose`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        system_id: str,
        password: str,
        handler: Handler | None = None,
        batch_handler: BatchHandler | None = None,
        system_type: str = "",
        mode: Command = Command.BIND_TRANSCEIVER,
        address_range: str = "",
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        connecting: Connecting | None = None,
        outbind: tuple[str, str] | None = None,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[str], None] = lambda reason: None,
        on_alarm: Callable[[BindRefused], None] = lambda error: None,
        on_available: Callable[[Available], None] = lambda event: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`handler` stores a deliver_sm; it is answered ESME_ROK when that returns.

        If it raises, or is slower than `limits.handler_timeout`, the answer is ESME_RX_T_APPN
        and the SMSC repeats. `batch_handler`, in its place, stores all that came in one read and
        may return a status for each; both are given data_sm as the deliver_sm that means it.

        `connecting` in place of `host` and `port` may be a `Listen`: then the SMSC connects to us
        and sends an outbind, with the name and password `outbind` if they are given.
        `server_hostname` is for a certificate of another name than `host`. `on_alarm` is told
        each refusal of name or password; after one, nothing is tried until `retry`, unless
        `backoff` says otherwise.
        """
        if (handler is None) is (batch_handler is None):
            raise ValueError("an Esme has either a handler or a batch_handler")
        self._bind = Bind(
            system_id=system_id,
            password=password,
            system_type=system_type,
            mode=mode,
            address_range=address_range,
        )
        self._handler = batch_handler or _one_by_one(handler)
        self._batch = 1 if batch_handler is None else _BATCH
        self._limits = limits or Limits()
        self._backoff = backoff or Backoff()
        self._connecting = connecting or Dial(
            host,
            port,
            tls=tls,
            server_hostname=server_hostname,
            timeout=self._limits.connect_timeout,
        )
        self._outbind = outbind
        self._on_up = on_up
        self._on_down = on_down
        self._on_alarm = on_alarm
        self._on_available = on_available
        self._chance = chance
        self._link: Link | None = None
        self._links = 0
        self._pace: Pace | None = None  # outlives a link: the SMSC is no faster for a new one
        self._attempts = Attempts(self._backoff)
        self._templates = Templates()
        self._futures = Futures()
        self._closing = asyncio.Event()
        self._sooner = asyncio.Event()  # do not wait any longer before connecting
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Whether there is a bind now."""
        return self._link is not None and self._link.up and not self._closing.is_set()

    @property
    def room(self) -> int:
        """How many more messages it takes now: free places in the queue and the window."""
        return self._link.room if self.up and self._link is not None else 0

    @property
    def rate(self) -> float | None:
        """Segments a second now, lowered by throttling; None: as fast as the window lets."""
        return self._limits.rate if self._pace is None else self._pace.rate

    @property
    def link_number(self) -> int:
        """Which connection this is since the start: repeats of a deliver_sm come on a later one."""
        return self._links

    def start(self) -> None:
        """Connect, and keep connected, in the background."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    def retry(self) -> None:
        """Try again now: somebody has put the name or password right, or knows better."""
        self._sooner.set()

    async def wait_up(self, timeout: float) -> None:
        """Return when bound; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while not self.up:
                self._changed.clear()
                await self._changed.wait()

    # -- for people: values and futures -------------------------------------------------------

    async def submit(self, pdu: SubmitSm) -> str:
        """The SMSC's message id, verbatim.

        NotSent: nothing was written. CommandError (Throttled): the SMSC refused. SessionClosed
        (AnswerTimeout): written, fate unknown. LocalProtocolError: no PDU can carry it.
        """
        return await self.submit_all([pdu])[0]

    def submit_all(self, pdus: Sequence[SubmitSm]) -> list[asyncio.Future[str]]:
        """The parts of one text, consecutively on one bind; each future is as `submit`."""
        link, loop = self._bound_link(), asyncio.get_running_loop()
        futures: list[asyncio.Future[str]] = []
        bodies: list[bytes] = []
        tokens: list[asyncio.Future[str]] = []
        for pdu in pdus:
            future: asyncio.Future[str] = loop.create_future()
            futures.append(future)
            try:
                bodies.append(self._templates.body(pdu))
            except LocalProtocolError as error:
                future.set_exception(error)
            else:
                tokens.append(future)
        if bodies:
            text = Text(
                pdus[0].destination,
                bodies,
                tokens,
                repeat_until=loop.time() + self._limits.throttle_patience,
            )
            link.submit([text], self._futures)
        return futures

    async def request(self, pdu: Request) -> Pdu:
        """Ask about, cancel or replace a message (§4.8 to 4.10), or send any other request.

        NotSent, LocalProtocolError: nothing was written. CommandError: the SMSC refused.
        SessionClosed (AnswerTimeout): no answer.
        """
        return await self._bound_link().request(pdu)

    # -- for speed: octets and batches --------------------------------------------------------

    def submit_octets(self, texts: Sequence[Text], sink: Sink) -> None:
        """Queue texts whose bodies smpp.hot has made; the sink is told each part's fate.

        NotSent: none of them was queued; ask `room` first.
        """
        self._bound_link().submit(texts, sink)

    async def aclose(self, drain: float | None = None) -> None:
        """Take nothing new, let the window drain, unbind, close.

        It has `drain` seconds for that, those of the limits if they are not given.
        """
        self._closing.set()
        if self._link is not None and self._link.connected:
            await self._link.drain(self._limits.drain_timeout if drain is None else drain)
            await self._link.close()
        elif self._running is not None:
            self._running.cancel()
        if self._running is not None:
            await asyncio.wait([self._running])
        await self._connecting.aclose()

    def _bound_link(self) -> Link:
        if not self.up or self._link is None:
            raise NotSent("not bound")
        return self._link

    # -- the life of the bind -----------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing.is_set():
            delay: float | None
            try:
                stayed = await self._live()
            except BindRefused as error:
                delay = self._after_refusal(error)
            except (OSError, SmppError) as error:  # TimeoutError is an OSError
                delay = self._attempts.failed(self._chance())
                logger.warning(
                    "no bind at %s: %s; again in %.1f s",
                    self._connecting.where,
                    str(error) or type(error).__name__,
                    delay,
                )
            else:
                delay = self._attempts.ended(stayed, self._chance())
            await self._wait(delay)

    async def _wait(self, delay: float | None) -> None:
        self._sooner.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._closing, self._sooner)]
        try:
            await asyncio.wait(waits, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _after_refusal(self, error: BindRefused) -> float | None:
        delay = self._attempts.refused(error.status, self._chance())
        again = "stopped" if delay is None else f"again in {delay:.1f} s"
        if not error.permanent:
            logger.warning("bind refused: %s; %s", error, again)
            return delay
        logger.error(
            "the SMSC at %s refuses the bind for good: %s; %s", self._connecting.where, error, again
        )
        self._on_alarm(error)
        return delay

    async def _live(self) -> float:
        """One connection from bind to end; how many seconds it stayed up."""
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
        return stayed

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()
        if self._pace is None:
            self._pace = Pace(self._limits.rate, loop.time())
        self._links += 1
        link = Link(
            self._bind,
            self._limits,
            self._handler,
            self._links,
            batch=self._batch,
            pace=self._pace,
            outbind=self._outbind,
            listening=self._connecting.listens,
            on_available=self._on_available,
        )
        self._link = link
        try:
            await self._connecting.connect(lambda: link)
            # The session has its own deadline for the bind.
            await link.bound
        except BaseException:
            self._link = None
            await link.close()
            raise
        return link


def _one_by_one(handler: Handler | None) -> BatchHandler:
    assert handler is not None

    async def store(batch: Sequence[DeliverSm]) -> None:
        for pdu in batch:
            await handler(pdu)

    return store
