"""Speaks the training sentences over telephone lines: cepstra, labels and pronunciations heard."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.recipe.features import Features, mfcc
from ari_app.speech.recipe.labels import (
    NO_WORD,
    Labels,
    Segment,
    fit,
    pdfs,
    placed,
    pronunciations,
    segments,
)
from ari_app.speech.recipe.line import (
    RATE,
    Line,
    Pcm,
    Telephony,
    Wave,
    over,
    rms,
    to_line_rate,
    tone,
)
from ari_app.speech.recipe.tongue import SILENCE, VARIANTS, Tongue
from ari_app.speech.recipe.voices import Manner, PhonemeVoice

# espeak-ng carries state from one sentence to the next: a fresh process for each block makes the
# same speech with any number of processes.
_BLOCK = 200
_NO_SPEECH_EVERY = 40  # sentences: noise or tones only
_SAMPLES_OF_FRAME = 240  # 30 ms
_WINDOW = 200  # samples, 25 ms


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence as the network learns it; three rows of features for each label."""

    features: NDArray[np.float16]
    labels: Labels
    words: Labels  # which word each label is of; NO_WORD in silence
    phones: tuple[str, ...]  # in order, with the silences; empty without speech
    heard: tuple[tuple[str, tuple[str, ...]], ...]  # words with their phones


@dataclass(frozen=True, slots=True)
class Speech:
    """All that was spoken, one utterance after the other."""

    features: NDArray[np.float16]
    labels: Labels
    words: Labels
    offsets: NDArray[np.int64]  # of each utterance in the labels, and the end
    phones: tuple[tuple[str, ...], ...]
    heard: Mapping[str, Mapping[str, int]]  # word -> its phones, spaced -> how often

    def save(self, folder: Path) -> None:
        """Keep it for the next step."""
        np.savez(
            folder / "speech.npz",
            features=self.features,
            labels=self.labels,
            words=self.words,
            offsets=self.offsets,
        )
        (folder / "phones.json").write_text(json.dumps(self.phones))
        (folder / "heard.json").write_text(json.dumps(self.heard, ensure_ascii=False, indent=0))

    @classmethod
    def load(cls, folder: Path) -> Speech:
        """What was kept."""
        with np.load(folder / "speech.npz") as kept:
            arrays = {name: kept[name] for name in ("features", "labels", "words", "offsets")}
        phones = tuple(map(tuple, json.loads((folder / "phones.json").read_text())))
        return cls(**arrays, phones=phones, heard=json.loads((folder / "heard.json").read_text()))


class Speaker:
    """One process's voice; what it says of a sentence depends on the seed and its number alone."""

    def __init__(
        self, tongue: Tongue, sentences: Sequence[str], telephony: Telephony, seed: int
    ) -> None:
        self._tongue = tongue
        self._sentences = sentences
        self._telephony = telephony
        self._seed = seed
        self._voice = PhonemeVoice()

    def utterance(self, number: int) -> Utterance | None:
        """The sentence of that number; None if it was too fast for labels of 30 ms."""
        rng = np.random.default_rng((self._seed, number))
        if number % _NO_SPEECH_EVERY == _NO_SPEECH_EVERY - 1:
            return self._no_speech(rng)
        sentence = self._sentences[number % len(self._sentences)]
        spoken = self._tongue.spoken(sentence)
        said = self._voice.say(spoken + ("?" if rng.random() < 0.25 else "."), self._manner(rng))
        parts = segments(said.phonemes, len(said.samples), self._tongue)
        stretch = float(rng.uniform(0.86, 1.16)) if rng.random() < 0.5 else 1.0
        wave, stretch = to_line_rate(said.samples, stretch)
        before, wave = _with_silence(rng, wave)
        times = placed(parts, before, 1000 / self._voice.rate / stretch, len(wave) * 1000 / RATE)
        pcm = over(Line.drawn(rng), rng, wave, self._telephony, lambda: self._babble(rng))
        return self._labelled(pcm, times, pronunciations(sentence, spoken, said, self._tongue))

    def _labelled(
        self, pcm: Pcm, times: list[Segment], heard: list[tuple[str, tuple[str, ...]]]
    ) -> Utterance | None:
        features = mfcc(pcm)
        frames = len(features) // 3
        path = fit(times, frames)
        if path is None:
            return None
        phones = tuple(s.phone for s in times)
        words = [NO_WORD if s.phone == SILENCE else s.word for s in times]
        return Utterance(
            _half(features[: frames * 3]),
            pdfs(path, phones, self._tongue),
            np.array(words, np.int16)[path],
            phones,
            tuple(heard),
        )

    def _no_speech(self, rng: np.random.Generator) -> Utterance:
        """Tones and noise, which are silence to a recogniser."""
        frames = int(rng.uniform(1.0, 3.0) * RATE) // _SAMPLES_OF_FRAME
        samples = frames * _SAMPLES_OF_FRAME + _WINDOW
        sound = tone(rng, samples) if rng.random() < 0.5 else rng.standard_normal(samples) * 0.5
        level = float(rng.uniform(-60, -20))
        line = Line(level=level, law="A-law" if rng.random() < 0.5 else "mu-law")
        features = mfcc(over(line, rng, sound * 1000, self._telephony))[: frames * 3]
        labels = np.full(len(features) // 3, 1, np.int16)  # silence that goes on
        return Utterance(_half(features), labels, np.full(len(labels), NO_WORD, np.int16), (), ())

    def _manner(self, rng: np.random.Generator) -> Manner:
        voice = (
            self._any_voice(rng) if rng.random() < 0.95 else str(rng.choice(self._tongue.accents))
        )
        return Manner(
            voice,
            rate=int(rng.uniform(115, 215)),
            pitch=int(rng.uniform(15, 85)),
            range=int(rng.uniform(20, 80)),
            gap=int(rng.integers(0, 3)) if rng.random() < 0.2 else 0,
        )

    def _any_voice(self, rng: np.random.Generator) -> str:
        return f"{rng.choice(self._tongue.accents)}+{rng.choice(VARIANTS)}"

    def _babble(self, rng: np.random.Generator) -> Wave:
        """Three others who talk at once."""
        others = []
        for number in rng.choice(len(self._sentences), 3):
            text = self._tongue.spoken(self._sentences[number])
            said = self._voice.say(text, Manner(self._any_voice(rng)))
            others.append(to_line_rate(said.samples)[0])
        shortest = min(map(len, others))
        total: Wave = np.sum([other[:shortest] for other in others], axis=0)
        return total


def speak(
    tongue: Tongue,
    sentences: Sequence[str],
    telephony: Telephony,
    *,
    seed: int,
    count: int,
    processes: int,
    step: Callable[[int], None] = lambda _: None,
) -> Speech:
    """Speak the first `count` sentences, again from the first if there are fewer.

    The same for any number of processes; `step` is told how many are done.
    """
    given = (tongue, sentences, telephony, seed)
    blocks = [(given, at, min(at + _BLOCK, count)) for at in range(0, count, _BLOCK)]
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, maxtasksperchild=1) as pool:
        return _joined(_counted(pool.imap(_block, blocks), step))


def _block(
    task: tuple[tuple[Tongue, Sequence[str], Telephony, int], int, int],
) -> list[Utterance | None]:
    given, start, end = task
    speaker = Speaker(*given)
    return [speaker.utterance(number) for number in range(start, end)]


def _counted(
    blocks: Iterator[list[Utterance | None]], step: Callable[[int], None]
) -> Iterator[Utterance]:
    done = 0
    for block in blocks:
        done += len(block)
        step(done)
        yield from (utterance for utterance in block if utterance is not None)


def _joined(utterances: Iterator[Utterance]) -> Speech:
    heard: defaultdict[str, Counter[str]] = defaultdict(Counter)
    kept: list[Utterance] = []
    for utterance in utterances:
        kept.append(utterance)
        for word, phones in utterance.heard:
            heard[word][" ".join(phones)] += 1
    return Speech(
        features=np.concatenate([u.features for u in kept]),
        labels=np.concatenate([u.labels for u in kept]),
        words=np.concatenate([u.words for u in kept]),
        offsets=np.cumsum([0, *(len(u.labels) for u in kept)]),
        phones=tuple(u.phones for u in kept),
        heard={word: dict(counts.most_common()) for word, counts in heard.items()},
    )


def _with_silence(rng: np.random.Generator, wave: Wave) -> tuple[float, Wave]:
    """Silence around a voice, sometimes with a tone in it; how many ms there are before it."""
    before = rng.uniform(0.05, 0.7) if rng.random() < 0.9 else rng.uniform(0.7, 2.0)
    head = np.zeros(int(before * RATE))
    tail = np.zeros(int(rng.uniform(0.1, 0.9) * RATE))
    if rng.random() < 0.05:
        beep = tone(rng, int(rng.uniform(0.1, 0.5) * RATE)) * rms(wave)
        head = np.concatenate((head, beep, np.zeros(RATE // 10)))
    return len(head) * 1000 / RATE, np.concatenate((head, wave, tail))


def _half(features: Features) -> NDArray[np.float16]:
    return features.astype(np.float16)
