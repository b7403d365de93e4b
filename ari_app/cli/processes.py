"""Processes of ours: each says by a file that it is up, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ari_app.errors import Unavailable

_PR_SET_PDEATHSIG = 1


def announce(ready: Path | None, facts: dict[str, Any]) -> None:
    """Write the ready file, whole or not at all; only its owner may read it."""
    if ready is None:
        return
    part = ready.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.rename(ready)


class Process:
    """One `segue` command in a process of its own, its output in `<name>.log`."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self._ready = folder / f"{name}.ready.json"
        self._log = folder / f"{name}.log"
        self.name = name
        self._arguments = (*arguments, "--ready", str(self._ready))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None, "start it first"
        return self._process.pid

    async def start(self, patience: float) -> dict[str, Any]:
        """What it announced; Unavailable with its last words if it ended or took too long."""
        self._ready.unlink(missing_ok=True)
        with self._log.open("ab") as log:  # noqa: ASYNC230  our own small file, before anything runs
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ari_app",
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        end = time.monotonic() + patience
        while not self._ready.exists():
            if self._process.returncode is not None:
                raise Unavailable(f"{self.name} ended at its start: {self._last_words()}")
            if time.monotonic() > end:
                await self.stop()
                raise Unavailable(f"{self.name} was not up after {patience:.0f} s: see {self._log}")
            await asyncio.sleep(0.02)
        announced: dict[str, Any] = json.loads(self._ready.read_text(encoding="utf-8"))
        return announced

    async def stop(self, patience: float = 20.0) -> int:
        """SIGTERM, and SIGKILL when that does not help; the exit status."""
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    async def ended(self) -> int:
        """Wait until it ends by itself; the exit status."""
        assert self._process is not None, "start it first"
        return await self._process.wait()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing ({self._log})"


def collect_seldom() -> None:
    """What is there now stays; what comes is looked through seldom.

    A collection stops the whole process, live audio included, and finds next to nothing here:
    almost all is freed by counting. Call it when everything is up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


def cpu_seconds(pid: int) -> tuple[float, float]:
    """User and system time so far: of the process itself, and of its living descendants."""
    return _cpu(pid), sum(_cpu(child) for child in _family(pid)[1:])


def _die_with_parent() -> None:
    """No orphan when the one who started us is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += _family(int(child))
    return found


def _cpu(pid: int) -> float:
    """proc(5): fields 14 and 15 of stat, after the name in brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
