"""A connection to a vosk-server, for one turn: audio out, words in, one exchange at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from ari_app.ports import Word
from ari_app.speech import results
from ari_app.speech.listener import Loss

# alphacep/vosk-server compares the text letter by letter, blanks included.
_EOF = '{"eof" : 1}'
_MOST = 1 << 20  # octets of an answer
_CLOSING = 0.5  # seconds that a polite end may take


class Severed(Exception):
    """The server is not there, does not answer in time, or says what makes no sense."""

    def __init__(self, loss: Loss, reason: str) -> None:
        super().__init__(reason)
        self.loss = loss


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, and how long it may take (seconds)."""

    session: ClientSession
    url: str
    rate: int
    deadline: float  # to connect, to answer, and to finish a turn
    behind: float  # of audio that may wait for it, for each call


class Connection:
    """One recogniser of the server. Every way it can fail is Severed.

    vosk-server answers each message of audio by one message, so an answer that is late or too
    many is seen at once, and never more than one message is on its way.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._socket: ClientWebSocketResponse | None = None
        self._read: asyncio.Task[str] | None = None
        self.samples = 0  # that the server has been sent

    async def open(self) -> None:
        """Connect, and say what will come. The server makes the recogniser at the first audio."""
        async with self._in_time("take a connection"):
            self._socket = await self._server.session.ws_connect(
                self._server.url, max_msg_size=_MOST, timeout=ClientWSTimeout(ws_close=_CLOSING)
            )
            # Never "model": it would change the model of every other caller of that server.
            config = {"sample_rate": self._server.rate, "words": True, "max_alternatives": 0}
            await self._socket.send_str(json.dumps({"config": config}))

    async def hear(self, pcm: bytes) -> str | tuple[Word, ...]:
        """Send audio; the words so far, or those of an utterance that Kaldi has ended."""
        async with self._in_time("answer"):
            self.samples += len(pcm) // 2
            await self._connected().send_bytes(pcm)
            return await self._answer()

    async def finish(self) -> tuple[Word, ...]:
        """The last words of the turn; the server closes the connection after them."""
        async with self._in_time("finish a turn"):
            await self._connected().send_str(_EOF)
            words = await self._answer()
        if isinstance(words, str):
            raise Severed(Loss.FAILED, "finished a turn by a partial result")
        return words

    async def idle(self, wake: asyncio.Event) -> None:
        """Wait until there is something to send, and answer the server's pings meanwhile.

        Severed if it closes the connection, or speaks without being asked.
        """
        reading = self._reading()
        waking = asyncio.create_task(wake.wait())
        try:
            await asyncio.wait({reading, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        if reading.done():
            await reading
            raise Severed(Loss.FAILED, "spoke without being asked")

    async def aclose(self) -> None:
        """Leave; politely, if that goes quickly."""
        reading, self._read = self._read, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if self._socket is not None:
            with contextlib.suppress(ClientError, OSError, TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await self._socket.close()

    def _connected(self) -> ClientWebSocketResponse:
        if self._socket is None:
            raise Severed(Loss.DIED, "is not connected")
        return self._socket

    def _reading(self) -> asyncio.Task[str]:
        """The one task that reads: it outlives a wait that ends first, so nothing gets lost."""
        if self._read is None:
            self._read = asyncio.create_task(self._receive())
        return self._read

    async def _answer(self) -> str | tuple[Word, ...]:
        said = await asyncio.shield(self._reading())
        self._read = None
        try:
            return results.read(said)
        except results.Unreadable as error:
            raise Severed(Loss.FAILED, f"said what makes no sense: {error}") from None

    async def _receive(self) -> str:
        message = await self._connected().receive()
        match message.type:
            case WSMsgType.TEXT:
                return str(message.data)
            case WSMsgType.ERROR:
                raise Severed(Loss.FAILED, "broke the websocket protocol")
            case WSMsgType.BINARY:
                raise Severed(Loss.FAILED, "answered by octets instead of a text")
            case _:
                raise Severed(Loss.DIED, "closed the connection")

    @contextlib.asynccontextmanager
    async def _in_time(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._server.deadline):
                yield
        except TimeoutError:
            reason = f"did not {what} in {self._server.deadline:g} s"
            raise Severed(Loss.STUCK, reason) from None
        except (ClientError, OSError, ValueError) as error:  # ValueError: no such host name
            raise Severed(Loss.DIED, f"is not there ({error})") from None
