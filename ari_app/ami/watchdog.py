"""Moves callers whom a dead application has left behind to people, by AMI Redirect."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ari_app.ami.stranded import Stranded, stranded
from ari_app.ami.supervision import AmiRefused
from ari_app.ami.vigil import Sign, Vigil
from ari_app.errors import PbxUnavailable

logger = logging.getLogger(__name__)

# As Asterisk greets a FastAGI server, as far as ours needs it.
_QUESTION = b"agi_network: yes\nagi_network_script: alive\n\n"
# The second is what it says to whom it has no room for: it lives, though many want it.
_ANSWERS = (b'SET VARIABLE SEGUE_ALIVE "yes"', b'VERBOSE "segue is busy"')
_LONGEST_LINE = 1024
# A sleep that took so many seconds more than it should: we were stopped ourselves.
_STOPPED = 1.0


class Actions(Protocol):
    """Who carries actions to Asterisk: AmiSupervision."""

    async def ask(
        self, action: str, fields: Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> list[dict[str, str]]:
        """The response and its events; PbxUnavailable or AmiRefused otherwise."""


async def sign_of_life(host: str, port: int, deadline: float = 1.0) -> Sign:
    """Ask the application's FastAGI server; an answer proves that its event loop turns.

    GONE is only a refused connection: the kernel's word that no process listens there.
    """
    line = b""
    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_LINE)
            try:
                writer.write(_QUESTION)
                line = await reader.readline()
                writer.write(b"200 result=1\n")
                writer.close()
                await writer.wait_closed()
            finally:
                writer.transport.abort()
    except ConnectionRefusedError:
        return Sign.GONE
    except (OSError, ValueError):  # TimeoutError is an OSError; ValueError: a line without end
        pass  # what was said before counts
    return Sign.ALIVE if line.startswith(_ANSWERS) else Sign.SILENT


@dataclass(frozen=True, slots=True)
class Rescue:
    """Where to: the label in the dialplan, and the name of the application that is watched."""

    app: str = "segue"
    context: str = "app-down"


class Watchdog:
    """Looks every `interval` seconds; see `Vigil` for `grace` and `hang`.

    While the application lives no call is touched: before the first action of each round it is
    asked once more. An action that fails is made anew in the next round, if it is needed then.
    """

    def __init__(
        self,
        ami: Actions,
        look: Callable[[], Awaitable[Sign]],
        rescue: Rescue,
        *,
        interval: float = 0.5,
        grace: float = 2.0,
        hang: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ami = ami
        self._look = look
        self._rescue = rescue
        self._interval = interval
        self._vigil = Vigil(grace, hang)
        self._clock = clock
        self._dead: bool | None = None
        self._told = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.turn()
            except Exception:  # the outermost loop: whoever watches must not die first
                logger.exception("the watchdog failed; it looks again")
            await self.rest()

    async def rest(self) -> None:
        """Until the next look. Who was frozen itself meanwhile must not blame the application."""
        before = self._clock()
        await asyncio.sleep(self._interval)
        if self._clock() - before > self._interval + _STOPPED:
            logger.warning("the watchdog was itself stopped for a while: it begins anew")
            self._vigil.begin_anew()

    async def turn(self) -> int:
        """One look, and what follows from it; how many channels were acted upon."""
        sign = await self._look()
        dead = self._vigil.saw(sign, self._clock())
        if dead is not self._dead:
            self._tell(dead, sign)
        if not dead:
            return 0
        try:
            left = await self.find()
            if not left or await self._look() is Sign.ALIVE:
                return 0
            done = [await self._act(one) for one in left]
        except PbxUnavailable as error:
            self._complain(str(error))
            return 0
        self._told = ""
        return sum(done)

    async def find(self) -> list[Stranded]:
        """Who is in the application alone; PbxUnavailable, AmiRefused."""
        return stranded(await self._ami.ask("CoreShowChannels"), self._rescue.app)

    async def _act(self, one: Stranded) -> bool:
        where = {"Context": self._rescue.context, "Exten": "s", "Priority": "1"}
        try:
            if one.caller:
                await self._ami.ask("Redirect", {"Channel": one.name, **where})
                logger.warning("call %s was moved to %s", one.id, self._rescue.context)
            else:
                await self._ami.ask("Hangup", {"Channel": one.name})
                logger.warning("the leg %s, whose caller is gone, was hung up", one.id)
        except AmiRefused as error:  # it has hung up meanwhile
            logger.info("call %s was not moved: %s", one.id, error)
            return False
        return True

    def _tell(self, dead: bool, sign: Sign) -> None:
        first, self._dead = self._dead is None, dead
        if dead:
            logger.error(
                "the application is dead (%s): its callers go to %s",
                sign.value,
                self._rescue.context,
            )
        elif first:
            logger.info("the watchdog is up; the application is %s", sign.value)
        else:
            logger.info("the application is back")

    def _complain(self, sentence: str) -> None:
        """Once, until it is another sentence: this comes every half second."""
        if sentence != self._told:
            self._told = sentence
            logger.error("callers may be stranded, but %s", sentence)
