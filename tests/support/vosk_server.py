"""A vosk-server for tests: real Vosk behind a websocket, and every way it may misbehave.

It speaks as alphacep's asr_server.py does: a text with "config" has no answer, every other message
has one, the text {"eof" : 1} (letter by letter) has the last one.
"""

from __future__ import annotations

import asyncio
import json
from enum import Enum
from types import TracebackType
from typing import Any

import vosk
from aiohttp import WSMsgType, web

from ari_app.speech.model import mini_model_path


class Mood(Enum):
    WELL = "well"
    REFUSES = "answers the handshake by 503"
    SILENT = "takes audio and never answers"
    CLOSES = "closes the connection at the first audio"
    LEFT = "closes one connection at the first audio, and is well again"
    GARBAGE = "answers by what is no JSON"
    WORDLESS = "gives no words with the text"
    TALKATIVE = "answers each message twice"
    BINARY = "answers by octets"
    HUGE = "answers by two megabytes"
    HASTY = "closes a connection on which nobody speaks"
    SLOW = "takes 100 ms for each message"
    EOF_SILENT = "never answers the end of a turn"


class VoskServer:
    """Runs while the `async with` does; restarted on the same port by `start` after `stop`."""

    def __init__(self, rate: int = 8000) -> None:
        vosk.SetLogLevel(-1)
        self._model = vosk.Model(model_path=str(mini_model_path()))
        self._least = rate
        self._runner: web.AppRunner | None = None
        self._open: set[web.WebSocketResponse] = set()
        self.port = 0
        self.mood = Mood.WELL
        self.connections = 0  # ever
        self.configs: list[dict[str, Any]] = []

    async def __aenter__(self) -> VoskServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._open)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._talk)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Cut every connection, as a process that dies does."""
        for socket in list(self._open):
            assert socket._req is not None  # aiohttp has no public way to cut a connection
            if socket._req.transport is not None:
                socket._req.transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        if self.mood is Mood.REFUSES:
            return web.Response(status=503)
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        self._open.add(socket)
        try:
            await self._serve(socket)
        except ConnectionResetError:
            pass
        finally:
            self._open.discard(socket)
        return socket

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        recogniser = None
        rate, words = 16000.0, False
        async for message in socket:
            if message.type is WSMsgType.TEXT and "config" in message.data:
                config = json.loads(message.data)["config"]
                self.configs.append(config)
                rate, words = float(config.get("sample_rate", rate)), bool(config.get("words"))
                if self.mood is Mood.HASTY:
                    await asyncio.sleep(0.05)
                    break
                continue
            if rate < self._least:
                break  # libvosk raises, and asr_server.py dies of it, as far as this caller goes
            if recogniser is None:
                recogniser = vosk.KaldiRecognizer(self._model, rate)
                recogniser.SetWords(words and self.mood is not Mood.WORDLESS)
            last = message.data == '{"eof" : 1}'
            answer = await asyncio.to_thread(_process, recogniser, message.data, last)
            if not await self._say(socket, answer, last) or last:
                break
        await socket.close()

    async def _say(self, socket: web.WebSocketResponse, answer: str, last: bool) -> bool:
        """Answer as the mood is; False to close the connection."""
        match self.mood:
            case Mood.CLOSES:
                return False
            case Mood.LEFT:
                self.mood = Mood.WELL
                return False
            case Mood.SILENT:
                return True
            case Mood.EOF_SILENT if last:
                await asyncio.sleep(60)
            case Mood.GARBAGE:
                answer = "<html>502 Bad Gateway</html>"
            case Mood.HUGE:
                answer = json.dumps({"partial": "x" * (2 << 20)})
            case Mood.BINARY:
                await socket.send_bytes(answer.encode())
                return True
            case Mood.TALKATIVE:
                await socket.send_str(answer)
            case Mood.SLOW:
                await asyncio.sleep(0.1)
            case _:
                pass
        await socket.send_str(answer)
        return True


def _process(recogniser: Any, data: str | bytes, last: bool) -> str:
    if last:
        return str(recogniser.FinalResult())
    if recogniser.AcceptWaveform(data):
        return str(recogniser.Result())
    return str(recogniser.PartialResult())
