"""All live calls: who may enter, which signal is whose, and how they end together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence

from ari_app.calls.admission import Admission, Refusal
from ari_app.calls.callbacks import Attempt
from ari_app.calls.instruments import Instruments
from ari_app.calls.session import CallSession
from ari_app.errors import AriRefused, Unavailable
from ari_app.ports import Exit, FoundCall, IncomingCall, TurnDetector

logger = logging.getLogger(__name__)

_EXITS = frozenset(exit.value for exit in Exit)


class Calls:
    """Implements the port `CallEvents`."""

    def __init__(self, detector: Callable[[], TurnDetector], admission: Admission) -> None:
        self._instruments: Instruments | None = None
        self._detector = detector
        self._admission = admission
        self._live: dict[str, CallSession] = {}  # by channel
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def use(self, tools: Instruments) -> None:
        """Work with these; before the first call. (The telephone among them knows us already.)"""
        self._instruments = tools

    @property
    def live(self) -> frozenset[str]:
        """The ids of the calls that are running (call_…), and of phones that ring for them."""
        sessions = self._live.values()
        return frozenset(id for s in sessions for id in (s.id, s.phone) if id)

    @property
    def _tools(self) -> Instruments:
        assert self._instruments is not None, "use() comes first"
        return self._instruments

    def call_entered(self, call: IncomingCall) -> None:
        """Take the call, or send it back to the dialplan when there is no room."""
        if call.channel in self._live:
            return  # a repeated event changes nothing
        if refusal := self._admission.refuses(call):
            self._start(self._refuse(call.channel, refusal), f"refuse {call.channel}")
            return
        self._begin(call, CallSession(call, self._tools, self._detector()))

    def key_pressed(self, channel: str, key: str) -> None:
        """To the call that it belongs to, of the caller or of the person who is asked."""
        if session := self._live.get(channel):
            session.key_pressed(key)
        elif asked := self._rung_by(channel):
            asked.phone_key(key)

    def caller_gone(self, channel: str, cause: str) -> None:
        """To the call that it belongs to."""
        if session := self._live.get(channel):
            session.caller_gone(cause)

    def pbx_lost(self) -> None:
        """Calls go on in Asterisk: their audio still flows, so they go on here."""
        logger.warning("the event stream of Asterisk is down; %d calls go on", len(self._live))

    def serves(self, channel: str) -> bool:
        """Whether a call that is live here has this channel."""
        return channel in self._live

    def media_gone(self, call: str) -> None:
        """To the call that it belongs to."""
        for session in self._live.values():
            if session.id == call:
                session.media_gone()

    def leg_answered(self, channel: str) -> None:
        """To the call that it rings for; who was called by a worker that is gone is let go."""
        if session := self._rung_by(channel):
            session.phone_answered()
        else:
            self._start(self._let_go(channel), f"let go {channel}")

    def leg_gone(self, channel: str, cause: int, status: int) -> None:
        """To the call that it rang for."""
        if session := self._rung_by(channel):
            session.phone_gone(cause, status)

    def _rung_by(self, channel: str) -> CallSession | None:
        id = channel.partition("-")[2]
        return next((s for s in self._live.values() if id and s.phone == id), None)

    def pbx_back(self, channels: frozenset[str], found: Sequence[FoundCall]) -> None:
        """Calls that ended meanwhile end here; with callers nobody serves we go on, if we can."""
        for channel in [c for c, s in self._live.items() if c not in channels and s.is_up]:
            self._live[channel].caller_gone("lost while the event stream was down")
        for call in found:
            self._find(call)

    def _find(self, found: FoundCall) -> None:
        if found.exit in _EXITS:  # it was on its way out
            self._start(self._leave(found.channel, Exit(found.exit), {}), f"out {found.channel}")
        elif found.call and found.conversation and not self._draining:
            call = found.incoming or IncomingCall(found.channel, did="", caller="")
            self._begin(call, CallSession(call, self._tools, self._detector(), found))
        elif found.incoming and not found.call:  # entered while nobody listened
            self.call_entered(found.incoming)
        else:
            self._start(self._give_back(found.channel), f"give back {found.channel}")

    def call_back(self, attempt: Attempt) -> None:
        """Let somebody's phone ring, and go on with them when they pick it up."""
        session = CallSession(attempt.incoming, self._tools, self._detector(), back=attempt)
        self._begin(attempt.incoming, session)

    @property
    def full(self) -> bool:
        """Whether no call of ours may begin now."""
        return self._admission.refuses(IncomingCall("", did="", caller="")) is not None

    async def drain(self, deadline: float) -> None:
        """Take no more calls; let these finish, and at the deadline give them to people."""
        self._draining = True
        self._admission.drain()
        if self._tasks:
            logger.info("draining: %d calls have %.0f s to finish", len(self._live), deadline)
            await asyncio.wait(self._tasks, timeout=deadline)
        for session in self._live.values():
            session.evict(Exit.ERROR, "the service is stopping")
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    def _begin(self, call: IncomingCall, session: CallSession) -> None:
        self._live[call.channel] = session
        self._admission.entered(call)
        self._gauge()
        self._start(self._run(session), f"call {session.id}")

    async def _run(self, session: CallSession) -> None:
        try:
            await session.run()
        finally:
            del self._live[session.channel]
            self._admission.left(session.channel)
            self._gauge()

    async def _refuse(self, channel: str, refusal: Refusal) -> None:
        self._tools.meter.count("segue_calls_total", outcome=Exit.OVERLOAD.value)
        self._tools.meter.count("segue_calls_refused_total", reason=refusal.value)
        await self._leave(channel, Exit.OVERLOAD, {"SEGUE_REASON": refusal.value})

    async def _give_back(self, channel: str) -> None:
        await self._leave(channel, Exit.ERROR, {})

    async def _let_go(self, channel: str) -> None:
        with contextlib.suppress(AriRefused, Unavailable):
            await self._tools.telephone.hang_up(channel)

    async def _leave(self, channel: str, exit: Exit, variables: dict[str, str]) -> None:
        try:
            await self._tools.telephone.leave(channel, exit, variables)
        except (AriRefused, Unavailable) as error:
            logger.warning("channel %s could not be given back: %s", channel, error)

    def _start(self, life: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(life, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _gauge(self) -> None:
        self._tools.meter.gauge("segue_calls_active", len(self._live))
