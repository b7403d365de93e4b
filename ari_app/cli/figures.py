"""Figures of benchmarks: a table for people, a JSON file for machines, and whether targets hold."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One row; `holds` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: str
    holds: bool | None


def told(screen: Console, path: Path, figures: Sequence[Figure]) -> int:
    """Write the file and print the table; 0 if every target holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(f) for f in figures], indent=1), encoding="utf-8")
    screen.print(_table(figures))
    return 0 if all(f.holds is not False for f in figures) else 1


def percentile(
    name: str, values: Sequence[float], rank: int, unit: str, most: float | None
) -> Figure:
    """The rank-th percentile; without a target if `most` is None."""
    value = float(np.percentile(values, rank)) if values else math.inf
    if most is None:
        return free(name, value, unit)
    return below(name, value, unit, most)


def above(name: str, value: float, unit: str, least: float) -> Figure:
    """A figure that must not be smaller."""
    return Figure(name, round(value, 3), unit, f">= {least:g}", value >= least)


def free(name: str, value: float, unit: str) -> Figure:
    """A figure without a target."""
    return Figure(name, round(value, 4), unit, "", None)


def below(name: str, value: float, unit: str, most: float) -> Figure:
    """A figure that must not be larger."""
    return Figure(name, round(value, 2), unit, f"<= {most:g}", value <= most)


def _table(figures: Sequence[Figure]) -> Table:
    shown = Table("figure", "value", "unit", "target", "holds")
    for f in figures:
        holds = "" if f.holds is None else "[green]yes[/green]" if f.holds else "[red]no[/red]"
        shown.add_row(f.name, f"{f.value:g}", f.unit, f.target, holds)
    return shown
