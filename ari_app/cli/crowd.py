"""Many callers at once, each on a phone of its own; what they heard is told from their packets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ari_app.phone.arrivals import Reception, reception
from ari_app.phone.call import Phone
from ari_app.phone.caller import Exchange, Line
from ari_app.phone.errors import CallEnded, NothingHeard, PhoneError

_PAUSE = 0.7  # of silence behind a prompt
_PATIENCE = 30.0  # for a prompt: longer is a call that nobody would stay on
_REST = 0.2  # between two calls of one caller
_LAG = 0.05


@dataclass(slots=True)
class Talk:
    """One call as it goes on; times are monotonic seconds."""

    number: str
    dialled: float
    phone: Phone
    answered: float | None = None
    ended: float | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    fault: str = ""  # why it did not go on as it should

    @property
    def set_up(self) -> float | None:
        """Seconds from the INVITE to the first packet of the far side."""
        packets = self.phone.packets
        return packets[0][0] - self.dialled if packets else None


Course = Callable[[Talk], Awaitable[None]]


class Crowd:
    """Keeps so many callers in calls as it is told; a caller whose call is over calls again."""

    def __init__(self, sip: tuple[str, int], did: str, course: Course) -> None:
        """`course` is what each caller does from the answer on."""
        self._sip = sip
        self._did = did
        self._course = course
        self._numbers = itertools.count()
        self._callers: list[asyncio.Task[None]] = []
        self._lags: list[tuple[float, float]] = []
        self._sampler: asyncio.Task[None] | None = None
        self._going = True
        self.talks: list[Talk] = []

    @property
    def size(self) -> int:
        """How many callers there are."""
        return len(self._callers)

    async def grow(self, size: int, apart: float) -> None:
        """Have `size` callers, each new one `apart` seconds after the one before."""
        if self._sampler is None:
            self._sampler = asyncio.create_task(self._sample())
        while len(self._callers) < size:
            self._callers.append(asyncio.create_task(self._live()))
            await asyncio.sleep(apart)

    async def shrink(self, patience: float) -> None:
        """Nobody calls again; who is still talking after `patience` seconds hangs up."""
        callers, self._callers = self._callers, []
        self._going = False
        if callers and patience:
            await asyncio.wait(callers, timeout=patience)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        self._going = True

    async def aclose(self) -> None:
        """Everybody hangs up."""
        await self.shrink(0.0)
        if self._sampler is not None:
            self._sampler.cancel()
            await asyncio.gather(self._sampler, return_exceptions=True)
            self._sampler = None

    async def one(self) -> Talk:
        """One call from its first to its last packet."""
        # So many numbers that a caller is seldom the same one again.
        number = f"+1202555{next(self._numbers) % 10_000:04d}"
        async with await Phone.open() as phone:
            talk = Talk(number, time.monotonic(), phone)
            self.talks.append(talk)
            try:
                await phone.call(*self._sip, self._did, number, deadline=10.0)
                talk.answered = phone.answered_at
                await self._course(talk)
            except PhoneError as error:
                talk.fault = str(error)
            finally:
                talk.ended = time.monotonic()
                await phone.hang_up()
        return talk

    def forget(self) -> None:
        """Drop what calls that are over have heard: their packets are most of the memory."""
        self.talks = [talk for talk in self.talks if talk.ended is None]
        self._lags.clear()

    # -- what they noticed ------------------------------------------------------------------------

    def heard(self, since: float, until: float) -> Reception:
        """What all callers received in this time."""
        whole = Reception()
        for talk in self._during(since, until):
            whole += reception(talk.phone.packets, since, until)
        return whole

    def waits(self, since: float, until: float) -> list[float]:
        """Seconds from the end of a caller's words to the reply, of what was said in this time."""
        return [
            exchange.answered_at - exchange.spoken_until
            for talk in self._during(since, until)
            for exchange in talk.exchanges
            if exchange.answered_at is not None and since < exchange.spoken_until <= until
        ]

    def set_ups(self, since: float, until: float) -> list[float]:
        """Seconds from INVITE to the first packet, of the calls that began in this time."""
        began = [talk.set_up for talk in self.talks if since < talk.dialled <= until]
        return [seconds for seconds in began if seconds is not None]

    def faults(self, since: float, until: float) -> list[str]:
        """Why calls that ended in this time did not go on as they should."""
        return [
            talk.fault
            for talk in self.talks
            if talk.fault and talk.ended is not None and since < talk.ended <= until
        ]

    def lags(self, since: float, until: float) -> list[float]:
        """How late this process itself was, in seconds: the error of all the other figures."""
        return [lag for at, lag in self._lags if since < at <= until]

    def _during(self, since: float, until: float) -> Iterable[Talk]:
        return [
            talk
            for talk in self.talks
            if talk.dialled < until and (talk.ended is None or talk.ended > since)
        ]

    async def _live(self) -> None:
        while self._going:
            await self.one()
            await asyncio.sleep(_REST)

    async def _sample(self) -> None:
        while True:
            due = time.monotonic() + _LAG
            await asyncio.sleep(_LAG)
            now = time.monotonic()
            self._lags.append((now, max(now - due, 0.0)))


def conversation(scripts: Sequence[Sequence[Line]]) -> Course:
    """Callers who say their lines, each after the prompt before it, and wait for the end.

    The scripts are taken in turn.
    """
    turns = itertools.cycle(scripts)

    async def course(talk: Talk) -> None:
        phone = talk.phone
        await phone.until_quiet(_PAUSE, _PATIENCE)
        for line in next(turns):
            try:
                until = await _speak(phone, line)
            except CallEnded:
                talk.fault = "the far side hung up before all was said"
                return
            answered = None
            try:
                answered = await phone.until_prompt(_PATIENCE, since=until)
                talk.exchanges.append(Exchange(line.text, until, answered))
                await phone.until_quiet(_PAUSE, _PATIENCE)
            except CallEnded:
                return
        with contextlib.suppress(NothingHeard):
            await phone.until_ended(2.0)

    return course


async def _speak(phone: Phone, line: Line) -> float:
    until = 0.0
    for key in line.keys:
        until = await phone.press(key)
    if line.pcm is not None:
        until = await phone.say(line.pcm)
    return until
