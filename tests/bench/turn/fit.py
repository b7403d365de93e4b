"""The weights of `ari_app/speech/patience.py`, fitted on the set `tune` and printed.

    python -m tests.bench.turn.fit --turns 600

Every pause of every turn, told as the product tells it, is an end or is not: a logistic regression
on all of them, then the line from log-odds to seconds that answers soonest with few turns cut off.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_app.ports import Utterance
from ari_app.speech.melody import Pitch
from ari_app.speech.patience import Rest, features
from ari_app.speech.vad import VoiceActivity
from ari_app.speech.worker import Recognition
from ari_app.understanding.completeness import standing
from ari_app.understanding.words import digits
from tests.bench.turn.corpus import TUNE, Clip, turns
from tests.bench.turn.drive import FRAME, mini_model
from tests.bench.turn.line import RATE

Table = NDArray[np.float64]

_HUSH = 6  # frames without a voice: a pause
_FEWEST = 3  # frames of voice before it
_ENDED = 0.25  # seconds: a voice is lost so long before its last sound, at most
_FOLDS = 5
_LEAST, _MOST = 0.22, 1.7  # seconds, as in the profiles
_SHORT = 0.16  # seconds: such a pause ends nothing
_EVEN, _LESS = np.arange(0.3, 1.05, 0.05), (0.2, 0.25, 0.3, 0.35, 0.4)  # seconds that are tried
_AIMED = 0.25  # seconds: half of the answers may not come later


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of a turn, in seconds of the clip."""

    rest: Rest
    last: float  # when the last voice was heard
    gap: float  # until the next one; infinite if there is none
    end: bool  # the caller has finished


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of silence at even odds, and how many less for each unit of the log-odds."""

    even: float
    less: float

    def wait(self, odds: float) -> float:
        """As the profile bounds it."""
        return float(min(max(self.even - self.less * odds, _LEAST), _MOST))


def pauses(clip: Clip, model: Any) -> list[Pause]:
    """All of a clip from the caller's first sound on, whatever a turn detector would make of it."""
    recognition, activity, pitch = Recognition(model, RATE), VoiceActivity(RATE), Pitch(RATE)
    said = Utterance("", ())
    voiced: list[int] = []
    found: list[tuple[Rest, int]] = []
    for number, pcm in enumerate(clip.frames(), 1):
        recognition.hear(pcm)
        pitch.heard(pcm)
        if activity.is_speech(pcm):
            voiced.append(number)
        elif len(voiced) >= _FEWEST and number - voiced[-1] == _HUSH:
            cadence = pitch.cadence(_HUSH * FRAME)
            words = tuple(recognition.finish())
            said = said.followed_by(Utterance(" ".join(word.text for word in words), words))
            rest = _rest(clip, said, not words, len(voiced) * FRAME, cadence)
            found.append((rest, voiced[-1]))
    later = np.array([*voiced, np.inf])
    return [
        Pause(
            rest,
            last * FRAME,
            float(later[later > last][0] - last) * FRAME,
            last * FRAME >= clip.ends - _ENDED,
        )
        for rest, last in found
        if last * FRAME > clip.begins
    ]


def _rest(clip: Clip, said: Utterance, wordless: bool, voiced: float, cadence: Any) -> Rest:
    doubted = bool(said.words) and not said.believed.endswith(said.words[-1].text)
    missing = max(clip.count - len(digits(said.text)), 0) if clip.count else 0
    worth = standing(said.believed, profile=clip.kind, count=clip.count)
    return Rest(clip.kind, worth, doubted, wordless, missing, voiced, cadence)


def fitted(found: Sequence[Pause], shrink: float = 1.0) -> Table:
    """Weights of the features in their order, by Newton's method; all but the first are shrunk."""
    table, ends = _table(found), np.array([float(pause.end) for pause in found])
    weights = np.zeros(table.shape[1])
    shrunk = shrink * (np.arange(weights.size) > 0)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (chance - ends) + shrunk * weights
        bend = (table.T * (chance * (1 - chance))) @ table + np.diag(shrunk + 1e-6)
        weights = weights - np.linalg.solve(bend, slope)
    return weights


def delays(turned: Sequence[tuple[Clip, Sequence[tuple[Pause, float]]]], line: Line) -> Table:
    """Of every turn, from its last sound to its end; below 0 it was cut off."""
    return np.array([_delay(clip, told, line) for clip, told in turned])


def _delay(clip: Clip, told: Sequence[tuple[Pause, float]], line: Line) -> float:
    for pause, odds in told:
        if line.wait(odds) <= pause.gap + FRAME:
            return float(pause.last + np.ceil(line.wait(odds) / FRAME) * FRAME - clip.ends)
    return clip.seconds - clip.ends


def _useful(of_clip: Iterable[Sequence[Pause]]) -> list[Pause]:
    """Those that could end a turn: the others last no longer than is waited anyway."""
    return [pause for own in of_clip for pause in own if pause.gap > _SHORT]


def _late(late: Table, allowed: float) -> float:
    """Less is better."""
    if np.mean(late < 0) > allowed:
        return float("inf")
    p50, p95 = np.percentile(late[late >= 0], [50, 95])
    return float(p95 + 3 * max(p50 - _AIMED, 0.0))


def _table(found: Sequence[Pause]) -> Table:
    return np.array([list(features(pause.rest).values()) for pause in found])


def main(words: Sequence[str] | None = None) -> int:
    """Print the weights, and what turns that were not fitted on make of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turn.fit", description=__doc__)
    parser.add_argument("--turns", type=int, default=600, metavar="N")
    parser.add_argument("--cut-off", type=float, default=0.05, metavar="SHARE", help="at most")
    given = parser.parse_args(words)
    model = mini_model()
    clips = turns(TUNE, given.turns)
    of_clip = [pauses(clip, model) for clip in clips]
    told: list[tuple[Clip, list[tuple[Pause, float]]]] = []
    for fold in range(_FOLDS):
        weights = fitted(_useful(own for n, own in enumerate(of_clip) if n % _FOLDS != fold))
        for clip, own in zip(clips[fold::_FOLDS], of_clip[fold::_FOLDS], strict=True):
            odds: Sequence[float] = (_table(own) @ weights).tolist() if own else ()
            told.append((clip, list(zip(own, odds, strict=True))))
    tried = [Line(even, less) for even, less in product(_EVEN, _LESS)]
    scored = [(_late(delays(told, line), given.cut_off), line) for line in tried]
    weights = fitted(_useful(of_clip))
    for name, weight in zip(features(of_clip[0][0].rest), weights, strict=True):
        print(f'    "{name}": {weight:.2f},')  # noqa: T201
    for _, line in sorted(scored, key=lambda one: one[0])[:5]:
        late = delays(told, line)
        p50, p95 = np.percentile(late[late >= 0], [50, 95])
        cut = np.mean(late < 0)
        print(f"{line}: cut off {cut:.1%}, p50 {p50 * 1000:.0f}, p95 {p95 * 1000:.0f} ms")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
