"""`segue bench capacity`: how many calls are held, what one costs, what happens beyond."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ari_app.bootstrap.premises import load_model
from ari_app.calls.admission import cap_of
from ari_app.cli.capacity_figures import CORES, Found, figures, table
from ari_app.cli.capacity_file import Capacity
from ari_app.cli.capacity_levels import Level, measured
from ari_app.cli.capacity_overload import Overload, overloaded
from ari_app.cli.capacity_stage import disclosure, measuring, scripts
from ari_app.cli.crowd import Crowd, conversation
from ari_app.cli.figures import told
from ari_app.cli.metrics_page import MetricsPage
from ari_app.cli.roles import Member, members
from ari_app.cli.stage import DID
from ari_app.config import Settings, load
from ari_app.errors import SegueError
from ari_app.phone.caller import Line

_FIRST, _GROWTH = 4, 1.5
_SPREAD = 6.0  # seconds over which the new callers of a level begin, at most
_SETTLE = 3.0
_REST = 5.0
_MOST_OVERLOADED = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    config: Path | None = None
    most: int = 96  # callers at once; the private Asterisk has ports for 100
    seconds: float = 20.0  # of a level
    slowest_reply: float = 1.5  # p95, from the end of the caller's words
    headroom: float | None = None  # None: that of [calls]
    lines: tuple[str, ...] = ()
    out: Path = Path("build/bench")
    write: Path | None = None

    def quick(self) -> Plan:
        """Two small levels: enough to see that everything works."""
        return replace(self, most=min(self.most, 6), seconds=min(self.seconds, 8.0))


def run_capacity(plan: Plan) -> int:
    """0 if every target holds."""
    screen = Console(highlight=False)
    folder = plan.out / "capacity"
    try:
        settings = load(plan.config)
        model = load_model(settings)
        found = asyncio.run(measure(plan, settings, folder, screen, model.is_mini))
        held = found.held
        if plan.write is not None and held is not None:
            date = datetime.now(UTC).isoformat(timespec="seconds")
            headroom = _headroom(plan, settings)
            Capacity(held.calls, CORES, model.path.name, date, headroom).write(plan.write)
            screen.print(
                f"{plan.write} is for [calls] capacity: {_cap(held.calls, headroom)} calls are "
                "admitted by it",
                markup=False,
            )
    except (SegueError, OSError) as error:
        screen.print(f"[red]the benchmark failed:[/red] {error}; logs are in {folder}")
        return 1
    screen.print(table(found.levels))
    for level, why in found.levels:
        if why:
            screen.print(f"{level.calls} calls were not held: {'; '.join(why)}", soft_wrap=True)
    status = told(screen, plan.out / "capacity.json", figures(found))
    if held is None:
        screen.print("[red]not even the first level was held[/red]: see why in the table above")
        return 1
    return status


async def measure(
    plan: Plan, settings: Settings, folder: Path, screen: Console, mini: bool
) -> Found:
    """Ever more callers, then too many; SegueError if something does not come up."""
    shutil.rmtree(folder, ignore_errors=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("what the callers say", total=_rounds(plan) + 2)

        def step(what: str, done: int = 0) -> None:
            progress.update(task, description=what, advance=done)

        said = await scripts(settings, plan.lines)
        async with measuring(folder / "load", settings, plan.most + 10, step) as (stage, port):
            crowd = Crowd(stage.sip, DID, conversation(said))
            ramp = _Ramp(plan, crowd)
            processes = members(stage)
            step("at rest")
            rest = await measured(crowd, 0, processes, min(plan.seconds, _REST))
            try:
                for calls in ramp.sizes():
                    step(f"{calls} calls", 1)
                    grows = time.monotonic()
                    await crowd.grow(calls, min(_SPREAD, plan.seconds) / (calls - crowd.size))
                    await asyncio.sleep(min(_SETTLE, plan.seconds))
                    await ramp.try_level(calls, processes, grows)
                    if len(ramp.levels) == 1:
                        page = await MetricsPage.of(port)
            finally:
                await crowd.aclose()
        first = ramp.levels[0][0].calls
        held = max((level.calls for level, why in ramp.levels if not why), default=first)
        cap = min(max(_cap(held, _headroom(plan, settings)), 2), _MOST_OVERLOADED)
        step(f"half as many again as {cap} calls", 1)
        overload = await _overload(folder / "overload", settings, cap, said)
        step("done", 1)
    return Found(rest, tuple(ramp.levels), ramp.length(), page, overload, cap, mini)


class _Ramp:
    """Ever more callers, until a level is not held."""

    def __init__(self, plan: Plan, crowd: Crowd) -> None:
        self._plan = plan
        self._crowd = crowd
        self._lengths: list[float] = []
        self.levels: list[tuple[Level, tuple[str, ...]]] = []

    def sizes(self) -> Iterator[int]:
        """The next level, as the last one went."""
        size = min(_FIRST, self._plan.most)
        while True:
            yield size
            if self.levels[-1][1] or size >= self._plan.most:
                return
            size = min(math.ceil(size * _GROWTH), self._plan.most)

    async def try_level(self, calls: int, processes: list[Member], since: float) -> None:
        """Measure it; once more if it was not held: that may have been other work's fault."""
        for _ in range(2):
            level = await measured(self._crowd, calls, processes, self._plan.seconds, since)
            why = tuple(level.limits(self._plan.slowest_reply))
            self._lengths += [
                talk.ended - talk.answered
                for talk in self._crowd.talks
                if talk.ended and talk.answered and not talk.fault
            ]
            self._crowd.forget()
            if not why:
                break
        self.levels.append((level, why))

    def length(self) -> float:
        """Of a whole call, in seconds; the length of a level if none has ended in it."""
        return float(np.mean(self._lengths)) if self._lengths else self._plan.seconds


def _headroom(plan: Plan, settings: Settings) -> float:
    return settings.calls.headroom if plan.headroom is None else plan.headroom


def _cap(held: int, headroom: float) -> int:
    """As admission will have it."""
    return cap_of(json.dumps({"calls": held}), headroom)


def _rounds(plan: Plan) -> int:
    """How many levels there are at most."""
    return 1 + math.ceil(math.log(max(plan.most / _FIRST, 1), _GROWTH))


async def _overload(
    folder: Path, settings: Settings, cap: int, said: Sequence[Sequence[Line]]
) -> Overload:
    async with measuring(folder, settings, cap) as (stage, _):
        sound = await disclosure(settings, stage)
        return await overloaded(stage, math.ceil(cap * 1.5), sound, said)
