"""Calls people back who asked for it: when the policy lets us, as often as it says."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ari_app.calls.instruments import Instruments
from ari_app.calls.promising import KIND
from ari_app.conversation.events import (
    CallbackDialled,
    CallbackEnded,
    CallbackMissed,
    CallbackPostponed,
    CallBackRequested,
    Event,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.state import Conversation
from ari_app.errors import Conflict
from ari_app.policy.callbacks import FINAL, Step, Verdict
from ari_app.policy.people import Outcome
from ari_app.ports import Fence, IncomingCall, Timer

logger = logging.getLogger(__name__)

_PAGE = 20
#: Who ends a call-back that nobody took back.
POLICY = "policy"
#: How the channel of somebody who is called back is called, before the call's id.
CHANNEL = "cb-"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody's phone is to ring; when it is picked up, the conversation goes on."""

    callback: str
    call: str
    stream: str
    number: E164
    did: str
    nth: int  # from 1
    endpoint: str

    @property
    def incoming(self) -> IncomingCall:
        """As a call that enters: admission counts it among them."""
        return IncomingCall(CHANNEL + self.call, self.did, self.number.value, "callback")

    def missed(self, outcome: Outcome, cause: int = 0, status: int = 0) -> CallbackMissed:
        """That it did not reach the person."""
        return CallbackMissed(
            callback=self.callback,
            call=self.call,
            attempt=self.nth,
            outcome=outcome.value,
            cause=cause,
            status=status,
        )


class Callbacks:
    """Fires the timers of call-backs; each attempt sets the timer of the next one.

    An attempt is in the log before the phone rings, and so is the timer: should we die meanwhile,
    nobody is called twice at once, and nobody is forgotten.
    """

    def __init__(
        self,
        tools: Instruments,
        dial: str,
        full: Callable[[], bool],
        begin: Callable[[Attempt], None],
    ) -> None:
        """`dial` is the endpoint, `{number}` in it; "" if there is no way out.

        `full` says whether no call may begin now; `begin` makes the attempt, and returns at once.
        """
        self._tools = tools
        self._dial = dial
        self._full = full
        self._begin = begin

    async def run_once(self, fence: Fence | None = None) -> None:
        """Look at what is due now; with several workers, under a lease."""
        now = self._tools.clock.now()
        for timer in await self._tools.store.due_timers(now, _PAGE, kind=KIND):
            try:
                await self._fire(timer, now, fence)
            except Conflict:
                continue  # somebody wrote to the conversation: the next look takes it up

    async def _fire(self, timer: Timer, now: int, fence: Fence | None) -> None:
        _, id, *made = timer.id.split(":")
        state = await self._tools.store.state(timer.stream)
        if id in state.callbacks:
            events = [e.event for e in await self._tools.store.read(timer.stream)]
            attempts = sum(isinstance(e, CallbackDialled) and e.callback == id for e in events)
            if int(made[0] if made else 0) == attempts:  # else another timer is the attempt's
                await self._take_up(timer, id, attempts, events, state, now, fence)
        await self._tools.store.drop_timer(timer.id)

    async def _take_up(
        self,
        timer: Timer,
        id: str,
        attempts: int,
        events: Sequence[Event],
        state: Conversation,
        now: int,
        fence: Fence | None,
    ) -> None:
        asked = [e for e in events if isinstance(e, CallBackRequested) and e.callback == id]
        number = E164.read(asked[-1].number or "", None) if asked else None
        verdict = self._verdict(id, number, attempts, events, state, now)
        match verdict.step:
            case Step.DIAL:
                assert number is not None, "the verdict has seen it"
                await self._dial_now(timer, id, number, attempts + 1, state, now, fence)
            case Step.WAIT:
                postponed = CallbackPostponed(callback=id, due=verdict.due, reason=verdict.reason)
                # Another id than that of the timer that is dropped now.
                again = f"{KIND}:{id}:{attempts}:{now}"
                await self._append(timer, state, [postponed], again, verdict.due, fence)
            case Step.GIVE_UP:
                await self._give_up(timer.stream, id, verdict.reason, state, fence)

    def _verdict(
        self,
        id: str,
        number: E164 | None,
        attempts: int,
        events: Sequence[Event],
        state: Conversation,
        now: int,
    ) -> Verdict:
        last = [e.outcome for e in events if isinstance(e, CallbackMissed) and e.callback == id]
        if not self._dial:
            return Verdict(Step.GIVE_UP, "no_dial")
        if number is None or not self._tools.may_be_called(number):
            return Verdict(Step.GIVE_UP, "no_number")
        if last and last[-1] in {outcome.value for outcome in FINAL}:
            return Verdict(Step.GIVE_UP, last[-1])
        preferred = state.preferences.get("hours")
        return self._tools.agent.bundle.callbacks.verdict(
            now=now,
            attempts=attempts,
            preferred=preferred.value if preferred else None,
            room=not self._full(),
            on_the_line=state.on_the_line is not None,
        )

    async def _dial_now(
        self,
        timer: Timer,
        id: str,
        number: E164,
        nth: int,
        state: Conversation,
        now: int,
        fence: Fence | None,
    ) -> None:
        call = new_id("call", now, os.urandom(10))
        endpoint = self._dial.replace("{number}", number.value)
        attempt = Attempt(id, call, timer.stream, number, state.did, nth, endpoint)
        dialled = CallbackDialled(callback=id, call=call, attempt=nth)
        due = self._tools.agent.bundle.callbacks.again(now, nth)
        await self._append(timer, state, [dialled], f"{KIND}:{id}:{nth}", due, fence)
        self._begin(attempt)

    async def _append(
        self,
        timer: Timer,
        state: Conversation,
        events: Sequence[Event],
        next: str,
        due: int,
        fence: Fence | None,
    ) -> None:
        await self._tools.store.append(
            timer.stream,
            events,
            expected=state.sequence,
            timers=[Timer(id=next, stream=timer.stream, kind=KIND, due=due)],
            fence=fence,
        )

    async def _give_up(
        self, stream: str, id: str, reason: str, state: Conversation, fence: Fence | None
    ) -> None:
        """People are told: it was promised."""
        logger.warning("call-back %s is given up: %s; its record goes to people", id, reason)
        ended = CallbackEnded(callback=id, reason=reason, by=POLICY)
        recorded, effect = self._tools.agent.hand_off(
            stream, state, "call-back failed", f"the call-back was given up: {reason}"
        )
        self._tools.meter.count("segue_callbacks_total", outcome="given_up")
        await self._tools.store.append(
            stream, [ended, recorded], expected=state.sequence, effects=[effect], fence=fence
        )
