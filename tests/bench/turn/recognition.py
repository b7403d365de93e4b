"""What the mini model makes of turns: word errors, and answers that are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ari_app.ports import Utterance
from ari_app.speech.grammar import UNKNOWN
from ari_app.speech.worker import Recognition
from ari_app.understanding.words import digits
from tests.bench.scores import words_wrong
from tests.bench.turn import wordings
from tests.bench.turn.corpus import Clip
from tests.bench.turn.line import RATE

_YES, _NO = frozenset({"yes", "yeah"}), frozenset({"no", "nope"})
_ENDPOINT = 0.3  # seconds after the last sound: what comes then is not heard for this turn
# What a question of the kind would expect; anything else is heard as `[unk]`.
EXPECTED = {"yes_no": wordings.ANSWERS, "digits": wordings.DIGITS}


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn as the recogniser has it, 0.3 s after its end."""

    clip: Clip
    utterance: Utterance

    @property
    def text(self) -> str:
        """Without "um" and "uh", which mean nothing, and without what was not expected."""
        idle = {*wordings.FILLERS, UNKNOWN}
        return " ".join(word for word in self.utterance.text.split() if word not in idle)

    @property
    def right(self) -> bool:
        """Whether the answer was understood: yes or no, the digits, or every word."""
        said, heard = self.clip.text, self.text
        if self.clip.kind == "yes_no":
            return answer(heard) == answer(said) != ""
        if self.clip.kind == "digits":
            return digits(heard) == digits(said)
        return heard == said


def recognised(clips: Sequence[Clip], model: Any, *, expecting: bool = False) -> list[Heard]:
    """Every clip by a recogniser of its own; perhaps one that expects an answer of its kind."""
    found = []
    for clip in clips:
        recognition = Recognition(model, RATE)
        if expecting and clip.kind in EXPECTED:
            recognition.expect(EXPECTED[clip.kind])
        for pcm in clip.frames()[: round((clip.ends + _ENDPOINT) * 50)]:
            recognition.hear(pcm)
        words = recognition.finish()
        found.append(Heard(clip, Utterance(" ".join(word.text for word in words), words)))
    return found


def answer(text: str) -> str:
    """`yes`, `no`, or nothing if it is neither or both."""
    words = set(text.split())
    said = [name for name, known in (("yes", _YES), ("no", _NO)) if words & known]
    return said[0] if len(said) == 1 else ""


def word_error_rate(heard: Sequence[Heard]) -> float:
    """Wrong, missing and invented words for each word that was said."""
    wrong = sum(words_wrong(one.clip.text.split(), one.text.split()) for one in heard)
    return wrong / sum(len(one.clip.text.split()) for one in heard)
