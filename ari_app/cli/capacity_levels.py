"""How one level of load went: what it cost by role, and whether it was held."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ari_app.cli.crowd import Crowd
from ari_app.cli.roles import Member, Role, busy_seconds, cpu_by_member, drops

#: What a process of one thread may take of a core; above it, it is the bottleneck.
_FULL = 0.9
#: ... and all that belongs to the calls together of the machine.
_MACHINE_FULL = 0.97
#: Seconds that our packets may be late at the callers (p99): what a phone's buffer makes up for.
#: The callers' own lateness is in that figure too, and is no fault of ours.
LATEST = 0.06


@dataclass(frozen=True, slots=True)
class Level:
    """One window of steady load; times in seconds, processor time in cores."""

    calls: int  # 0: at rest
    cores: Mapping[Role, float]  # what each role took
    fullest: tuple[Role, float]  # the process that took most of one core, Asterisk aside
    others: float  # cores taken by what is no part of this
    received: int
    missing: int
    dropped_by_us: int  # by the kernel, in front of the service or Asterisk
    dropped_by_callers: int
    late: float  # p99 of our packets at the callers
    callers_late: float  # p99 of the callers' own clock
    wait: float  # p95 of the replies; nan if nobody got one
    replies: int
    set_up: float  # p95 of INVITE to our first packet; nan if nobody called
    faults: tuple[str, ...]

    def share(self, rest: Level, *roles: Role) -> float:
        """Cores that these roles took for each call, above what they take at rest."""
        more = sum(self.cores.get(role, 0.0) - rest.cores.get(role, 0.0) for role in roles)
        return max(more, 0.0) / self.calls

    def limits(self, slowest_reply: float) -> list[str]:
        """Why the level was not held, each as a clause; [] if it was."""
        return list(self._limits(slowest_reply))

    def _limits(self, slowest_reply: float) -> Iterator[str]:
        lost = self.missing - self.dropped_by_callers
        if lost > 0 or self.dropped_by_us:
            yield f"{max(lost, 0)} packets were missing and {self.dropped_by_us} dropped"
        if self.late > LATEST + self.callers_late:
            yield f"our packets were {1000 * self.late:.0f} ms late (p99)"
        if self.wait > slowest_reply:
            yield f"replies took {self.wait:.2f} s (p95)"
        if self.fullest[1] > _FULL:
            yield f"{self.fullest[0].value} took {100 * self.fullest[1]:.0f} % of a core"
        if sum(self.cores.values()) > _MACHINE_FULL * (os.cpu_count() or 1):
            yield "the machine was full"
        if self.faults:
            yield f"{len(self.faults)} calls went wrong ({self.faults[0]})"


async def measured(
    crowd: Crowd, calls: int, processes: list[Member], seconds: float, since: float | None = None
) -> Level:
    """What happens in the next `seconds` of a load that is steady.

    Calls that were set up after `since` count too: in a short window few are.
    """
    cpu, busy, lost = cpu_by_member(processes), busy_seconds(), drops(processes)
    began = time.monotonic()
    await asyncio.sleep(seconds)
    ended = time.monotonic()
    after, busy_after, lost_after = cpu_by_member(processes), busy_seconds(), drops(processes)
    took = ended - began
    # A worker that died in the meantime has no time any more.
    each = {member: max(after[member] - cpu[member], 0.0) / took for member in processes}
    cores: dict[Role, float] = {}
    for member, used in each.items():
        cores[member.role] = cores.get(member.role, 0.0) + used
    single = {m: used for m, used in each.items() if m.role in (Role.SERVICE, Role.ASR)}
    fullest = max(single, key=lambda member: single[member])
    dropped = {role: max(n - lost.get(role, 0), 0) for role, n in lost_after.items()}
    heard = crowd.heard(began, ended)
    waits, set_ups = (
        crowd.waits(began, ended),
        crowd.set_ups(began if since is None else since, ended),
    )
    return Level(
        calls=calls,
        cores=cores,
        fullest=(fullest.role, single[fullest]),
        others=max((busy_after - busy) / took - sum(cores.values()), 0.0),
        received=heard.received,
        missing=heard.missing,
        dropped_by_us=dropped.get(Role.SERVICE, 0) + dropped.get(Role.ASTERISK, 0),
        dropped_by_callers=dropped.get(Role.CALLERS, 0),
        late=quantile(heard.lateness, 99),
        callers_late=quantile(crowd.lags(began, ended), 99),
        wait=quantile(waits, 95),
        replies=len(waits),
        set_up=quantile(set_ups, 95),
        faults=tuple(crowd.faults(began, ended)),
    )


def quantile(values: list[float] | tuple[float, ...], rank: float) -> float:
    """The rank-th percentile; nan of nothing, which is never above a limit."""
    return float(np.percentile(values, rank)) if values else float("nan")
