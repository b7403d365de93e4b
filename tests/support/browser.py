"""A headless Chromium, if this machine has one, told what to do over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

_NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
_PATIENCE = 30.0


def chromium() -> str | None:
    """$SEGUE_CHROMIUM, or an installed one."""
    given = os.environ.get("SEGUE_CHROMIUM")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """One page; `complaints` are its errors, broken content policies included."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(_PATIENCE):
            result = (await answer)["result"]
            assert isinstance(result, dict)
            return result

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, awaited."""
        result = await self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, script: str) -> Any:
        """The first value of an expression that is true."""
        async with asyncio.timeout(_PATIENCE):
            while not (value := await self.evaluate(script)):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.02)
        return value

    async def picture(self) -> bytes:
        """What it looks like, as PNG."""
        shot = await self.command("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])


@contextlib.asynccontextmanager
async def showing(url: str, folder: Path) -> AsyncIterator[Browser]:
    """A page in a browser of its own, whose profile is in the folder."""
    program = chromium()
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
        *("--window-size=1280,900", f"--user-data-dir={folder}", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _port(folder / "DevToolsActivePort")
        async with aiohttp.ClientSession() as http:
            async with http.put(f"http://127.0.0.1:{port}/json/new") as answer:
                page = await answer.json()
            async with http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                browser = Browser(socket)
                listening = asyncio.create_task(browser.listen())
                for domain in ("Runtime", "Log", "Page"):
                    await browser.command(f"{domain}.enable")
                await browser.command("Page.navigate", url=url)
                await browser.until(f"location.href === {json.dumps(url)}")
                yield browser
                await socket.close()
                await listening
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _port(file: Path) -> int:
    async with asyncio.timeout(_PATIENCE):
        while not (port := _first_line(file)):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)
    return int(port)


def _first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0] if file.exists() else ""
