"""What is looked at during a soak, and which of it has grown."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ari_app.cli.metrics_page import MetricsPage
from ari_app.cli.roles import Member, Role, members
from ari_app.cli.stage import Stage

#: What may come and go: a connection of a pool, a timer, a file that is read just now.
MORE_DESCRIPTORS = 6
MORE_TASKS = 4
MORE_MEMORY = 10 << 20  # octets of one process
MOST_LOST = 0.001  # share of the packets

_LOOKS, _BETWEEN = 8, 0.25
_QUIET = 20.0  # seconds that Asterisk may take to end what was hung up
_HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Sample:
    """One look, while nobody is calling."""

    at: float  # seconds since the beginning
    memory: Mapping[str, int]  # octets, by the name of the process
    descriptors: Mapping[str, int]
    tasks: int | None  # None where the service does not tell
    left: tuple[str, ...]  # channels and bridges of calls that are over
    calls: int  # so far, all that were placed
    received: int  # packets at the callers since the last look
    missing: int
    faults: tuple[str, ...] = ()  # calls that nobody answered since the last look


def grown(samples: Sequence[Sample], warm_up: float) -> list[str]:
    """A sentence for each thing that grew after `warm_up` seconds, or was left or lost; or []."""
    steady = [sample for sample in samples if sample.at >= warm_up]
    if len(steady) < 2:
        return ["there was no time to see whether anything grows: soak for longer"]
    return [*_growth(steady[0], steady[1:]), *_faults(samples)]


def _growth(first: Sample, later: Sequence[Sample]) -> Iterator[str]:
    for name, before in first.memory.items():
        most = max(sample.memory.get(name, 0) for sample in later)
        if most - before > MORE_MEMORY:
            yield f"the memory of {name} grew from {before >> 20} to {most >> 20} MB"
        if any(name not in sample.memory for sample in later):
            yield f"{name} ended, or was replaced"
    for name, before in first.descriptors.items():
        most = max(sample.descriptors.get(name, 0) for sample in later)
        if most - before > MORE_DESCRIPTORS:
            yield f"the open files of {name} grew from {before} to {most}"
    tasks = [sample.tasks for sample in later if sample.tasks is not None]
    if first.tasks is not None and tasks and max(tasks) - first.tasks > MORE_TASKS:
        yield f"the tasks of the service grew from {first.tasks} to {max(tasks)}"


def _faults(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples:
        if sample.left:
            yield (
                f"{len(sample.left)} channels or bridges of ended calls were left in Asterisk "
                f"after {sample.at:.0f} s, such as {sample.left[0]}"
            )
            break
    received, missing = sum(s.received for s in samples), sum(s.missing for s in samples)
    if missing > MOST_LOST * (received + missing):
        yield f"{missing} of {received + missing} packets did not reach the callers"
    refused = [fault for sample in samples for fault in sample.faults]
    if refused:
        yield f"{len(refused)} calls were not answered: {refused[0]}"


async def look(
    stage: Stage,
    page: int,
    began: float,
    *,
    calls: int,
    received: int,
    missing: int,
    faults: Sequence[str],
) -> Sample:
    """Everything now; the calls must have been hung up."""
    left = await _left(stage)
    named = dict(_named(members(stage)))
    return Sample(
        at=time.monotonic() - began,
        memory={name: member.memory for name, member in named.items()},
        descriptors={name: member.descriptors for name, member in named.items()},
        tasks=await _tasks(page),
        left=tuple(left),
        calls=calls,
        received=received,
        missing=missing,
        faults=tuple(faults),
    )


async def _tasks(page: int) -> int | None:
    """How many the service has at rest: the fewest of some looks, for ticks come and go."""
    counts = []
    for _ in range(_LOOKS):
        counts.append((await MetricsPage.of(page)).value("segue_tasks"))
        await asyncio.sleep(_BETWEEN)
    told = [int(count) for count in counts if count is not None]
    return min(told, default=None)


def _named(processes: Sequence[Member]) -> Iterator[tuple[str, Member]]:
    """Ours and Asterisk's; the callers are the measuring instrument. A new process is new."""
    for member in processes:
        if member.role is not Role.CALLERS:
            yield f"{member.role.value} ({member.pid})", member


async def _left(stage: Stage) -> list[str]:
    """The channels and bridges that are still there after a while; [] as soon as none is."""
    deadline = time.monotonic() + _QUIET
    while True:
        found = await asyncio.to_thread(_in_asterisk, stage)
        if not found or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


def _in_asterisk(stage: Stage) -> list[str]:
    pbx = json.loads((stage.folder / "pbx.ready.json").read_text(encoding="utf-8"))
    account = base64.b64encode(f"{pbx['ari_user']}:{pbx['ari_password']}".encode()).decode()
    found = []
    for kind, name in (("channels", "name"), ("bridges", "id")):
        request = urllib.request.Request(
            f"{pbx['ari_url']}/{kind}", headers={"Authorization": f"Basic {account}"}
        )
        with _HERE.open(request, timeout=5) as answer:
            found += [f"{kind[:-1]} {thing[name]}" for thing in json.loads(answer.read())]
    return found
