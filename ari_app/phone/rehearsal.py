"""Pure. What a call with certain words should lead to, by the policy alone: no call is made.

A synthetic call is compared with its rehearsal, and one that would send a text is known before it
is placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ari_app.agent.turn import Agent, Heard
from ari_app.conversation.events import (
    CallAnswered,
    CallerSpoke,
    CallReceived,
    ConversationOpened,
    DisclosurePlayed,
    Event,
    KeyPressed,
    TextPromised,
)
from ari_app.conversation.state import Conversation, apply

_KEYS = frozenset("0123456789*#")
_STREAM = "conv_rehearsal"
_CALL = "call_rehearsal"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one line of the caller should lead to."""

    line: str  # a sentence, or one key
    intent: str | None
    rule: str
    prompts: tuple[tuple[str, str], ...]  # name and text, in the order they are spoken
    texts: int  # text messages that are promised
    over: bool  # the call leaves: a goodbye, or to people

    @property
    def is_key(self) -> bool:
        """Whether the line is pressed and not said."""
        return is_key(self.line)


@dataclass(frozen=True, slots=True)
class Expected:
    """A whole call, as the policy would have it."""

    language: str
    disclosure: tuple[str, str]  # name and text of the prompt
    question: tuple[str, str]
    replies: tuple[Reply, ...]

    @property
    def texts(self) -> int:
        """All text messages that the call promises."""
        return sum(reply.texts for reply in self.replies)


def is_key(line: str) -> bool:
    """Whether a caller presses this instead of saying it."""
    return len(line) == 1 and line in _KEYS


def rehearse(agent: Agent, lines: Sequence[str], number: str, did: str) -> Expected:
    """What the agent does if it hears each line well; later lines are dropped once it is over.

    As the first conversation of `number` (E.164); whether a text can be sent is the agent's word.
    """
    disclosure, *_, question = agent.greeting()
    beginning: list[Event] = [
        ConversationOpened(channel="voice", did=did, language=agent.bundle.language, number=number),
        CallReceived(call=_CALL, channel="rehearsal", did=did),
        CallAnswered(call=_CALL),
        agent.open_question(),
        DisclosurePlayed(call=_CALL, prompt=disclosure.prompt, wording=agent.bundle.hash),
    ]
    state = Conversation()
    for event in beginning:
        state = apply(state, event)
    replies: list[Reply] = []
    for line in lines:
        state = apply(state, _observation(line))
        turn = agent.take_turn(_STREAM, state, Heard("voice", _by(line), line))
        for event in turn.events:
            state = apply(state, event)
        replies.append(
            Reply(
                line=line,
                intent=turn.decision.intent,
                rule=turn.decision.rule,
                prompts=tuple((spoken.prompt, spoken.text) for spoken in turn.speech),
                texts=sum(isinstance(event, TextPromised) for event in turn.events),
                over=turn.end or turn.people is not None,
            )
        )
        if replies[-1].over:
            break
    return Expected(
        language=agent.bundle.language,
        disclosure=(disclosure.prompt, disclosure.text),
        question=(question.prompt, question.text),
        replies=tuple(replies),
    )


def _by(line: str) -> str:
    return "key" if is_key(line) else "speech"


def _observation(line: str) -> Event:
    if is_key(line):
        return KeyPressed(call=_CALL, key=line)
    return CallerSpoke(call=_CALL, text=line, words=(), confidence=1.0, endpoint_ms=0)
