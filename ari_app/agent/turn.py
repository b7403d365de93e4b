"""One turn: from what was heard to the events, effects and words that follow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ari_app.agent.hearing import Heard as Heard
from ari_app.agent.hearing import Understood, expected_phrases, understand, weigh
from ari_app.agent.promises import promise, promise_code
from ari_app.agent.proving import Proving, collects, level, prove, text_code
from ari_app.agent.saying import Spoken as Spoken
from ari_app.agent.saying import speech
from ari_app.agent.tongues import Tongues
from ari_app.conversation.events import (
    AnswerConfirmed,
    AnswerHeard,
    ChoiceMade,
    ConsentGiven,
    ConsentRefused,
    DecisionMade,
    DeliveryChosen,
    Event,
    HandoffRecorded,
    LanguageChosen,
    PreferenceStated,
    WaitGranted,
)
from ari_app.conversation.identity import new_id
from ari_app.conversation.state import Conversation, apply
from ari_app.handoff.record import make_record
from ari_app.outbox.overdue import receipt_timer
from ari_app.policy.bundle import Bundle
from ari_app.policy.eligibility import may_text
from ari_app.policy.preferences import good_hours
from ari_app.policy.rules import Then, decide
from ari_app.ports import Clock, Effect, Timer, Utterance
from ari_app.understanding.answers import Kind
from ari_app.understanding.commands import SWITCH, Command
from ari_app.understanding.cues import frustration
from ari_app.understanding.intents import Intents

_STEPS = 1  # that we can be slower, or louder


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
    patience: float = 0.0  # seconds of silence more than usual that are no answer


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
        self._tongues = Tongues(bundle, intents)
        self._clock = clock
        self._can_send = can_send
        self._receipt_patience = int(receipt_patience * 1_000_000)
        self._code_key = code_key or os.urandom(32)

    @property
    def bundle(self) -> Bundle:
        """The policy in force, in its own language."""
        return self._bundle

    def speaking(self, tag: str) -> Bundle:
        """The policy in force in this language, or in its own if it has no other."""
        return self._tongues.bundle(tag)

    @property
    def hashes(self) -> frozenset[str]:
        """What decisions by the policy in force name, one in each language."""
        every = (self._bundle, *self._bundle.translations.values())
        return frozenset(bundle.hash for bundle in every)

    def first_language(self, did: str, known: Sequence[Event]) -> tuple[LanguageChosen, ...]:
        """The event that a conversation begins in another language than the bundle's, if any.

        `known` is what is known of the person from before.
        """
        preferred = [
            e.value for e in known if isinstance(e, PreferenceStated) and e.what == "language"
        ]
        chosen = self._tongues.at_start(did, preferred[-1] if preferred else None)
        return () if chosen is None or chosen.language == self._bundle.language else (chosen,)

    def greeting(self, tag: str | None = None) -> tuple[Spoken, ...]:
        """Who is speaking, how to come to each other language, then the first question."""
        bundle = self.speaking(tag or self._bundle.language)
        opening = bundle.questions[bundle.opening].prompt
        invites = (
            Spoken("invite", other.render(other.offer.invite), other.language)
            for other in self._tongues.others(bundle.language)
            if other.offer.invite
        )
        return (
            Spoken(bundle.disclosure, bundle.prompt(bundle.disclosure)),
            *invites,
            Spoken(opening, bundle.prompt(opening)),
        )

    def open_question(self, tag: str | None = None) -> DecisionMade:
        """The event that the first question is open."""
        bundle = self.speaking(tag or self._bundle.language)
        return DecisionMade(
            bundle=bundle.hash,
            rule="greeting",
            reason="every call begins with who is speaking, and a question",
            actions=(f"ask {bundle.opening}",),
            inputs={},
            intent=None,
            confidence=1.0,
            alternatives=(),
            topic=None,
            question=bundle.opening,
        )

    def listen_for(self, state: Conversation) -> tuple[str, ...]:
        """The phrases that are expected now, beside all that can be said; () for none."""
        return expected_phrases(self.speaking(state.language), state)

    def weigh(self, state: Conversation, utterance: Utterance) -> Heard:
        """Which of two results counts at the open question, and how sure it is."""
        return weigh(self.speaking(state.language), state, utterance, self._clock.now())

    def take_turn(self, stream: str, state: Conversation, heard: Heard) -> Turn:
        """Understand and decide; nothing is written, spoken or sent here.

        `state` has what was heard folded in already.
        """
        switched = self._tongues.in_turn(state, heard)
        if switched is not None:
            state = apply(state, switched)
        bundle = self.speaking(state.language)
        state = _still_open(bundle, state, heard)
        now = self._clock.now()
        proving = prove(bundle, state, heard.text, key=self._code_key, now=now)
        state = proving.state
        understood = understand(bundle, self._tongues.intents(state.language), state, heard, now)
        if switched is not None and switched.by != "words":
            understood = Understood(command=Command(SWITCH, switched.language))
        meaning = understood.meaning
        facts = self._facts(bundle, state, heard, understood) | _known(proving, now)
        rule = decide(bundle.rules, facts)
        then = _about(rule.then, rule.then.topic or state.topic)
        question = _question_after(bundle, state, then)
        decision = DecisionMade(
            bundle=bundle.hash,
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
        events, effects = self._act(stream, bundle, proving, heard, then, decision, understood)
        before = () if switched is None else (switched,)
        return Turn(
            decision=decision,
            events=(*before, *proving.events, decision, *events),
            effects=effects,
            timers=tuple(
                receipt_timer(e.id, stream, e.due + self._receipt_patience)
                for e in effects
                if e.kind == "sms"
            ),
            speech=speech(bundle, state, then, question, understood),
            question=question,
            profile=bundle.questions[question].profile if question else "open",
            people=then.people,
            end=then.end,
            patience=float(then.wait or 0.0),
        )

    def keys_of_an_answer(self, state: Conversation) -> int:
        """How many keys the caller presses to answer the question that is open."""
        return collects(self.speaking(state.language), state)

    def digits_expected(self, state: Conversation) -> int:
        """How many digits are the whole answer to the open question; 0 if that is not known."""
        bundle = self.speaking(state.language)
        question = bundle.questions.get(state.question or "")
        expects = question.expects if question else None
        if expects is None or expects.kind is not Kind.DIGITS:
            return 0
        fewest, most = expects.count
        return most if fewest == most else 0

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

    def _facts(
        self, bundle: Bundle, state: Conversation, heard: Heard, understood: Understood
    ) -> dict[str, Any]:
        can_text = may_text(state.number, self._can_send()).ok
        consent = {True: "given", False: "refused", None: "unknown"}[state.consent.get("texts")]
        upset = frustration(state.misses, state.silences, state.manner)
        answer = understood.answer
        return {
            "channel": heard.channel,
            "by": heard.by,
            # Not rounded: what is just below a threshold must stay there.
            "heard": heard.confidence,
            "intent": understood.meaning.intent,
            "sure": understood.meaning.confidence,
            "topic": state.topic,
            "question": state.question,
            "misses": state.misses,
            "silences": state.silences,
            "can_text": can_text,
            "can_code": can_text and not state.verification.locked,
            "consent": consent,
            "choice": understood.chosen,
            "hearing": state.hearing,
            "language": bundle.language,
            "command": understood.command.name if understood.command else None,
            "answer": None if not answer else "complete" if answer.complete else "incomplete",
            "frustration": upset.score,
            "frustration_because": dict(upset.because),
        }

    def _act(
        self,
        stream: str,
        bundle: Bundle,
        proving: Proving,
        heard: Heard,
        then: Then,
        decision: DecisionMade,
        understood: Understood,
    ) -> tuple[tuple[Event, ...], tuple[Effect, ...]]:
        state = proving.state
        events: list[Event] = [*_said_about_us(state, then)]
        effects: list[Effect] = []
        chosen = understood.chosen
        value = bundle.choices(state.question).get(chosen or "", "")
        events += _answered(bundle, state, heard, then, understood)
        if then.choose and chosen and state.question:
            events.append(ChoiceMade(question=state.question, choice=chosen, value=value))
        if then.consent:
            events.append(_consent(bundle, state, heard, then.consent))
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
            promised, effect = promise(bundle, state, state.number, then, value, self._clock.now())
            events.append(promised)
            effects.append(effect)
        if then.code and state.number:
            texted, code = text_code(
                bundle.proofs, state, key=self._code_key, now=self._clock.now()
            )
            promised, effect = promise_code(
                bundle, state.number, then.code, code, self._clock.now()
            )
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


def _still_open(bundle: Bundle, state: Conversation, heard: Heard) -> Conversation:
    """Without what this bundle does not know (it may have changed) or a voice cannot ask."""
    question = bundle.questions.get(state.question or "")
    if question and heard.channel == "voice" and question.prompt not in bundle.prompts:
        question = None
    return replace(
        state,
        question=state.question if question else None,
        topic=state.topic if state.topic in bundle.topics else None,
    )


def _question_after(bundle: Bundle, state: Conversation, then: Then) -> str | None:
    if then.ask == "same" or (then.wait and not then.ask):
        return state.question or bundle.opening
    if then.ask:
        return then.ask
    text = then.text or then.code
    return bundle.texts[text].question if text else None


def _consent(bundle: Bundle, state: Conversation, heard: Heard, purpose: str) -> ConsentGiven:
    asked = bundle.questions[state.question].prompt if state.question else ""
    return ConsentGiven(
        purpose=purpose,
        channel=heard.channel,
        how=heard.by,
        confidence=heard.confidence,
        wording=f"{bundle.hash}/{asked}",
    )


def _said_about_us(state: Conversation, then: Then) -> tuple[Event, ...]:
    """How the caller wants to be spoken to."""
    found: list[Event] = []
    if then.slower or then.louder:
        slower, louder = state.slower + then.slower, state.louder + then.louder
        found.append(DeliveryChosen(slower=min(slower, _STEPS), louder=min(louder, _STEPS)))
    if then.wait:
        found.append(WaitGranted(seconds=int(then.wait)))
    return tuple(found)


def _answered(
    bundle: Bundle, state: Conversation, heard: Heard, then: Then, understood: Understood
) -> tuple[Event, ...]:
    """The answer that a rule takes, or takes for confirmed. What proves somebody is in no log."""
    if then.confirm and state.answered:
        return (AnswerConfirmed(question=state.answered),)
    answer = understood.answer
    if not then.take or answer is None or not state.question:
        return ()
    if bundle.questions[state.question].code:
        return ()
    return (
        AnswerHeard(
            question=state.question,
            kind=answer.kind.value,
            value=answer.value,
            confidence=round(heard.confidence, 4),
        ),
    )


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
