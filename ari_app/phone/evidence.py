"""Pure. What the log must say of a synthetic call, and what of it is missing."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.conversation.events import (
    AgentSpoke,
    CallAnswered,
    CallEnded,
    CallerSpoke,
    CallReceived,
    ConversationOpened,
    DecisionMade,
    DisclosurePlayed,
    Event,
    HandoffRecorded,
    HearingLost,
    KeyPressed,
    TextPromised,
)
from ari_app.phone.rehearsal import Expected, Reply
from ari_app.understanding.words import normalise


def is_complete(events: Sequence[Event]) -> bool:
    """Whether the call is over and handed on: no more of it will be written."""
    ended = any(isinstance(event, CallEnded) for event in events)
    return ended and any(isinstance(event, HandoffRecorded) for event in events)


def missing(events: Sequence[Event], expected: Expected, may_text: bool) -> list[str]:
    """Each fault as a part of a sentence, none of them with a caller's words; [] if all is well.

    A sentence counts as heard by its words, or by its intent.
    """
    faults = [
        f"no {what} event"
        for kind, what in (
            (ConversationOpened, "conversation.opened"),
            (CallReceived, "call.received"),
            (CallAnswered, "call.answered"),
            (DisclosurePlayed, "disclosure.played"),
            (CallEnded, "call.ended"),
            (HandoffRecorded, "handoff.recorded"),
        )
        if not any(isinstance(event, kind) for event in events)
    ]
    if any(isinstance(event, HearingLost) for event in events):
        faults.append("speech recognition was lost in the call (hearing.lost)")
    turns = _turns(events)
    for number, reply in enumerate(expected.replies, start=1):
        turn = turns[number - 1] if number <= len(turns) else []
        faults += [f"line {number}: {fault}" for fault in _faults_of_turn(turn, reply)]
    promised = sum(isinstance(event, TextPromised) for event in events)
    if promised and not may_text:
        faults.append("a text was promised, which this probe was not told to cause")
    elif promised < expected.texts:
        faults.append(f"{promised} of {expected.texts} texts were promised")
    return faults


def exactly(events: Sequence[Event], expected: Expected) -> bool:
    """Whether every sentence was heard word for word."""
    heard = [normalise(event.text) for event in events if isinstance(event, CallerSpoke)]
    said = [normalise(reply.line) for reply in expected.replies if not reply.is_key]
    return heard == said


def _turns(events: Sequence[Event]) -> list[list[Event]]:
    """What follows each line of the caller, that line first."""
    turns: list[list[Event]] = []
    for event in events:
        if isinstance(event, CallerSpoke | KeyPressed):
            turns.append([])
        if turns:
            turns[-1].append(event)
    return turns


def _faults_of_turn(turn: Sequence[Event], reply: Reply) -> list[str]:
    if not turn:
        return ["nothing of it was heard"]
    decision = next((event for event in turn if isinstance(event, DecisionMade)), None)
    faults = []
    match turn[0]:
        case KeyPressed(key=key) if not reply.is_key or key != reply.line:
            faults.append("another key, or a key instead of words, was heard")
        case CallerSpoke() if reply.is_key:
            faults.append("words were heard instead of a key")
        case CallerSpoke(text=text) if normalise(text) != normalise(reply.line):
            if decision is None or decision.intent != reply.intent:
                faults.append("other words with another meaning were heard")
        case _:
            pass
    if decision is None:
        return [*faults, "nothing was decided"]
    if not faults and decision.rule != reply.rule:
        faults.append(f"the rule {decision.rule} decided instead of {reply.rule}")
    spoken = tuple(event.prompt for event in turn if isinstance(event, AgentSpoke))
    wanted = tuple(prompt for prompt, _ in reply.prompts)
    if not faults and spoken != wanted:
        faults.append(f"the prompts {', '.join(spoken) or '(none)'} were started")
    return faults
