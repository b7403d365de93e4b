"""How well a mini model hears sentences and voices that it was never trained on: through Vosk.

Word error rate: substituted, missing and added words over the words said. The same seed gives the
same audio, so the tables of two models compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ari_app.speech.recipe.line import RATE, Line, Pcm, Telephony, over, to_line_rate
from ari_app.speech.recipe.sentences import written
from ari_app.speech.recipe.tongue import HELD_OUT, VARIANTS, Tongue
from ari_app.speech.recipe.voices import Manner, PhonemeVoice

_SEED = 99
_PIECE = RATE // 10  # samples given to Vosk at once
_SOME, _FEW = 200, 100  # sentences in the rows of one condition each
_ELSEWHERE = "elsewhere"  # kept back for other tests of the house


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row of the table is heard through."""

    name: str
    line: Line = Line(law="mu-law")
    rate: int | None = None  # words a minute; None: 130 to 195
    variants: tuple[str, ...] = HELD_OUT


_PLAIN = Condition("mu-law")
_CONDITIONS = (
    Condition("SNR 20 dB", replace(_PLAIN.line, snr=20, noise="any")),
    Condition("SNR 10 dB", replace(_PLAIN.line, snr=10, noise="any")),
    Condition("A-law", Line(law="A-law")),
    Condition("2 % of the packets lost", replace(_PLAIN.line, loss=0.02)),
    Condition("300-3400 Hz", replace(_PLAIN.line, band=True)),
    Condition("fast (215 words a minute)", rate=215),
    Condition("slow (115 words a minute)", rate=115),
    Condition("voices of the training (control)", variants=VARIANTS),
)
_SENTENCES = "new sentences"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    name: str
    sentences: int
    words: int
    errors: int  # words
    wrong: int  # sentences

    @property
    def word_error_rate(self) -> float:
        """In percent."""
        return 100 * self.errors / max(self.words, 1)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words substituted, missing and added, at the least."""
    distances = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, distances[0] = distances[:], i
        for j, other in enumerate(heard, 1):
            distances[j] = min(before[j] + 1, distances[j - 1] + 1, before[j - 1] + (word != other))
    return distances[-1]


def evaluate(
    model: Path,
    tongue: Tongue,
    sets: Mapping[str, Sequence[str]],
    telephony: Telephony,
    step: Callable[[Row], None] = lambda _: None,
) -> list[Row]:
    """The rows of a model's table; needs Vosk and espeak-ng in this very process."""
    import vosk

    vosk.SetLogLevel(-1)
    recogniser = vosk.Model(model_path=str(model))
    voice = PhonemeVoice()
    rows = []
    for name, sentences, condition in _rows(sets):
        rng = np.random.default_rng(_SEED)
        errors = wrong = words = 0
        for sentence in sentences:
            said = written(sentence).split()
            heard = _hear(
                vosk, recogniser, _call(sentence, condition, rng, voice, tongue, telephony)
            )
            missed = word_errors(said, heard)
            errors, wrong, words = errors + missed, wrong + bool(missed), words + len(said)
        row = Row(name, len(sentences), words, errors, wrong)
        rows.append(row)
        step(row)
    return rows


def _rows(
    sets: Mapping[str, Sequence[str]],
) -> Iterator[tuple[str, Sequence[str], Condition]]:
    for name, sentences in sets.items():
        if name != _ELSEWHERE:
            yield name, sentences, _PLAIN
    for condition in _CONDITIONS:
        count = _SOME if condition.line.snr is not None else _FEW
        yield f"{_SENTENCES}, {condition.name}", sets[_SENTENCES][:count], condition


def _call(
    sentence: str,
    condition: Condition,
    rng: np.random.Generator,
    voice: PhonemeVoice,
    tongue: Tongue,
    telephony: Telephony,
) -> Pcm:
    manner = Manner(
        f"{rng.choice(tongue.test_accents)}+{rng.choice(condition.variants)}",
        rate=condition.rate or int(rng.uniform(130, 195)),
        pitch=int(rng.uniform(25, 75)),
    )
    wave, _ = to_line_rate(voice.say(tongue.spoken(sentence) + ".", manner).samples)
    before, after = rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.6)
    wave = np.concatenate((np.zeros(int(before * RATE)), wave, np.zeros(int(after * RATE))))
    line = replace(condition.line, level=float(rng.uniform(-28, -18)))
    if line.noise == "any":
        line = replace(line, noise=str(rng.choice(("white", "pink", "brown", "hum"))))
    return over(line, rng, wave, telephony)


def _hear(vosk: Any, model: Any, pcm: Pcm) -> list[str]:
    recogniser = vosk.KaldiRecognizer(model, RATE)
    heard: list[str] = []
    for at in range(0, len(pcm), _PIECE):
        if recogniser.AcceptWaveform(pcm[at : at + _PIECE].tobytes()):
            heard += json.loads(recogniser.Result())["text"].split()
    return heard + list(json.loads(recogniser.FinalResult())["text"].split())
