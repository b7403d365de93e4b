"""One turn: from what was heard to the events, effects and words that follow."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ari_app.agent.proving import MASK, Proving, collects, level, prove, text_code
from ari_app.conversation.events import (
    ChoiceMade,
    ConsentGiven,
    ConsentRefused,
    DecisionMade,
    Event,
    HandoffRecorded,
    PreferenceStated,
    TextPromised,
)
from ari_app.conversation.identity import new_id
from ari_app.conversation.message import Priority
from ari_app.conversation.state import Conversation, apply
from ari_app.handoff.record import make_record
from ari_app.outbox.overdue import receipt_timer
from ari_app.policy.bundle import Bundle
from ari_app.policy.eligibility import may_text
from ari_app.policy.preferences import good_hours
from ari_app.policy.rules import Then, decide
from ari_app.ports import Clock, Effect, Timer
from ari_app.understanding.intents import Intents, Meaning
from ari_app.understanding.words import choice

#: Written while the person is refusing texts: the one confirmation that they may expect.
_CONFIRMS_REFUSAL = "despite_refusal"
_MINUTE = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What a channel brought: words, a key, silence, or the loss of hearing."""

    channel: str  # voice, sms
    by: str  # speech, key, text, silence, hearing_lost, topic (the dialplan knows what it is)
    text: str = ""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt to speak."""

    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn leads to. Events and effects belong into one append."""

    decision: DecisionMade
    events: tuple[Event, ...]
    effects: tuple[Effect, ...]
    timers: tuple[Timer, ...]
    speech: tuple[Spoken, ...]
    question: str | None
    profile: str  # how the answer to the question is endpointed
    people: str | None = None  # the reason to give the call to people
    end: bool = False


class Agent:
    """Decides by a bundle; holds no conversation itself."""

    def __init__(
        self,
        bundle: Bundle,
        intents: Intents,
        clock: Clock,
        can_send: Callable[[], bool],
        receipt_patience: float = 900.0,
        code_key: bytes | None = None,
    ) -> None:
        """`receipt_patience` is how many seconds a receipt may take before it is missed.

        `code_key` is the secret of texted codes; without one they die with this process.
        """
        self._bundle = bundle
        self._intents = intents
        self._clock = clock
        self._can_send = can_send
        self._receipt_patience = int(receipt_patience * 1_000_000)
        self._code_key = code_key or os.urandom(32)

    @property
    def bundle(self) -> Bundle:
        """The policy in force."""
        return self._bundle

    def greeting(self) -> tuple[Spoken, Spoken]:
        """Who is speaking, then the first question."""
        opening = self._bundle.questions[self._bundle.opening].prompt
        disclosure = self._bundle.disclosure
        return (
            Spoken(disclosure, self._bundle.prompt(disclosure)),
            Spoken(opening, self._bundle.prompt(opening)),
        )

    def open_question(self) -> DecisionMade:
        """The event that the first question is open."""
        return DecisionMade(
            bundle=self._bundle.hash,
            rule="greeting",
            reason="every call begins with who is speaking, and a question",
            actions=(f"ask {self._bundle.opening}",),
            inputs={},
            intent=None,
            confidence=1.0,
            alternatives=(),
            topic=None,
            question=self._bundle.opening,
        )

    def take_turn(self, stream: str, state: Conversation, heard: Heard) -> Turn:
        """Understand and decide; nothing is written, spoken or sent here.

        `state` has what was heard folded in already.
        """
        state = self._still_open(state, heard)
        now = self._clock.now()
        proving = prove(self._bundle, state, heard.text, key=self._code_key, now=now)
        state = proving.state
        meaning, chosen = self._understand(state, heard)
        facts = self._facts(state, heard, meaning, chosen) | _known(proving, now)
        rule = decide(self._bundle.rules, facts)
        then = _about(rule.then, rule.then.topic or state.topic)
        question = self._question_after(state, then)
        decision = DecisionMade(
            bundle=self._bundle.hash,
            rule=rule.name,
            reason=rule.because,
            actions=then.names(),
            inputs=facts,
            intent=meaning.intent,
            confidence=round(meaning.confidence, 4),
            alternatives=meaning.alternatives,
            topic=then.topic or state.topic,
            question=question,
        )
        events, effects = self._act(stream, proving, heard, then, decision, chosen)
        return Turn(
            decision=decision,
            events=(*proving.events, decision, *events),
            effects=effects,
            timers=tuple(
                receipt_timer(e.id, stream, e.due + self._receipt_patience)
                for e in effects
                if e.kind == "sms"
            ),
            speech=self._speech(state, then, question),
            question=question,
            profile=self._bundle.questions[question].profile if question else "open",
            people=then.people,
            end=then.end,
        )

    def keys_of_an_answer(self, state: Conversation) -> int:
        """How many keys the caller presses to answer the question that is open."""
        return collects(self._bundle, state)

    def hand_off(
        self, stream: str, state: Conversation, outcome: str, reason: str
    ) -> tuple[HandoffRecorded, Effect]:
        """A hand-off record of the conversation as it is, and the promise to deliver it."""
        now = self._clock.now()
        handoff = new_id("hand", now, os.urandom(10))
        record = make_record(handoff, stream, state, outcome, reason, now)
        return (
            HandoffRecorded(handoff=handoff, route="first", record=record),
            Effect("handoff", handoff, now, record),
        )

    def _still_open(self, state: Conversation, heard: Heard) -> Conversation:
        """Without what this bundle does not know (it may have changed) or a voice cannot ask."""
        question = self._bundle.questions.get(state.question or "")
        if question and heard.channel == "voice" and question.prompt not in self._bundle.prompts:
            question = None
        return replace(
            state,
            question=state.question if question else None,
            topic=state.topic if state.topic in self._bundle.topics else None,
        )

    def _understand(self, state: Conversation, heard: Heard) -> tuple[Meaning, str | None]:
        if heard.by == "key":
            return Meaning(self._bundle.keys.get(heard.text), 1.0), None
        if heard.by == "topic":
            return Meaning(heard.text, 1.0), None
        if heard.by not in ("speech", "text"):
            return Meaning(None, 0.0), None
        offered = self._bundle.choices(state.question)
        return self._intents.read(heard.text), choice(heard.text, frozenset(offered))

    def _facts(
        self, state: Conversation, heard: Heard, meaning: Meaning, chosen: str | None
    ) -> dict[str, Any]:
        can_text = may_text(state.number, self._can_send()).ok
        consent = {True: "given", False: "refused", None: "unknown"}[state.consent.get("texts")]
        return {
            "channel": heard.channel,
            "by": heard.by,
            # Not rounded: what is just below a threshold must stay there.
            "heard": heard.confidence,
            "intent": meaning.intent,
            "sure": meaning.confidence,
            "topic": state.topic,
            "question": state.question,
            "misses": state.misses,
            "silences": state.silences,
            "can_text": can_text,
            "can_code": can_text and not state.verification.locked,
            "consent": consent,
            "choice": chosen,
            "hearing": state.hearing,
        }

    def _question_after(self, state: Conversation, then: Then) -> str | None:
        if then.ask == "same":
            return state.question or self._bundle.opening
        if then.ask:
            return then.ask
        text = then.text or then.code
        return self._bundle.texts[text].question if text else None

    def _act(
        self,
        stream: str,
        proving: Proving,
        heard: Heard,
        then: Then,
        decision: DecisionMade,
        chosen: str | None,
    ) -> tuple[tuple[Event, ...], tuple[Effect, ...]]:
        state = proving.state
        events: list[Event] = []
        effects: list[Effect] = []
        value = self._bundle.choices(state.question).get(chosen or "", "")
        if then.choose and chosen and state.question:
            events.append(ChoiceMade(question=state.question, choice=chosen, value=value))
        if then.consent:
            events.append(self._consent(state, heard, then.consent))
        if then.refuse:
            events.append(ConsentRefused(purpose=then.refuse, channel=heard.channel, how=heard.by))
            effects += self._erase_recordings(state, then.refuse)
        if then.prefer:
            what, _, value_of_it = then.prefer.partition(" ")
            now = self._clock.now()
            events.append(
                PreferenceStated(what=what, value=value_of_it.strip(), at=now, by="person")
            )
        if then.text and state.number:
            promised, effect = self._promise(state, state.number, then, value)
            events.append(promised)
            effects.append(effect)
        if then.code and state.number:
            texted, code = text_code(
                self._bundle.proofs, state, key=self._code_key, now=self._clock.now()
            )
            promised, effect = self._promise_code(state.number, then.code, code)
            events += [texted, promised]
            effects.append(effect)
        outcome = "to people" if then.people else then.handoff
        if outcome:
            after = state
            for event in (decision, *events):
                after = apply(after, event)
            written = len(proving.events) + 1 + len(events)
            after = replace(after, sequence=state.sequence + written)
            recorded, effect = self.hand_off(stream, after, outcome, then.people or decision.reason)
            events.append(recorded)
            effects.append(effect)
        return tuple(events), tuple(effects)

    def _consent(self, state: Conversation, heard: Heard, purpose: str) -> ConsentGiven:
        asked = self._bundle.questions[state.question].prompt if state.question else ""
        return ConsentGiven(
            purpose=purpose,
            channel=heard.channel,
            how=heard.by,
            confidence=heard.confidence,
            wording=f"{self._bundle.hash}/{asked}",
        )

    def _erase_recordings(self, state: Conversation, refused: str) -> list[Effect]:
        """Whoever takes consent to recording back takes back what was recorded."""
        if refused != self._bundle.recording.purpose:
            return []
        now = self._clock.now()
        return [
            Effect("recording", new_id("wipe", now, os.urandom(10)), now, {"recording": id})
            for id, known in state.recordings.items()
            if known.step != "erased"
        ]

    def _promise(
        self, state: Conversation, number: str, then: Then, value: str
    ) -> tuple[TextPromised, Effect]:
        assert then.text is not None
        body = self._bundle.text(then.text, choice=value)
        more: dict[str, object] = {}
        if then.refuse and state.consent.get(then.refuse) is not False:
            more[_CONFIRMS_REFUSAL] = True
        return self._promised(then.text, number, body, body, more)

    def _promise_code(self, number: str, template: str, code: str) -> tuple[TextPromised, Effect]:
        """The code is in what is sent, and in nothing that stays."""
        masked, body = (self._bundle.text(template, code=c) for c in (MASK, code))
        minutes = self._bundle.texts[template].valid or self._bundle.proofs.code_lasts
        return self._promised(template, number, masked, body, {}, minutes=minutes, urgent=True)

    def _promised(
        self,
        template: str,
        number: str,
        shown: str,
        body: str,
        more: dict[str, object],
        *,
        minutes: int | None = None,
        urgent: bool = False,
    ) -> tuple[TextPromised, Effect]:
        """The event has the body that may be `shown`, the effect the one that is sent."""
        now, text = self._clock.now(), self._bundle.texts[template]
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

    def _speech(self, state: Conversation, then: Then, question: str | None) -> tuple[Spoken, ...]:
        # A question that is asked again after a miss or a silence is asked in other words.
        again = state.misses + state.silences + then.miss if then.ask == "same" else 0
        said = [
            Spoken(p, self._bundle.prompt(p, max(state.misses, state.silences - 1, 0)))
            for p in then.say
        ]
        asked = self._bundle.questions[question].prompt if then.ask and question else ""
        if asked in self._bundle.prompts:
            said.append(Spoken(asked, self._bundle.prompt(asked, again)))
        return tuple(said)


def _known(proving: Proving, now: int) -> dict[str, Any]:
    """What rules may look at of proofs and preferences."""
    state = proving.state
    locked = "spent" if state.verification.locked else None
    preferences = {what: known.value for what, known in state.preferences.items()}
    return {
        "verified": level(state, now),
        "code": proving.answer.value if proving.answer else locked,
        "prefers": preferences.get("channel"),
        "preferred_language": preferences.get("language"),
        "good_hours": good_hours(preferences.get("hours"), now),
    }


def _about(then: Then, topic: str | None) -> Then:
    """The actions with `{topic}` filled in."""
    fill = topic or ""
    return replace(
        then,
        say=tuple(p.replace("{topic}", fill) for p in then.say),
        ask=then.ask.replace("{topic}", fill) if then.ask else None,
        text=then.text.replace("{topic}", fill) if then.text else None,
    )
