"""What the house makes of clips, as in a call, and whether it was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

import vosk

from ari_app.agent.hearing import weigh
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import read_bundle
from ari_app.ports import Utterance
from ari_app.speech.grammar import heard_by
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.signal import SignalMeter
from ari_app.speech.worker import Recognition
from ari_app.understanding.answers import phrases, read_answer
from ari_app.understanding.confidence import Evidence
from ari_app.understanding.languages import language
from tests.bench.confidence.clips import RATE, Clip
from tests.bench.scores import words_wrong

_BUNDLE = read_bundle(
    """
bundle: confidence
language: en
people: us
intents: {"yes": ["yes"], "no": ["no"]}
keys: {}
greeting: {disclosure: hello, question: open}
prompts: {hello: Hello., ask: ["What?", "Again?"]}
texts: {}
questions:
  open: {prompt: ask}
  yes_no: {prompt: ask, expects: yes_no}
  digits: {prompt: ask, expects: {digits: 4}}
  date: {prompt: ask, expects: date}
rules: [{rule: rest, then: {say: hello, end: true}}]
"""
)
_NOON = 1_795_000_000_000_000
_TODAY = date(2026, 11, 18)


@dataclass(frozen=True, slots=True)
class Judged:
    """One clip: its evidence, what the recogniser alone thought, and whether it was right."""

    evidence: Evidence
    raw: float
    question: str
    right: bool


def hear(made: Sequence[Clip]) -> list[Judged]:
    """Every clip through the real recogniser, as a call would."""
    vosk.SetLogLevel(-1)
    facts = load_model_facts(mini_model_path())
    model = vosk.Model(model_path=str(facts.path))
    found = []
    for clip in made:
        utterance = _utterance(model, facts.words, clip)
        state = replace(Conversation(), question=clip.spoken.question)
        heard = weigh(_BUNDLE, state, utterance, _NOON)
        if heard.text:  # nothing heard is no turn
            names = {field.name for field in fields(Evidence)}
            evidence = Evidence(**{k: v for k, v in heard.evidence.items() if k in names})
            right = clip.spoken.audible and _is_right(clip, heard.text)
            found.append(Judged(evidence, utterance.confidence, clip.spoken.question, right))
    return found


def _utterance(model: object, words: frozenset[str], clip: Clip) -> Utterance:
    free, guided, meter = Recognition(model, RATE), None, SignalMeter()
    expects = _BUNDLE.questions[clip.spoken.question].expects
    if expects is not None:
        guided = Recognition(model, RATE)
        wanted = phrases(expects, language("en"))
        guided.expect(tuple(p for p in wanted if heard_by((p,), words)))
    partial = ""
    for at in range(0, len(clip.pcm), RATE // 25):  # 20 ms
        frame = clip.pcm[at : at + RATE // 25]
        meter.feed(frame)
        told = free.hear(frame)
        partial = partial if told is None else told
        if guided is not None:
            guided.hear(frame)
    said = free.finish()
    text = " ".join(word.text for word in said)
    signal = meter.take()
    return Utterance(
        text,
        said,
        guided=guided.finish() if guided else None,
        stable=text == partial,
        signal=replace(signal, lost=clip.lost) if signal else None,
    )


def _is_right(clip: Clip, text: str) -> bool:
    expects = _BUNDLE.questions[clip.spoken.question].expects
    if expects is not None:
        meant = read_answer(expects, clip.spoken.text, language("en"), _TODAY)
        if meant is not None:
            return read_answer(expects, text, language("en"), _TODAY) == meant
    said = clip.spoken.text.split()
    return words_wrong(said, text.split()) <= 0.2 * len(said)
