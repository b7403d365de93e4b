"""agi://host/eligibility: may this caller be texted now?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ari_app.agi.callers import Callers, Reach
from ari_app.agi.protocol import AgiRequest

_WORD = "SEGUE_ELIGIBILITY"
_REASON = "SEGUE_ELIGIBILITY_REASON"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """SEGUE_ELIGIBILITY: `yes`, `no` or `unknown`; SEGUE_ELIGIBILITY_REASON says why.

    yes: `agreed`. no: `no_number` (withheld, or not a number), `unreachable` (a fixed line, or a
    country that is not allowed), `refused` (also by STOP), `no_carrier` (no bind is up).
    unknown: `not_asked` (who presses a key for it may be texted), `no_answer` (we do not know).
    """

    callers: Callers
    reach: Reach
    can_send: Callable[[], bool]
    deadline: float = 1.5

    @property
    def unknown(self) -> Mapping[str, str]:
        """See the protocol `Use`."""
        return _said("unknown", "no_answer")

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """See the protocol `Use`."""
        number = self.callers.number(request)
        if number is None:
            return _said("no", "no_number")
        if not self.reach.text(number):
            return _said("no", "unreachable")
        agrees = await self.callers.agrees(number)
        if agrees is False:
            return _said("no", "refused")
        if not self.can_send():
            return _said("no", "no_carrier")
        return _said("yes", "agreed") if agrees else _said("unknown", "not_asked")


def _said(word: str, reason: str) -> Mapping[str, str]:
    return {_REASON: reason, _WORD: word}
