"""`make bench-turn`: how soon a caller is answered, interrupted and understood.

Everything on the set `figures`: no voice, wording, seed or steady noise of it was used to train or
to choose a threshold. The live rows are packets at a simulated phone on the real Asterisk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ari_app.cli.figures import Figure, above, below, free, percentile, told
from ari_app.errors import SegueError
from ari_app.understanding.confidence import calibrated
from asterisk.fetch import ProgramMissing
from tests.bench.confidence.clips import clips as confidence_clips
from tests.bench.confidence.judging import hear
from tests.bench.scores import calibration_error
from tests.bench.turn import activity, curve, pauses
from tests.bench.turn.corpus import FIGURES, Clip, turns
from tests.bench.turn.drive import Outcome, mini_model
from tests.bench.turn.first import first_packets
from tests.bench.turn.live import Interruption, Turn, site
from tests.bench.turn.others import others
from tests.bench.turn.recognition import EXPECTED, recognised, word_error_rate

_LIVE = 60  # turns in real calls, by default
_NOT_THE_CALLER = frozenset({"mm-hm", "people behind"})  # these are voices


def main(words: Sequence[str] | None = None) -> int:
    """0 if every target holds, or if it was only a quick look."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turn", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether all works; no figures")
    parser.add_argument("--turns", type=int, default=400, metavar="N", help="in simulated time")
    parser.add_argument("--live", type=int, default=_LIVE, metavar="N", help="0: no real calls")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER")
    given = parser.parse_args(words)
    if given.quick:
        given.turns, given.live = 12, min(given.live, 4)
    screen, errors = Console(width=140), Console(stderr=True)
    model = mini_model()
    clips = turns(FIGURES, given.turns)
    errors.print(f"{len(clips)} turns in simulated time")
    outcomes = curve.ours(clips, model)
    rows = [*_simulated(clips, outcomes, screen), *_recognition(given.turns // 2, model)]
    try:
        errors.print("voice activity")
        rows += _activity(given.turns // 4, screen)
        rows += _confidence(given.turns)
        if given.live:
            errors.print(f"{given.live} turns in real calls")
            rows += asyncio.run(_live(outcomes[: given.live], given.out / "turn"))
        first = [1000 * seconds for seconds in asyncio.run(first_packets(100))]
        rows.append(
            percentile("decision -> first packet of a ready prompt, p50", first, 50, "ms", None)
        )
        rows.append(
            percentile("decision -> first packet of a ready prompt, p95", first, 95, "ms", 20)
        )
    except (ProgramMissing, SegueError) as error:
        errors.print(f"the benchmark failed: {error}", style="red", markup=False)
        return 1
    rows.append(free("machine: load average after", os.getloadavg()[0], ""))
    if given.quick:
        rows = [replace(row, holds=None) for row in rows]
    return told(screen, given.out / "turn.json", rows)


def _simulated(clips: Sequence[Clip], outcomes: Sequence[Outcome], screen: Console) -> list[Figure]:
    mine, rules = curve.points(outcomes, curve.silences(clips))
    screen.print(curve.table("figures, in simulated time", [*mine, *rules]))
    silent = pauses.spread([pause for clip in clips for pause in clip.pauses])
    screen.print(curve.told(silent, sum(bool(clip.pauses) for clip in clips) / len(clips)))
    rows = []
    for row in [*mine, *rules]:
        rows += [
            free(f"endpoint: {row.name}: delay p50", row.p50 * 1000, "ms"),
            free(f"endpoint: {row.name}: delay p95", row.p95 * 1000, "ms"),
            free(f"endpoint: {row.name}: turns cut off", row.cut_off * 100, "%"),
        ]
    best = curve.quickest(rules)
    if best is not None:
        rows.append(free("endpoint: plain silence at <= 5 % cut off: p50", best.p50 * 1000, "ms"))
    return rows


def _recognition(count: int, model: Any) -> list[Figure]:
    """Of callers who are alone in the room: what others say would be words as well."""
    rows = []
    for snr in (32.0, 20.0, 10.0):
        clips = turns(FIGURES, count, snr=snr, alone=True)
        free_speech = recognised(clips, model)
        rows.append(
            free(f"word error rate, {snr:.0f} dB SNR", 100 * word_error_rate(free_speech), "%")
        )
        expected = recognised([c for c in clips if c.kind in EXPECTED], model, expecting=True)
        for kind in EXPECTED:
            for how, heard in (("all words", free_speech), ("expected", expected)):
                right = [one.right for one in heard if one.clip.kind == kind]
                name = f"{kind} right at {snr:.0f} dB SNR, {how}"
                value = 100 * sum(right) / len(right)
                aim = snr == 20 and how == "all words"
                rows.append(above(name, value, "%", 99) if aim else free(name, value, "%"))
    return rows


def _confidence(count: int) -> list[Figure]:
    """On clips of its own, at every noise: `python -m tests.bench.confidence` has the diagram."""
    judged = hear(confidence_clips("figures", count))
    ours = [(calibrated(one.evidence), one.right) for one in judged]
    raw = [(one.raw, one.right) for one in judged]
    return [
        below("ECE of confidence", calibration_error(ours), "", 0.05),
        free("ECE of the recogniser's own confidence", calibration_error(raw), ""),
    ]


def _activity(count: int, screen: Console) -> list[Figure]:
    scores = activity.compared("figures", count)
    for table in activity.tables("figures", scores):
        screen.print(table)
    rows = []
    for score in scores:
        noises = [n for kind, n in score.false_starts.items() if kind not in _NOT_THE_CALLER]
        rows += [
            free(f"voice activity: {score.name}: missed", 100 * score.missed, "%"),
            free(f"voice activity: {score.name}: false alarms", 100 * score.false, "%"),
            free(f"voice activity: {score.name}: start p50", score.onset_p50, "ms"),
            free(f"voice activity: {score.name}: end p95", score.offset_p95, "ms"),
            free(
                f"voice activity: {score.name}: false starts on noises",
                sum(noises) / len(noises),
                "a minute",
            ),
            free(f"voice activity: {score.name}: CPU", score.cpu, "ms/s"),
        ]
    return rows


async def _live(outcomes: Sequence[Outcome], folder: Path) -> list[Figure]:
    """The same clips in real calls; then the beginnings of some over a long prompt; then noises."""
    shutil.rmtree(folder, ignore_errors=True)
    clips = [outcome.clip for outcome in outcomes]
    speech = [clip for clip in clips if clip.kind == "open"]
    noises = [clip for clip in others(FIGURES, each=1) if clip.kind != "own echo"]
    async with site(folder) as calls:
        answered = await calls.answers(clips)
        final = calls.final_p95()
        spoken_over = await calls.interruptions(speech)
        noisy = await calls.interruptions(noises)
    return [
        *_answers(answered, outcomes),
        below("words final after our endpoint, p95 (bucket's bound)", final * 1000, "ms", 100),
        *_barge_in(spoken_over, noisy),
        free("the phones' own lateness, worst", calls.worst_lateness * 1000, "ms"),
    ]


def _answers(answered: Sequence[Turn], outcomes: Sequence[Outcome]) -> list[Figure]:
    delays = [1000 * t.delay for t in answered if t.delay is not None and not t.cut_off]
    decided = {outcome.clip.name: outcome.delay for outcome in outcomes}
    media = [
        1000 * (turn.delay - before)
        for turn in answered
        if turn.delay is not None
        and not turn.cut_off
        and (before := decided[turn.clip.name]) is not None
    ]
    cut = 100 * sum(turn.cut_off for turn in answered) / len(answered)
    return [
        free("live: turns", len(answered), ""),
        percentile("live: end of speech -> first prompt packet, p50", delays, 50, "ms", 350),
        percentile("live: end of speech -> first prompt packet, p95", delays, 95, "ms", 700),
        below("live: turns cut off", cut, "%", 5),
        percentile("live: media path added to the endpoint, p50", media, 50, "ms", 40),
        percentile("live: media path added to the endpoint, p95", media, 95, "ms", 80),
    ]


def _barge_in(spoken_over: Sequence[Interruption], noisy: Sequence[Interruption]) -> list[Figure]:
    stops = [1000 * one.stopped for one in spoken_over if one.stopped is not None]
    voices = [one for one in noisy if one.clip.kind in _NOT_THE_CALLER]
    noisy = [one for one in noisy if one.clip.kind not in _NOT_THE_CALLER]
    false = [one for one in noisy if one.stopped is not None]
    resumed = [one for one in false if one.whole]
    share = 100 * len(stops) / max(len(spoken_over), 1)
    back = 100 * len(resumed) / len(false) if false else 100.0
    return [
        percentile("live: barge-in: speech -> silence, p50", stops, 50, "ms", 250),
        percentile("live: barge-in: speech -> silence, p95", stops, 95, "ms", 400),
        free("live: prompts that speech stopped", share, "%"),
        below("live: prompts that a noise stopped", 100 * len(false) / len(noisy), "%", 2),
        above("live: of those, heard to the end all the same", back, "%", 100),
        *(
            free(f"live: {one.clip.kind}: heard to the end all the same", float(one.whole), "")
            for one in voices
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
