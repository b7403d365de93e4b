"""What `segue bench capacity` tells of its measurements: rows for machines, a table for people."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from ari_app.cli.capacity_levels import Level
from ari_app.cli.capacity_overload import Overload
from ari_app.cli.figures import Figure, below, free
from ari_app.cli.metrics_page import MetricsPage
from ari_app.cli.roles import Role

CORES = os.cpu_count() or 1
_OURS = (Role.SERVICE, Role.ASR, Role.VOICE)


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured."""

    rest: Level
    levels: tuple[tuple[Level, tuple[str, ...]], ...]  # with why each was not held
    length: float  # seconds of a whole call, mean
    page: MetricsPage  # at the first level
    overload: Overload
    cap: int
    mini: bool

    @property
    def held(self) -> Level | None:
        """The largest level that was held."""
        good = [level for level, why in self.levels if not why]
        return max(good, key=lambda level: level.calls, default=None)


def figures(found: Found) -> list[Figure]:
    """Every row of build/bench/capacity.json."""
    held = found.held or found.levels[0][0]
    rest = found.rest
    ours, service = held.share(rest, *_OURS), held.share(rest, Role.SERVICE)
    everything = held.share(rest, *_OURS, Role.ASTERISK)
    rows = [
        free("cores of this machine", CORES, ""),
        free("taken by other work meanwhile", held.others, "cores"),
        free("calls held at once, no packet lost by us", found.held.calls if found.held else 0, ""),
        free("calls for each core with ASR", _per(ours), ""),
        free("calls for each core with ASR and Asterisk", _per(everything), ""),
        free("at rest, all of us", 100 * sum(rest.cores.get(r, 0.0) for r in _OURS), "% of a core"),
        below("media and control without ASR", 100 * service, "% of a core a call", 1.0),
        _target("all of it with this model", 100 * ours, "% of a core a call", 2.5, found.mini),
    ]
    rows += [
        free(f"a call's processor time: {role.value}", held.share(rest, role) * found.length, "s")
        for role in Role
    ]
    rows += [
        free("length of a call", found.length, "s"),
        _count("packets missing at the held level", held.missing - held.dropped_by_callers, 0),
        free("packets heard at the held level", held.received, ""),
        free("our packets' lateness, p99", 1000 * held.late, "ms"),
        free("the callers' own lateness, p99", 1000 * held.callers_late, "ms"),
    ]
    if held.replies:
        rows.append(free("end of words to first packet of the reply, p95", held.wait, "s"))
    quiet = found.levels[0][0]
    for name, level in (("quiet", quiet), ("held", held)):
        if not math.isnan(level.set_up):
            name = f"INVITE to our first packet, p95, at the {name} level"
            rows.append(below(name, 1000 * level.set_up, "ms", 150))
    rows += _told_by_the_page(found.page)
    return rows + _of_overload(found.overload, found.cap)


def _of_overload(overload: Overload, cap: int) -> list[Figure]:
    beyond = overload.offered - cap
    rows = [
        free("overload: calls offered at once", overload.offered, ""),
        _count("overload: admitted", overload.admitted, cap),
        _count("overload: to people by the dialplan", overload.to_people, beyond),
        _count("overload: given back as `overload`, by Asterisk's log", overload.told, beyond),
        _count("overload: dropped", overload.dropped, 0),
        _count("overload: packets missing to admitted callers", overload.missing, 0),
    ]
    if not math.isnan(overload.wait):
        rows.append(free("overload: first reply to admitted callers, p95", overload.wait, "s"))
    return rows


def _told_by_the_page(page: MetricsPage) -> list[Figure]:
    """The service's own histograms: a bucket's upper bound, which is the most it can be."""
    rows = []
    for name, metric, share, target in (
        ("ARI command at the quiet level, p50, at most", "segue_ari_request_seconds", 0.5, 0.15),
        ("ARI command at the quiet level, p99, at most", "segue_ari_request_seconds", 0.99, 0.5),
        ("event loop's lateness, p99, at most", "segue_loop_lag_seconds", 0.99, None),
    ):
        if (between := page.quantile(metric, share)) is not None:
            value = round(1000 * between[1], 3)
            note = "" if target is None else f"<= {target:g}"
            holds = None if target is None else value <= target
            rows.append(Figure(name, value, "ms", note, holds))
    return rows


def _per(share: float) -> float:
    """How many go into a core; 0 if nothing was measured."""
    return 1 / share if share else 0.0


def _target(name: str, value: float, unit: str, most: float, counts: bool) -> Figure:
    return below(name, value, unit, most) if counts else free(name, value, unit)


def _count(name: str, value: int, wanted: int) -> Figure:
    return Figure(name, max(value, 0), "", f"= {wanted}", max(value, 0) == wanted)


def table(levels: Sequence[tuple[Level, tuple[str, ...]]]) -> Table:
    """Processor time in hundredths of a core."""
    names = ("service", "ASR", "voice", "Asterisk", "callers", "others")
    shown = Table("calls", *names, "late", "reply", "held")
    for level, why in levels:
        cores = [*(level.cores.get(role, 0.0) for role in Role), level.others]
        shown.add_row(
            str(level.calls),
            *(f"{100 * used:.0f} %" for used in cores),
            f"{1000 * level.late:.0f} ms",
            f"{level.wait:.2f} s",
            "no" if why else "yes",
        )
    return shown
