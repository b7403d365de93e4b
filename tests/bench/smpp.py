"""`make bench-smpp`: the package `smpp` and the product against the clients of others.

All in one run: each round runs every contestant once, each in a process of its own against an SMSC
of its own (a lean one in C), and the medians of the rounds are compared. Only ratios mean anything.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from ari_app.cli.figures import Figure, above, below, free, percentile, told
from asterisk.fetch import ProgramMissing
from tests.bench.aiosmpplib_home import VERSION as AIOSMPPLIB
from tests.bench.contestants import Contestant, Run, RunFailed, all_of_them, medians
from tests.support.foreign import npm
from tests.support.foreign.smsc_node import PACKAGE

_SMALLER = 100  # times, for a quick look
_BUSY = 0.5  # programs that wait for each core; a contestant and its SMSC need two cores
_NODE, _SMPPLIB = f"node-smpp {PACKAGE[1]}", f"smpplib {version('smpplib')}"
_AIO = f"aiosmpplib {AIOSMPPLIB}"
_OUTSTANDING = "durable: rate with 100,000 / with 1,000 receipts outstanding, all of the product"
_GROWN = "bare: memory grown from message 100,000 to 1,000,000, with receipts"


def main(words: Sequence[str] | None = None) -> int:
    """0 if every target holds, or if it was only a quick look."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.smpp", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether all works; no figures")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER")
    given = parser.parse_args(words)
    screen, errors = Console(), Console(stderr=True)
    work = given.out / "smpp"
    try:
        contestants = all_of_them()
        if given.quick:
            contestants = [contestant.smaller(_SMALLER) for contestant in contestants]
        machine = _machine(given.out)
        if os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1) and not given.quick:
            errors.print("[yellow]the machine is busy: its figures mean little[/yellow]")
        results = _rounds(contestants, 1 if given.quick else given.rounds, work, errors)
    except (ProgramMissing, RunFailed) as error:
        errors.print(f"the benchmark failed: {error}", style="red", markup=False)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    rows = [*figures(results), *machine]
    if given.quick:  # a small round says nothing about a target
        rows = [replace(row, holds=None) for row in rows]
    missed = told(screen, given.out / "smpp.json", rows)
    screen.print(_versions(), soft_wrap=True)
    return missed


def _rounds(
    contestants: Sequence[Contestant], rounds: int, work: Path, errors: Console
) -> dict[str, Run]:
    found: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for number in range(1, rounds + 1):
        for contestant in contestants:
            if contestant.once and number < rounds:
                continue
            errors.print(f"round {number} of {rounds}: {contestant.name}", highlight=False)
            found[contestant.name].append(contestant.run(work))
    return {name: medians(runs) for name, runs in found.items()}


def figures(results: Mapping[str, Run]) -> list[Figure]:
    """Every row of the table, from the medians by contestant."""

    def ratio(name: str, one: str, other: str, least: float) -> Figure:
        return above(name, results[one].rate / results[other].rate, "x", least)

    w50, w10 = "window 50", "window 10"
    return [
        ratio(f"bare: submit / {_NODE}, {w50}", "submit ours", "submit node", 6),
        ratio(f"bare: submit / {_SMPPLIB}, {w50}", "submit ours", "submit smpplib", 12),
        ratio(f"bare: submit / {_AIO}, {w50}, n=1,000", "submit ours", "submit aiosmpplib", 20),
        ratio(f"bare: receive / {_NODE}, 50 outstanding", "receive ours", "receive node", 6),
        below(
            f"bare: p99 / {_NODE}, {w10}",
            results["latency ours"].p99 / results["latency node"].p99,
            "x",
            0.5,
        ),
        ratio("bare: rate with 100,000 / with 1,000 receipts outstanding", "many", "few", 0.9),
        below(_GROWN, results["memory"].grown, "MB", 5),
        ratio(f"durable: plain table / {_NODE}, not durable", "plain", "both node", 2.5),
        ratio(f"durable: all of the product / {_NODE}, not durable", "product", "both node", 1),
        ratio(_OUTSTANDING, "product many", "product", 0.9),
        *_details(results),
    ]


def _details(results: Mapping[str, Run]) -> list[Figure]:
    """What stands behind the ratios."""
    named = {
        "submit ours": "submit, ours",
        "submit node": f"submit, {_NODE}",
        "submit smpplib": f"submit, {_SMPPLIB} and a thread",
        "submit aiosmpplib": f"submit, {_AIO}",
        "receive ours": "receive, ours",
        "receive node": f"receive, {_NODE}",
        "few": "submit and match, 1,000 outstanding, ours",
        "many": "submit and match, 100,000 outstanding, ours",
        "both node": f"submit and receive, {_NODE}, not durable",
        "plain": "four durable writes, plain table",
        "product": "four durable writes, all of the product",
        "product many": "four durable writes, all of the product, 100,000 outstanding",
    }
    rows = [free(f"rate: {said}", results[name].rate, "msg/s") for name, said in named.items()]
    rows += [free(f"CPU: {said}", results[name].cpu, "us/msg") for name, said in named.items()]
    for name, said in (("latency ours", "ours"), ("latency node", _NODE)):
        rows.append(free(f"p50 at window 10, {said}", results[name].p50, "ms"))
        rows.append(free(f"p99 at window 10, {said}", results[name].p99, "ms"))
    grown = results["memory of ids"].grown
    rows.append(free("memory grown likewise, with smpp.ids.MessageIds full", grown, "MB"))
    return rows


def _machine(out: Path) -> list[Figure]:
    """What the figures were made on, looked at before the first run."""
    load = os.getloadavg()[0]
    waits = _fsyncs(out)
    return [
        free("machine: cores", os.cpu_count() or 0, ""),
        free("machine: load average before", load, ""),
        percentile("machine: fdatasync of 4 KiB, p50", waits, 50, "ms", None),
        percentile("machine: fdatasync of 4 KiB, p99", waits, 99, "ms", None),
    ]


def _fsyncs(folder: Path) -> list[float]:
    """Milliseconds of each of a hundred."""
    folder.mkdir(parents=True, exist_ok=True)
    path, waits = folder / "fsync", []
    with path.open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            waits.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return waits


def _versions() -> str:
    node = subprocess.run([npm.node(), "--version"], capture_output=True, text=True, check=False)
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"Node.js {node.stdout.strip().removeprefix('v')}, {_NODE}, {_SMPPLIB}, {_AIO}; "
        f"{platform.system()} {platform.release()}"
    )


if __name__ == "__main__":
    sys.exit(main())
