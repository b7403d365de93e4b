"""Sounds and voices over a long prompt, in simulated time: what pauses it, stops it, resumes it.

    python -m tests.bench.turn.over --set tune

The real conversation code (`Talk`, `Mouth`, `Dialogue`), turn detector, Vosk and outgoing audio;
only Asterisk and the network are missing. What the caller hears comes back as an echo.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from rich.console import Console
from rich.table import Table

from ari_app.agent.turn import Spoken
from ari_app.calls.mouth import Mouth, Segment
from ari_app.calls.talk import Talk
from ari_app.media.g711 import ulaw_decode, ulaw_encode
from ari_app.media.speaking import Speaking
from ari_app.ports import Prompt, Utterance
from ari_app.speech.turns import Turns
from ari_app.speech.worker import Recognition
from tests.bench.turn import line
from tests.bench.turn.corpus import SETS, Clip, Set, turns
from tests.bench.turn.curve import PAUSE
from tests.bench.turn.drive import FRAME, mini_model
from tests.bench.turn.line import RATE
from tests.bench.turn.others import others
from tests.bench.turn.speaker import Request, say

INTO = 1.0  # seconds of the prompt, then the clip begins
_STORY = (
    "Our main office is on the harbour road, next to the old customs house. The tram stops in "
    "front of the door, and there are a few parking places behind the building. If you come by "
    "bicycle, please use the racks at the side entrance. The reception is on the second floor, "
    "where somebody will be glad to help you and to show you the way to your meeting room."
)
_LATE = 0.1  # seconds until our own voice is back


@dataclass(frozen=True, slots=True)
class Over:
    """What became of the prompt; seconds from the clip's first sound."""

    clip: Clip
    silent: float | None  # the first packet without the prompt
    stopped: float | None  # for good
    pauses: int
    resumed: int

    @property
    def whole(self) -> bool:
        """Whether the prompt went on after every pause."""
        return self.stopped is None and self.pauses == self.resumed


class _Line:
    """A line whose beat is the frame of the simulation."""

    def __init__(self) -> None:
        self.speaking = Speaking(0, 0, 0)
        self.pauses = self.resumed = 0
        self.stopped = False

    def play(self, ulaw: bytes) -> None:
        self.speaking.play(ulaw)

    def pause(self) -> int:
        self.pauses += 1
        return self.speaking.pause()

    def resume(self, at_ms: int | None = None) -> None:
        self.resumed += 1
        self.speaking.resume(at_ms)

    def stop(self) -> int:
        self.stopped = True
        return self.speaking.stop()


class _Ear:
    """The real recogniser, at once."""

    def __init__(self, model: Any) -> None:
        self.recognition = Recognition(model, RATE)

    async def finish(self) -> Utterance:
        words = tuple(self.recognition.finish())
        return Utterance(" ".join(word.text for word in words), words)


class _Meter:
    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Nobody reads it."""


def story(which: Set) -> bytes:
    """The long prompt as mu-law; none of the callers' voices."""
    (said,) = say([Request(_STORY, "gmw/en-US+f2", 165)])
    level = 10 ** (-20 / 20) * line.FULL / line.speech_level(said.samples)
    return ulaw_encode(np.clip(said.samples * level, -32000, 32000).astype(np.int16))


async def over(clip: Clip, prompt: bytes, model: Any, loss: float | None = 30.0) -> Over:
    """The clip over the prompt; what we play comes back so many dB quieter, or not at all."""
    clock = SimpleNamespace(time=0.0)
    clock.monotonic = lambda: clock.time
    detector, ear, wire = Turns(RATE, PAUSE), _Ear(model), _Line()
    talk = _talk(clock, detector, ear, wire)
    talk._mouth.say([(Segment(Spoken("story", _STORY), Prompt(prompt), "en"), True)], leave=False)
    begins = INTO + (clip.voiced[0][0] if clip.voiced else 0.0)
    silent: float | None = None
    stopped: float | None = None
    heard: list[np.ndarray[Any, Any]] = []
    size = RATE // 50
    quiet = clip.samples[: round(0.3 * RATE)]
    before = np.resize(quiet, round(INTO * RATE))
    samples = np.concatenate([before, clip.samples]).astype(np.float64)
    for number in range(samples.size // size):
        clock.time = round((number + 1) * FRAME, 6)
        packet, _ = wire.speaking.next()
        ours = ulaw_decode(bytes(packet[-size:]))
        heard.append(ours)
        detector.played(ours.tobytes() if ours.any() else b"")
        frame = samples[number * size : (number + 1) * size]
        late = number - round(_LATE / FRAME)
        if loss is not None and late >= 0:
            frame = frame + heard[late] * 10 ** (-loss / 20)
        pcm = np.clip(frame, -32768, 32767).astype("<i2").tobytes()
        text = ear.recognition.hear(pcm)
        talk.follow_sign(detector.heard(pcm, clock.time))
        if text is not None:
            detector.partial(text, clock.time)
            talk.understood(text)
        for _ in range(3):
            await asyncio.sleep(0)
        if number % 10 == 0:
            talk.follow_sign(detector.poll(clock.time))
            talk._mouth.follow(talk._dialogue.tick(clock.time))
        at = clock.time + FRAME - begins
        if silent is None and at > 0 and (wire.pauses > 0 or wire.stopped):
            silent = at
        if wire.stopped:
            stopped = at
            break
    await talk.aclose()
    return Over(clip, silent, stopped, wire.pauses, wire.resumed)


def _talk(clock: Any, detector: Turns, ear: _Ear, wire: _Line) -> Talk:
    bundle = SimpleNamespace(intents={}, hash="")
    tools = SimpleNamespace(
        agent=SimpleNamespace(bundle=bundle),
        meter=_Meter(),
        clock=clock,
        no_input=60.0,
        comfort=SimpleNamespace(after=60.0),
    )
    journal = SimpleNamespace(state=SimpleNamespace(language="en"), stream="")
    mouth = Mouth("call", cast(Any, tools), lambda told: None)
    mouth.line = cast(Any, wire)
    talk = Talk("call", cast(Any, tools), detector, cast(Any, journal), mouth, cast(Any, ear))
    talk._speculation = cast(Any, _Thoughtless())
    return talk


class _Thoughtless:
    def think(self, *of: object) -> None:
        """The answer is of no interest here."""

    async def aclose(self) -> None:
        """Nothing was thought."""


def main(words: Sequence[str] | None = None) -> int:
    """Print what voices and noises did."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turn.over", description=__doc__)
    parser.add_argument("--set", choices=sorted(SETS), default="tune")
    parser.add_argument("--turns", type=int, default=40, metavar="N")
    parser.add_argument("--each", type=int, default=2, metavar="N", help="clips of each noise")
    parser.add_argument("--loss", type=float, default=30.0, metavar="DB", help="of our echo")
    parser.add_argument("--all", action="store_true", help="name every clip")
    given = parser.parse_args(words)
    screen, model, which = Console(width=140), mini_model(), SETS[given.set]
    prompt = story(which)
    speech = turns(which, given.turns, ["open"])
    noises = [replace(c, played=None) for c in others(which, given.each) if c.kind != "own echo"]
    spoken = [asyncio.run(over(clip, prompt, model, given.loss)) for clip in speech]
    noisy = [asyncio.run(over(clip, prompt, model, given.loss)) for clip in noises]
    table = Table("", "clips", "paused", "pauses", "stopped", "silence p50 ms", "p95 ms")
    for kind in ["open", *sorted({one.clip.kind for one in noisy})]:
        some = [one for one in [*spoken, *noisy] if one.clip.kind == kind]
        first = [1000 * one.silent for one in some if one.silent is not None]
        p50, p95 = np.percentile(first, [50, 95], method="higher") if first else (0, 0)
        table.add_row(
            kind,
            str(len(some)),
            str(len(first)),
            str(sum(one.pauses for one in some)),
            str(sum(one.stopped is not None for one in some)),
            *([f"{p50:.0f}", f"{p95:.0f}"] if kind == "open" else ["", ""]),
        )
    screen.print(table)
    for one in [*spoken, *noisy] if given.all else []:
        screen.print(f"{one.clip.name} {one.clip.text} {one.silent} {one.stopped} {one.pauses}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
