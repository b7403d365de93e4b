"""An Asterisk that misbehaves on request: the ARI part of one, on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from aiohttp import web

from ari_app.ari import events
from ari_app.ari.client import AriClient, Backoff

PATIENCE = 10.0  # seconds; only a failing test ever waits so long

Answer = tuple[int, Any]

_USER_EVENT = "/events/user/"


async def eventually(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no Event
            await asyncio.sleep(0.002)


class RealClock:
    """Time as it is; nothing in these tests depends on how much passes."""

    def now(self) -> int:
        return 0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Counts:
    """A meter that remembers its counters."""

    def __init__(self) -> None:
        self.counters: Counter[tuple[str, ...]] = Counter()
        self.gauges: dict[str, float] = {}

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        self.counters[(name, *labels.values())] += n

    def observe(self, name: str, value: float, **labels: str) -> None:
        pass

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.gauges[name] = value


class Listener:
    """Remembers what the link told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.events: list[events.AriEvent] = []
        self.fail_on: type | None = None
        self.on_connected: Callable[[], None] = lambda: None

    def event(self, event: events.AriEvent) -> None:
        self.events.append(event)
        if self.fail_on is not None and isinstance(event, self.fail_on):
            raise RuntimeError("a fault in a handler")

    def lost(self) -> None:
        self.told.append("lost")

    async def connected(self) -> None:
        self.told.append("connected")
        self.on_connected()

    def replaced(self) -> None:
        self.told.append("replaced")


class FakeAri:
    """Answers 204 to everything unless told otherwise; `talks` says whether over the websocket."""

    def __init__(self) -> None:
        self.talks = True
        self.upgrade_status: int | None = None
        self.filter_status = 200
        self.hangs = False
        self.lives = True  # whether what is to be told as an event is told
        self.filter: dict[str, Any] = {}
        self._sending: set[asyncio.Future[None]] = set()
        self.attempts = 0
        self.answers: dict[str, Answer | None] = {}  # by "METHOD /path"; None: no answer at all
        self.asked: list[tuple[str, str, str]] = []  # how, method, path
        self.bodies: list[Any] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.url = ""
        self._app = web.Application()
        self._app.router.add_get("/ari/events", self._events)
        self._app.router.add_route("*", "/ari/{path:.*}", self._http)
        self._runner = web.AppRunner(self._app, shutdown_timeout=0.1)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/ari"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def send(self, message: dict[str, Any] | str) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.sockets[-1].send_str(text)

    async def drop(self) -> None:
        """Cut the connection without a word."""
        transport = self.sockets[-1]._req.transport if self.sockets[-1]._req else None
        assert transport is not None
        transport.abort()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.attempts += 1
        if self.upgrade_status is not None:
            return web.Response(status=self.upgrade_status)
        if self.hangs:
            await asyncio.sleep(PATIENCE)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and self.talks:
                await self._rest(socket, json.loads(message.data))
        return socket

    async def _rest(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        body = json.loads(message["message_body"]) if "message_body" in message else None
        answer = self._answer("websocket", message["method"], "/" + message["uri"], body)
        if answer is None:
            return
        status, body = answer
        response: dict[str, Any] = {
            "type": "RESTResponse",
            "request_id": message["request_id"],
            "status_code": status,
            "reason_phrase": "Reason",
            "uri": message["uri"],
        }
        if body is not None:
            response["message_body"] = json.dumps(body)
        with contextlib.suppress(ConnectionError):
            await socket.send_str(json.dumps(response))

    async def _http(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        body = await request.json() if request.can_read_body else None
        if path.endswith("/eventFilter"):
            self.bodies.append(body)
            self.filter = {"events_allowed": (body or {}).get("allowed")}
            return web.json_response({}, status=self.filter_status)
        answer = self._answer("http", request.method, path, body)
        if answer is None:
            await asyncio.sleep(PATIENCE)
            return web.Response()
        status, body = answer
        if isinstance(body, str):
            return web.Response(status=status, text=body)
        return (
            web.Response(status=status) if body is None else web.json_response(body, status=status)
        )

    def _answer(self, how: str, method: str, path: str, body: Any) -> Answer | None:
        if path.startswith(_USER_EVENT):
            self.asked.append((how, method, f"{_USER_EVENT}sign"))
            if self.lives:
                name = path.removeprefix(_USER_EVENT)
                event = self.send({"type": "ChannelUserevent", "eventname": name})
                self._sending.add(task := asyncio.ensure_future(event))
                task.add_done_callback(self._sending.discard)
            return 204, None
        self.asked.append((how, method, path))
        if path.startswith("/applications/") and f"{method} {path}" not in self.answers:
            return 200, self.filter
        self.bodies.append(body)
        return self.answers.get(f"{method} {path}", (204, None))


class LinkStory:
    """Given a fake Asterisk and a link to it."""

    def __init__(self) -> None:
        self.ari = FakeAri()
        self.listener = Listener()
        self.meter = Counts()
        self.clients: list[AriClient] = []

    def client(
        self,
        *,
        url: str | None = None,
        deadline: float = PATIENCE,
        patience: float = 60.0,
        rest_over_websocket: bool | None = None,
    ) -> AriClient:
        client = AriClient(
            url or self.ari.url,
            "segue",
            "secret",
            "segue",
            self.listener,
            self.meter,
            RealClock(),
            deadline=deadline,
            patience=patience,
            rest_over_websocket=rest_over_websocket,
            backoff=Backoff(first=0.01, longest=0.02),
        )
        self.clients.append(client)
        return client

    async def linked(self, **options: Any) -> AriClient:
        client = self.client(**options)
        await client.start()
        return client

    async def aclose(self) -> None:
        for client in self.clients:
            await client.aclose()
        await self.ari.stop()


@contextlib.asynccontextmanager
async def link_story() -> AsyncIterator[LinkStory]:
    story = LinkStory()
    await story.ari.start()
    try:
        yield story
    finally:
        await story.aclose()
