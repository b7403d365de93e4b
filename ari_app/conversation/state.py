"""What a conversation is now: the fold of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    CallReceived,
    ChoiceMade,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Envelope,
    Event,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
    HandoffRecorded,
    HearingLost,
    KeyPressed,
    PromptInterrupted,
    ReceiptOverdue,
    ReceiptReceived,
    TextDelayed,
    TextPromised,
    TextReceived,
    TextRefused,
    TextSightLost,
    TextSubmitted,
    Unrecognised,
)
from ari_app.conversation.message import NEXT, RECEIPT_FATES, Fate, MessageState, advance


@dataclass(frozen=True, slots=True)
class Message:
    """A text of ours; delivered when every segment is."""

    template: str
    body: str
    state: MessageState = MessageState.PROMISED
    segments: int = 0
    delivered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the person, as it was taken."""

    channel: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything later decisions may depend on."""

    sequence: int = 0
    number: str | None = None
    did: str = ""
    language: str = "en"
    on_the_line: str | None = None  # the live call
    calls: tuple[str, ...] = ()
    disclosed: bool = False
    turns: tuple[Said, ...] = ()
    topic: str | None = None
    question: str | None = None  # what was asked last and not answered yet
    misses: int = 0  # turns in a row that were not understood
    silences: int = 0  # questions in a row that were met by silence
    hearing: bool = True
    consent: Mapping[str, bool] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, Message] = field(default_factory=dict)
    handoffs: Mapping[str, str] = field(default_factory=dict)
    last_intent: str | None = None


def fold(envelopes: Iterable[Envelope], start: Conversation | None = None) -> Conversation:
    """The state after these events, in order."""
    state = start or Conversation()
    sequence = state.sequence
    for envelope in envelopes:
        state = apply(state, envelope.event)
        sequence = envelope.sequence
    # Once: no fact depends on its position, and a copy costs more than all the rest of a step.
    return replace(state, sequence=sequence)


def apply(state: Conversation, event: Event) -> Conversation:
    """The state after one more fact."""
    match event:
        case ConversationOpened(number=number, did=did, language=language):
            return replace(state, number=number, did=did, language=language)
        case CallReceived(call=call):
            return replace(state, calls=(*state.calls, call))
        case CallAnswered(call=call):
            return replace(state, on_the_line=call, misses=0, silences=0, hearing=True)
        case DisclosurePlayed():
            return replace(state, disclosed=True)
        case CallerSpoke(text=text, confidence=confidence):
            said = Said("voice", text, confidence)
            return replace(state, turns=(*state.turns, said), silences=0)
        case KeyPressed(key=key):
            return replace(state, turns=(*state.turns, Said("keys", key, 1.0)), silences=0)
        case CallerSilent():
            return replace(state, silences=state.silences + 1)
        case HearingLost():
            return replace(state, hearing=False)
        case DecisionMade(topic=topic, question=question, intent=intent):
            return replace(
                state,
                topic=topic,
                question=question,
                last_intent=intent,
                misses=_misses(state, event),
            )
        case ConsentGiven(purpose=purpose):
            return replace(state, consent={**state.consent, purpose: True})
        case ConsentRefused(purpose=purpose):
            return replace(state, consent={**state.consent, purpose: False})
        case ChoiceMade(question=question, choice=choice):
            return replace(state, choices={**state.choices, question: choice})
        case TextPromised(message=message, template=template, body=body):
            return _with(state, message, Message(template, body))
        case TextSubmitted(message=message, ids=ids):
            taken = _fate(state, message, Fate.TAKEN)
            known = taken.messages.get(message)
            return _with(taken, message, replace(known, segments=len(ids))) if known else taken
        case TextRefused(message=message):
            return _fate(state, message, Fate.REFUSED)
        case TextSightLost(message=message):
            return _fate(state, message, Fate.LOST_SIGHT)
        case ReceiptReceived():
            return _receipt(state, event)
        case TextReceived(body=body):
            return replace(state, turns=(*state.turns, Said("sms", body, 1.0)))
        case CallLeft() | CallEnded():
            return replace(state, on_the_line=None)
        case HandoffRecorded(handoff=handoff):
            return replace(state, handoffs={**state.handoffs, handoff: "recorded"})
        case HandoffAcknowledged(handoff=handoff):
            return replace(state, handoffs={**state.handoffs, handoff: "acknowledged"})
        case HandoffEscalated(handoff=handoff):
            return replace(state, handoffs={**state.handoffs, handoff: "escalated"})
        case AgentSpoke() | PromptInterrupted() | TextDelayed() | HandoffDelayed():
            return state
        case ReceiptOverdue() | Unrecognised():
            return state
        case _:
            assert_never(event)


def _misses(state: Conversation, event: DecisionMade) -> int:
    if "miss" in event.actions:
        return state.misses + 1
    # Silence says nothing about what was understood before it.
    return state.misses if event.inputs.get("by") in ("silence", "hearing_lost") else 0


def _with(state: Conversation, id: str, message: Message) -> Conversation:
    return replace(state, messages={**state.messages, id: message})


def _fate(state: Conversation, id: str, fate: Fate) -> Conversation:
    """Move a message on; a fate that comes twice or too late changes nothing."""
    message = state.messages.get(id)
    if message is None or (message.state, fate) not in NEXT:
        return state
    return _with(state, id, replace(message, state=advance(message.state, fate)))


def _receipt(state: Conversation, event: ReceiptReceived) -> Conversation:
    fate = RECEIPT_FATES.get(event.state)
    message = state.messages.get(event.message)
    if fate is None or message is None:
        return state
    if fate is Fate.DELIVERED:
        delivered = message.delivered | {event.id}
        state = _with(state, event.message, replace(message, delivered=delivered))
        if len(delivered) < message.segments:
            return state
    return _fate(state, event.message, fate)
