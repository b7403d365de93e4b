"""Voice activity and endpointing of one call, together: the port `TurnDetector`."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from ari_app.ports import Expectation, TurnSign, Utterance
from ari_app.speech.endpointing import (
    DATE,
    DIGITS,
    OPEN,
    YES_NO,
    Decision,
    EndOfTurn,
    Endpointer,
    Judge,
    Profile,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)
from ari_app.speech.melody import Cadence, Pitch
from ari_app.speech.patience import Rest, wait
from ari_app.speech.vad import VoiceActivity
from ari_app.understanding.completeness import Standing, standing
from ari_app.understanding.words import digits

# Words come at most so long after the voice that said them, in seconds, and no word has less voice.
_NEAR = 1.2
_FEWEST = 5  # frames
_BACK = 25  # frames after which nothing that we played can come back as words


class Turns:
    """Feeds what a line hears to the endpointer; `pause` seconds end an answer to an open one."""

    def __init__(self, rate: int, pause: float) -> None:
        whole = min(OPEN.whole, pause)
        wide = replace(
            OPEN,
            hush=min(OPEN.hush, whole),
            whole=whole,
            silence=pause,
            unfinished=max(OPEN.unfinished, pause),
            midway=max(OPEN.midway, pause),
            unsure=max(OPEN.unsure, pause),
        )
        self._pause = pause / OPEN.silence
        self._profiles: dict[str, Profile] = {
            "open": wide,
            "yes_no": YES_NO,
            "digits": DIGITS,
            "date": DATE,
        }
        self._activity = VoiceActivity(rate)
        self._pitch = Pitch(rate)
        self._expectation = Expectation()
        self._endpointer = Endpointer(wide, _judge(self._expectation))
        self._cadence: Cadence | None = None  # of the voice before this pause
        self._said = Utterance("", ())  # the pieces of this turn
        self._speech_ended_at = 0.0
        self._voices: deque[float] = deque(maxlen=_FEWEST)  # when voice was heard last
        self._silent = _BACK  # frames since we played anything
        self._held: deque[TurnSign] = deque()

    @property
    def speech_ended_at(self) -> float:
        """See the port."""
        return self._speech_ended_at

    def expect(self, expectation: Expectation) -> None:
        """See the port; a profile that nobody knows is an open question."""
        self._expectation = expectation
        profile = self._profiles.get(expectation.profile, self._profiles["open"])
        self._endpointer.expect(profile, _judge(expectation))

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        """See the port."""
        self._pitch.heard(pcm)
        is_speech = self._activity.is_speech(pcm)
        if is_speech:
            self._voices.append(at)
        return self._next(self._endpointer.voice(is_speech, at))

    def played(self, pcm: bytes) -> None:
        """See the port."""
        self._silent = 0 if pcm else self._silent + 1
        self._activity.played(pcm)

    def near(self, now: float) -> bool:
        """See the port."""
        return len(self._voices) == _FEWEST and now - self._voices[0] <= _NEAR

    def partial(self, text: str, at: float) -> None:
        """See the port; what it decides is told with the next frame."""
        if self._silent >= _BACK or self.near(at):  # else they are of a noise, or of our own echo
            self._hold(self._endpointer.partial(text, at))

    def piece(self, said: Utterance, at: float) -> None:
        """See the port; what it decides is told with the next frame."""
        self._said = self._said.followed_by(said)
        patience = wait(self._rest(wordless=not said.words))
        if self._expectation.profile not in ("yes_no", "digits", "date"):
            patience *= self._pause
        self._hold(self._endpointer.piece(said.believed, at, patience))

    def _rest(self, *, wordless: bool) -> Rest:
        """This pause, with all that was said before it."""
        believed = self._said.believed
        doubted = bool(self._said.words) and not believed.endswith(self._said.words[-1].text)
        wanted = self._expectation.count if self._expectation.profile == "digits" else 0
        return Rest(
            self._expectation.profile,
            _judge(self._expectation)(believed),
            doubted,
            wordless,
            max(wanted - len(digits(self._said.text)), 0) if wanted else 0,
            self._endpointer.voiced,
            self._cadence,
        )

    def poll(self, now: float) -> TurnSign | None:
        """See the port."""
        return self._next(self._endpointer.poll(now))

    def _next(self, decision: Decision | None) -> TurnSign | None:
        self._hold(decision)
        return self._held.popleft() if self._held else None

    def _hold(self, decision: Decision | None) -> None:
        match decision:
            case SpeechStarted():
                self._held.append(TurnSign.STARTED)
            case SpeechPaused(quiet=quiet):
                self._cadence = self._pitch.cadence(quiet)
                self._held.append(TurnSign.PAUSED)
            case SpeechResumed():
                self._held.append(TurnSign.RESUMED)
            case EndOfTurn(speech_ended_at=ended):
                self._speech_ended_at = ended
                self._said = Utterance("", ())
                self._held.append(TurnSign.ENDED)
            case None:
                pass


def _judge(expectation: Expectation) -> Judge:
    def judge(text: str) -> Standing:
        return standing(
            text,
            profile=expectation.profile,
            count=expectation.count,
            phrases=expectation.phrases,
            language=expectation.language,
        )

    return judge
