"""`segue bench soak`: mixed calls for a long time; says what grew."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ari_app.cli.capacity_stage import measuring, scripts
from ari_app.cli.crowd import Course, Crowd, Talk, conversation
from ari_app.cli.figures import Figure, below, free, told
from ari_app.cli.soak_samples import (
    MORE_DESCRIPTORS,
    MORE_MEMORY,
    MORE_TASKS,
    MOST_LOST,
    Sample,
    grown,
    look,
)
from ari_app.cli.stage import DID
from ari_app.config import load
from ari_app.errors import SegueError
from ari_app.phone.caller import Line
from ari_app.phone.errors import CallEnded, NothingHeard

_APART = 0.3
_WARM_UP = 0.2  # share of the time
_FAREWELL = 8.0  # seconds that calls may go on before a look
_BORED = 15.0  # ... that a silent caller stays
_KEYS = ("1", "2", "9", "1", "*")


@dataclass(frozen=True, slots=True)
class Soak:
    """How long, with how many callers; `seed` makes the same people call again."""

    minutes: float = 30.0
    calls: int = 8
    seed: int = 1
    config: Path | None = None
    out: Path = Path("build/bench")

    @property
    def interval(self) -> float:
        """Seconds between two looks: a minute, or less if there are few minutes."""
        return max(min(60.0, self.minutes * 10), 5.0)


def run_soak(soak: Soak) -> int:
    """0 if nothing grew, was left or lost; else a sentence for each."""
    screen = Console(highlight=False)
    folder = soak.out / "soak"
    try:
        samples = asyncio.run(soaked(soak, folder, screen))
    except (SegueError, OSError) as error:
        screen.print(f"[red]the soak failed:[/red] {error}; logs are in {folder}")
        return 1
    found = grown(samples, _WARM_UP * soak.minutes * 60)
    told(screen, soak.out / "soak.json", figures(samples, _WARM_UP * soak.minutes * 60))
    for sentence in found:
        screen.print(f"[red]{sentence}[/red]", soft_wrap=True)
    return 1 if found else 0


async def soaked(soak: Soak, folder: Path, screen: Console) -> list[Sample]:
    """A stage under mixed calls for all the minutes; a look at rest after each interval."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = load(soak.config)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    samples: list[Sample] = []
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("what the callers say", total=soak.minutes * 60)
        said = await scripts(settings, ())

        def step(what: str) -> None:
            progress.update(task, description=what)

        async with measuring(folder, settings, soak.calls * 2, step) as (stage, page):
            crowd = Crowd(stage.sip, DID, mixed(said, random.Random(soak.seed)))
            began = time.monotonic()
            calls, since = 0, began
            try:
                while (passed := time.monotonic() - began) < soak.minutes * 60:
                    step(f"{soak.calls} callers, {calls} calls so far")
                    progress.update(task, completed=passed)
                    await crowd.grow(soak.calls, _APART)
                    busy = since + soak.interval - _FAREWELL - time.monotonic()
                    await asyncio.sleep(max(busy, 1.0))
                    await crowd.shrink(_FAREWELL)
                    now = time.monotonic()
                    heard = crowd.heard(since, now)
                    faults = [talk.fault for talk in crowd.talks if talk.fault]
                    calls += len(crowd.talks)
                    sample = await look(
                        stage,
                        page,
                        began,
                        calls=calls,
                        received=heard.received,
                        missing=heard.missing,
                        faults=faults,
                    )
                    samples.append(sample)
                    progress.console.print(_line(sample), highlight=False)
                    crowd.forget()
                    since = time.monotonic()
            finally:
                await crowd.aclose()
    return samples


def mixed(said: Sequence[Sequence[Line]], choose: random.Random) -> Course:
    """Callers of every kind, one after the other by chance."""
    talk_on = conversation(said)

    async def keys(talk: Talk) -> None:
        await talk.phone.until_quiet()
        for key in choose.sample(_KEYS, 3):
            await talk.phone.press(key)
            await asyncio.sleep(choose.uniform(0.1, 3.0))

    async def silent(talk: Talk) -> None:
        await talk.phone.until_ended(_BORED)

    async def hangs_up(_: Talk) -> None:
        await asyncio.sleep(choose.uniform(0.0, 12.0))

    async def barges_in(talk: Talk) -> None:
        await asyncio.sleep(choose.uniform(2.0, 7.0))
        line = choose.choice(choose.choice(said))
        if line.pcm is not None:
            await talk.phone.say(line.pcm)
        await asyncio.sleep(choose.uniform(0.0, 4.0))

    kinds: list[Course] = [talk_on, keys, silent, hangs_up, barges_in]

    async def course(talk: Talk) -> None:
        try:
            await choose.choice(kinds)(talk)
        except (CallEnded, NothingHeard):
            return  # they were sent to people, or hung up on: none of it is a fault here

    return course


def figures(samples: Sequence[Sample], warm_up: float) -> list[Figure]:
    """Every row of build/bench/soak.json."""
    steady = [sample for sample in samples if sample.at >= warm_up] or list(samples)
    first = steady[0]
    rows = [free("calls", samples[-1].calls, ""), free("looks", len(samples), "")]
    for name, before in first.memory.items():
        most = max(sample.memory.get(name, 0) for sample in steady)
        growth, role = (most - before) / (1 << 20), name.partition(" (")[0]
        rows.append(below(f"memory: {role}", growth, "MB more", MORE_MEMORY >> 20))
        files = max(s.descriptors.get(name, 0) for s in steady) - first.descriptors[name]
        rows.append(below(f"open files: {role}", files, "more", MORE_DESCRIPTORS))
    tasks = [sample.tasks for sample in steady if sample.tasks is not None]
    if tasks:
        rows.append(below("tasks of the service", max(tasks) - tasks[0], "more", MORE_TASKS))
    received, missing = sum(s.received for s in samples), sum(s.missing for s in samples)
    left = max(len(sample.left) for sample in samples)
    rows.append(below("channels and bridges left in Asterisk", left, "", 0))
    rows.append(free("packets heard", received, ""))
    lost = 100 * missing / max(received + missing, 1)
    return [*rows, below("packets that did not come", lost, "%", 100 * MOST_LOST)]


def _line(sample: Sample) -> str:
    memory = ", ".join(
        f"{name.partition(' (')[0]} {octets >> 20}" for name, octets in sample.memory.items()
    )
    tasks = "" if sample.tasks is None else f", {sample.tasks} tasks"
    return (
        f"{sample.at / 60:5.1f} min: {sample.calls} calls, {sample.missing} packets missing, "
        f"MB: {memory}{tasks}"
    )
