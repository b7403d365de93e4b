"""The page of the simulated SMSC: handsets, their texts, and the switches. This machine only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib import resources
from typing import Any

from aiohttp import web

from ari_app.errors import SettingsError
from smpp.control import do
from smpp.simulator import Handsets, Smsc, Thread, Told, describe

_PATIENCE = 20.0  # seconds that a browser waits for news
_LARGEST = 64 * 1024  # octets of a request
_LISTED = 100  # handsets beside each other
_WAITING = 100  # browsers at once; more are answered without waiting

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """Serves the page of one Smsc; what it shows is kept in bounded memory."""

    def __init__(self, smsc: Smsc) -> None:
        #: How many browsers wait for news.
        self.waiting = 0
        self._smsc = smsc
        self._handsets = Handsets()
        self._revision = 0
        self._news = asyncio.Event()
        self._closing = False
        self._runner: web.AppRunner | None = None
        self._html, self._policy = _document()
        self._hosts: frozenset[str] = frozenset()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on a loopback address; OSError if the port is taken."""
        if not ipaddress.ip_address(host).is_loopback:
            raise SettingsError("the page shows texts and numbers: loopback only")
        app = web.Application(middlewares=[self._guarded], client_max_size=_LARGEST)
        app.router.add_get("/", self._index)
        app.router.add_get("/api/state", self._state)
        app.router.add_get("/api/switches", self._switches)
        app.router.add_post("/api/do", self._do)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self._hosts = frozenset(
            f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")
        )
        self._smsc.listen(self._note)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._runner is not None, "start it first"
        return int(self._runner.addresses[0][1])

    async def aclose(self) -> None:
        """Whoever waits for news is sent home."""
        self._smsc.unlisten(self._note)
        self._closing = True
        self._news.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def _note(self, told: Told) -> None:
        self._handsets.note(told, time.time())
        self._revision += 1
        self._news.set()

    # -- requests -----------------------------------------------------------------------------

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        # Any page of the web can send requests here: those of another origin, or under another
        # name that leads to this machine (DNS rebinding), get nothing.
        origin = request.headers.get("Origin")
        foreign = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if request.host not in self._hosts or origin not in (None, f"http://{request.host}"):
            foreign = True
        if request.method == "POST" and request.content_type != "application/json":
            foreign = True  # a form needs no leave to be sent from anywhere
        if foreign:
            return web.json_response({"ok": False, "error": "not from this page"}, status=403)
        response = await handler(request)
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=self._html, content_type="text/html")

    async def _switches(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(row) for row in describe()])

    async def _do(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            return web.json_response({"ok": False, "error": "this is no command"}, status=400)
        return web.json_response(await do(self._smsc, asked))

    async def _state(self, request: web.Request) -> web.Response:
        """What there is, as soon as it is newer than `since`, or after a while."""
        since = request.query.get("since", "")
        deadline = time.monotonic() + _PATIENCE
        while since == str(self._revision) and not self._closing and self.waiting < _WAITING:
            self._news.clear()
            self.waiting += 1
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await self._news.wait()
            except TimeoutError:
                break
            finally:
                self.waiting -= 1
        return web.json_response(self._shown(request.query.get("handset", "")))

    # -- what is shown ------------------------------------------------------------------------

    def _shown(self, number: str) -> dict[str, Any]:
        threads = list(self._handsets)[:_LISTED]
        thread = self._handsets.find(number)
        return {
            "revision": self._revision,
            "handsets": [_summary(one) for one in threads],
            "bubbles": [asdict(bubble) for bubble in thread.bubbles] if thread else [],
            "faults": asdict(self._smsc.faults),
            "counts": dict(sorted(self._smsc.counts.items())),
            "binds": [
                {"number": one.number, "system_id": one.system_id, "mode": one.mode.name.lower()}
                for one in sorted(self._smsc.connections, key=lambda one: one.number)
                if one.mode is not None
            ],
        }


def _summary(thread: Thread) -> dict[str, Any]:
    last = thread.bubbles[-1]
    return {
        "number": thread.number,
        "other": last.other,
        "last": last.text[:80],
        "texts": len(thread.bubbles),
        "revision": thread.revision,
    }


def _document() -> tuple[str, str]:
    """The page, and the policy under which only its own script and style run."""
    html = (resources.files("ari_app.cli") / "smsc_page.html").read_text(encoding="utf-8")
    script, style = (_hash(html, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "img-src data:; "  # the empty icon, so that no browser asks for one
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _hash(html: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    return f"'sha256-{digest}'"
