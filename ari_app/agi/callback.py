"""agi://host/callback: call this caller back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ari_app.agi.callers import Callers, Reach
from ari_app.agi.protocol import AgiRequest
from ari_app.calls.promising import promise
from ari_app.conversation.identity import E164
from ari_app.errors import Conflict

_WORD = "SEGUE_CALLBACK"
_REASON = "SEGUE_CALLBACK_REASON"
_MINUTE = 60_000_000
_MINUTES = re.compile(r"[0-9]{1,4}")
_WHY = re.compile(r"[a-z_]{1,32}")
# One that was due this long ago is not waited for any more: the caller may ask anew.
_FORGOTTEN = 24 * 60 * _MINUTE
_TRIES = 3


@dataclass(frozen=True, slots=True)
class RequestCallback:
    """AGI(agi://host/callback,CALLER,DID[,MINUTES[,WHY]]): SEGUE_CALLBACK and its _REASON.

    `promised`: the wish is an event, and a timer is set for it in MINUTES (0 to 9999); asked again
    on the same channel, or while another call-back is open (`already`), it is the same one.
    `blocked`: `no_number`, `unreachable` (a number that is never called: premium rate, or of a
    country that is not allowed), `bad_argument`. `unknown`: nobody knows.
    """

    callers: Callers
    reach: Reach
    deadline: float = 2.4

    @property
    def unknown(self) -> Mapping[str, str]:
        """See the protocol `Use`."""
        return _said("unknown", "no_answer")

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """See the protocol `Use`."""
        minutes, why = request.argument(3) or "0", request.argument(4) or "asked"
        if not (_MINUTES.fullmatch(minutes) and _WHY.fullmatch(why)):
            return _said("blocked", "bad_argument")
        number = self.callers.number(request)
        if number is None:
            return _said("blocked", "no_number")
        if not self.reach.call(number):
            return _said("blocked", "unreachable")
        due = self.callers.clock.now() + int(minutes) * _MINUTE
        async with self.callers.writing:
            for _ in range(_TRIES):
                try:
                    return await self._promise(request, number, due, why)
                except Conflict:  # somebody wrote to the conversation meanwhile
                    continue
        return self.unknown

    async def _promise(
        self, request: AgiRequest, number: E164, due: int, why: str
    ) -> Mapping[str, str]:
        place = await self.callers.place(number, request.did)
        now = self.callers.clock.now()
        if any(known > now - _FORGOTTEN for known in place.state.callbacks.values()):
            return _said("promised", "already")
        wanted, timer = promise(self.callers.clock, place.stream, number, request.did, due, why)
        subject = self.callers.subject(number)
        await self.callers.store.append(
            place.stream,
            [*place.opening, wanted],
            expected=place.state.sequence,
            timers=[timer],
            subject=subject,
            dedupe=f"agi:callback:{subject}:{request.unique}" if request.unique else None,
        )
        return _said("promised", why)


def _said(word: str, reason: str) -> Mapping[str, str]:
    return {_REASON: reason, _WORD: word}
