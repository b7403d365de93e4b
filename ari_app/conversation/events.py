"""What can have happened: past-tense facts, one registry, one envelope."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ari_app.conversation.upcast import newest

# What belongs to a person is sealed and erased by itself; the mark is its data class, which
# retention counts its days by.
_IDENTITY: Mapping[str, Any] = {"personal": "identity"}
_WORDS: Mapping[str, Any] = {"personal": "words"}
_TEXTS: Mapping[str, Any] = {"personal": "texts"}
_RECORDS: Mapping[str, Any] = {"personal": "records"}

_E = TypeVar("_E")
REGISTRY: dict[tuple[str, int], type[Any]] = {}


def _name(cls: type[Any]) -> str:
    """`CallAnswered` is `call.answered`, `TextSightLost` is `text.sight_lost`."""
    first, *rest = re.findall(r"[A-Z][a-z0-9]*", cls.__name__)
    return f"{first.lower()}.{'_'.join(rest).lower()}"


def _event(version: int) -> Callable[[type[_E]], type[_E]]:
    def register(cls: type[_E]) -> type[_E]:
        REGISTRY[_name(cls), version] = cls
        return cls

    return register


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
    """One turn of the caller; words are (text, start s, end s, confidence)."""

    call: str
    text: str = field(metadata=_WORDS)
    words: tuple[tuple[str, float, float, float], ...] = field(metadata=_WORDS)
    confidence: float
    endpoint_ms: int


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
    """A text will be sent; the promise is in the outbox by the same transaction."""

    message: str
    template: str
    to: str = field(metadata=_IDENTITY)
    body: str = field(metadata=_TEXTS)


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
    """Nobody knows whether the carrier took it; it is not sent again by itself."""

    message: str
    reason: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """An event of a newer version of this program: carried, not understood."""

    name: str
    version: int
    payload: dict[str, Any]


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
    | DecisionMade
    | ConsentGiven
    | ConsentRefused
    | ChoiceMade
    | TextPromised
    | TextSubmitted
    | TextDelayed
    | TextRefused
    | TextSightLost
    | ReceiptReceived
    | ReceiptOverdue
    | TextReceived
    | CallLeft
    | CallEnded
    | HandoffRecorded
    | HandoffAcknowledged
    | HandoffDelayed
    | HandoffEscalated
    | Unrecognised
)

_NAMES: dict[type[Any], tuple[str, int]] = {cls: key for key, cls in REGISTRY.items()}


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


def name_of(event: Event) -> tuple[str, int]:
    """The name and version under which the event is stored."""
    if isinstance(event, Unrecognised):
        return event.name, event.version
    return _NAMES[type(event)]


def to_payload(event: Event) -> dict[str, Any]:
    """The event's fields, JSON-ready."""
    if isinstance(event, Unrecognised):
        return event.payload
    return {f.name: getattr(event, f.name) for f in fields(event)}


def from_payload(name: str, version: int, payload: dict[str, Any]) -> Event:
    """The event that was stored; Unrecognised if it comes from a newer program."""
    cls = REGISTRY.get((name, version))
    if cls is None:
        name, version, payload = newest(name, version, payload)
        cls = REGISTRY.get((name, version))
    if cls is None:
        return Unrecognised(name=name, version=version, payload=payload)
    if lists := _LISTS[cls]:
        payload = payload | {key: _frozen(payload[key]) for key in lists if key in payload}
    event: Event = cls(**payload)
    return event


def _frozen(value: Any) -> Any:
    """JSON has no tuples."""
    return tuple([_frozen(v) for v in value]) if isinstance(value, list) else value


def _may_hold_lists(hint: Any) -> bool:
    return get_origin(hint) is tuple or any(map(_may_hold_lists, get_args(hint)))


# Looked up once: most events hold no lists, and every event of the log is read through here.
_LISTS: dict[type[Any], tuple[str, ...]] = {
    cls: tuple(name for name, hint in get_type_hints(cls).items() if _may_hold_lists(hint))
    for cls in REGISTRY.values()
}


def _erased(hint: Any) -> Any:
    """What a field is read as once its key has been shredded."""
    if type(None) in get_args(hint):
        return None
    return {str: "[erased]", tuple: [], dict: {}}[get_origin(hint) or hint]


#: By name and version: each personal field, its data class, and how it is read when erased.
PERSONAL_FIELDS: dict[tuple[str, int], tuple[tuple[str, str, Any], ...]] = {
    key: tuple(
        (f.name, f.metadata["personal"], _erased(get_type_hints(cls)[f.name]))
        for f in fields(cls)
        if f.metadata.get("personal")
    )
    for key, cls in REGISTRY.items()
}
