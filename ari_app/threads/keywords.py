"""What STOP, START, HELP and the like lead to: facts, and the one answer that each of them has."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ari_app.conversation.events import (
    ConsentGiven,
    ConsentRefused,
    DecisionMade,
    Event,
    HandoffRecorded,
    HelpAsked,
    OptedIn,
    OptedOut,
    OptOutRepeated,
    RevocationHeard,
    TextPromised,
    TextReceived,
)
from ari_app.conversation.identity import E164, new_id
from ari_app.conversation.message import Priority
from ari_app.conversation.state import Conversation, apply
from ari_app.handoff.record import make_record
from ari_app.outbox.overdue import receipt_timer
from ari_app.policy.sending.rules import ALL, CONFIRMED_WITHIN
from ari_app.policy.sending.senders import sender_of
from ari_app.policy.sending.words import Answer, Said, Says, Vocabulary
from ari_app.ports import Clock, Effect, Timer

#: What follows a text that was answered here: it gets no turn.
ANSWERED = (OptedOut, OptOutRepeated, OptedIn, HelpAsked)
_PURPOSE = "texts"
_PRIORITY = Priority.URGENT


class OptOuts(Protocol):
    """Who has opted out."""

    async def holds(self, subject: str, sender: str) -> bool:
        """Whether the subject wants no texts of this sender."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a site answers; `answer` gives the wording of an answer in a language."""

    answer: Callable[[Answer, str], str]
    opt_out_of_all: bool = True
    revocation_stops: bool = True
    confirm: bool = True
    receipt_patience: float = 900.0


@dataclass(frozen=True, slots=True)
class Led:
    """What a text leads to, to be appended behind it."""

    events: Sequence[Event]
    effects: Sequence[Effect] = ()
    timers: Sequence[Timer] = ()


class Keywords:
    """Reads every text for what it says about texts; what it says nothing of is none of its."""

    def __init__(self, words: Vocabulary, outs: OptOuts, manners: Manners, clock: Clock) -> None:
        self._words = words
        self._outs = outs
        self._manners = manners
        self._clock = clock

    def says(self, received: TextReceived) -> Said | None:
        """What the whole text says, if it is about texts."""
        return self._words.read(received.body)

    async def lead(
        self,
        said: Said,
        received: TextReceived,
        key: str,
        stream: str,
        state: Conversation,
        number: E164,
        subject: str,
    ) -> Led | None:
        """None if it is a text like any other: START or YES where nobody has opted out.

        `key` is that of the text in the log, `state` has the text folded in.
        """
        ours = sender_of(received.recipient)
        held = await self._outs.holds(subject, ours)
        refused = state.consent.get(_PURPOSE) is False
        if said.says in (Says.START, Says.YES) and not (held or refused):
            return None
        text = _Text(said, received, key, stream, state, number, subject)
        match said.says:
            case Says.HELP:
                return self._help(text)
            case Says.START | Says.YES:
                return self._start(text, ours)
            case Says.STOP:
                return self._stop(text, ours, held)
            case Says.REVOKES:
                return self._revoke(text, ours, held)

    def _stop(self, text: _Text, ours: str, held: bool) -> Led:
        source = ALL if self._manners.opt_out_of_all else ours
        said = text.said
        if held:
            # Two machines that answer each other would go on for ever.
            repeated = OptOutRepeated(
                subject=text.subject, source=source, word=said.word, message=text.key
            )
            return Led([repeated, text.decision("stop", "whoever has opted out did so again", ())])
        how = "words" if said.says is Says.REVOKES else "word"
        out: list[Event] = [
            OptedOut(
                subject=text.subject,
                source=source,
                how=how,
                word=said.word,
                message=text.key,
                body=text.received.body,
            ),
            ConsentRefused(purpose=_PURPOSE, channel="sms", how="text"),
        ]
        actions = ["refuse texts"]
        promised = None
        if self._manners.confirm:
            actions.append("text stopped")
            promised = self._promise(
                text, Answer.STOPPED, {"despite_refusal": True}, within=CONFIRMED_WITHIN
            )
        why = "whoever says STOP gets no more texts"
        return _led([*out, text.decision("stop", why, actions)], promised)

    def _start(self, text: _Text, ours: str) -> Led:
        said = text.said
        opted_in = OptedIn(
            subject=text.subject,
            source=ours,
            how="word",
            word=said.word,
            message=text.key,
            body=text.received.body,
        )
        agreed = ConsentGiven(
            purpose=_PURPOSE, channel="sms", how="text", confidence=1.0, wording=said.word
        )
        why = "whoever says START wants texts again"
        decision = text.decision("start", why, ("consent texts", "text started"))
        return _led([opted_in, agreed, decision], self._promise(text, Answer.STARTED, {}))

    def _help(self, text: _Text) -> Led:
        asked = HelpAsked(word=text.said.word, message=text.key)
        why = "HELP is answered whoever asks"
        # What was asked before is still open.
        decision = replace(
            text.decision("help", why, ("text help",)),
            topic=text.state.topic,
            question=text.state.question,
        )
        marks: dict[str, object] = {"despite_refusal": True, "answers": "help"}
        return _led([asked, decision], self._promise(text, Answer.HELP, marks))

    def _revoke(self, text: _Text, ours: str, held: bool) -> Led:
        """No list has all words: what only reads like STOP is shown to a person."""
        heard = RevocationHeard(subject=text.subject, pattern=text.said.word, message=text.key)
        if held:
            led = self._stop(text, ours, held)
            return Led([*led.events, heard])
        led = self._stop(text, ours, held) if self._manners.revocation_stops else Led([])
        now = self._clock.now()
        handoff = new_id("hand", now, os.urandom(10))
        state = text.state
        for event in led.events:
            state = apply(state, event)
        record = make_record(
            handoff, text.stream, state, "wants a person", "they may want no more texts", now
        )
        recorded = HandoffRecorded(handoff=handoff, route="first", record=record)
        return Led(
            [*led.events, heard, recorded],
            [*led.effects, Effect("handoff", handoff, now, record)],
            led.timers,
        )

    def _promise(
        self, text: _Text, kind: Answer, marks: dict[str, object], within: int | None = None
    ) -> tuple[TextPromised, Effect, Timer]:
        now = self._clock.now()
        until = None if within is None else now + within
        message = new_id("msg", now, os.urandom(10))
        body = self._manners.answer(kind, text.said.language)
        to = text.number.value
        return (
            TextPromised(
                message=message,
                template=kind.value,
                to=to,
                body=body,
                priority=_PRIORITY.name.lower(),
                valid_until=until,
            ),
            Effect(
                "sms",
                message,
                now,
                {"to": to, "body": body, **marks},
                priority=_PRIORITY,
                until=until,
            ),
            receipt_timer(
                message, text.stream, now + int(self._manners.receipt_patience * 1_000_000)
            ),
        )


@dataclass(frozen=True, slots=True)
class _Text:
    said: Said
    received: TextReceived
    key: str
    stream: str
    state: Conversation
    number: E164
    subject: str

    def decision(self, rule: str, reason: str, actions: Sequence[str]) -> DecisionMade:
        """So that the log says why, as of every other answer."""
        return DecisionMade(
            bundle=f"words/{self.said.language}",
            rule=rule,
            reason=reason,
            actions=tuple(actions),
            inputs={"channel": "sms", "by": "text", "word": self.said.word},
            intent=None,
            confidence=1.0,
            alternatives=(),
            topic=None,
            question=None,
        )


def _led(events: Sequence[Event], promised: tuple[TextPromised, Effect, Timer] | None) -> Led:
    if promised is None:
        return Led(events)
    text, effect, timer = promised
    return Led([*events, text], [effect], [timer])
