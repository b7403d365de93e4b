"""An application that does nothing but what a test tells it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from asterisk.private import PrivateAsterisk
from tests.support.pbx import PATIENCE, eventually, hang_up_everything


class Application:
    """The least that registers under a name, sees calls come, and sends them on."""

    def __init__(
        self, pbx: PrivateAsterisk, http: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse
    ) -> None:
        self._url, self._http, self._ws = pbx.ari_url, http, ws

    async def event(self, kind: str) -> Any:
        while True:
            event = await self._ws.receive_json(timeout=PATIENCE)
            if event["type"] == kind:
                return event

    async def get(self, channel: str, variable: str) -> str:
        url = f"{self._url}/channels/{channel}/variable"
        async with self._http.get(url, params={"variable": variable}) as answer:
            return str((await answer.json())["value"])

    async def set(self, channel: str, variable: str, value: str) -> None:
        url = f"{self._url}/channels/{channel}/variable"
        async with self._http.post(url, params={"variable": variable, "value": value}) as answer:
            assert answer.status == 204

    async def post(self, path: str, **parameters: str) -> None:
        async with self._http.post(f"{self._url}/{path}", params=parameters) as answer:
            assert answer.status < 300, await answer.text()

    async def delete(self, path: str) -> None:
        async with self._http.delete(f"{self._url}/{path}") as answer:
            assert answer.status == 204, await answer.text()

    async def leave(self, channel: str, reason: str) -> None:
        if reason:
            await self.set(channel, "SEGUE_EXIT", reason)
        async with self._http.post(f"{self._url}/channels/{channel}/continue") as answer:
            assert answer.status == 204


@asynccontextmanager
async def registered(pbx: PrivateAsterisk) -> AsyncIterator[Application]:
    account = base64.b64encode(f"{pbx.ari_user}:{pbx.ari_password}".encode()).decode()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Basic {account}"}) as http,
        http.ws_connect(f"{pbx.ari_url}/events", params={"app": pbx.app}) as ws,
    ):
        yield Application(pbx, http, ws)


def forgotten(pbx: PrivateAsterisk) -> None:
    """Return when Asterisk no longer knows the application: it does while that has calls."""
    hang_up_everything(pbx)
    eventually(lambda: pbx.app not in pbx.cli("ari show apps"), "the application is forgotten")
