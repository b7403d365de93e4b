"""Who may speak now: turn-taking of one call as a pure machine over signals and `now`.

A prompt is a row of segments. The caller may talk over a segment that is interruptible: words
stop it (a cough has none), a key always does. What is said during a segment that must be heard
in full is kept, and taken as the answer when the segment is over. When nothing is said for
`no_input` seconds after a question, silence itself is the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S")

# The recogniser is later than the ear for voice: words without a voice after so long are words
# of speech that has ended already. Half of that is a tick of the session.
_LATE = 0.3


class Phase(Enum):
    """Whose turn it is."""

    SPEAKING = "speaking"  #: a prompt is played
    LISTENING = "listening"  #: the caller's turn
    THINKING = "thinking"  #: the turn is over and being decided
    OVER = "over"  #: the last prompt has been played: the call leaves


@dataclass(frozen=True, slots=True)
class Play(Generic[S]):
    """Start this segment now."""

    segment: S


@dataclass(frozen=True, slots=True)
class Stop(Generic[S]):
    """Silence the segment: the caller spoke over it."""

    segment: S


class Signal(Enum):
    """What the session must do next."""

    TAKE_WORDS = "take_words"  #: finish the utterance and decide
    TAKE_SILENCE = "take_silence"  #: nothing was said: decide
    LISTEN = "listen"  #: the question has been asked: the answer may come
    LEAVE = "leave"  #: all has been said


class Dialogue(Generic[S]):
    """`S` is a segment of a prompt; the machine only keeps their order."""

    def __init__(self, no_input: float) -> None:
        self._no_input = no_input
        self._segments: list[tuple[S, bool]] = []
        self._leave = False
        self._speech = False  # the caller is speaking now
        self._ended = False  # ... and has ended while a prompt was running
        self._words = False  # words were understood since the last turn
        self._deadline: float | None = None
        self.phase = Phase.THINKING

    def say(
        self, segments: Sequence[tuple[S, bool]], now: float, *, leave: bool
    ) -> list[Play[S] | Signal]:
        """Speak these (segment, interruptible) in order, then listen, or leave."""
        self._segments = list(segments)
        self._leave = leave
        self._ended = self._words = False
        self.phase = Phase.SPEAKING
        return self._next(now)

    def segment_ended(self, now: float) -> list[Play[S] | Signal]:
        """The running segment has been heard in full."""
        if self.phase is not Phase.SPEAKING:
            return []
        self._segments = self._segments[1:]
        return self._next(now)

    def speech_started(self) -> None:
        """Voice activity began."""
        self._speech = True
        self._ended = False

    def words(self, now: float) -> list[Stop[S] | Signal]:
        """The recogniser understands at least one word."""
        self._words = True
        self._ended = not self._speech
        # A goodbye is not a question: it is spoken to its end.
        if self.phase is Phase.SPEAKING and self._segments[0][1] and not self._leave:
            segment = self._segments[0][0]
            self._segments = []
            self._deadline = now + _LATE
            self.phase = Phase.LISTENING
            return [Stop(segment), Signal.LISTEN]
        return []

    def speech_ended(self) -> list[Signal]:
        """The endpointer says that the caller's turn is over."""
        self._speech = False
        if self.phase is Phase.LISTENING:
            self.phase = Phase.THINKING
            return [Signal.TAKE_WORDS]
        self._ended = self._words
        return []

    def nothing_said(self, now: float) -> list[Signal]:
        """The utterance had no words after all: go on listening as if it had not been."""
        if self.phase is not Phase.THINKING:
            return []
        self.phase = Phase.LISTENING
        self._words = False
        if self._deadline is None:
            self._deadline = now + self._no_input
        return []

    def key(self) -> list[Stop[S]]:
        """A key, where `takes_keys`: whatever is spoken stops, and the key is the turn."""
        stopped = [Stop(s) for s, _ in self._segments[:1] if self.phase is Phase.SPEAKING]
        self._segments = []
        self.phase = Phase.THINKING
        return stopped

    def digit(self, now: float) -> list[Stop[S]]:
        """One key of several: whatever is spoken stops, and the others are waited for."""
        stopped = self.key()
        self._deadline = now + self._no_input
        self.phase = Phase.LISTENING
        return stopped

    def deaf(self) -> None:
        """Nothing will be heard any more: nobody speaks, as far as we know."""
        self._speech = self._ended = self._words = False

    @property
    def takes_keys(self) -> bool:
        """Whether a key can still change anything."""
        return not self._leave and self.phase is not Phase.OVER

    @property
    def must_be_heard(self) -> bool:
        """Whether we have nothing else to say now: a disclosure runs, or goodbye is said."""
        return self._leave or (self.phase is Phase.SPEAKING and not self._segments[0][1])

    def tick(self, now: float) -> list[Signal]:
        """Time passes; call it several times a second."""
        waiting = self.phase is Phase.LISTENING and not self._speech
        if waiting and self._deadline is not None and now >= self._deadline:
            self.phase = Phase.THINKING
            self._deadline = None
            return [Signal.TAKE_WORDS if self._words else Signal.TAKE_SILENCE]
        return []

    def _next(self, now: float) -> list[Play[S] | Signal]:
        if self._segments:
            return [Play(self._segments[0][0])]
        if self._leave:
            self.phase = Phase.OVER
            return [Signal.LEAVE]
        self.phase = Phase.LISTENING
        self._deadline = now + self._no_input
        if self._ended:
            self.phase = Phase.THINKING
            return [Signal.LISTEN, Signal.TAKE_WORDS]
        return [Signal.LISTEN]
