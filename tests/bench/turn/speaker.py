"""Speech whose words have times: a process of its own with espeak-ng, asked once for many texts.

espeak-ng carries state from text to text, so the same list of texts is always the same samples.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from ari_app.speech.espeak_process import Library

RATE = 8000
Signal = NDArray[np.float64]

_HEAD = struct.Struct("!III")  # octets of the times, sample rate, octets of the samples
_ROOT = Path(__file__).parents[3]
_END, _WORD = 0, 1  # speak_lib.h: espeak_EVENT_TYPE
INAUDIBLE = 0.01  # of the loudest sample: silence before the first sound, after the last one


@dataclass(frozen=True, slots=True)
class Request:
    """A text, a voice file of espeak-ng with its variant, words a minute, pitch 0-100."""

    text: str
    voice: str
    rate: int = 160
    pitch: int = 50


@dataclass(frozen=True, slots=True)
class Said:
    """From the first audible sample to the last, at 8 kHz; where each word begins, in seconds."""

    samples: Signal
    starts: tuple[float, ...]  # one for each word of the text


class _Timed(Library):
    """Also keeps which word began when: (character of the text, sample)."""

    def __init__(self) -> None:
        self.words: list[tuple[int, int]] = []
        super().__init__()

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        at = 0
        while events[at].type != _END:
            if events[at].type == _WORD:
                self.words.append((events[at].text_position - 1, events[at].sample))
            at += 1
        return super()._heard(samples, count, events)


def say(requests: Sequence[Request]) -> list[Said]:
    """Every text spoken; RuntimeError with the process's last words if it cannot."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.turn.speaker"],
        cwd=_ROOT,
        input=json.dumps([asdict(request) for request in requests]).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.decode().strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"espeak-ng does not speak: {last}")
    said, at = [], 0
    for request in requests:
        times, rate, octets = _HEAD.unpack_from(done.stdout, at)
        at += _HEAD.size
        words = json.loads(done.stdout[at : at + times])
        at += times
        samples = np.frombuffer(done.stdout, "<i2", octets // 2, at)
        at += octets
        said.append(_cut(request.text, samples, rate, words))
    return said


def _cut(text: str, samples: NDArray[np.int16], rate: int, words: list[list[int]]) -> Said:
    signal = np.asarray(soxr.resample(samples.astype(np.float64), rate, RATE, quality="HQ"))
    loudest = float(np.abs(signal).max(initial=0.0))
    (audible,) = np.nonzero(np.abs(signal) > INAUDIBLE * loudest)
    if not audible.size:
        raise RuntimeError(f"espeak-ng says nothing for {text!r}")
    first, last = int(audible[0]), int(audible[-1]) + 1
    began = {text.count(" ", 0, position): sample / rate for position, sample in words}
    starts: list[float] = []
    for number in range(len(text.split())):
        # Words that espeak-ng speaks as one ("of the") have one time.
        at = began.get(number, starts[-1] + first / RATE if starts else 0.0)
        starts.append(min(max(at - first / RATE, starts[-1] if starts else 0.0), last / RATE))
    return Said(signal[first:last], tuple(starts))


def main() -> int:
    """Requests as JSON on stdin; for each its times and samples on stdout."""
    library = _Timed()
    for request in json.load(sys.stdin):
        library.words.clear()
        samples, _ = library.speak(**request)
        times = json.dumps(library.words).encode()
        sys.stdout.buffer.write(_HEAD.pack(len(times), library.rate, len(samples)) + times)
        sys.stdout.buffer.write(samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
