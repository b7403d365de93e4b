"""What can have happened: past-tense facts, and the envelope in which the log keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ari_app.conversation.registry import PERSONAL_FIELDS as PERSONAL_FIELDS
from ari_app.conversation.registry import REGISTRY as REGISTRY
from ari_app.conversation.registry import Unrecognised as Unrecognised
from ari_app.conversation.registry import event as _event
from ari_app.conversation.registry import from_payload as from_payload
from ari_app.conversation.registry import name_of as name_of
from ari_app.conversation.registry import to_payload as to_payload

# What belongs to a person is sealed and erased by itself; the mark is its data class, which
# retention counts its days by.
_IDENTITY: Mapping[str, Any] = {"personal": "identity"}
_WORDS: Mapping[str, Any] = {"personal": "words"}
_TEXTS: Mapping[str, Any] = {"personal": "texts"}
_RECORDS: Mapping[str, Any] = {"personal": "records"}


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationOpened:
    """Somebody turned to us; `number` is None for an anonymous caller."""

    channel: str
    did: str
    language: str
    number: str | None = field(metadata=_IDENTITY)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallReceived:
    """A channel entered the application."""

    call: str
    channel: str
    did: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """The caller is connected and can hear us."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosurePlayed:
    """The caller has heard the whole of who is speaking."""

    call: str
    prompt: str
    wording: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpoke:
    """A prompt was started; `answer_ms` is the time since the caller's last speech, if any."""

    call: str
    prompt: str
    text: str = field(metadata=_WORDS)
    answer_ms: int | None = None


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PromptInterrupted:
    """The caller spoke over a prompt, or pressed a key."""

    call: str
    prompt: str
    after_ms: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSpoke:
    """One turn of the caller; words are (text, start s, end s, confidence).

    `confidence` is calibrated if there is `evidence`: what it was made of, by name, with the level
    (`level_db`, dBFS) and the pace (`pace`, words a second) of the turn.
    """

    call: str
    text: str = field(metadata=_WORDS)
    words: tuple[tuple[str, float, float, float], ...] = field(metadata=_WORDS)
    confidence: float
    endpoint_ms: int
    evidence: dict[str, Any] = field(default_factory=dict)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed:
    """One DTMF key."""

    call: str
    key: str = field(metadata=_WORDS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSilent:
    """Nothing was said where something was asked."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HearingLost:
    """The recogniser is gone: the call goes on by keys."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HearingBack:
    """There is a recogniser again, or there is audio after all: the caller may speak."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMissing:
    """Nothing comes from the caller's phone; what we say may go nowhere either."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed:
    """A worker has gone on with a call that another had; in between the caller heard nothing."""

    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMade:
    """One rule of one bundle decided; inputs and alternatives are what it saw."""

    bundle: str
    rule: str
    reason: str
    actions: tuple[str, ...]
    inputs: dict[str, Any]
    intent: str | None
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    topic: str | None
    question: str | None


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageChosen:
    """The conversation goes on in this language (BCP 47).

    `by` is number (the one that was dialled), preference, key, request or words; `words` are those
    that told it.
    """

    language: str
    by: str
    words: str = field(default="", metadata=_WORDS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChosen:
    """The caller wants us slower or louder: steps from how we speak to others."""

    slower: int
    louder: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class WaitGranted:
    """The caller asked for a moment: silence is no answer for so many seconds more."""

    seconds: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHeard:
    """A question that expects something was answered; `kind` is one of understanding/answers.py."""

    question: str
    kind: str
    value: str = field(metadata=_WORDS)
    confidence: float


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerConfirmed:
    """The person said that the answer was heard right, after it was read back."""

    question: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """The person agreed; `how` is speech, key or text, `wording` is what they agreed to."""

    purpose: str
    channel: str
    how: str
    confidence: float
    wording: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRefused:
    """The person refused, or took consent back."""

    purpose: str
    channel: str
    how: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceMade:
    """The person chose one of what a question offered."""

    question: str
    choice: str = field(metadata=_WORDS)
    value: str = field(metadata=_WORDS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextPromised:
    """A text will be sent; the promise is in the outbox by the same transaction.

    `message_class` and `priority` are those of conversation/message.py, the times UTC microseconds.
    """

    message: str
    template: str
    to: str = field(metadata=_IDENTITY)
    body: str = field(metadata=_TEXTS)
    message_class: str = "at_most_once"
    priority: str = "normal"
    not_before: int | None = None
    valid_until: int | None = None


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextSubmitted:
    """The SMSC has taken every segment."""

    message: str
    carrier: str
    ids: tuple[str, ...]
    attempts: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelayed:
    """The carrier did not take it now; it will be tried again."""

    message: str
    reason: str
    attempts: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextRefused:
    """The carrier refused it for good, or we gave up."""

    message: str
    reason: str
    attempts: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextSightLost:
    """Nobody knows whether the carrier took it; what is done then its message class says.

    `ids` are those of the segments that were certainly taken, of `segments` in all (0: unknown).
    """

    message: str
    reason: str
    carrier: str | None = None
    ids: tuple[str, ...] | None = None
    segments: int = 0


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextResent:
    """It was claimed to be sent again, though it may have been taken before."""

    message: str
    reason: str
    attempts: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextExpired:
    """Its validity ended while it waited: it was not sent, or not again."""

    message: str
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlocked:
    """A rule of ours forbade it when it was about to be sent."""

    message: str
    rule: str
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextCancelled:
    """Somebody took it back before it was claimed."""

    message: str
    reason: str
    by: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReceived:
    """A delivery receipt for one segment, as the carrier wrote it."""

    message: str
    carrier: str
    id: str
    state: str
    error: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptOverdue:
    """No receipt came in time; `state` is what we know of the text."""

    message: str
    state: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived:
    """The person wrote to us."""

    carrier: str
    recipient: str
    sender: str = field(metadata=_IDENTITY)
    body: str = field(metadata=_TEXTS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OptedOut:
    """Somebody wants no more texts from our `source`, or from any of ours (`*`).

    `subject` is a keyed hash of the number. `how` is word, words, consent, operator or import;
    `word` is what of the list was said, `message` the text that said it, by its key in the log.
    """

    subject: str
    source: str
    how: str
    word: str
    message: str
    body: str = field(metadata=_TEXTS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutRepeated:
    """Somebody who has opted out said so once more: that is not confirmed again."""

    subject: str
    source: str
    word: str
    message: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OptedIn:
    """Somebody who had opted out wants texts again; fields as of `OptedOut`."""

    subject: str
    source: str
    how: str
    word: str
    message: str
    body: str = field(metadata=_TEXTS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HelpAsked:
    """Somebody wrote HELP; that is answered whoever it is."""

    word: str
    message: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationHeard:
    """A text reads as if no more texts were wanted, without a word of the list: a person looks."""

    subject: str
    pattern: str
    message: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackRequested:
    """Somebody wants to be called at `due` (UTC microseconds) or later, and was promised it."""

    callback: str
    number: str = field(metadata=_IDENTITY)
    did: str
    due: int
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted:
    """Both directions of the call are recorded from here on; `why` is consent or policy.

    `wording` is the bundle whose disclosure, or whose question, had told the caller.
    """

    call: str
    recording: str
    why: str
    purpose: str
    wording: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused:
    """Nothing of either direction is kept until it is resumed; `why` is sensitive."""

    call: str
    recording: str
    why: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed:
    """What was sensitive has been dealt with."""

    call: str
    recording: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    """The file is closed: `seconds` of audio without the pauses, in so many octets.

    `why` is call_ended, people, refused, longest, disk, slow_disk or worker_lost.
    """

    call: str
    recording: str
    why: str
    seconds: float
    octets: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingErased:
    """The file is gone; `why` is consent_withdrawn, or the reason of an operator."""

    recording: str
    why: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRung:
    """A person's phone rings for the caller; `who` is their name in the policy."""

    call: str
    leg: str
    who: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleMissed:
    """The person did not take the caller; `outcome` is one of policy/people.py.

    `cause` is Q.850's, `status` the SIP answer, as Asterisk tells them; 0 if it does not.
    """

    call: str
    leg: str
    who: str
    outcome: str
    cause: int = 0
    status: int = 0


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleAnswered:
    """The person took the caller, by their key: the two talk, and we hear nothing of it."""

    call: str
    leg: str
    who: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleParted:
    """The two talk no more; `by` is who ended it: caller, person, or lost if nobody knows."""

    call: str
    leg: str
    by: str
    seconds: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDialled:
    """The person's phone rings, because they asked for it; `attempt` counts from 1."""

    callback: str
    call: str
    attempt: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackMissed:
    """The attempt did not reach the person; fields as of `PeopleMissed`."""

    callback: str
    call: str
    attempt: int
    outcome: str
    cause: int = 0
    status: int = 0


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPostponed:
    """It will be tried at `due` (UTC microseconds), not now; `reason` is a word of the policy."""

    callback: str
    due: int
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackReached:
    """The person is on the line and said so: the conversation goes on, the promise is kept."""

    callback: str
    call: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEnded:
    """It will not be tried any more: given up by the policy, or taken back by somebody."""

    callback: str
    reason: str
    by: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeft:
    """The call went back to the dialplan; `exit` is SEGUE_EXIT there."""

    call: str
    exit: str
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over for us; statistics are those of the audio."""

    call: str
    cause: str
    statistics: dict[str, int]


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffRecorded:
    """A hand-off record was made and promised to its first route."""

    handoff: str
    route: str
    record: dict[str, Any] = field(metadata=_RECORDS)


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffAcknowledged:
    """The receiver has the record."""

    handoff: str
    route: str
    receipt: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffDelayed:
    """A route failed; it will be tried again."""

    handoff: str
    route: str
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffEscalated:
    """No route took the record: a person must look."""

    handoff: str
    reason: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTexted:
    """A code was texted; the log has no more of it than a keyed digest."""

    challenge: str
    what: str
    digest: str
    until: int
    tries: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeWrong:
    """Somebody gave another code than the one that was texted."""

    challenge: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProved:
    """The person proved something of themselves; `origin` is the conversation it was proved in."""

    what: str
    how: str
    level: int
    at: int
    until: int
    challenge: str | None = None
    origin: str | None = None


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEnded:
    """What was proved until then counts no longer."""

    what: str
    reason: str
    at: int


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceStated:
    """A language, a channel or hours that the person prefers; `origin` as of a proof."""

    what: str
    value: str = field(metadata=_IDENTITY)
    at: int
    by: str
    origin: str | None = None


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectsJoined:
    """This stream's subject and another are one person; the same event stands in both streams."""

    join: str
    other: str
    reason: str
    by: str


@_event(1)
@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectsParted:
    """A join of this stream's subject with another is undone."""

    join: str
    other: str
    reason: str
    by: str


Event = (
    ConversationOpened
    | CallReceived
    | CallAnswered
    | DisclosurePlayed
    | AgentSpoke
    | PromptInterrupted
    | CallerSpoke
    | KeyPressed
    | CallerSilent
    | HearingLost
    | HearingBack
    | AudioMissing
    | CallResumed
    | DecisionMade
    | LanguageChosen
    | DeliveryChosen
    | WaitGranted
    | AnswerHeard
    | AnswerConfirmed
    | ConsentGiven
    | ConsentRefused
    | ChoiceMade
    | TextPromised
    | TextSubmitted
    | TextDelayed
    | TextRefused
    | TextSightLost
    | TextResent
    | TextExpired
    | TextBlocked
    | TextCancelled
    | ReceiptReceived
    | ReceiptOverdue
    | TextReceived
    | OptedOut
    | OptOutRepeated
    | OptedIn
    | HelpAsked
    | RevocationHeard
    | CallBackRequested
    | PeopleRung
    | PeopleMissed
    | PeopleAnswered
    | PeopleParted
    | CallbackDialled
    | CallbackMissed
    | CallbackPostponed
    | CallbackReached
    | CallbackEnded
    | RecordingStarted
    | RecordingPaused
    | RecordingResumed
    | RecordingEnded
    | RecordingErased
    | CallLeft
    | CallEnded
    | HandoffRecorded
    | HandoffAcknowledged
    | HandoffDelayed
    | HandoffEscalated
    | CodeTexted
    | CodeWrong
    | IdentityProved
    | ProofEnded
    | PreferenceStated
    | SubjectsJoined
    | SubjectsParted
    | Unrecognised
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event as it stands in the log."""

    id: str
    stream: str
    sequence: int  # 1, 2, 3, … in its stream
    at: int  # UTC microseconds, the store's clock
    actor: str  # who wrote it: a room of ours
    cause: str | None  # the id of the event that led to it
    event: Event
