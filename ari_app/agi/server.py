"""Our own FastAGI server, because panoramisk's spins when a client connects and closes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from ari_app.agi import protocol
from ari_app.agi.protocol import AgiRequest, Hangup, More, Reply

logger = logging.getLogger(__name__)

Answer = Callable[[str, str], Awaitable[str]]

UNKNOWN = "unknown"
_WORD = re.compile(r"[a-z_]{1,32}")  # what an answer may be: it stands in dialplan expressions
_MOST_LINES = 64  # before the reply to one command


class AgiServer:
    """Asks `answers[script](caller, did)` and sets SEGUE_<SCRIPT> to the word that comes back.

    The dialplan waits meanwhile, so everything ends within `deadline` seconds; whatever goes wrong
    behind us the word is "unknown". At most `most` connections are served at once, others are
    closed at once: then AGISTATUS is FAILURE and the dialplan goes on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answers: Mapping[str, Answer],
        *,
        deadline: float = 3.0,
        most: int = 64,
    ) -> None:
        self._host = host
        self._port = port
        self._answers = answers
        self._deadline = deadline
        self._most = most
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens; the one the system chose if 0 was asked for."""
        return self._port

    @property
    def connections(self) -> int:
        """How many are being served."""
        return len(self._serving)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._accept, self._host, self._port, limit=protocol.MAX_BLOCK
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening and end what is being served."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= self._most:
            logger.warning("a FastAGI client was turned away: %d are being served", self._most)
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                request = protocol.parse_request(await reader.readuntil(b"\n\n"))
                await self._run(request, reader, writer)
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            logger.warning("a FastAGI client was not done within %g s", self._deadline)
        except (asyncio.IncompleteReadError, OSError) as error:
            logger.debug("a FastAGI client went away: %s", error)
        except (ValueError, asyncio.LimitOverrunError) as error:
            logger.warning("a FastAGI client does not speak AGI: %s", error)
        finally:
            writer.transport.abort()  # whatever is left: nothing after this may hold the socket

    async def _run(
        self, request: AgiRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if request.script in self._answers:
            name, word = request.script, await self._ask(request)
        else:
            name, word = "consent", UNKNOWN
            told = protocol.verbose("segue has no such FastAGI script")
            await _command(told, reader, writer)
        setting = protocol.set_variable(f"SEGUE_{name.upper()}", word)
        reply = await _command(setting, reader, writer)
        if reply.code != 200:
            logger.warning("Asterisk refused SET VARIABLE: %d", reply.code)

    async def _ask(self, request: AgiRequest) -> str:
        try:
            # Half of the time: the word still has to reach the dialplan.
            async with asyncio.timeout(self._deadline / 2):
                word = await self._answers[request.script](request.caller, request.did)
        except TimeoutError:
            logger.warning("no answer to %s in time: the dialplan hears unknown", request.script)
            return UNKNOWN
        except Exception:  # noqa: BLE001 - the outermost loop: the caller must not pay for a bug
            logger.exception("the answer to %s failed: the dialplan hears unknown", request.script)
            return UNKNOWN
        return word if _WORD.fullmatch(word) else UNKNOWN


async def _command(
    command: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Reply:
    """Send one command and read its own reply: HANGUP may come before it and is not it."""
    writer.write(command)
    await writer.drain()
    explaining = False
    for _ in range(_MOST_LINES):
        line = await reader.readuntil(b"\n")
        try:
            said = protocol.parse_reply(line)
        except ValueError:
            if explaining:
                continue
            raise
        match said:
            case Hangup():
                logger.debug("the caller hung up during a FastAGI script")
            case More():
                explaining = True
            case Reply():
                return said
    raise ValueError("no reply came among the lines")
