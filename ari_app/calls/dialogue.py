"""Who may speak now: turn-taking of one call as a pure machine over signals and `now`.

A prompt is a row of segments. The caller may talk over a segment that is interruptible, and stops
it in two steps: a voice pauses it, words confirm that (a cough has none), and without them it goes
on as soon as the caller is quiet. A key always stops it. What is said during a segment that must be
heard in full is kept, and taken as the answer when the segment is over. Nothing new begins while
the caller speaks; but a line that is never quiet delays us a few times only, then words alone
count. When nothing is said for `no_input` seconds after a question, silence itself is the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

S = TypeVar("S")

# The recogniser is later than the ear for voice: words without a voice after so long are words
# of speech that has ended already. Half of that is a tick of the session.
_LATE = 0.3

# Seconds for which a voice without words keeps us quiet: the recogniser needs less than one.
_MOST_WAIT = 2.0
_MOST_FALSE = 3  # voices without words, one after the other, that keep us quiet


class Phase(Enum):
    """Whose turn it is."""

    SPEAKING = "speaking"  #: a prompt is played
    PAUSED = "paused"  #: it waits for what the caller may want to say
    HELD = "held"  #: its next segment waits until the caller is quiet
    LISTENING = "listening"  #: the caller's turn
    THINKING = "thinking"  #: the turn is over and being decided
    OVER = "over"  #: the last prompt has been played: the call leaves


@dataclass(frozen=True, slots=True)
class Play(Generic[S]):
    """Start this segment now."""

    segment: S


@dataclass(frozen=True, slots=True)
class Pause(Generic[S]):
    """Silence the segment for now; a Resume or a Stop follows."""

    segment: S


@dataclass(frozen=True, slots=True)
class Resume(Generic[S]):
    """Go on with the segment: it was no more than a noise."""

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
    BEGUN = "begun"  #: a prompt that was held has begun
    AGREED = "agreed"  #: write what was said, which was no turn


Step: TypeAlias = Play[S] | Pause[S] | Resume[S] | Stop[S] | Signal


class Dialogue(Generic[S]):
    """`S` is a segment of a prompt; the machine only keeps their order."""

    def __init__(self, no_input: float) -> None:
        self._no_input = no_input
        self._patience = 0.0
        self._segments: list[tuple[S, bool]] = []
        self._leave = False
        self._first = False  # whether nothing of the prompt was played yet
        self._speech = False  # the caller is speaking now
        self._ended = False  # ... and has ended while a prompt was running
        self._words = False  # words were understood since the last turn
        self._false = 0  # voices without words since the last words
        self._until = 0.0  # when we have been paused or held for long enough
        self._deadline: float | None = None
        self.phase = Phase.THINKING

    def say(
        self,
        segments: Sequence[tuple[S, bool]],
        now: float,
        *,
        leave: bool,
        patience: float = 0.0,
    ) -> list[Step[S]]:
        """Speak these (segment, interruptible) in order, then listen, or leave.

        Silence is no answer for `patience` seconds more than usual.
        """
        self._patience = patience
        stopped = self._stopped() if self.phase is Phase.PAUSED else []
        self._segments = list(segments)
        self._leave, self._first = leave, True
        self._ended = self._words = False
        return [*stopped, *self._next(now)]

    def segment_ended(self, now: float) -> list[Step[S]]:
        """The running segment has been heard in full."""
        if self.phase is not Phase.SPEAKING:
            return []
        self._segments = self._segments[1:]
        self._first = False
        return self._next(now)

    def speech_started(self, now: float) -> list[Step[S]]:
        """Voice activity began, also after a pause."""
        self._speech = True
        self._ended = False
        if self.phase is not Phase.SPEAKING or not self._interruptible or not self._patient:
            return []
        self.phase = Phase.PAUSED
        self._until = now + _MOST_WAIT
        return [Pause(self._segments[0][0])]

    def words(self, now: float) -> list[Step[S]]:
        """The recogniser understands at least one word that is meant for us."""
        self._words = True
        self._false = 0
        self._ended = not self._speech
        # A goodbye is not a question: it is spoken to its end.
        if self.phase in (Phase.SPEAKING, Phase.PAUSED, Phase.HELD) and self._interruptible:
            stopped = self._stopped()
            self._segments = []
            self._deadline = now + _LATE
            self.phase = Phase.LISTENING
            return [*stopped, Signal.LISTEN]
        return []

    def quiet(self, now: float) -> list[Step[S]]:
        """The caller is quiet, and what they said was no word that is meant for us."""
        if self.phase in (Phase.PAUSED, Phase.HELD):
            return self._go_on(now)
        return []

    def speech_ended(self, now: float) -> list[Step[S]]:
        """The endpointer says that the caller's turn is over."""
        self._speech = False
        if self.phase is Phase.LISTENING:
            self.phase = Phase.THINKING
            return [Signal.TAKE_WORDS]
        self._ended = self._words
        return self.quiet(now)

    def nothing_said(self, now: float) -> list[Signal]:
        """The utterance had no words after all: go on listening as if it had not been."""
        if self.phase is not Phase.THINKING:
            return []
        self.phase = Phase.LISTENING
        self._words = False
        if self._deadline is None:
            self._deadline = now + self._no_input + self._patience
        return []

    def key(self) -> list[Stop[S]]:
        """A key, where `takes_keys`: whatever is spoken stops, and the key is the turn."""
        stopped = self._stopped()
        self._segments = []
        self._false = 0
        # Who presses a key has said enough, and wants to hear what follows.
        self._speech = self._ended = self._words = False
        self.phase = Phase.THINKING
        return stopped

    def digit(self, now: float) -> list[Stop[S]]:
        """One key of several: whatever is spoken stops, and the others are waited for."""
        stopped = self.key()
        self._deadline = now + self._no_input
        self.phase = Phase.LISTENING
        return stopped

    def deaf(self, now: float) -> list[Step[S]]:
        """Nothing will be heard any more: nobody speaks, as far as we know."""
        self._speech = self._ended = self._words = False
        return self.quiet(now)

    @property
    def takes_keys(self) -> bool:
        """Whether a key can still change anything."""
        return not self._leave and self.phase is not Phase.OVER

    @property
    def must_be_heard(self) -> bool:
        """Whether we have nothing else to say now: a disclosure runs, or goodbye is said."""
        running = self.phase in (Phase.SPEAKING, Phase.PAUSED, Phase.HELD)
        return self._leave or (running and not self._segments[0][1])

    @property
    def explains(self) -> bool:
        """Whether what is said has not come to its question yet: "okay" is no answer to it."""
        return self.phase in (Phase.SPEAKING, Phase.PAUSED, Phase.HELD) and len(self._segments) > 1

    def tick(self, now: float) -> list[Step[S]]:
        """Time passes; call it several times a second."""
        if self.phase in (Phase.PAUSED, Phase.HELD) and now >= self._until:
            return self._go_on(now)
        waiting = self.phase is Phase.LISTENING and not self._speech
        if waiting and self._deadline is not None and now >= self._deadline:
            self.phase = Phase.THINKING
            self._deadline = None
            return [Signal.TAKE_WORDS if self._words else Signal.TAKE_SILENCE]
        return []

    # -- inside --

    @property
    def _interruptible(self) -> bool:
        return self._segments[0][1] and not self._leave

    @property
    def _patient(self) -> bool:
        """Whether a voice alone may still keep us quiet."""
        return self._false < _MOST_FALSE

    def _stopped(self) -> list[Stop[S]]:
        """What is played or paused stops; what is held has not begun."""
        running = self.phase in (Phase.SPEAKING, Phase.PAUSED)
        return [Stop(self._segments[0][0])] if running else []

    def _go_on(self, now: float) -> list[Step[S]]:
        """Nobody speaks, or nobody who could be understood."""
        self._false += 1
        if self.phase is Phase.HELD:
            return [*self._play(), *([Signal.BEGUN] if self._first else [])]
        self.phase = Phase.SPEAKING
        return [Resume(self._segments[0][0])]

    def _play(self) -> list[Step[S]]:
        self.phase = Phase.SPEAKING
        return [Play(self._segments[0][0])]

    def _next(self, now: float) -> list[Step[S]]:
        if self._segments:
            if self._speech and self._patient:
                self.phase = Phase.HELD
                self._until = now + _MOST_WAIT
                return []
            return self._play()
        if self._leave:
            self.phase = Phase.OVER
            return [Signal.LEAVE]
        self.phase = Phase.LISTENING
        self._deadline = now + self._no_input + self._patience
        if self._ended:
            self.phase = Phase.THINKING
            return [Signal.LISTEN, Signal.TAKE_WORDS]
        return [Signal.LISTEN]
