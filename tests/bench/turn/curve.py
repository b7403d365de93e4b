"""How soon the end of a turn is found, against how many turns are cut off: ours beside silence.

    python -m tests.bench.turn.curve --set tune --json out.json --turns 200

On clips whose ends are known, in simulated time, with the real Vosk. Only `--set figures` is ever
published; thresholds are chosen on `tune`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ari_app.ports import TurnDetector
from ari_app.speech.turns import Turns
from ari_app.speech.vad import VoiceActivity
from tests.bench.turn import pauses
from tests.bench.turn.corpus import SETS, Clip, turns
from tests.bench.turn.drive import Outcome, drive, mini_model, wait_for_silence
from tests.bench.turn.line import RATE
from tests.bench.turn.pauses import Spread
from tests.bench.turn.wordings import KINDS

SILENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)
PAUSE = 0.55  # seconds; `speech.end_of_turn_pause` as it ships
ALLOWED = 0.05  # of the turns may be cut off


@dataclass(frozen=True, slots=True)
class Point:
    """One way of ending turns, on one set of them; seconds."""

    name: str
    turns: int
    cut_off: float  # share
    p50: float  # of those that were not cut off; infinite if never decided
    p95: float
    never: int  # of the turns: no decision before the clip was over


def point(name: str, outcomes: Sequence[Outcome]) -> Point:
    """ValueError without turns."""
    if not outcomes:
        raise ValueError(f"no turn for {name}")
    never = sum(outcome.ended is None for outcome in outcomes)
    delays = [outcome.delay for outcome in outcomes if outcome.delay is not None]
    delays += [math.inf] * never
    p50, p95 = (
        (float(np.percentile(delays, rank, method="higher")) for rank in (50, 95))
        if delays
        else (math.inf, math.inf)
    )
    cut = sum(outcome.cut_off for outcome in outcomes)
    return Point(name, len(outcomes), cut / len(outcomes), p50, p95, never)


def ours(
    clips: Sequence[Clip], model: Any, detector: Callable[[], TurnDetector] | None = None
) -> list[Outcome]:
    """Every clip through a detector of its own: the one that ships, if none is given."""
    fresh = detector or (lambda: Turns(RATE, PAUSE))
    return [drive(clip, fresh(), model) for clip in clips]


def silences(clips: Sequence[Clip]) -> dict[float, list[Outcome]]:
    """The plain rules on the same voice activity."""
    voiced = [_voiced(clip) for clip in clips]
    return {
        silence: [wait_for_silence(c, v, silence) for c, v in zip(clips, voiced, strict=True)]
        for silence in SILENCES
    }


def _voiced(clip: Clip) -> list[bool]:
    activity = VoiceActivity(RATE)
    return [activity.is_speech(pcm) for pcm in clip.frames()]


def points(
    outcomes: Sequence[Outcome], rules: Mapping[float, Sequence[Outcome]]
) -> tuple[list[Point], list[Point]]:
    """Ours, all together and for each kind of question; then each rule."""
    mine = [point("ours", outcomes)]
    for kind in KINDS:
        some = [outcome for outcome in outcomes if outcome.clip.kind == kind]
        if some:
            mine.append(point(f"ours: {kind}", some))
    return mine, [point(f"silence {s * 1000:.0f} ms", of) for s, of in rules.items()]


def quickest(rules: Sequence[Point]) -> Point | None:
    """The plain rule that cuts off no more than allowed; None if all do."""
    good = [rule for rule in rules if rule.cut_off <= ALLOWED]
    return min(good, key=lambda rule: rule.p50, default=None)


def main(words: Sequence[str] | None = None) -> int:
    """Print the curve, write it if asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turn.curve", description=__doc__)
    parser.add_argument("--set", choices=sorted(SETS), default="tune")
    parser.add_argument("--turns", type=int, default=200, metavar="N")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these questions")
    parser.add_argument("--snr", type=float, metavar="DB", help="instead of a mixture")
    parser.add_argument("--each", action="store_true", help="name every turn that was cut off")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(words)
    clips = turns(SETS[given.set], given.turns, given.kind or KINDS, given.snr)
    outcomes = ours(clips, mini_model())
    mine, rules = points(outcomes, silences(clips))
    silent = pauses.spread([pause for clip in clips for pause in clip.pauses])
    screen = Console()
    screen.print(table(f"{given.set}: {len(clips)} turns", [*mine, *rules]))
    screen.print(told(silent, sum(bool(clip.pauses) for clip in clips) / len(clips)))
    if given.each:
        for outcome in outcomes:
            if outcome.cut_off or outcome.ended is None:
                screen.print(_each(outcome), highlight=False, soft_wrap=True)
    if given.json:
        found = {
            "set": given.set,
            "points": [asdict(p) for p in [*mine, *rules]],
            "pauses": asdict(silent),
            "turns": [_row(outcome) for outcome in outcomes],
        }
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def told(silent: Spread, paused: float) -> str:
    """The pauses of the corpus beside those of people."""
    low, high = pauses.TYPICAL
    return (
        f"{paused:.0%} of the turns pause inside; {silent.count} pauses, p10/p50/p90 "
        f"{silent.p10:.2f}/{silent.median:.2f}/{silent.p90:.2f} s, logarithm's deviation "
        f"{silent.spread:.2f} and skew {silent.skew:+.2f}; brief/medium/long {silent.brief:.0%}/"
        f"{silent.medium:.0%}/{silent.long:.0%}. People: log-normal, typical {low}-{high} s "
        "(Lundholm Fors 2015); medium 0.2-1 s, long above 1 s in spontaneous speech only "
        "(Campione and Veronis 2002)."
    )


def table(title: str, rows: Sequence[Point]) -> Table:
    shown = Table("", "p50 ms", "p95 ms", "cut off", "never", "turns", title=title)
    for row in rows:
        shown.add_row(
            row.name,
            f"{row.p50 * 1000:.0f}",
            f"{row.p95 * 1000:.0f}",
            f"{row.cut_off:.1%}",
            str(row.never),
            str(row.turns),
        )
    return shown


def _each(outcome: Outcome) -> str:
    clip = outcome.clip
    gaps = [f"{end:.2f}-{begin:.2f}" for (_, end), (begin, _) in _between(clip)]
    ended = "never" if outcome.ended is None else f"{outcome.ended:.2f}"
    return (
        f"{clip.name} {clip.kind} ended {ended} of {clip.ends:.2f}, silent {' '.join(gaps)}, "
        f"{clip.noise} {clip.snr:.0f} dB: said {clip.text!r}, heard {outcome.text!r}"
    )


def _between(clip: Clip) -> zip[tuple[tuple[float, float], tuple[float, float]]]:
    return zip(clip.voiced, clip.voiced[1:], strict=False)


def _row(outcome: Outcome) -> dict[str, object]:
    clip = outcome.clip
    return {
        "name": clip.name,
        "kind": clip.kind,
        "said": clip.text,
        "heard": outcome.text,
        "begins": clip.begins,
        "ends": clip.ends,
        "started": outcome.started,
        "ended": outcome.ended,
        "cut_off": outcome.cut_off,
    }


if __name__ == "__main__":
    sys.exit(main())
