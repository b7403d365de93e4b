"""Voice activity compared: ours, webrtcvad and Silero on the same clips.

    python -m tests.bench.turn.activity --set tune

A detector says of each 20 ms whether it is speech. Frames are compared with the truth; a start is
what begins a turn (60 ms of voice with no gap above 200 ms), an end the last voice of a clip.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ari_app.speech.vad import VoiceActivity
from tests.bench.turn.corpus import SETS, Clip, turns
from tests.bench.turn.line import RATE
from tests.bench.turn.others import others
from tests.support.foreign.pypi import python_with

FRAME = 0.02
SPEAKS, APART = 0.06, 0.2  # seconds: of voice that begin a turn; a gap after which it begins anew
_RE_ARMED = 0.3  # seconds without voice, then another start is counted
_HOLE = 0.3  # seconds without voice inside a word: a short endpoint would fall there

_ROOT = Path(__file__).parents[3]
_WANTED = (
    "numpy==2.4.6 --hash=sha256:89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93",
    "onnxruntime==1.31.1 "
    "--hash=sha256:5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
    "silero-vad==6.2.3 "
    "--hash=sha256:7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    "webrtcvad-wheels==2.0.14.post1 "
    "--hash=sha256:f20b5a3c9c206ab8572120a61cd5d175a65e059bd2e4cd2de28db4c17c5269dd",
)
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Heard:
    """A detector's answers about one clip, and the seconds of CPU that they took."""

    clip: Clip
    voiced: tuple[bool, ...]
    cpu: float


@dataclass(frozen=True, slots=True)
class Score:
    """One detector; shares of frames, milliseconds, starts a minute of each sound."""

    name: str
    missed: float  # of the caller's voice
    false: float  # of the rest of the turns' clips
    onset_p50: float  # from the first sound to the start
    onset_p95: float
    offset_p50: float  # from the last sound to the last voice; negative if it ends too early
    offset_p95: float
    early_p5: float  # the 5th percentile of the same
    unheard: float  # share of the turns that never start
    holes: float  # a minute of speech
    cpu: float  # ms for each second of audio
    false_starts: Mapping[str, float]  # a minute


def ours(clips: Sequence[Clip]) -> list[Heard]:
    """The product's detector, told what is played."""
    found = []
    for clip in clips:
        activity = VoiceActivity(RATE)
        played = Clip("", "", clip.played).frames() if clip.played is not None else []
        began = time.process_time()
        voiced = []
        for number, pcm in enumerate(clip.frames()):
            if played:
                activity.played(played[number])
            voiced.append(activity.is_speech(pcm))
        found.append(Heard(clip, tuple(voiced), time.process_time() - began))
    return found


def peers(clips: Sequence[Clip]) -> dict[str, list[Heard]]:
    """Those of others; ProgramMissing if they cannot be had on this machine."""
    python = python_with("voice-activity-1", _WANTED)
    sent = b"".join(_octets(clip) for clip in clips)
    done = subprocess.run(
        [str(python), str(Path(__file__).parent / "peers" / "activity.py")],
        cwd=_ROOT / "tests",
        input=sent,
        capture_output=True,
        check=True,
    )
    found: dict[str, list[Heard]] = {}
    for clip, said in zip(clips, done.stdout.splitlines(), strict=True):
        for name, answer in json.loads(said).items():
            voiced = tuple(digit == "1" for digit in answer["voiced"])
            found.setdefault(name, []).append(Heard(clip, voiced, answer["cpu"]))
    return found


def _octets(clip: Clip) -> bytes:
    pcm = clip.samples.astype("<i2").tobytes()
    return struct.pack("!I", len(pcm)) + pcm


def starts(voiced: Sequence[bool]) -> list[float]:
    """When turns would begin, in seconds; after one, the next needs a silence before it."""
    found: list[float] = []
    heard, last, armed = 0.0, -1.0, True
    for number, is_voiced in enumerate(voiced, 1):
        at = number * FRAME
        if at - last > _RE_ARMED:
            armed = True
        if not is_voiced:
            continue
        heard = heard + FRAME if at - FRAME - last <= APART else FRAME
        last = at
        if armed and heard >= SPEAKS - 1e-9:
            found.append(at)
            armed = False
    return found


def score(name: str, heard: Sequence[Heard]) -> Score:
    """Of clips with and without turns together."""
    said = [one for one in heard if one.clip.words]
    missed, false, onsets, offsets, holes, unheard = [], [], [], [], 0, 0
    for one in said:
        truth = truth_of(one.clip, len(one.voiced))
        voiced = np.array(one.voiced)
        missed.append(~voiced[truth])
        false.append(voiced[~truth])
        begun = [at for at in starts(one.voiced) if at > one.clip.begins]
        if begun:
            onsets.append(begun[0] - one.clip.begins)
        else:
            unheard += 1
        (spoken,) = np.nonzero(voiced)
        if spoken.size:
            offsets.append((int(spoken[-1]) + 1) * FRAME - one.clip.ends)
        holes += _holes(one, voiced)
    speech = sum(end - begin for one in said for begin, end in one.clip.voiced)
    on, off = np.array(onsets) * 1000, np.array(offsets) * 1000
    return Score(
        name,
        float(np.concatenate(missed).mean()),
        float(np.concatenate(false).mean()),
        float(np.percentile(on, 50)),
        float(np.percentile(on, 95)),
        float(np.percentile(off, 50)),
        float(np.percentile(off, 95)),
        float(np.percentile(off, 5)),
        unheard / len(said),
        holes / speech * 60,
        1000 * sum(one.cpu for one in heard) / sum(one.clip.seconds for one in heard),
        _false_starts(heard),
    )


def truth_of(clip: Clip, frames: int) -> np.ndarray:
    """Of each frame whether more than half of it is the caller's voice."""
    middles = (np.arange(frames) + 0.5) * FRAME
    truth = np.zeros(frames, bool)
    for begin, end in clip.voiced:
        truth |= (middles > begin) & (middles < end)
    return truth


def _holes(one: Heard, voiced: np.ndarray) -> int:
    count = 0
    for begin, end in one.clip.voiced:
        inside = voiced[int(begin / FRAME) + 1 : int(end / FRAME)]
        (spoken,) = np.nonzero(inside)
        if spoken.size > 1:
            count += int(np.sum(np.diff(spoken) * FRAME >= _HOLE))
    return count


def _false_starts(heard: Sequence[Heard]) -> dict[str, float]:
    counts: dict[str, list[float]] = {}
    for one in heard:
        if one.clip.words:
            continue
        count = counts.setdefault(one.clip.kind, [0.0, 0.0])
        count[0] += len(starts(one.voiced))
        count[1] += one.clip.seconds / 60
    return {kind: number / minutes for kind, (number, minutes) in counts.items()}


def compared(which: str, count: int) -> list[Score]:
    """Every detector on the same clips; ProgramMissing."""
    clips = [*turns(SETS[which], count), *others(SETS[which])]
    scores = [score(OURS, ours(clips))]
    return scores + [score(name, heard) for name, heard in peers(clips).items()]


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables, write them if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.turn.activity", description=__doc__
    )
    parser.add_argument("--set", choices=sorted(SETS), default="tune")
    parser.add_argument("--turns", type=int, default=120, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(words)
    scores = compared(given.set, given.turns)
    for table in tables(given.set, scores):
        Console(width=140).print(table)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps([asdict(s) for s in scores], indent=1), encoding="utf-8")
    return 0


def tables(title: str, scores: Sequence[Score]) -> list[Table]:
    """Frames and times; false starts for each minute."""
    times = Table("", *(s.name for s in scores), title=f"{title}: turns")
    rows = {
        "missed %": [f"{100 * s.missed:.1f}" for s in scores],
        "false alarms %": [f"{100 * s.false:.1f}" for s in scores],
        "start p50/p95 ms": [f"{s.onset_p50:.0f}/{s.onset_p95:.0f}" for s in scores],
        "end p5/p50/p95 ms": [
            f"{s.early_p5:.0f}/{s.offset_p50:.0f}/{s.offset_p95:.0f}" for s in scores
        ],
        "turns unheard %": [f"{100 * s.unheard:.1f}" for s in scores],
        "holes a minute": [f"{s.holes:.1f}" for s in scores],
        "CPU ms/s": [f"{s.cpu:.2f}" for s in scores],
    }
    for name, values in rows.items():
        times.add_row(name, *values)
    false = Table("", *(s.name for s in scores), title=f"{title}: starts a minute")
    for kind in scores[0].false_starts:
        false.add_row(kind, *(f"{s.false_starts[kind]:.1f}" for s in scores))
    return [times, false]


if __name__ == "__main__":
    sys.exit(main())
