"""`python -m tests.bench.confidence [fit]`: see the package."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import vosk
from sklearn.linear_model import LogisticRegression

import ari_app.understanding.confidence_model as written
from ari_app.agent.hearing import weigh
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import read_bundle
from ari_app.ports import Utterance
from ari_app.speech.grammar import heard_by
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.signal import SignalMeter
from ari_app.speech.worker import Recognition
from ari_app.understanding.answers import phrases, read_answer
from ari_app.understanding.confidence import Evidence, calibrated, features
from ari_app.understanding.languages import language
from tests.bench.confidence.clips import RATE, Clip, clips, digest

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
_BINS = 10
_AIM = 0.05


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
    return _word_errors(clip.spoken.text.split(), text.split()) <= 0.2


def _word_errors(said: Sequence[str], heard: Sequence[str]) -> float:
    """Levenshtein over words, by how many were said."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1] / len(said)


def fit(judged: Sequence[Judged]) -> tuple[float, list[float]]:
    """Intercept and weights of the tune set."""
    seen = np.array([features(each.evidence) for each in judged])
    fitted = LogisticRegression(C=1.0, max_iter=5000)
    fitted.fit(seen, [each.right for each in judged])
    weights = [round(float(w), 4) for w in fitted.coef_[0]]
    return round(float(fitted.intercept_[0]), 4), weights


def write(intercept: float, weights: Sequence[float], where: Path) -> None:
    """The module that holds the model."""
    rows = "".join(f'    "{n}": {w},\n' for n, w in zip(written.WEIGHTS, weights, strict=True))
    where.write_text(
        '"""Written by `python -m tests.bench.confidence fit`; change nothing by hand."""\n\n'
        "from __future__ import annotations\n\n"
        f"INTERCEPT = {intercept}\n"
        "#: By feature, in the order of `confidence.features`.\n"
        f"WEIGHTS = {{\n{rows}}}\n",
        encoding="utf-8",
    )


def error(sure: Sequence[float], right: Sequence[bool]) -> tuple[float, list[dict[str, float]]]:
    """Expected calibration error over ten bins of equal width, and the reliability table."""
    table, total = [], 0.0
    bins = np.minimum((np.array(sure) * _BINS).astype(int), _BINS - 1)
    for bin in range(_BINS):
        inside = bins == bin
        if not inside.any():
            continue
        said = float(np.array(sure)[inside].mean())
        was = float(np.array(right)[inside].mean())
        total += inside.sum() / len(sure) * abs(said - was)
        table.append({"from": bin / _BINS, "turns": int(inside.sum()), "said": said, "right": was})
    return total, table


def report(judged: Sequence[Judged], as_json: bool) -> float:
    """Print the table; the calibration error."""
    sure = [calibrated(each.evidence) for each in judged]
    right = [each.right for each in judged]
    ece, table = error(sure, right)
    raw, _ = error([each.raw for each in judged], right)
    questions = {
        name: [e.right for e in judged if e.question == name]
        for name in sorted({e.question for e in judged})
    }
    figures = {
        "turns": len(judged),
        "right": sum(right) / len(right),
        "ece": ece,
        "ece_of_the_recogniser_alone": raw,
        "aim": _AIM,
        "holds": ece <= _AIM,
        "right_by_question": {n: sum(r) / len(r) for n, r in questions.items()},
        "table": table,
    }
    out = sys.stdout
    if as_json:
        out.write(json.dumps(figures, indent=2) + "\n")
        return ece
    out.write(f"{len(judged)} turns, {figures['right']:.1%} right\n from  turns   said  right\n")
    for row in table:
        out.write(
            f"{row['from']:5.1f} {row['turns']:6.0f} {row['said']:6.3f} {row['right']:6.3f}\n"
        )
    out.write(f"ECE {ece:.4f} (aim {_AIM}); of the recogniser's own confidence {raw:.4f}\n")
    return ece


def main() -> int:
    """Fit or report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.confidence")
    parser.add_argument("what", nargs="?", choices=("report", "fit"), default="report")
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    which = "tune" if given.what == "fit" else "figures"
    made = clips(which, given.turns)
    judged = hear(made)
    if given.what == "fit":
        intercept, weights = fit(judged)
        write(intercept, weights, Path(str(written.__file__)))
        sys.stdout.write(f"fitted on {len(judged)} turns of {digest(made)}\n")
        return 0
    return 0 if report(judged, given.json) <= _AIM else 1


if __name__ == "__main__":
    sys.exit(main())
