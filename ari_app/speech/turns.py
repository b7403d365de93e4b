"""Voice activity and endpointing of one call, together: the port `TurnDetector`."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from ari_app.ports import Expectation, TurnSign
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
from ari_app.speech.melody import Pitch
from ari_app.speech.vad import VoiceActivity
from ari_app.understanding.completeness import Standing, standing


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
        self._profiles: dict[str, Profile] = {
            "open": wide,
            "yes_no": YES_NO,
            "digits": DIGITS,
            "date": DATE,
        }
        self._activity = VoiceActivity(rate)
        self._pitch = Pitch(rate)
        self._endpointer = Endpointer(wide, _judge(Expectation()))
        self._speech_ended_at = 0.0
        self._held: deque[TurnSign] = deque()

    @property
    def speech_ended_at(self) -> float:
        """See the port."""
        return self._speech_ended_at

    def expect(self, expectation: Expectation) -> None:
        """See the port; a profile that nobody knows is an open question."""
        profile = self._profiles.get(expectation.profile, self._profiles["open"])
        self._endpointer.expect(profile, _judge(expectation))

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        """See the port."""
        self._pitch.heard(pcm)
        return self._next(self._endpointer.voice(self._activity.is_speech(pcm), at))

    def partial(self, text: str, at: float) -> None:
        """See the port; what it decides is told with the next frame."""
        self._hold(self._endpointer.partial(text, at))

    def piece(self, text: str, at: float) -> None:
        """See the port; what it decides is told with the next frame."""
        self._hold(self._endpointer.piece(text, at))

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
                self._endpointer.ended(self._pitch.melody(quiet))
                self._held.append(TurnSign.PAUSED)
            case SpeechResumed():
                self._held.append(TurnSign.RESUMED)
            case EndOfTurn(speech_ended_at=ended):
                self._speech_ended_at = ended
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
