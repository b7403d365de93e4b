"""Pure. Decides when the caller has started to speak, and when their turn has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ari_app.understanding.completeness import Standing

FRAME = 0.02  # seconds of audio in one call of `voice`

# A pause inside what may be a click or a cough: after it, earlier voice no longer counts.
_APART = 0.2

# A word is recognised at most so long after it was said (Vosk decodes 0.24 s at a time).
_RECOGNISER_LAG = 0.5


@dataclass(frozen=True, slots=True)
class Profile:
    """What to wait for after a question; all in seconds.

    Silence is measured from the last voice. How long it must be depends on what the words so far
    are worth: a whole answer needs no patience, half a sentence much.
    """

    whole: float  # when it seems over; the least that is ever waited
    silence: float  # when it may be over
    unfinished: float  # when more seems to come
    midway: float  # the most that is ever waited
    unsure: float  # while no word is known
    longest: float  # of a turn, from its first voice
    wordless: float  # of a turn without a word: it is noise
    shortest: float = 0.04  # of voice, which proves itself before it counts: less is none
    hush: float = 0.12  # until it is worth to ask what was said

    def __post_init__(self) -> None:
        least = min(self.unfinished, self.unsure)
        if not 0 < self.hush <= self.whole <= self.silence <= least or self.midway < least:
            raise ValueError("a profile must wait at least as long while it is less sure")
        if not 0 <= self.shortest < min(self.wordless, self.longest):
            raise ValueError("a profile's turn must be longer than a click")


YES_NO = Profile(0.22, 0.4, 0.7, 1.7, unsure=0.8, longest=8.0, wordless=4.0)
OPEN = Profile(0.22, 0.55, 0.8, 1.7, unsure=0.9, longest=20.0, wordless=5.0)
DIGITS = Profile(0.22, 0.45, 0.9, 1.7, unsure=1.0, longest=25.0, wordless=5.0)
DATE = Profile(0.22, 0.45, 0.8, 1.7, unsure=0.9, longest=15.0, wordless=5.0)


class Ending(Enum):
    """Why a turn has ended."""

    SILENCE = "silence"  # the caller waits for us
    TOO_LONG = "too_long"  # the caller still speaks; what follows is a new turn
    NO_WORDS = "no_words"  # a noise: not meant for us


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller speaks: a prompt should pause."""

    at: float  # when it was decided
    speech_started_at: float


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """The caller is quiet: ask what was said, it may be all."""

    at: float
    quiet: float  # seconds since the last voice


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The caller goes on after a pause: what was begun meanwhile should pause again."""

    at: float


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The caller's turn is over: take the words."""

    at: float  # when it was decided
    speech_started_at: float
    speech_ended_at: float
    reason: Ending


Decision = SpeechStarted | SpeechPaused | SpeechResumed | EndOfTurn
Judge = Callable[[str], Standing]


class Endpointer:
    """Told of every frame and of all words; each call may return one decision.

    `now` is monotonic, in seconds; a time before the last one counts as the last one. After a
    SpeechStarted there is exactly one EndOfTurn, and so on; between them a SpeechPaused for each
    pause, and a SpeechResumed if it was no more. Frames may be missing: poll() ends a turn all the
    same. What is expected may change at any time and holds from the next call on.
    """

    def __init__(self, profile: Profile, judge: Judge) -> None:
        """`judge` says what words are worth as an answer to the open question."""
        self._profile = profile
        self._judge = judge
        self._now = 0.0
        self._voiced = 0.0  # seconds of voice in this turn
        self._first = 0.0  # when its first frame began
        self._last = 0.0  # when its last voice ended
        self._ended = -_RECOGNISER_LAG  # when the last turn was ended
        self._said = ""  # the words of its finished pieces
        self._text = ""  # ... and of the piece that goes on
        self._standing = Standing.NOTHING
        self._settled = False  # whether the text is all that was said until now
        self._changed = 0.0  # when the text changed
        self._asked = False  # whether this pause was told
        self._patience: float | None = None  # seconds: what was told of this pause asks for it
        self._again = 0.0  # seconds of voice after a pause
        self._resting = False  # whether the last that was told is a pause
        self._speaking = False
        self._deaf = False  # a noise goes on: only a pause or a word makes it speech again

    @property
    def speaking(self) -> bool:
        """Whether a turn is going on."""
        return self._speaking

    @property
    def voiced(self) -> float:
        """Seconds of voice in this turn."""
        return self._voiced

    def expect(self, profile: Profile, judge: Judge) -> None:
        """Another question is open."""
        self._profile, self._judge = profile, judge
        self._standing = judge(self._text)

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
        return self._started(now) or self._resumed(now) or self._paused(now)

    def partial(self, text: str, now: float) -> Decision | None:
        """The words of the piece that goes on, as the recogniser has them."""
        now = self._advance(now)
        ended = self._over(now)
        if ended is not None:
            return ended
        if not self._speaking and now - _RECOGNISER_LAG < self._ended:
            # Words of the turn that is over, on their way when it ended: not a new turn.
            return None
        words = " ".join([*self._said.split(), *text.split()])
        if text and words != self._text:
            self._read(words, now)
            self._settled = False
            self._deaf = False
            heard = max(now - _RECOGNISER_LAG, self._last)
            if not self._speaking and (not self._voiced or heard - self._last > _APART):
                self._first = heard
            # Words count as voice even where the line was too quiet to show any.
            self._last = heard
            self._voiced = max(self._voiced, self._profile.shortest, FRAME)
        return self._started(now)

    def piece(self, text: str, now: float, patience: float | None = None) -> Decision | None:
        """All words since the last piece or turn: the recogniser has finished with them.

        `patience` is the silence that ends the turn if this pause lasts so long; the profile
        bounds it. None: the words alone tell.
        """
        now = self._advance(now)
        if self._speaking:
            self._said = " ".join([*self._said.split(), *text.split()])
            self._read(self._said, now)
            # Voice that came since is in no piece yet.
            self._settled = self._asked
            self._patience = patience if self._settled else None
        return self._over(now)

    def poll(self, now: float) -> Decision | None:
        """Nothing new but the time."""
        now = self._advance(now)
        return self._over(now) or self._paused(now)

    # -- inside --

    def _advance(self, now: float) -> float:
        self._now = max(self._now, now)
        return self._now

    def _read(self, words: str, now: float) -> None:
        if words != self._text:
            self._text, self._changed = words, now
        self._standing = self._judge(words)

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
        self._again += FRAME
        self._asked = self._settled = False
        self._patience = None

    def _started(self, now: float) -> SpeechStarted | None:
        if self._speaking or not self._voiced or self._voiced < self._profile.shortest - 1e-9:
            return None
        self._speaking = True
        self._asked = self._resting = False
        return SpeechStarted(now, self._first)

    def _paused(self, now: float) -> SpeechPaused | None:
        if not self._speaking or self._asked or now - self._last < self._profile.hush - 1e-9:
            return None
        self._asked = self._resting = True
        self._again = 0.0
        return SpeechPaused(now, now - self._last)

    def _resumed(self, now: float) -> SpeechResumed | None:
        if not (self._speaking and self._resting) or self._again < self._profile.shortest - 1e-9:
            return None
        self._resting = False
        return SpeechResumed(now)

    def _wait(self, now: float) -> float:
        """The silence that ends the turn, for the words that are known."""
        if self._patience is not None:
            return min(max(self._patience, self._profile.whole), self._profile.midway)
        # A partial lags: only one that has not changed for long is all that was said.
        known = self._settled or now - self._changed >= _RECOGNISER_LAG
        if not self._text:
            return self._profile.unsure
        match self._standing if known else Standing.POSSIBLE:
            case Standing.WHOLE | Standing.COMPLETE:
                return self._profile.whole
            case Standing.UNFINISHED:
                return self._profile.unfinished
            case _:
                return self._profile.silence

    def _over(self, now: float) -> EndOfTurn | None:
        if not self._speaking:
            return None
        length = now - self._first
        if now - self._last >= self._wait(now) - 1e-9:
            reason = Ending.SILENCE
        elif length >= self._profile.longest:
            reason = Ending.TOO_LONG
        elif not self._text and length >= self._profile.wordless:
            reason = Ending.NO_WORDS
        else:
            return None
        ended = EndOfTurn(now, self._first, self._last, reason)
        self._voiced, self._speaking, self._ended = 0.0, False, now
        self._said = self._text = ""
        self._standing, self._settled = Standing.NOTHING, False
        self._deaf = reason is Ending.NO_WORDS
        return ended
