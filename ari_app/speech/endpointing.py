"""Pure. Decides when the caller has started to speak, and when their turn has ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FRAME = 0.02  # seconds of audio in one call of `voice`

# A pause inside what may be a click or a cough: after it, earlier voice no longer counts.
_APART = 0.2

# A word is recognised at most so long after it was said (Vosk decodes 0.24 s at a time).
_RECOGNISER_LAG = 0.5


@dataclass(frozen=True, slots=True)
class Profile:
    """What to wait for after a question; all in seconds."""

    silence: float  # after speech, once a word has been recognised
    unsure: float  # after speech, while none has: longer
    longest: float  # of a turn, from its first voice
    wordless: float  # of a turn without a word: it is noise
    shortest: float = 0.06  # of voice: less is a click

    def __post_init__(self) -> None:
        if not 0 < self.silence <= self.unsure:
            raise ValueError("a profile must wait at least as long while it is unsure")
        if not 0 <= self.shortest < min(self.wordless, self.longest):
            raise ValueError("a profile's turn must be longer than a click")


YES_NO = Profile(silence=0.35, unsure=0.8, longest=8.0, wordless=4.0)
OPEN = Profile(silence=0.55, unsure=1.0, longest=20.0, wordless=5.0)
DIGITS = Profile(silence=0.9, unsure=1.3, longest=25.0, wordless=5.0)


class Ending(Enum):
    """Why a turn has ended."""

    SILENCE = "silence"  # the caller waits for us
    TOO_LONG = "too_long"  # the caller still speaks; what follows is a new turn
    NO_WORDS = "no_words"  # a noise: not meant for us


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller speaks: a prompt should stop."""

    at: float  # when it was decided
    speech_started_at: float


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The caller's turn is over: finish the recogniser."""

    at: float  # when it was decided
    speech_started_at: float
    speech_ended_at: float
    reason: Ending


Decision = SpeechStarted | EndOfTurn


class Endpointer:
    """Told of every frame and every partial text; each call may return one decision.

    `now` is monotonic, in seconds; a time before the last one counts as the last one. After a
    SpeechStarted there is exactly one EndOfTurn, and so on. Frames may be missing: poll() ends a
    turn all the same. `profile` may be changed at any time and holds from the next call on.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._now = 0.0
        self._voiced = 0.0  # seconds of voice in this turn
        self._first = 0.0  # when its first frame began
        self._last = 0.0  # when its last voice ended
        self._ended = -_RECOGNISER_LAG  # when the last turn was ended
        self._text = ""
        self._speaking = False
        self._deaf = False  # a noise goes on: only a pause or a word makes it speech again

    @property
    def speaking(self) -> bool:
        """Whether a turn is going on."""
        return self._speaking

    def voice(self, is_speech: bool, now: float) -> Decision | None:
        """The 20 ms that end at `now` are, or are not, speech."""
        now = self._advance(now)
        ended = self._over(now)
        if ended is not None:
            # The frame came after the end, however late: it opens the next turn.
            if is_speech:
                self._count(now)
            return ended
        if is_speech:
            self._count(now)
        return self._started(now)

    def partial(self, text: str, now: float) -> Decision | None:
        """The words of the turn so far, as the recogniser has them."""
        now = self._advance(now)
        ended = self._over(now)
        if ended is not None:
            return ended
        if not self._speaking and now - _RECOGNISER_LAG < self._ended:
            # Words of the turn that is over, on their way when it ended: not a new turn.
            return None
        if text and text != self._text:
            self._text = text
            self._deaf = False
            heard = max(now - _RECOGNISER_LAG, self._last)
            if not self._speaking and (not self._voiced or heard - self._last > _APART):
                self._first = heard
            # Words count as voice even where the line was too quiet to show any.
            self._last = heard
            self._voiced = max(self._voiced, self.profile.shortest, FRAME)
        return self._started(now)

    def poll(self, now: float) -> Decision | None:
        """Nothing new but the time."""
        return self._over(self._advance(now))

    # -- inside --

    def _advance(self, now: float) -> float:
        self._now = max(self._now, now)
        return self._now

    def _count(self, now: float) -> None:
        """One more frame of voice."""
        if not self._speaking and now - FRAME - self._last > _APART:
            self._voiced = 0.0
            self._deaf = False
        if self._deaf:
            self._last = now
            return
        if not self._voiced:
            self._first = now - FRAME
        self._voiced += FRAME
        self._last = now

    def _started(self, now: float) -> SpeechStarted | None:
        if self._speaking or not self._voiced or self._voiced < self.profile.shortest - 1e-9:
            return None
        self._speaking = True
        return SpeechStarted(now, self._first)

    def _over(self, now: float) -> EndOfTurn | None:
        if not self._speaking:
            return None
        wait = self.profile.silence if self._text else self.profile.unsure
        length = now - self._first
        if now - self._last >= wait:
            reason = Ending.SILENCE
        elif length >= self.profile.longest:
            reason = Ending.TOO_LONG
        elif not self._text and length >= self.profile.wordless:
            reason = Ending.NO_WORDS
        else:
            return None
        ended = EndOfTurn(now, self._first, self._last, reason)
        self._voiced, self._text, self._speaking, self._ended = 0.0, "", False, now
        self._deaf = reason is Ending.NO_WORDS
        return ended
