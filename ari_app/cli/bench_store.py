"""`segue bench store`: the log and the outbox against the bare limit of the driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import Progress

from ari_app.cli.bench_fold import LIFE, fold_rate, rehydrate_microseconds, said
from ari_app.cli.bench_growth import growth
from ari_app.cli.bench_place import Place, place
from ari_app.cli.bench_projections import fill_views, page_times
from ari_app.cli.figures import Figure, above, below, free, percentile, told
from ari_app.cli.processes import collect_seldom
from ari_app.conversation.events import TextSubmitted
from ari_app.conversation.state import fold
from ari_app.errors import SegueError
from ari_app.ports import Effect, Job
from ari_app.privacy.payloads import Payloads
from ari_app.store.engine import Engine
from ari_app.store.migration import prepare
from ari_app.store.postgres import PostgresEngine
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock

_CONVERSATIONS = 200
_APPENDS = 40  # of each conversation in a round
_ROUNDS = 3
_TEXTS = 6000
_BATCH = 800
_CALLS = 500
_PACED_SECONDS = 10
_ROWS = 1_000_000
_SAID = said("hello what are your opening hours please")


def run_store(largest: int, postgres: str, out: Path, plot: Path | None) -> int:
    """0 if every target holds. `postgres` is the address of an empty database, or nothing."""
    screen = Console()
    folder = out / "store"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    collect_seldom()  # as the service does
    try:
        with Progress() as progress:
            task = progress.add_task("", total=largest)

            def step(what: str) -> None:
                progress.update(task, description=what)

            figures = asyncio.run(_measure(folder, postgres, step))
            step("growth: events appended")
            grow = growth(folder, largest, lambda count: progress.advance(task, count), plot)
            figures += asyncio.run(grow)
    except SegueError as error:
        screen.print(f"[red]the benchmark failed:[/red] {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told(screen, out / "store.json", figures)


async def _measure(folder: Path, postgres: str, step: Callable[[str], None]) -> list[Figure]:
    figures: list[Figure] = []
    step("append, SQLite")
    figures += await _append_on_sqlite(folder)
    step("paced calls, SQLite")
    figures += await _paced(folder)
    step("outbox, SQLite")
    engine: Engine = SqliteEngine(folder / "outbox.db", SystemClock())
    async with place(folder / "outbox", engine) as there:
        rate = await _outbox_rate(there)
    figures.append(above("outbox claim + settle, SQLite", rate, "texts/s", 15_000))
    step("fold")
    figures += await _fold(folder)
    step("pages, SQLite")
    figures += await _pages(folder / "pages", SqliteEngine(folder / "v.db", SystemClock()))
    if postgres:
        step("append and outbox, PostgreSQL")
        figures += await _on_postgres(folder, postgres)
        step("pages, PostgreSQL")
        engine = PostgresEngine(postgres, schema="segue_pages")
        figures += await _pages(folder / "pages_pg", engine)
    return figures


# -- append -----------------------------------------------------------------------------------


async def _append_on_sqlite(folder: Path) -> list[Figure]:
    """Ours and the driver's by turns, so that a neighbour on the machine meets both."""
    ours, bare = [], []
    async with place(folder / "append", SqliteEngine(folder / "a.db", SystemClock())) as there:
        await _append_round(there.store, 2)  # streams and keys are there, as in a running call
        payload = await _stored_payload(there)
        for _ in range(_ROUNDS):
            ours.append(await _append_round(there.store, _APPENDS))
            bare.append(_bare_sqlite(folder, payload))
    rate, limit = statistics.median(ours), statistics.median(bare)
    return [
        free("bare sqlite3, FULL, groups of 200", limit, "events/s"),
        free("append from 200 conversations, SQLite, chain + encryption", rate, "events/s"),
        above("append / bare sqlite3", rate / limit, "", 0.2),
    ]


async def _append_round(store: EventStore, appends: int) -> float:
    async def converse(number: int) -> None:
        for _ in range(appends):
            await store.append(f"conv_{number:032}", [_SAID])

    began = time.perf_counter()
    await asyncio.gather(*(converse(n) for n in range(_CONVERSATIONS)))
    return appends * _CONVERSATIONS / (time.perf_counter() - began)


async def _stored_payload(there: Place) -> str:
    record = (await there.store.committed("bench", 1))[0]
    assert record.payload is not None
    return record.payload


_BARE_EVENT = """
    INSERT INTO event (id, stream, sequence, at, actor, cause, name, version, payload, link)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_BARE_STREAM = "UPDATE stream SET sequence = ?, link = ?, touched = ? WHERE stream = ?"
_BARE_NEW = """
    INSERT INTO stream (sequence, link, turned, touched, stream) VALUES (0, ?, 0, 0, ?)"""


def _bare_sqlite(folder: Path, payload: str) -> float:
    """The same rows in the same tables, made beforehand, in commits that are as durable."""
    engine = SqliteEngine(folder / "bare.db", SystemClock())
    engine.open()
    prepare(engine)
    connection = sqlite3.connect(engine.path, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    groups = _bare_groups(payload)
    connection.executemany(_BARE_NEW, groups.pop(0)[1])
    began = time.perf_counter()
    for events, streams in groups:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_BARE_EVENT, events)
        connection.executemany(_BARE_STREAM, streams)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return len(groups) * _CONVERSATIONS / seconds


_Rows = list[tuple[Any, ...]]


def _bare_groups(payload: str) -> list[tuple[_Rows, _Rows]]:
    """First the streams to be made, then (events, streams to be moved) of each commit."""
    run = os.urandom(4).hex()
    names = [f"conv_{run}{number:024}" for number in range(_CONVERSATIONS)]
    groups: list[tuple[_Rows, _Rows]] = [([], [(bytes(32), name) for name in names])]
    for sequence in range(1, _APPENDS + 1):
        at = time.time_ns() // 1000
        ids = [f"evt_{run}{sequence:012}{number:012}" for number in range(_CONVERSATIONS)]
        same = (sequence, at, "segue", None, "caller.spoke", 1, payload, bytes(32))
        events: _Rows = [(id, name, *same) for id, name in zip(ids, names, strict=True)]
        groups.append((events, [(sequence, bytes(32), at, name) for name in names]))
    return groups


async def _paced(folder: Path) -> list[Figure]:
    """Live calls that say something twice a second, and the disk that they wait for."""
    waits: list[float] = []
    syncs = _fsyncs(folder)
    async with place(folder / "paced", SqliteEngine(folder / "p.db", SystemClock())) as there:
        await _append_round(there.store, 1)

        async def call(number: int) -> None:
            await asyncio.sleep(number / _CALLS / 2)  # not all at the same moment
            next_at = time.perf_counter()
            for _ in range(_PACED_SECONDS * 2):
                began = time.perf_counter()
                await there.store.append(f"conv_{number:032}", [_SAID])
                waits.append((time.perf_counter() - began) * 1000)
                next_at += 0.5
                await asyncio.sleep(max(0.0, next_at - time.perf_counter()))

        await asyncio.gather(*(call(n) for n in range(_CALLS)))
    syncs += _fsyncs(folder)
    return [
        percentile("fsync of this disk, p50", syncs, 50, "ms", None),
        percentile("fsync of this disk, p99", syncs, 99, "ms", None),
        percentile("durable append of 500 paced calls, p50", waits, 50, "ms", None),
        percentile("durable append of 500 paced calls, p99", waits, 99, "ms", 15),
    ]


def _fsyncs(folder: Path) -> list[float]:
    """Milliseconds of each of a hundred."""
    found = []
    with (folder / "fsync").open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - began) * 1000)
    return found


# -- the outbox -------------------------------------------------------------------------------


async def _outbox_rate(there: Place) -> float:
    """The median of a few rounds."""
    return statistics.median([await _outbox_round(there, n) for n in range(_ROUNDS)])


async def _outbox_round(there: Place, number: int) -> float:
    """Claimed in batches, each settled by itself with its event and the carrier's id."""
    store = there.store
    payload: dict[str, object] = {"to": "+12025550123", "body": "We are open from nine to five."}
    for start in range(0, _TEXTS, 100):
        ids = [f"msg_{number:04}{n:028}" for n in range(start, start + 100)]
        effects = [Effect("sms", id, 0, payload) for id in ids]
        await store.append(f"conv_{start % 2000:032}", [_SAID], effects=effects)

    async def settle(job: Job) -> None:
        id = f"smsc{job.id}"
        taken = TextSubmitted(message=job.id, carrier="main", ids=(id,), attempts=1)
        await store.settle(job, [taken], wire=("main", (id,)))

    began = time.perf_counter()
    settled = 0
    while jobs := await store.claim("sms", 1, _BATCH):
        await asyncio.gather(*(settle(job) for job in jobs))
        settled += len(jobs)
    assert settled == _TEXTS
    return _TEXTS / (time.perf_counter() - began)


# -- fold -------------------------------------------------------------------------------------


async def _fold(folder: Path) -> list[Figure]:
    async with place(folder / "fold", SqliteEngine(folder / "f.db", SystemClock())) as there:
        streams = [f"conv_{number:032}" for number in range(50)]
        for stream in streams:
            await there.store.append(stream, LIFE, subject=f"subj_{stream[-32:]}")
        rate = await asyncio.to_thread(_sealed_fold_rate, there, streams)
        ten = await _rehydrate_from_disk(there, streams)
    return [
        above("fold, decryption off", fold_rate(), "events/s", 60_000),
        above("fold, decryption on", rate, "events/s", 30_000),
        below("rehydrate 10 events, from payload text", rehydrate_microseconds(), "us", 250),
        free("rehydrate 20 events from disk, decryption on", ten, "us"),
    ]


def _sealed_fold_rate(there: Place, streams: list[str]) -> float:
    """From payload text as it is stored, keys in memory, without the reading of the disk."""
    payloads = Payloads(there.vault)
    with contextlib.closing(there.engine.connect()) as link:
        query = (
            "SELECT id, stream, sequence, at, actor, cause, name, version, payload "
            "FROM event WHERE stream = ? ORDER BY sequence"
        )
        stored = [link.rows(query, (stream,)) for stream in streams]
    rounds = []
    for _ in range(20):
        began = time.perf_counter()
        for rows in stored:
            fold(payloads.envelope(row) for row in rows)
        rounds.append(time.perf_counter() - began)
    return sum(map(len, stored)) / min(rounds)


async def _rehydrate_from_disk(there: Place, streams: list[str]) -> float:
    waits = []
    for stream in streams * 4:
        began = time.perf_counter()
        fold(await there.store.read(stream))
        waits.append(time.perf_counter() - began)
    return statistics.median(waits) * 1e6


# -- read models ------------------------------------------------------------------------------


async def _pages(folder: Path, engine: Engine) -> list[Figure]:
    """Every kind of page; the slowest kind counts."""
    async with place(folder, engine) as there:

        def fill() -> None:
            with contextlib.closing(there.engine.connect()) as link:
                fill_views(link, _ROWS)

        await asyncio.to_thread(fill)
        times = await page_times(there.store.queries(), _ROWS)
    name = "PostgreSQL" if isinstance(engine, PostgresEngine) else "SQLite"
    of = f"page of 50 at {_ROWS:,} conversations, {name}"
    return [
        below(f"{of}, slowest kind, median", max(t.median for t in times.values()), "ms", 20),
        free(f"{of}, worst of all", max(t.worst for t in times.values()), "ms"),
    ]


# -- PostgreSQL -------------------------------------------------------------------------------


async def _on_postgres(folder: Path, url: str) -> list[Figure]:
    ours, bare = [], []
    async with place(folder / "pg", PostgresEngine(url, schema="segue_bench")) as there:
        await _append_round(there.store, 2)
        payload = await _stored_payload(there)
        for _ in range(_ROUNDS):
            ours.append(await _append_round(there.store, _APPENDS))
            bare.append(await asyncio.to_thread(_bare_postgres, url, payload))
        rate = await _outbox_rate(there)
    appended, limit = statistics.median(ours), statistics.median(bare)
    return [
        free("bare psycopg, groups of 200", limit, "events/s"),
        free("append from 200 conversations, PostgreSQL", appended, "events/s"),
        above("append / bare psycopg", appended / limit, "", 0.2),
        above("outbox claim + settle, PostgreSQL", rate, "texts/s", 8_000),
    ]


def _bare_postgres(url: str, payload: str) -> float:
    engine = PostgresEngine(url, schema="segue_bare")
    engine.open()
    prepare(engine)
    groups = _bare_groups(payload)
    event, stream, new = (
        text.replace("?", "%s").encode() for text in (_BARE_EVENT, _BARE_STREAM, _BARE_NEW)
    )
    options = "-c search_path=segue_bare"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        cursor = connection.cursor()
        cursor.executemany(new, groups.pop(0)[1])
        began = time.perf_counter()
        for events, streams in groups:
            connection.execute("BEGIN")
            cursor.executemany(event, events)
            cursor.executemany(stream, streams)
            connection.execute("COMMIT")
        return len(groups) * _CONVERSATIONS / (time.perf_counter() - began)
