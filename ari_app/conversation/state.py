"""What a conversation is now: the fold of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, assert_never

from ari_app.conversation.events import (
    AgentSpoke,
    AnswerConfirmed,
    AnswerHeard,
    AudioMissing,
    CallAnswered,
    CallbackDialled,
    CallbackEnded,
    CallbackMissed,
    CallbackPostponed,
    CallbackReached,
    CallBackRequested,
    CallEnded,
    CallerSilent,
    CallerSpoke,
    CallLeft,
    CallReceived,
    CallResumed,
    ChoiceMade,
    CodeTexted,
    CodeWrong,
    ConsentGiven,
    ConsentRefused,
    ConversationOpened,
    DecisionMade,
    DeliveryChosen,
    DisclosurePlayed,
    Envelope,
    Event,
    HandoffAcknowledged,
    HandoffDelayed,
    HandoffEscalated,
    HandoffRecorded,
    HearingBack,
    HearingLost,
    HelpAsked,
    IdentityProved,
    KeyPressed,
    LanguageChosen,
    OptedIn,
    OptedOut,
    OptOutRepeated,
    PeopleAnswered,
    PeopleMissed,
    PeopleParted,
    PeopleRung,
    PreferenceStated,
    PromptInterrupted,
    ProofEnded,
    ReceiptOverdue,
    ReceiptReceived,
    RecordingEnded,
    RecordingErased,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RevocationHeard,
    SubjectsJoined,
    SubjectsParted,
    TextBlocked,
    TextCancelled,
    TextDelayed,
    TextExpired,
    TextPromised,
    TextReceived,
    TextRefused,
    TextResent,
    TextSightLost,
    TextSubmitted,
    Unrecognised,
    WaitGranted,
)
from ari_app.conversation.manner import Manner
from ari_app.conversation.manner import after as behaved
from ari_app.conversation.message import NEXT, Fate, MessageState, advance, after_receipt
from ari_app.conversation.preferences import Preference
from ari_app.conversation.preferences import after as preferred
from ari_app.conversation.verification import Verification
from ari_app.conversation.verification import after as verified

#: Turns and calls that the state keeps, the latest. Decisions use none of them but the last; all
#: are in the log. Without a bound every step would copy all that was ever said.
KEPT = 20


@dataclass(frozen=True, slots=True)
class Message:
    """A text of ours; delivered when every segment is, else the worst end of one counts."""

    template: str
    body: str
    state: MessageState = MessageState.PROMISED
    segments: int = 0  # 0 until somebody knows
    settled: frozenset[str] = frozenset()  # the carrier's ids of segments that came to an end


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the person, as it was taken."""

    channel: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a call, and how it stands: on, paused, over or erased."""

    call: str
    step: str


@dataclass(frozen=True, slots=True)
class Given:
    """The answer to a question that expects something; `confirmed` once it was read back."""

    kind: str
    value: str
    confirmed: bool = False


@dataclass(frozen=True)  # no slots: see `_but`
class Conversation:
    """Everything later decisions may depend on."""

    sequence: int = 0
    number: str | None = None
    did: str = ""
    language: str = "en"
    on_the_line: str | None = None  # the live call
    person: str | None = None  # the leg of the person who talks with the caller
    calls: tuple[str, ...] = ()  # the latest KEPT
    disclosed: bool = False
    disclosed_on: str | None = None  # the call in which that was heard last
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    turns: tuple[Said, ...] = ()  # the latest KEPT
    turns_before: int = 0  # how many there were before those
    topic: str | None = None
    question: str | None = None  # what was asked last and not answered yet
    misses: int = 0  # turns in a row that were not understood
    silences: int = 0  # questions in a row that were met by silence
    hearing: bool = True
    consent: Mapping[str, bool] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, Message] = field(default_factory=dict)
    handoffs: Mapping[str, str] = field(default_factory=dict)
    callbacks: Mapping[str, int] = field(default_factory=dict)  # promised: when each is due
    last_intent: str | None = None
    verification: Verification = field(default_factory=Verification)
    preferences: Mapping[str, Preference] = field(default_factory=dict)
    answers: Mapping[str, Given] = field(default_factory=dict)  # by question
    answered: str | None = None  # the question of the latest of them
    slower: int = 0  # steps that the caller asked for
    louder: int = 0
    manner: Manner = field(default_factory=Manner)

    @property
    def turns_taken(self) -> int:
        """All turns of the person, also those that are not kept here."""
        return self.turns_before + len(self.turns)


if TYPE_CHECKING:
    from dataclasses import replace as _but  # mypy knows its arguments
else:

    def _but(state: Conversation, **changes: Any) -> Conversation:
        """As dataclasses.replace; that takes most of the time of a fold, and ten times as long."""
        after = object.__new__(Conversation)
        after.__dict__.update(state.__dict__)
        after.__dict__.update(changes)
        return after


def fold(envelopes: Iterable[Envelope], start: Conversation | None = None) -> Conversation:
    """The state after these events, in order."""
    state = start or Conversation()
    sequence = state.sequence
    for envelope in envelopes:
        state = apply(state, envelope.event)
        sequence = envelope.sequence
    # Once: no fact depends on its position, and a copy costs more than all the rest of a step.
    return _but(state, sequence=sequence)


def apply(state: Conversation, event: Event) -> Conversation:
    """The state after one more fact."""
    match event:
        case ConversationOpened(number=number, did=did, language=language):
            return _but(state, number=number, did=did, language=language)
        case CallReceived(call=call):
            if call in state.calls:
                return state
            return _but(state, calls=(*state.calls, call)[-KEPT:])
        case CallAnswered(call=call):
            return _but(state, on_the_line=call, misses=0, silences=0, hearing=True)
        case DisclosurePlayed(call=call):
            return _but(state, disclosed=True, disclosed_on=call)
        case CallerSpoke(text=text, confidence=confidence):
            state = _but(state, manner=behaved(state.manner, event))
            return _turn(state, Said("voice", text, confidence), silences=0)
        case KeyPressed(key=key):
            return _turn(state, Said("keys", key, 1.0), silences=0)
        case CallerSilent():
            return _but(state, silences=state.silences + 1)
        case HearingLost() | AudioMissing():
            return _but(state, hearing=False)
        case HearingBack():
            return _but(state, hearing=True)
        case CallResumed(call=call):
            return _but(state, on_the_line=call, hearing=True)
        case DecisionMade(topic=topic, question=question, intent=intent):
            return _but(
                state,
                topic=topic,
                question=question,
                last_intent=intent,
                misses=_misses(state, event),
                manner=behaved(state.manner, event),
            )
        case LanguageChosen(language=language):
            return _but(state, language=language)
        case DeliveryChosen(slower=slower, louder=louder):
            return _but(state, slower=slower, louder=louder)
        case AnswerHeard(question=question, kind=kind, value=value):
            given = {**state.answers, question: Given(kind, value)}
            return _but(state, answers=given, answered=question)
        case AnswerConfirmed(question=question):
            return _confirmed(state, question)
        case ConsentGiven(purpose=purpose):
            return _but(state, consent={**state.consent, purpose: True})
        case ConsentRefused(purpose=purpose):
            return _but(state, consent={**state.consent, purpose: False})
        case ChoiceMade(question=question, choice=choice):
            return _but(state, choices={**state.choices, question: choice})
        case TextPromised(message=message, template=template, body=body):
            known = state.messages.get(message)
            return state if known else _with(state, message, Message(template, body))
        case TextSubmitted(message=message, ids=ids):
            return _counted(_fate(state, message, Fate.TAKEN), message, len(ids))
        case TextRefused(message=message):
            return _fate(state, message, Fate.REFUSED)
        case TextSightLost(message=message, segments=segments):
            lost = _fate(state, message, Fate.LOST_SIGHT)
            return _counted(lost, message, segments) if segments else lost
        case TextResent(message=message):
            again = _fate(state, message, Fate.RESENT)
            known = again.messages.get(message)
            return _with(again, message, replace(known, settled=frozenset())) if known else again
        case TextExpired(message=message):
            return _fate(state, message, Fate.LAPSED)
        case TextBlocked(message=message):
            return _fate(state, message, Fate.BLOCKED)
        case TextCancelled(message=message):
            return _fate(state, message, Fate.CANCELLED)
        case ReceiptReceived():
            return _receipt(state, event)
        case TextReceived(body=body):
            return _turn(state, Said("sms", body, 1.0), silences=state.silences)
        case CallLeft(call=call) | CallEnded(call=call):
            state = _recorded(state, call)
            # The end of a call may be told when the next one is on the line.
            if state.on_the_line != call:
                return state
            return _but(state, on_the_line=None, person=None)
        case RecordingStarted(recording=recording, call=call):
            return _recording(state, recording, Recording(call, "on"))
        case RecordingPaused(recording=recording):
            return _step(state, recording, "on", "paused")
        case RecordingResumed(recording=recording):
            return _step(state, recording, "paused", "on")
        case RecordingEnded(recording=recording):
            return _step(_step(state, recording, "on", "over"), recording, "paused", "over")
        case RecordingErased(recording=recording):
            return _erased(state, recording)
        case CallBackRequested(callback=callback, due=due):
            return _but(state, callbacks={**state.callbacks, callback: due})
        case CallbackPostponed(callback=callback, due=due):
            if callback not in state.callbacks:
                return state
            return _but(state, callbacks={**state.callbacks, callback: due})
        case CallbackReached(callback=callback) | CallbackEnded(callback=callback):
            left = {id: due for id, due in state.callbacks.items() if id != callback}
            return _but(state, callbacks=left)
        case PeopleAnswered(leg=leg):
            return _but(state, person=leg)
        case PeopleParted():
            return _but(state, person=None)
        case HandoffRecorded(handoff=handoff):
            return _handoff(state, handoff, "recorded")
        case HandoffAcknowledged(handoff=handoff):
            return _handoff(state, handoff, "acknowledged")
        case HandoffEscalated(handoff=handoff):
            return _handoff(state, handoff, "escalated")
        case PromptInterrupted():
            return _but(state, manner=behaved(state.manner, event))
        case AgentSpoke() | WaitGranted() | TextDelayed() | HandoffDelayed():
            return state
        case PeopleRung() | PeopleMissed() | CallbackDialled() | CallbackMissed():
            return state
        case CodeTexted() | CodeWrong() | IdentityProved() | ProofEnded():
            return _but(state, verification=verified(state.verification, event))
        case PreferenceStated():
            return _but(state, preferences=preferred(state.preferences, event))
        # Whoever opts out or in also takes consent back or gives it, by events of their own.
        case OptedOut() | OptOutRepeated() | OptedIn() | HelpAsked() | RevocationHeard():
            return state
        # Who is one person with whom is told in the streams of subjects: see persons.py.
        case ReceiptOverdue() | SubjectsJoined() | SubjectsParted() | Unrecognised():
            return state
        case _:
            assert_never(event)


def _turn(state: Conversation, said: Said, silences: int) -> Conversation:
    turns = (*state.turns, said)
    if len(turns) <= KEPT:
        return _but(state, turns=turns, silences=silences)
    return _but(state, turns=turns[1:], turns_before=state.turns_before + 1, silences=silences)


def _misses(state: Conversation, event: DecisionMade) -> int:
    if "miss" in event.actions:
        return state.misses + 1
    # Silence says nothing about what was understood before it.
    return state.misses if event.inputs.get("by") in ("silence", "hearing_lost") else 0


def _confirmed(state: Conversation, question: str) -> Conversation:
    given = state.answers.get(question)
    if given is None:
        return state
    return _but(state, answers={**state.answers, question: replace(given, confirmed=True)})


def _handoff(state: Conversation, id: str, step: str) -> Conversation:
    """A hand-off is recorded once, and ends once."""
    known = state.handoffs.get(id)
    if known == step or known in ("acknowledged", "escalated"):
        return state
    return _but(state, handoffs={**state.handoffs, id: step})


def _recording(state: Conversation, id: str, recording: Recording) -> Conversation:
    return _but(state, recordings={**state.recordings, id: recording})


def _step(state: Conversation, id: str, before: str, after: str) -> Conversation:
    known = state.recordings.get(id)
    if known is None or known.step != before:
        return state
    return _recording(state, id, Recording(known.call, after))


def _erased(state: Conversation, id: str) -> Conversation:
    known = state.recordings.get(id)
    return _recording(state, id, Recording(known.call if known else "", "erased"))


def _recorded(state: Conversation, call: str) -> Conversation:
    """Nothing of a call is recorded after its end, also if nobody was left to say so."""
    for id, known in state.recordings.items():
        if known.call == call and known.step in ("on", "paused"):
            state = _recording(state, id, Recording(call, "over"))
    return state


def _with(state: Conversation, id: str, message: Message) -> Conversation:
    return _but(state, messages={**state.messages, id: message})


def _fate(state: Conversation, id: str, fate: Fate) -> Conversation:
    """Move a message on; a fate that comes twice or too late changes nothing."""
    message = state.messages.get(id)
    if message is None or (message.state, fate) not in NEXT:
        return state
    return _with(state, id, replace(message, state=advance(message.state, fate)))


def _counted(state: Conversation, id: str, segments: int) -> Conversation:
    message = state.messages.get(id)
    return _with(state, id, replace(message, segments=segments)) if message else state


def _receipt(state: Conversation, event: ReceiptReceived) -> Conversation:
    message = state.messages.get(event.message)
    if message is None:
        return state
    now, settled = after_receipt(
        message.state, message.settled, message.segments, event.id, event.state
    )
    if settled is message.settled:
        return state
    return _with(state, event.message, replace(message, state=now, settled=settled))
