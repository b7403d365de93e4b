"""All live calls: who may enter, which signal is whose, and how they end together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from ari_app.calls.session import CallSession, Instruments
from ari_app.errors import AriRefused, Unavailable
from ari_app.ports import Exit, IncomingCall, TurnDetector

logger = logging.getLogger(__name__)


class Calls:
    """Implements the port `CallEvents`."""

    def __init__(self, detector: Callable[[], TurnDetector], most_calls: int) -> None:
        self._instruments: Instruments | None = None
        self._detector = detector
        self._most = most_calls
        self._live: dict[str, CallSession] = {}  # by channel
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def use(self, tools: Instruments) -> None:
        """Work with these; before the first call. (The telephone among them knows us already.)"""
        self._instruments = tools

    @property
    def live(self) -> frozenset[str]:
        """The ids of the calls that are running (call_…)."""
        return frozenset(session.id for session in self._live.values())

    @property
    def _tools(self) -> Instruments:
        assert self._instruments is not None, "use() comes first"
        return self._instruments

    def call_entered(self, call: IncomingCall) -> None:
        """Take the call, or send it back to the dialplan when there is no room."""
        if call.channel in self._live:
            return  # a repeated event changes nothing
        if self._draining or len(self._live) >= self._most:
            self._start(self._refuse(call.channel), f"refuse {call.channel}")
            return
        session = CallSession(call, self._tools, self._detector())
        self._live[call.channel] = session
        self._gauge()
        self._start(self._run(session), f"call {session.id}")

    def key_pressed(self, channel: str, key: str) -> None:
        """To the call that it belongs to."""
        if session := self._live.get(channel):
            session.key_pressed(key)

    def caller_gone(self, channel: str, cause: str) -> None:
        """To the call that it belongs to."""
        if session := self._live.get(channel):
            session.caller_gone(cause)

    def pbx_lost(self) -> None:
        """Calls go on in Asterisk: their audio still flows, so they go on here."""
        logger.warning("the event stream of Asterisk is down; %d calls go on", len(self._live))

    def pbx_back(self, channels: frozenset[str]) -> None:
        """Calls that ended meanwhile end here; callers nobody serves go to the dialplan."""
        for channel in self._live.keys() - channels:
            self._live[channel].caller_gone("lost while the event stream was down")
        for channel in channels - self._live.keys():
            self._start(self._give_back(channel), f"give back {channel}")

    async def drain(self, deadline: float) -> None:
        """Take no more calls; let these finish, and at the deadline give them to people."""
        self._draining = True
        if self._tasks:
            logger.info("draining: %d calls have %.0f s to finish", len(self._live), deadline)
            await asyncio.wait(self._tasks, timeout=deadline)
        for session in self._live.values():
            session.evict(Exit.ERROR, "the service is stopping")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    async def _run(self, session: CallSession) -> None:
        try:
            await session.run()
        finally:
            del self._live[session.channel]
            self._gauge()

    async def _refuse(self, channel: str) -> None:
        self._tools.meter.count("segue_calls_total", outcome=Exit.OVERLOAD.value)
        await self._leave(channel, Exit.OVERLOAD)

    async def _give_back(self, channel: str) -> None:
        await self._leave(channel, Exit.ERROR)

    async def _leave(self, channel: str, exit: Exit) -> None:
        try:
            await self._tools.telephone.leave(channel, exit, {})
        except (AriRefused, Unavailable) as error:
            logger.warning("channel %s could not be given back: %s", channel, error)

    def _start(self, life: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(life, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _gauge(self) -> None:
        self._tools.meter.gauge("segue_calls_active", len(self._live))
