"""A clip through voice activity, the real Vosk and a turn detector, in simulated time.

The driver does what a call session does with each 20 ms: the recogniser first, then the detector.
Nothing waits: a clip takes as long as its computing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vosk

from ari_app.ports import Expectation, TurnDetector, TurnSign, Utterance, Word
from ari_app.speech.model import mini_model_path
from ari_app.speech.worker import Recognition
from tests.bench.turn.corpus import Clip
from tests.bench.turn.line import RATE

FRAME = 0.02
_DECODED = 0.005  # seconds from the audio to the worker's partial


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one turn; seconds of the clip."""

    clip: Clip
    started: float | None  # when the detector said that the caller speaks
    ended: float | None  # when it said that the turn is over
    heard: tuple[Word, ...]  # what the recogniser had made of it by then

    @property
    def cut_off(self) -> bool:
        """Whether the caller was still in the turn."""
        return self.ended is not None and self.ended < self.clip.ends

    @property
    def delay(self) -> float | None:
        """From the caller's last sound to the decision; None if cut off, or never decided."""
        if self.ended is None or self.cut_off:
            return None
        return self.ended - self.clip.ends

    @property
    def text(self) -> str:
        """What was heard."""
        return " ".join(word.text for word in self.heard)


def mini_model() -> Any:
    """The model that ships."""
    vosk.SetLogLevel(-1)
    return vosk.Model(model_path=str(mini_model_path()))


def ask(detector: TurnDetector, clip: Clip) -> None:
    """Tell what the question was, as the session does before it listens."""
    detector.expect(Expectation(clip.kind, clip.count))


def drive(clip: Clip, detector: TurnDetector, model: Any) -> Outcome:
    """The first turn that the detector finds in the clip."""
    recognition = Recognition(model, RATE)
    ask(detector, clip)
    started: float | None = None
    pieces: list[Word] = []
    for number, pcm in enumerate(clip.frames(), 1):
        at = number * FRAME
        text = recognition.hear(pcm)
        sign = detector.heard(pcm, at)
        if sign is TurnSign.STARTED and started is None:
            started = at
        if sign is TurnSign.ENDED and at > clip.begins:
            return Outcome(clip, started, at, (*pieces, *recognition.finish()))
        if sign is TurnSign.ENDED:
            pieces.clear()
        if sign is TurnSign.PAUSED:
            piece = recognition.finish()
            pieces += piece
            text = " ".join(word.text for word in piece)
            detector.piece(Utterance(text, tuple(piece)), at + _DECODED)
            continue
        if text is not None:
            detector.partial(text, at + _DECODED)
    return Outcome(clip, started, None, (*pieces, *recognition.finish()))


def wait_for_silence(clip: Clip, voiced: Sequence[bool], silence: float) -> Outcome:
    """The plain rule: 60 ms of voice begin a turn, so many seconds without any end it."""
    started: float | None = None
    heard, last = 0.0, -1.0
    for number, is_voiced in enumerate(voiced, 1):
        at = number * FRAME
        if is_voiced:
            heard = heard + FRAME if started is not None or at - FRAME - last <= 0.2 else FRAME
            last = at
        if started is None and heard >= 0.06 - 1e-9:
            started = at
        if started is not None and at - last >= silence - 1e-9 and at > clip.begins:
            return Outcome(clip, started, at, ())
    return Outcome(clip, started, None, ())
