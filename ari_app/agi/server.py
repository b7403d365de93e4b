"""Our own FastAGI server, because panoramisk's spins when a client connects and closes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ari_app.agi import protocol
from ari_app.agi.protocol import AgiRequest, Hangup, More, Reply

logger = logging.getLogger(__name__)

#: The short form of a use: (caller, did) to the one word that becomes SEGUE_<SCRIPT>.
Answer = Callable[[str, str], Awaitable[str]]

UNKNOWN = "unknown"
#: The script that a watchdog asks: whoever hears of it knows that this loop turns.
ALIVE = "alive"
_WORD = re.compile(r"[a-z_]{1,32}")  # what an answer may be: it stands in dialplan expressions
_VALUE = re.compile(r"[a-zA-Z0-9_-]{0,64}")  # and what may stand beside it
_MOST_LINES = 64  # before the reply to one command
_SHARE = 0.6  # of the deadline, for the answer: it still has to reach the dialplan
_QUIET = 1.0  # seconds between two complaints about strangers


class Use(Protocol):
    """One thing that the dialplan may ask for, as agi://host:port/<script>."""

    @property
    def unknown(self) -> Mapping[str, str]:
        """Each variable that it sets, and what it is when nothing is known.

        They are set in this order; the last one decides, and holds a word.
        """

    @property
    def deadline(self) -> float:
        """Seconds that an answer may take; the server's own deadline may leave less."""

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """The variables; of those that are missing the value is that of `unknown`."""


class AgiServer:
    """Asks `uses[script]` and sets the channel variables that come back.

    The dialplan waits meanwhile, so everything ends within `deadline` seconds; whatever goes wrong
    behind us the variables are those of `unknown`. Asterisk says who asks as soon as it is
    connected: whoever has not done so within `greeting` seconds is cut off. At most `most`
    connections are served at once; any other is told so and closed: then the dialplan goes on
    with what it had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        uses: Mapping[str, Use | Answer],
        *,
        deadline: float = 4.0,
        greeting: float = 1.0,
        most: int = 64,
    ) -> None:
        self._host = host
        self._port = port
        self._uses: dict[str, Use] = {
            name: _Word(name, use) if callable(use) else use for name, use in uses.items()
        }
        self._uses[ALIVE] = _Word(ALIVE, _yes)
        self._deadline = deadline
        self._greeting = min(greeting, deadline)
        self._most = most
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._complaints = _Complaints()

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
            self._complaints.tell(
                f"a FastAGI client was turned away: {self._most} are being served"
            )
            # Not in silence: a watchdog must see that we are alive under a flood too.
            writer.write(protocol.verbose("segue is busy"))
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        complain = self._complaints.tell
        try:
            async with asyncio.timeout(self._deadline):
                async with asyncio.timeout(self._greeting):
                    block = await reader.readuntil(b"\n\n")
                await self._run(protocol.parse_request(block), reader, writer)
                writer.close()
                await writer.wait_closed()
        except TimeoutError:
            complain("a FastAGI client was not done in time")
        except (asyncio.IncompleteReadError, OSError) as error:
            logger.debug("a FastAGI client went away: %s", error)
        except (ValueError, asyncio.LimitOverrunError) as error:
            complain(f"a FastAGI client does not speak AGI: {error}")
        finally:
            writer.transport.abort()  # whatever is left: nothing after this may hold the socket

    async def _run(
        self, request: AgiRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        use = self._uses.get(request.script)
        if use is None:
            told = protocol.verbose("segue has no such FastAGI script")
            await _command(told, reader, writer)
            variables: Mapping[str, str] = {"SEGUE_CONSENT": UNKNOWN}
        else:
            variables = await self._ask(request, use)
        for name, value in variables.items():
            reply = await _command(protocol.set_variable(name, value), reader, writer)
            if reply.code != 200:
                logger.warning("Asterisk refused SET VARIABLE: %d", reply.code)

    async def _ask(self, request: AgiRequest, use: Use) -> Mapping[str, str]:
        unknown = dict(use.unknown)
        try:
            async with asyncio.timeout(min(use.deadline, self._deadline * _SHARE)):
                said = {**unknown, **await use.answer(request)}
        except TimeoutError:
            logger.warning("no answer to %s in time: the dialplan hears unknown", request.script)
            return unknown
        except Exception:  # noqa: BLE001 - the outermost loop: the caller must not pay for a bug
            logger.exception("the answer to %s failed: the dialplan hears unknown", request.script)
            return unknown
        if said.keys() != unknown.keys() or not _may_be_said(said):
            logger.error("the answer to %s cannot be said to a dialplan", request.script)
            return unknown
        return said


def _may_be_said(variables: Mapping[str, str]) -> bool:
    *beside, word = variables.values()
    return bool(_WORD.fullmatch(word)) and all(_VALUE.fullmatch(value) for value in beside)


@dataclass(frozen=True, slots=True)
class _Word:
    """A use in its short form."""

    script: str
    ask: Answer
    deadline: float = 1.5

    @property
    def unknown(self) -> Mapping[str, str]:
        return {self._variable: UNKNOWN}

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        return {self._variable: await self.ask(request.caller, request.did)}

    @property
    def _variable(self) -> str:
        return f"SEGUE_{self.script.upper().replace('-', '_')}"


async def _yes(_caller: str, _did: str) -> str:
    return "yes"


class _Complaints:
    """Warnings about strangers, at most one a second: a flood must not fill the log."""

    def __init__(self) -> None:
        self._next = 0.0
        self._kept = 0

    def tell(self, sentence: str) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next:
            self._kept += 1
            return
        more = f" (and {self._kept} more complaints)" if self._kept else ""
        self._next, self._kept = now + _QUIET, 0
        logger.warning("%s%s", sentence, more)


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
