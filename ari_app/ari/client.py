"""The link to one Asterisk: a websocket for events and requests, HTTP where that is not enough."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from ari_app.ari import events, requests
from ari_app.ari.ownership import Owner, owner
from ari_app.ari.requests import Request
from ari_app.ari.rest import OverHttp, OverWebsocket, Wrong, hung_up, upgraded
from ari_app.ari.vigil import Vigil, marked_filter
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import Clock, Meter

logger = logging.getLogger(__name__)

# Asterisk's HTTP server listens with a backlog of 10: a cold pool larger than that meets SYN
# retries of a second. The event websocket takes one of these.
_POOL = 8

# How long an Asterisk may take to answer the first request over the websocket before we
# believe that it does not know REST over WebSocket (before 22.5 it reads and ignores it).
_PROBE = 1.0

# How long it may take to answer when we knock after the link broke. Longer than a SYN retry.
_KNOCK = 1.5
_REFUSED = 5.0  # seconds before the next attempt where a person must change something

# Asterisk 22.10.1 that writes an event while its websocket closes keeps the application in its
# list, inactive, until it is linked again: close in a silence, or after so long without one.
_SILENCE = 0.05
_NO_SILENCE = 0.5

_UNBELIEVABLE = 8 * 1024 * 1024  # bytes of one message


class AriListener(Protocol):
    """What the link tells, in the event loop."""

    def event(self, event: events.AriEvent) -> None:
        """One event, in Asterisk's order. Must not block."""

    def lost(self) -> None:
        """The link is down; events are lost until `connected`."""

    async def connected(self) -> None:
        """The link is up, requests may be made; an Unavailable or AriRefused ends it again."""

    def replaced(self) -> None:
        """Another process has taken our application: the link stays down for good."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: doubling, with jitter, up to a bound."""

    first: float = 0.25
    longest: float = 1.0

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds before attempt 0, 1, 2…; `chance` in 0..1 takes off up to half."""
        return min(self.longest, self.first * 2.0 ** min(attempt, 30)) * (1 - chance / 2)


class AriClient:
    """One application's link to Asterisk. It comes back by itself until `aclose`.

    A request whose answer is lost with the link has an unknown outcome: choose ids so that a
    repetition is safe.
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        app: str,
        listener: AriListener,
        meter: Meter,
        clock: Clock,
        *,
        deadline: float = 3.0,
        patience: float = 4.0,
        rest_over_websocket: bool | None = None,
        backoff: Backoff = Backoff(),
    ) -> None:
        """`url` ends in `/ari`. `rest_over_websocket`: None finds out at each connection.

        `deadline`: seconds for one answer. `patience`: seconds without any event, though signs of
        life were asked for, after which the link is dead.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"the URL of ARI must begin with http:// or https://: {url!r}")
        self._url = url.rstrip("/")
        account = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {account}"}
        self._user = user
        self._app = app
        self._listener = listener
        self._meter = meter
        self._clock = clock
        self._deadline = deadline
        self._patience = patience
        self._forced = rest_over_websocket
        self._backoff = backoff
        self._token = secrets.token_hex(8)
        self._vigil = self._watch()
        self._session: aiohttp.ClientSession | None = None
        self._http: OverHttp | None = None
        self._socket: OverWebsocket | None = None
        self._over_socket = False
        self._keeper: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._up = False
        self._replaced = False
        self._giving_back = False
        self._heard = 0.0  # when the last message came, by the loop's clock

    @property
    def up(self) -> bool:
        """Whether events come in."""
        return self._up

    @property
    def rest_over_websocket(self) -> bool:
        """Whether requests go over the websocket now."""
        return self._over_socket

    # -- life -------------------------------------------------------------------------------

    async def start(self, patience: float = 0.0) -> None:
        """Connect, then keep connected. PbxUnavailable if the first connection cannot be made.

        An Asterisk that does not answer is tried again for `patience` seconds; one that refuses
        us is not.
        """
        if self._keeper is not None:
            raise RuntimeError("the link has been started already")
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=_POOL),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._http = OverHttp(self._session, self._url, self._user)
        self._first = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(self._clock.monotonic() + patience))
        try:
            await self._first
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the link; what is pending fails. Calls go on in Asterisk."""
        if self._keeper is not None:
            await self._silence()
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._session is not None:
            await self._session.close()
            self._session = self._http = None

    async def _silence(self) -> None:
        """Return when Asterisk has said nothing for a moment."""
        now = asyncio.get_running_loop().time
        end = now() + _NO_SILENCE
        while self._up and now() < min(end, self._heard + _SILENCE):  # noqa: ASYNC110 - no event
            await asyncio.sleep(_SILENCE / 5)

    async def _keep(self, give_up_at: float) -> None:
        """Connect again and again; the outermost loop of the link."""
        assert self._first is not None
        attempt = 0
        while True:
            began = self._clock.monotonic()
            reason: Exception
            try:
                if self._first.done():
                    await self._knock()
                if not self._replaced:
                    await self._live()
                if self._replaced:
                    if not self._first.done():
                        self._first.set_exception(
                            PbxUnavailable(f"another process has taken {self._app} from us")
                        )
                    return
                reason = PbxUnavailable(f"Asterisk at {self._url} has closed the event websocket")
            except (PbxUnavailable, AriRefused) as error:
                reason = error
            except Exception as error:  # a fault of ours must not end the link for good
                logger.exception("the link to Asterisk failed")
                reason = PbxUnavailable(f"the link to Asterisk failed: {error!r}")
            if not self._first.done() and (
                isinstance(reason, Wrong) or self._clock.monotonic() >= give_up_at
            ):
                self._first.set_exception(reason)
                return
            # A link that dies as soon as it is up has not earned a quick retry.
            if self._clock.monotonic() - began > 2 * self._patience:
                attempt = 0
            delay = self._backoff.delay(attempt, random.random())
            if isinstance(reason, Wrong):
                delay = _REFUSED
            attempt += 1
            self._meter.count("segue_ari_link_failures_total")
            logger.warning("%s; next attempt in %.1f s", reason, delay)
            await asyncio.sleep(delay)

    async def _knock(self) -> None:
        """Before the link is made anew: is Asterisk awake, and are we still its application?

        A frozen Asterisk takes connections, and serves them all when it wakes: of websockets that
        we have given up, the last would take the application from us. A question does no harm.
        """
        assert self._http is not None
        try:
            found = await self._http.ask(requests.application(self._app), _KNOCK)
        except AriRefused as error:
            if error.status != 404:  # it has been started anew, and does not know us yet
                raise
            return
        if owner(found, self._token) is Owner.ANOTHER:
            self._lose_application()

    async def _live(self) -> None:
        """One connection, from its handshake to its end."""
        assert self._first is not None
        async with self._connection() as socket:
            reader = asyncio.create_task(self._read(socket))
            opener = asyncio.create_task(self._open())
            tasks = {reader, opener}
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if not reader.done():
                    await opener  # or why it failed
                    self._meter.gauge("segue_ari_up", 1)
                    if not self._first.done():
                        self._first.set_result(None)
                    logger.info(
                        "linked to Asterisk at %s, requests over %s",
                        self._url,
                        "the websocket" if self._over_socket else "HTTP",
                    )
                    tasks.add(vigil := asyncio.create_task(self._vigil.keep()))
                    await asyncio.wait((reader, vigil), return_when=asyncio.FIRST_COMPLETED)
                    if vigil.done():
                        await vigil
                        self._lose_application()
                        return
                await reader
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        assert self._session is not None
        socket = await upgraded(
            self._session, self._url, self._user, self._app, self._deadline, _UNBELIEVABLE
        )
        self._socket = OverWebsocket(socket)
        self._vigil = self._watch()
        self._up = True
        try:
            yield socket
        finally:
            broken, self._socket, self._up = self._socket, None, False
            self._over_socket = False
            broken.broke()
            self._meter.gauge("segue_ari_up", 0)
            self._listener.lost()
            await hung_up(socket, 1.0)

    async def _open(self) -> None:
        """What every new connection begins with."""
        # Over HTTP: a filter without RESTResponse, left by another client, would swallow the
        # answer on the websocket. It is kept by Asterisk as long as the application is.
        await self._over_http(marked_filter(self._app, self._token))
        self._over_socket = self._forced if self._forced is not None else await self._probe()
        await self._listener.connected()

    def _watch(self) -> Vigil:
        return Vigil(self._app, self._token, self._patience, self.request, self._clock, self._meter)

    async def _probe(self) -> bool:
        """Whether this Asterisk answers requests on the websocket."""
        assert self._socket is not None
        try:
            await self._socket.ask(requests.ping(), min(_PROBE, self._deadline))
        except PbxUnavailable:
            return False
        except AriRefused:
            pass  # a no is an answer
        return True

    def _lose_application(self) -> None:
        if not self._replaced:
            logger.error("another process has taken the ARI application %s", self._app)
            self._replaced = True
            self._listener.replaced()

    def give_back(self) -> None:
        """After a theft: send requests again, over HTTP, since the calls are still ours."""
        self._giving_back = True

    # -- events -----------------------------------------------------------------------------

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        async for message in socket:
            self._heard = loop.time()
            if message.type is not aiohttp.WSMsgType.TEXT:
                self._unreadable("not a text")
                continue
            try:
                event = events.parse(message.data)
            except ValueError as error:
                self._unreadable(str(error))
                continue
            if isinstance(event, events.RestResponse):
                if self._socket is not None:
                    self._socket.answered(event)
                continue
            if self._vigil.heard(event):
                continue
            self._meter.count("segue_ari_events_total", type=type(event).__name__)
            if isinstance(event, events.ApplicationReplaced):
                self._lose_application()
                return
            if isinstance(event, events.Unrecognised):
                logger.debug("event %s is of no use to us", event.type)
                continue
            try:
                self._listener.event(event)
            except Exception:  # one event's fault must not cost all calls their events
                logger.exception("an event could not be handled: %s", type(event).__name__)

    def _unreadable(self, why: str) -> None:
        self._meter.count("segue_ari_unreadable_events_total")
        logger.warning("unreadable message on the event websocket: %s", why)

    # -- requests ---------------------------------------------------------------------------

    async def request(self, request: Request) -> Any:
        """The parsed answer, None if it has no body. AriRefused or PbxUnavailable otherwise.

        While the websocket is down a request goes over HTTP: a caller can still be given back.
        """
        if self._replaced and not self._giving_back:
            raise PbxUnavailable(f"another process has taken our calls: {request} was not sent")
        began = self._clock.monotonic()
        outcome = "unavailable"
        try:
            if self._over_socket and self._socket is not None:
                answer = await self._socket.ask(request, self._deadline)
            else:
                answer = await self._over_http(request)
            outcome = "done"
            return answer
        except AriRefused:
            outcome = "refused"
            raise
        finally:
            self._meter.count(
                "segue_ari_requests_total", operation=request.operation, outcome=outcome
            )
            self._meter.observe(
                "segue_ari_request_seconds",
                self._clock.monotonic() - began,
                operation=request.operation,
            )

    async def _over_http(self, request: Request) -> Any:
        if self._http is None:
            raise PbxUnavailable(f"the link to Asterisk is closed: {request} was not sent")
        return await self._http.ask(request, self._deadline)
