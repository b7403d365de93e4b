"""Pure. How to go on with a call of a worker that is gone, by what is in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ari_app.agent.turn import Spoken
from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallLeft,
    CallReceived,
    DecisionMade,
    DisclosurePlayed,
    Envelope,
    Event,
)
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import Bundle

#: Prompts of a bundle that say sorry for a silence of ours; the first that there is, is said.
_SORRY = ("again", "sorry")


class Course(Enum):
    """What becomes of the caller."""

    GREET = "greet"  #: from the beginning: who is speaking has not been heard in full
    ASK = "ask"  #: sorry, and the open question again
    LEAVE = "leave"  #: it was decided that the call ends: what was said last, then out
    CLOSED = "closed"  #: the log says that the call is over, or knows nothing of it


@dataclass(frozen=True, slots=True)
class Adoption:
    """How the call goes on."""

    course: Course
    answered: bool = True
    people: str | None = None  # LEAVE: the reason to give the call to people; None: it was done
    say: tuple[Spoken, ...] = ()  # LEAVE: what is said before


def adoption(events: Sequence[Envelope], call: str) -> Adoption:
    """What is to be done for the caller of this call; `events` are those of its conversation."""
    since = _since_received([envelope.event for envelope in events], call)
    if not since or any(isinstance(event, CallEnded | CallLeft) for event in since):
        return Adoption(Course.CLOSED)
    if not any(isinstance(event, CallAnswered) for event in since):
        return Adoption(Course.GREET, answered=False)
    leaving = _leaving(since)
    if leaving is not None:
        return leaving
    if not any(isinstance(event, DisclosurePlayed) for event in since):
        return Adoption(Course.GREET)
    return Adoption(Course.ASK)


def asked_again(
    bundle: Bundle, state: Conversation, before: Sequence[Spoken] | None = None
) -> tuple[Spoken, ...]:
    """Sorry, if the bundle has words for it (or what is said `before`), and the open question."""
    sorry = [Spoken(name, bundle.prompt(name)) for name in _SORRY if name in bundle.prompts][:1]
    first = sorry if before is None else before
    known = bundle.questions.get(state.question or "")
    question = known if known and known.prompt in bundle.prompts else None
    prompt = (question or bundle.questions[bundle.opening]).prompt
    return (*first, Spoken(prompt, bundle.prompt(prompt, state.misses)))


def open_question(bundle: Bundle, state: Conversation) -> str | None:
    """The question that `asked_again` asks, if it is in the log as the one that is open."""
    known = bundle.questions.get(state.question or "")
    return state.question if known and known.prompt in bundle.prompts else None


def _since_received(events: Sequence[Event], call: str) -> list[Event]:
    for at, event in enumerate(events):
        if isinstance(event, CallReceived) and event.call == call:
            return [e for e in events[at:] if getattr(e, "call", call) == call]
    return []


def _leaving(events: Sequence[Event]) -> Adoption | None:
    """If the last decision was to end the call, or to give it to people."""
    at = max((i for i, e in enumerate(events) if isinstance(e, DecisionMade)), default=None)
    if at is None:
        return None
    decision = events[at]
    assert isinstance(decision, DecisionMade)
    people = next(
        (a.removeprefix("people ") for a in decision.actions if a.startswith("people ")), None
    )
    if people is None and "end" not in decision.actions:
        return None
    said = tuple(Spoken(e.prompt, e.text) for e in events[at:] if isinstance(e, AgentSpoke))
    return Adoption(Course.LEAVE, people=people, say=said)
