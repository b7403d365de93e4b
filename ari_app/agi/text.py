"""agi://host/text: send this caller a text of the bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ari_app.agi.callers import Callers, Place, Reach
from ari_app.agi.protocol import AgiRequest
from ari_app.conversation.events import ConsentGiven, DecisionMade, Event, TextPromised
from ari_app.conversation.identity import E164, new_id
from ari_app.errors import Conflict
from ari_app.outbox.overdue import receipt_timer
from ari_app.policy.bundle import Bundle
from ari_app.ports import Effect, Timer

_WORD = "SEGUE_TEXT"
_REASON = "SEGUE_TEXT_REASON"
#: The fourth argument: the dialplan has asked, and the caller has said yes by a key.
ASKED = "asked"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class SendText:
    """AGI(agi://host/text,CALLER,DID,TEMPLATE[,asked]): SEGUE_TEXT and SEGUE_TEXT_REASON.

    `promised`: it is in the outbox, and is sent as soon as a bind takes it; asked again on the
    same channel it is the same text. `blocked`: it is not sent: `no_template` (none of that name,
    or one that needs a code or a choice), `no_number`, `unreachable`, `refused`, `not_asked` (the
    caller never agreed, and `asked` was not given), `no_carrier`. `unknown`: nobody knows; say
    neither that it comes nor that it does not.
    """

    callers: Callers
    bundle: Bundle
    reach: Reach
    can_send: Callable[[], bool]
    receipt_patience: float = 900.0  # seconds, as of the agent
    deadline: float = 2.4

    @property
    def unknown(self) -> Mapping[str, str]:
        """See the protocol `Use`."""
        return _said("unknown", "no_answer")

    async def answer(self, request: AgiRequest) -> Mapping[str, str]:
        """See the protocol `Use`."""
        template, asked = request.argument(3), request.argument(4) == ASKED
        if not self._can_say(template):
            return _said("blocked", "no_template")
        number = self.callers.number(request)
        if number is None:
            return _said("blocked", "no_number")
        if not self.reach.text(number):
            return _said("blocked", "unreachable")
        async with self.callers.writing:
            for _ in range(_TRIES):
                try:
                    return await self._decide(request, number, template, asked)
                except Conflict:  # somebody wrote to the conversation: perhaps STOP
                    continue
        return self.unknown

    def _can_say(self, template: str) -> bool:
        """Whether there is such a text, and it is whole with nothing but the bundle's values."""
        if template not in self.bundle.texts:
            return False
        marks = ("\x01", "\x02")
        bodies = {self.bundle.text(template, choice=mark, code=mark) for mark in marks}
        return len(bodies) == 1

    async def _decide(
        self, request: AgiRequest, number: E164, template: str, asked: bool
    ) -> Mapping[str, str]:
        # Before anything else is read: a STOP that comes meanwhile is a Conflict.
        place = await self.callers.place(number, request.did)
        agrees = await self.callers.agrees(number)
        if agrees is False:
            return _said("blocked", "refused")
        if not (agrees or asked):
            return _said("blocked", "not_asked")
        if not self.can_send():
            return _said("blocked", "no_carrier")
        promised, effect = self._promise(number, template)
        events: list[Event] = [*place.opening]
        if not agrees:
            events.append(_agreed(self.bundle, template))
        events += [self._decision(place, template, asked), promised]
        subject = self.callers.subject(number)
        await self.callers.store.append(
            place.stream,
            events,
            expected=place.state.sequence,
            effects=[effect],
            timers=[self._reminder(effect, place.stream)],
            subject=subject,
            # Asked twice on one channel it is one text, whichever answer the dialplan heard.
            dedupe=f"agi:text:{subject}:{request.unique}:{template}" if request.unique else None,
        )
        return _said("promised", "agreed" if agrees else ASKED)

    def _promise(self, number: E164, template: str) -> tuple[TextPromised, Effect]:
        now = self.callers.clock.now()
        message = new_id("msg", now, os.urandom(10))
        body = self.bundle.text(template)
        return (
            TextPromised(message=message, template=template, to=number.value, body=body),
            Effect("sms", message, now, {"to": number.value, "body": body}),
        )

    def _reminder(self, effect: Effect, stream: str) -> Timer:
        return receipt_timer(effect.id, stream, effect.due + int(self.receipt_patience * 1_000_000))

    def _decision(self, place: Place, template: str, asked: bool) -> DecisionMade:
        return DecisionMade(
            bundle=self.bundle.hash,
            rule="dialplan",
            reason="the dialplan asked for this text",
            actions=(f"text {template}",),
            inputs={"channel": "voice", "by": "agi", "asked": asked},
            intent=None,
            confidence=1.0,
            alternatives=(),
            topic=place.state.topic,
            question=self.bundle.texts[template].question,
        )


def _agreed(bundle: Bundle, template: str) -> ConsentGiven:
    wording = f"{bundle.hash}/dialplan/{template}"
    return ConsentGiven(
        purpose="texts", channel="voice", how="key", confidence=1.0, wording=wording
    )


def _said(word: str, reason: str) -> Mapping[str, str]:
    return {_REASON: reason, _WORD: word}
