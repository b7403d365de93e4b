"""`segue bench call`: figures from packets at the phone and PDUs at the SMSC, never our events."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ari_app.cli.figures import Figure, below, free, percentile, told
from ari_app.cli.processes import cpu_seconds
from ari_app.cli.simulated_call import Outcome, place, spoken
from ari_app.cli.stage import DID, Stage, raised
from ari_app.errors import SegueError
from ari_app.phone.call import Phone
from ari_app.phone.caller import Line
from ari_app.speech.endpointing import OPEN, YES_NO
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter

# Sentences and voices that the mini model was neither trained nor tuned on.
_FIRST = (
    "hi i would like to reschedule my appointment",
    "i need to move my appointment to friday",
    "hello what are your opening hours",
    "where are you located please",
    "can i change my appointment from monday to thursday",
)
_VOICES = ("f4", "m4", "linda", "Michael")
# What each line of a call answers, and so how much silence was chosen to end it.
_PAUSES = (OPEN.silence, OPEN.silence, YES_NO.silence)
_AT_ONCE = 4


def run_call(calls: int, out: Path) -> int:
    """0 if every target holds."""
    screen = Console()
    try:
        figures = asyncio.run(measure(calls, out / "call"))
    except SegueError as error:
        screen.print(f"[red]the benchmark failed:[/red] {error}; logs are in {out / 'call'}")
        return 1
    return told(screen, out / "call.json", figures)


async def measure(calls: int, folder: Path) -> list[Figure]:
    """Every row; SegueError if something does not come up."""
    shutil.rmtree(folder, ignore_errors=True)
    with Progress() as progress:
        task = progress.add_task("starting", total=calls + 12)

        def step(what: str) -> None:
            progress.update(task, description=what)

        async with raised(folder, step) as stage:
            step("talking")
            control, hearing = cpu_seconds(stage.service.pid)
            outcomes = await _talk(stage, calls, lambda: progress.advance(task))
            control_after, hearing_after = cpu_seconds(stage.service.pid)
            step("hanging up")
            hang_ups = await _hang_ups(stage, 10)
            progress.advance(task, 10)
            submits = await _submits(stage)
        step("bare recogniser")
        realtime = await _realtime_factor()
        progress.advance(task, 2)
    seconds = sum(o.seconds for o in outcomes)
    control, hearing = control_after - control, hearing_after - hearing
    return [
        *_latency(outcomes),
        *_texts(outcomes, submits),
        percentile("hang-up to hand-off record on disk, p95", hang_ups, 95, "ms", 2000),
        free("Vosk real-time factor (bare)", realtime, "CPU s / s"),
        free("CPU of a call with ASR", (control + hearing) / calls, "s"),
        free("CPU of a call without ASR", control / calls, "s"),
        below("media and control without ASR", control / seconds * 100, "% of a core", 2.0),
        free("ASR of a call", hearing / seconds * 100, "% of a core"),
        free("the phone's own lateness, worst", 1000 * max(o.lateness for o in outcomes), "ms"),
    ]


@dataclass(frozen=True, slots=True)
class _Talked:
    caller: str
    outcome: Outcome
    seconds: float
    lateness: float


async def _talk(stage: Stage, calls: int, done: Callable[[], None]) -> list[_Talked]:
    """Whole conversations, a few at once; every one must end with a promised text."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async with Espeak() as espeak:

        async def one(number: int) -> _Talked:
            words = (_FIRST[number % len(_FIRST)], "can you text me the times", "yes please")
            lines = await spoken(espeak, words, _VOICES[number % len(_VOICES)])
            caller = f"+1202555{1000 + number:04d}"
            async with turn:
                began = time.monotonic()
                outcome = await place(stage.sip, DID, caller, lines)
                done()
            return _Talked(caller, outcome, outcome.hung_up_at - began, outcome.worst_lateness)

        return list(await asyncio.gather(*(one(n) for n in range(calls))))


async def _hang_ups(stage: Stage, calls: int) -> list[float]:
    """Milliseconds from the phone's BYE to the record under its name in the drop folder."""

    async def one(number: int) -> tuple[str, float]:
        caller = f"+1202556{1000 + number:04d}"
        async with await Phone.open() as phone:
            await phone.call(*stage.sip, DID, caller)
            await phone.until_prompt(20.0)
            await asyncio.sleep(0.5 + number * 0.07)  # not all at the same moment of the prompt
            wall = time.time()
            await phone.hang_up()
            return caller, wall

    ended = dict(await asyncio.gather(*(one(n) for n in range(calls))))
    found: dict[str, float] = {}
    deadline = time.monotonic() + 20.0
    while len(found) < calls and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        found = {c: at for c, at in _records(stage.handoffs).items() if c in ended}
    return [(found.get(c, math.inf) - at) * 1000 for c, at in ended.items()]


def _records(folder: Path) -> dict[str, float]:
    """Caller and time (UTC s) of each record; a rename into place is the change of the inode."""
    return {
        json.loads(path.read_text())["caller"]["number"]: path.stat().st_ctime
        for path in folder.glob("*.json")
    }


async def _submits(stage: Stage) -> dict[str, float]:
    """When the SMSC took the first text for each number; the clock is the same on one machine."""
    first: dict[str, float] = {}
    for message in await stage.handset.accepted():
        number = "+" + str(message["recipient"]).lstrip("+")
        first.setdefault(number, float(str(message["at"])))
    return first


async def _realtime_factor() -> float:
    """CPU seconds of one worker for each second of speech, everything else off."""
    facts = load_model_facts(mini_model_path())
    workers = AsrWorkers(facts, 1, PrometheusMeter())
    await workers.start()
    try:
        async with Espeak() as espeak:
            lines = await spoken(espeak, _FIRST * 2, _VOICES[0])
        _, before = cpu_seconds(os.getpid())
        seconds = 0.0
        for line in lines:
            seconds += await _recognise(workers, line)
        _, after = cpu_seconds(os.getpid())
        return (after - before) / seconds
    finally:
        await workers.aclose()


async def _recognise(workers: AsrWorkers, line: Line) -> float:
    assert line.pcm is not None
    ear = await workers.open(lambda _: None, lambda: None)
    for start in range(0, line.pcm.size, 160):
        ear.feed(line.pcm[start : start + 160].tobytes())
        await asyncio.sleep(0)
    await ear.finish()
    await ear.aclose()
    return line.pcm.size / 8000


def _latency(outcomes: Sequence[_Talked]) -> list[Figure]:
    answers, beyond = [], []
    for talked in outcomes:
        for exchange, pause in zip(talked.outcome.exchanges, _PAUSES, strict=False):
            if exchange.answered_at is not None:
                late = (exchange.answered_at - exchange.spoken_until) * 1000
                answers.append(late)
                beyond.append(late - pause * 1000)
    return [
        free("turns measured", len(answers), ""),
        percentile("end of speech to first prompt packet, p50", answers, 50, "ms", 700),
        percentile("end of speech to first prompt packet, p95", answers, 95, "ms", None),
        percentile("of which beyond the chosen silence, p50", beyond, 50, "ms", 40),
        percentile("of which beyond the chosen silence, p95", beyond, 95, "ms", None),
    ]


def _texts(outcomes: Sequence[_Talked], submits: dict[str, float]) -> list[Figure]:
    """The decision falls at the end of the chosen silence at the earliest: an upper bound."""
    waits = []
    for talked in outcomes:
        if len(talked.outcome.exchanges) == len(_PAUSES) and talked.caller in submits:
            decided = talked.outcome.exchanges[-1].spoken_until + _PAUSES[-1]
            waits.append((submits[talked.caller] - decided) * 1000)
    every = len(outcomes)
    promised = Figure(
        "calls that ended with a text", len(waits), "", f"= {every}", len(waits) == every
    )
    return [promised, percentile("decision to submit_sm at the SMSC, p95", waits, 95, "ms", 150)]
