"""Programs that run while the schema moves: `python -m tests.support.migrants STORY ADDRESS`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ari_app.conversation.events import CallAnswered
from ari_app.errors import StoreUnavailable
from ari_app.store.engine import Engine, Row
from ari_app.store.migration import VERSIONS, migrate, prepare, steps
from ari_app.store.postgres import PostgresEngine
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter

HEAD = max(steps([VERSIONS]))
_STEP = '''
"""A step of a program to come."""

import sqlalchemy as sa
from alembic import op

from ari_app.store.migrations import Contract, Expand

revision = {revision!r}
down_revision = {down!r}
kind = {kind}


def upgrade():
    {upgrade}
'''


def engine_of(address: str, *, read_only: bool = False) -> Engine:
    """The path of a file, or the address of a server; opened."""
    engine: Engine
    if address.startswith("postgresql:"):
        engine = PostgresEngine(address, read_only=read_only)
    else:
        engine = SqliteEngine(Path(address), FakeClock(), read_only=read_only)
    engine.open()
    return engine


def store_of(address: str) -> EventStore:
    """A worker of the present program, not opened yet."""
    worker = f"w{os.getpid()}"
    return EventStore(engine_of(address), FakeClock(), RecordingMeter(), worker=worker)


def write_step(
    folder: Path, revision: str, *upgrade: str, kind: str = "Expand()", down: str = HEAD
) -> Path:
    """A step of a program to come, in the folder; returns the folder."""
    folder.mkdir(exist_ok=True)
    text = _STEP.format(revision=revision, down=down, kind=kind, upgrade="\n    ".join(upgrade))
    (folder / f"{revision}_to_come.py").write_text(text)
    return folder


@contextlib.contextmanager
def program(story: str, *values: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The story in a process of its own, which is gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.migrants", story, *map(str, values)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], line: str = "") -> None:
    """A line to it."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the parent reads it


def rows(address: str, sql: str, *values: object) -> list[Row]:
    """What the database says itself."""
    with contextlib.closing(engine_of(address).connect()) as link:
        return link.rows(sql, values)


def run(address: str, *statements: str) -> None:
    """Run them in the database itself."""
    with contextlib.closing(engine_of(address).connect()) as link:
        for statement in statements:
            link.run(statement)


def tables(address: str) -> set[str]:
    """The names of all that there are."""
    catalog = (
        "SELECT tablename FROM pg_tables WHERE schemaname = 'segue'"
        if address.startswith("postgresql:")
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    return {name for (name,) in rows(address, catalog)}


def refusal(
    address: str, versions: Sequence[Path] = (VERSIONS,), *, read_only: bool = False
) -> str:
    """The sentence with which a program refuses to start."""
    with pytest.raises(StoreUnavailable) as refused:
        prepare(engine_of(address, read_only=read_only), versions)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def outcome(worker: subprocess.Popen[str]) -> tuple[int, int, float, str]:
    """Ends `appends`: how often it could and could not, the slowest in seconds, a failure."""
    tell(worker)
    done, failed, slowest, first = said(worker).split(" ", 3)
    return int(done), int(failed), float(slowest), first


async def starts(address: str, *folders: str) -> None:
    """Is ready to start, starts when it is told to, says what it migrated, and works."""
    import ari_app.store.migrations.runner  # noqa: F401  so that all start at the same moment

    _say("ready")
    sys.stdin.readline()
    engine = engine_of(address)
    _say(" ".join(migrate(engine, versions=[VERSIONS, *map(Path, folders)])) or "nothing")
    engine.close()
    await works(address, 1)


async def works(address: str, times: int) -> None:
    """Appends so often, and says how often it could."""
    store = store_of(address)
    await store.open()
    for n in range(times):
        await store.append(f"conv_{os.getpid()}", [CallAnswered(call=str(n))])
    _say(f"appended {times}")
    await store.aclose()


async def appends(address: str) -> None:
    """Four calls append without a pause until it is told to end; says what became of it."""
    store = store_of(address)
    await store.open()
    fence = await store.join(60.0)
    done, failed, slowest = 0, list[str](), 0.0
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))

    async def call(stream: str) -> None:
        nonlocal done, slowest
        loop = asyncio.get_running_loop()
        while not ended.done():
            began = loop.time()
            try:
                await store.append(stream, [CallAnswered(call=stream)])
                done += 1
            except StoreUnavailable as error:
                failed.append(str(error))
            slowest = max(slowest, loop.time() - began)
            if done == 40:
                _say("running")

    await asyncio.gather(*(call(f"conv_{n}") for n in range(4)))
    await store.release(fence)
    _say(f"{done} {len(failed)} {slowest:.3f} {failed[:1]}")
    await store.aclose()


async def holds(address: str) -> None:
    """Has the database for itself until it is told to end."""
    store = store_of(address)
    await store.open()
    await store.join(60.0, alone=True)
    _say("alone")
    sys.stdin.readline()
    await store.aclose()


def main(story: str, values: Sequence[str]) -> None:
    """Run the story."""
    asyncio.run({"starts": starts, "appends": appends, "holds": holds}[story](*values))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
