"""`make bench-call`: latency, load, overload and faults of calls, all on one private Asterisk each.

Latencies are of RTP packets and SIP messages at the phones; processor time is the kernel's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import aiohttp
from rich.console import Console

from ari_app.bootstrap.premises import load_model
from ari_app.cli import bench, bench_capacity
from ari_app.cli.capacity_figures import figures as of_capacity
from ari_app.cli.capacity_figures import table
from ari_app.cli.figures import Figure, below, told
from ari_app.cli.stage import DID, Stage, raised
from ari_app.config import load
from ari_app.errors import SegueError, Unavailable
from ari_app.phone.call import Phone
from tests.support.tcp_wire import TcpWire

_BUSY = 0.5  # programs that wait for each core
_PATIENCE = 60.0
_START = 60.0


def main(words: Sequence[str] | None = None) -> int:
    """0 if every target holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.call", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether all works; no figures")
    parser.add_argument("--calls", type=int, default=20, metavar="N", help="whole conversations")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each fault")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER")
    given = parser.parse_args(words)
    screen, errors = Console(highlight=False), Console(stderr=True)
    if os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1) and not given.quick:
        errors.print("[yellow]the machine is busy: its figures mean little[/yellow]")
    folder = given.out / "call"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        calls, rounds = (4, 1) if given.quick else (given.calls, given.rounds)
        rows = asyncio.run(_rows(calls, rounds, folder, screen, quick=given.quick))
    except (SegueError, OSError) as error:
        errors.print(f"the benchmark failed: {error}; logs are in {folder}", style="red")
        return 1
    status = told(screen, given.out / "call.json", rows)
    return 0 if given.quick else status


async def _rows(
    calls: int, rounds: int, folder: Path, screen: Console, *, quick: bool
) -> list[Figure]:
    rows = await bench.measure(calls, folder / "talk")
    plan = bench_capacity.Plan(out=folder)
    settings = load(None)
    model = load_model(settings)
    found = await bench_capacity.measure(
        plan.quick() if quick else plan, settings, folder / "capacity", screen, model.is_mini
    )
    screen.print(table(found.levels))
    rows += of_capacity(found)
    rows += await _faults(rounds, folder / "faults")
    return rows


# -- faults -----------------------------------------------------------------------------------


async def _faults(rounds: int, folder: Path) -> list[Figure]:
    seen, back, stolen = [], [], []
    async with raised(folder) as stage:
        for _ in range(rounds):
            async with _wired(stage) as wire:
                silent = await _silence(stage, wire)
            seen.append(silent[0])
            back.append(silent[1])
        for _ in range(rounds):
            stolen.append(await _theft(stage))
            await stage.service.start(_START)
    return [
        below("events that stop without a word: until seen, worst", max(seen), "s", 10),
        below("... until a caller who came meanwhile is greeted, worst", max(back), "s", 3),
        below("a stolen name: until the calls are with people, worst", max(stolen), "s", 5),
    ]


@contextlib.asynccontextmanager
async def _wired(stage: Stage) -> AsyncIterator[TcpWire]:
    """The service reaches Asterisk by a cable in our hands."""
    pbx = json.loads((stage.folder / "pbx.ready.json").read_text())
    there = urlsplit(pbx["ari_url"])
    async with TcpWire(there.hostname or "", there.port or 0) as wire:
        await stage.service.stop()
        with mock.patch.dict(os.environ, {"SEGUE_PBX__URL": wire.url}):
            await stage.service.start(_START)
        try:
            yield wire
        finally:
            await stage.service.stop()
            await stage.service.start(_START)


async def _silence(stage: Stage, wire: TcpWire) -> tuple[float, float]:
    """Seconds until the service calls Asterisk again, and from there to a caller's first packet.

    The caller comes while nothing arrives at the service; the cable is whole as soon as the
    service tries it again.
    """
    async with await Phone.open() as phone:
        wire.swallow()
        began = time.monotonic()
        calling = asyncio.create_task(phone.call(*stage.sip, DID, deadline=_PATIENCE))
        async with asyncio.timeout(_PATIENCE):
            await wire.called.wait()
        seen = time.monotonic()
        wire.heal()
        await calling
        heard = await phone.until_prompt(_PATIENCE, since=began)
        return seen - began, heard - seen


async def _theft(stage: Stage) -> float:
    """Seconds until the service, which gives back its calls first, has ended for the thief."""
    pbx = json.loads((stage.folder / "pbx.ready.json").read_text())
    account = aiohttp.BasicAuth(pbx["ari_user"], pbx["ari_password"])
    async with aiohttp.ClientSession(auth=account) as http, await Phone.open() as phone:
        await phone.call(*stage.sip, DID)
        await phone.until_prompt(_PATIENCE)
        began = time.monotonic()
        async with http.ws_connect(f"{pbx['ari_url']}/events", params={"app": "segue"}):
            await stage.service.ended()
            ended = time.monotonic()
        if not phone.up:
            raise Unavailable("a caller was hung up on when the name was stolen")
        return ended - began


if __name__ == "__main__":
    raise SystemExit(main())
