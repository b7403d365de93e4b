"""The answer to what a caller seems to have said, worked out before their turn is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ari_app.agent.turn import Agent, Heard, Spoken, Turn
from ari_app.conversation.events import CallerSpoke
from ari_app.conversation.state import Conversation, apply
from ari_app.errors import VoiceUnavailable
from ari_app.ports import Meter


@dataclass(frozen=True, slots=True)
class _Thought:
    """A turn, and what it was worked out from."""

    sequence: int
    heard: Heard
    turn: Turn


class Speculation:
    """Nothing of it is spoken, sent or stored, unless exactly that was said after all."""

    def __init__(
        self, agent: Agent, prepare: Callable[[Spoken], Awaitable[object]], meter: Meter
    ) -> None:
        """`prepare` makes a prompt's audio, so that it is there when it is asked for again."""
        self._agent = agent
        self._prepare = prepare
        self._meter = meter
        self._thought: _Thought | None = None
        self._preparing: asyncio.Task[None] | None = None

    def think(self, stream: str, state: Conversation, heard: Heard) -> None:
        """Decide as if these words were the turn, and make the audio of the first prompt."""
        thought = self._thought
        if thought and (thought.sequence, thought.heard) == (state.sequence + 1, heard):
            return
        self.drop()
        spoke = CallerSpoke(
            call="",
            text=heard.text,
            words=(),
            confidence=round(heard.confidence, 4),
            endpoint_ms=0,
            evidence=dict(heard.evidence),
        )
        after = replace(apply(state, spoke), sequence=state.sequence + 1)
        turn = self._agent.take_turn(stream, after, heard)
        self._thought = _Thought(after.sequence, heard, turn)
        self._preparing = asyncio.create_task(self._make(turn), name="a prompt ahead of its turn")

    async def take(self, state: Conversation, heard: Heard) -> Turn | None:
        """The turn, if this was heard in this state and by this policy; its audio is there then."""
        thought = self._thought
        if (
            thought is None
            or (thought.sequence, thought.heard) != (state.sequence, heard)
            or thought.turn.decision.bundle not in self._agent.hashes
        ):
            self.drop()
            return None
        self._thought = None
        self._meter.count("segue_speculations_total", result="used")
        if self._preparing is not None:
            await self._preparing
        return thought.turn

    def drop(self) -> None:
        """It was not what the caller wanted to say."""
        if self._thought is not None:
            self._thought = None
            self._meter.count("segue_speculations_total", result="dropped")
        if self._preparing is not None:
            self._preparing.cancel()

    async def aclose(self) -> None:
        """Think no more."""
        self.drop()
        if self._preparing is not None:
            await asyncio.gather(self._preparing, return_exceptions=True)

    async def _make(self, turn: Turn) -> None:
        # Whoever wants to speak it is told what is wrong.
        with contextlib.suppress(VoiceUnavailable):
            for spoken in turn.speech[:1]:
                await self._prepare(spoken)
