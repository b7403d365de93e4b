"""A text that is promised: the event that says so, and the effect that is owed."""

from __future__ import annotations

import os

from ari_app.agent.proving import MASK
from ari_app.conversation.events import TextPromised
from ari_app.conversation.identity import new_id
from ari_app.conversation.message import Priority
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import Bundle
from ari_app.policy.rules import Then
from ari_app.ports import Effect

#: Written while the person is refusing texts: the one confirmation that they may expect.
_CONFIRMS_REFUSAL = "despite_refusal"
_MINUTE = 60 * 1_000_000


def promise(
    bundle: Bundle, state: Conversation, number: str, then: Then, value: str, now: int
) -> tuple[TextPromised, Effect]:
    """The text that the rule names; `value` is what was chosen. `now` in UTC microseconds."""
    assert then.text is not None
    body = bundle.text(then.text, choice=value)
    more: dict[str, object] = {}
    if then.refuse and state.consent.get(then.refuse) is not False:
        more[_CONFIRMS_REFUSAL] = True
    return _promised(bundle, then.text, number, body, body, more, now)


def promise_code(
    bundle: Bundle, number: str, template: str, code: str, now: int
) -> tuple[TextPromised, Effect]:
    """The code is in what is sent, and in nothing that stays."""
    masked, body = (bundle.text(template, code=c) for c in (MASK, code))
    minutes = bundle.texts[template].valid or bundle.proofs.code_lasts
    return _promised(bundle, template, number, masked, body, {}, now, minutes=minutes, urgent=True)


def _promised(
    bundle: Bundle,
    template: str,
    number: str,
    shown: str,
    body: str,
    more: dict[str, object],
    now: int,
    *,
    minutes: int | None = None,
    urgent: bool = False,
) -> tuple[TextPromised, Effect]:
    """The event has the body that may be `shown`, the effect the one that is sent."""
    text = bundle.texts[template]
    message = new_id("msg", now, os.urandom(10))
    minutes = minutes or text.valid
    until = now + minutes * _MINUTE if minutes else None
    priority = Priority.URGENT if urgent else text.priority
    payload: dict[str, object] = {"to": number, "body": body, **more}
    if text.purpose != "transactional":
        payload["purpose"] = text.purpose
    promised = TextPromised(
        message=message,
        template=template,
        to=number,
        body=shown,
        message_class=text.message_class.value,
        priority=priority.name.lower(),
        valid_until=until,
    )
    effect = Effect(
        "sms",
        message,
        now,
        payload,
        message_class=text.message_class,
        priority=priority,
        until=until,
    )
    return promised, effect
