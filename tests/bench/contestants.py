"""Who runs against whom: a command, and an SMSC of its own for each run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from statistics import median

from tests.bench import aiosmpplib_home
from tests.support.foreign import npm, smsc_node
from tests.support.foreign.smsc_c import FastSmsc

_ROOT = Path(__file__).parents[2]
_PEERS = Path(__file__).parent / "peers"
_DEADLINE = 180.0  # seconds for one run


class RunFailed(Exception):
    """A contestant did not come to its end; says which, and its last words."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: messages a second, microseconds of CPU for each, milliseconds, megabytes."""

    rate: float
    cpu: float
    p50: float
    p99: float
    grown: float = 0.0


@dataclass(frozen=True, slots=True)
class Contestant:
    """Started as `command PORT COUNT WINDOW …`; `WORK` stands for a folder of the run."""

    name: str
    command: tuple[str, ...]
    count: int
    window: int = 50
    smsc: tuple[str, ...] = ()  # switches of the SMSC that it runs against
    more: tuple[str, ...] = ()
    once: bool = False  # instead of in each round

    def smaller(self, by: int) -> Contestant:
        """For a look whether everything works, not for figures."""
        count = max(200, self.count // by)
        smsc = tuple(str(count) if word == str(self.count) else word for word in self.smsc)
        return replace(self, count=count, smsc=smsc)

    def run(self, work: Path) -> Run:
        """RunFailed. `work` is made and removed."""
        shutil.rmtree(work, ignore_errors=True)
        with FastSmsc(*self.smsc) as smsc:
            words = [str(smsc.port), str(self.count), str(self.window), *self.more]
            words = [str(work) if word == "WORK" else word for word in words]
            try:
                done = subprocess.run(
                    [*self.command, *words],
                    cwd=_ROOT,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=_DEADLINE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise RunFailed(f"{self.name} did not end in {_DEADLINE:.0f} s") from None
            finally:
                shutil.rmtree(work, ignore_errors=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise RunFailed(f"{self.name} failed: {last}")
        return Run(**json.loads(done.stdout.splitlines()[-1]))


def medians(runs: Sequence[Run]) -> Run:
    """The rounds of one contestant as one."""
    columns = zip(*map(astuple, runs), strict=True)
    return Run(*map(median, columns))


def all_of_them() -> list[Contestant]:
    """In the order of a round. ProgramMissing if a peer cannot be had on this machine."""
    ours = (sys.executable, "-m", "tests.bench.ours")
    node = (str(npm.node()), str(_PEERS / "node_client.js"))
    npm.installed(*smsc_node.PACKAGE)
    smpplib = (sys.executable, str(_PEERS / "smpplib_client.py"))
    aiosmpplib = (str(aiosmpplib_home.python()), str(_PEERS / "aiosmpplib_client.py"))
    plain, product = ((sys.executable, "-m", f"tests.bench.{n}") for n in ("plain", "product"))
    # About as many seconds for each: what a neighbour on the machine takes, it takes of all.
    pushed, receipts = 400_000, ("--receipts",)
    return [
        Contestant("submit ours", (*ours, "submit"), 400_000),
        Contestant("submit node", (*node, "submit"), 60_000),
        Contestant("submit smpplib", smpplib, 10_000),
        Contestant("submit aiosmpplib", aiosmpplib, 1000),
        Contestant("latency ours", (*ours, "latency"), 150_000, 10),
        Contestant("latency node", (*node, "latency"), 30_000, 10),
        Contestant("receive ours", (*ours, "receive"), pushed, smsc=("--push", str(pushed))),
        Contestant("receive node", (*node, "receive"), 60_000, smsc=("--push", "60000")),
        Contestant("few", (*ours, "matched"), 50_000, smsc=receipts, more=("1000",)),
        Contestant("many", (*ours, "matched"), 50_000, smsc=receipts, more=("100000",)),
        Contestant("both node", (*node, "both"), 30_000, smsc=receipts),
        Contestant("plain", plain, 60_000, smsc=receipts, more=("WORK",)),
        Contestant("product", product, 10_000, smsc=receipts, more=("WORK", "1000")),
        Contestant("product many", product, 10_000, smsc=receipts, more=("WORK", "100000")),
        Contestant("memory", (*ours, "submit"), 1_000_000, smsc=receipts, once=True),
        Contestant("memory of ids", (*ours, "matched"), 1_000_000, smsc=receipts, once=True),
    ]


def _environment() -> dict[str, str]:
    modules = npm.installed(*smsc_node.PACKAGE) / "node_modules"
    return {**os.environ, "NODE_PATH": str(modules)}
