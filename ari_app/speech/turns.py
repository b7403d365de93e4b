"""Voice activity and endpointing of one call, together: the port `TurnDetector`."""

from __future__ import annotations

from dataclasses import replace

from ari_app.ports import TurnSign
from ari_app.speech.endpointing import (
    DIGITS,
    OPEN,
    YES_NO,
    Decision,
    EndOfTurn,
    Endpointer,
    Profile,
    SpeechStarted,
)
from ari_app.speech.vad import VoiceActivity


class Turns:
    """Feeds what a line hears to the endpointer; `pause` seconds end an answer to an open one."""

    def __init__(self, rate: int, pause: float) -> None:
        wide = replace(OPEN, silence=pause, unsure=max(OPEN.unsure, pause))
        self._profiles: dict[str, Profile] = {"open": wide, "yes_no": YES_NO, "digits": DIGITS}
        self._activity = VoiceActivity(rate)
        self._endpointer = Endpointer(wide)
        self._speech_ended_at = 0.0
        self._held: TurnSign | None = None

    @property
    def speech_ended_at(self) -> float:
        """See the port."""
        return self._speech_ended_at

    def expect(self, profile: str) -> None:
        """See the port; a profile that nobody knows is an open question."""
        self._endpointer.profile = self._profiles.get(profile, self._profiles["open"])

    def heard(self, pcm: bytes, at: float) -> TurnSign | None:
        """See the port."""
        sign = self._sign(self._endpointer.voice(self._activity.is_speech(pcm), at))
        if self._held is not None:
            sign, self._held = self._held, sign
        return sign

    def partial(self, text: str, at: float) -> None:
        """See the port; what it decides is told with the next frame."""
        self._held = self._sign(self._endpointer.partial(text, at)) or self._held

    def poll(self, now: float) -> TurnSign | None:
        """See the port."""
        return self._sign(self._endpointer.poll(now))

    def _sign(self, decision: Decision | None) -> TurnSign | None:
        match decision:
            case SpeechStarted():
                return TurnSign.STARTED
            case EndOfTurn(speech_ended_at=ended):
                self._speech_ended_at = ended
                return TurnSign.ENDED
            case None:
                return None
