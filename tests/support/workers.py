"""Worker processes that are killed, frozen and set against each other, on either engine.

A `Nursery` has everything imported and forks: a worker is up within milliseconds, so that forty
can die in one test. What a worker has to say it appends to a file, one line in one write: what
was said before a kill -9 is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ari_app.conversation.events import CallAnswered, CallerSpoke, TextSubmitted
from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.jobs.leases import Leaseholder
from ari_app.outbox.relay import Relay
from ari_app.outbox.retry import RetryPolicy
from ari_app.outbox.texts import TextSender
from ari_app.ports import Effect, Fence, Job, Timer
from ari_app.privacy import audit
from ari_app.privacy.audit import Report
from ari_app.privacy.ports import Seal
from ari_app.privacy.vault import Vault
from ari_app.sms.bind_leases import BindLeases
from ari_app.sms.carriers import Carriers
from ari_app.sms.gateway import SmppGateway
from ari_app.store.engine import Engine, Link
from ari_app.store.keys import KeyDatabase
from ari_app.store.postgres import PostgresEngine
from ari_app.store.seals import AuditedDatabase
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.threads.inbox import Inbox
from smpp.profile_sections import Binds
from smpp.routing import Offer, Routing
from tests.support.gateway import OURS, carrier
from tests.support.keys import KEK, SCHEDULE
from tests.support.meter import RecordingMeter

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0  # seconds; only a failing test ever waits so long


def engine_of(address: str) -> Engine:
    """The path of a file, or the address of a server; not opened yet. Time is the real one."""
    if address.startswith("postgresql:"):
        return PostgresEngine(address)
    return SqliteEngine(Path(address), SystemClock())


def store_of(address: str, worker: str = "", vault: Vault | None = None) -> EventStore:
    """A worker, not opened yet."""
    worker = worker or f"w{os.getpid()}"
    return EventStore(
        engine_of(address), SystemClock(), RecordingMeter(), worker=worker, vault=vault
    )


@contextlib.contextmanager
def sealed(folder: Path) -> Iterator[Vault]:
    """A vault whose keys lie in the folder."""
    keys = KeyDatabase(folder / "keys.db", KEK, SystemClock(), os.urandom)
    keys.open()
    try:
        yield Vault(keys, SCHEDULE, SystemClock(), os.urandom)
    finally:
        keys.close()


def audited(address: str) -> Report:
    """What an audit of the chains says."""
    with contextlib.closing(engine_of(address)) as engine:
        engine.open()
        with contextlib.closing(AuditedDatabase(engine)) as log:
            return audit.verify(log, None)


def spoken(text: str) -> CallerSpoke:
    """What belongs to a person, and is sealed."""
    return CallerSpoke(call="c", text=text, words=(), confidence=1.0, endpoint_ms=0)


# -- outside the workers ----------------------------------------------------------------------


class Worker:
    """A process of the nursery."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._born = self._stat()[19:20]

    def kill(self) -> None:
        """kill -9; it is gone when this returns."""
        self._tell(signal.SIGKILL)
        self.ends()

    def freeze(self) -> None:
        """SIGSTOP; it has stopped when this returns."""
        self._tell(signal.SIGSTOP)
        self.stops()

    def stops(self) -> None:
        """Wait until it has stopped, by whomever."""
        soon(lambda: self._state() == "T", "it stopped")

    def thaw(self) -> None:
        """SIGCONT."""
        self._tell(signal.SIGCONT)

    def ends(self) -> None:
        """Wait until it is gone."""
        soon(lambda: self._state() == "", "it ended")

    def _tell(self, what: signal.Signals) -> None:
        if self._state():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, what)

    def _state(self) -> str:
        """Nothing if it is gone; another process may have its number by then."""
        stat = self._stat()
        return stat[0] if stat and stat[19:20] == self._born else ""

    def _stat(self) -> list[str]:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return []


class Nursery:
    """Starts workers, and ends those that are left."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workers"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._workers: list[Worker] = []

    def start(self, story: str, *values: object) -> Worker:
        """Live through the story."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([story, *map(str, values)]) + "\n")
        self._process.stdin.flush()
        self._workers.append(Worker(int(self._process.stdout.readline())))
        return self._workers[-1]

    def empty(self) -> None:
        """End those that are left."""
        while self._workers:
            self._workers.pop().kill()

    def close(self) -> None:
        """End them and the nursery."""
        self.empty()
        self._process.kill()
        self._process.communicate()


def said(file: Path) -> list[list[str]]:
    """The words of each line so far, without one that a kill cut short."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [line.split() for line in lines if line.endswith("\n")]


def soon(true: Callable[[], object], what: str) -> float:
    """Wait until it is so; the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + _PATIENCE, f"never happened: {what}"
        time.sleep(0.002)
    return time.monotonic() - began


# -- inside a worker --------------------------------------------------------------------------


class _Mouth:
    """Says things into the file."""

    def __init__(self, file: str) -> None:
        self._handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, *words: object) -> None:
        os.write(self._handle, (" ".join(map(str, words)) + "\n").encode())


async def writes(address: str, name: str, file: str) -> None:
    """Six calls append without a pause, also to the streams of others; says what is acknowledged.

    Each append is two events, an effect and a timer, all with its name in them.
    """
    say = _Mouth(file)
    with sealed(Path(file).parent) as vault:
        store = store_of(address, name, vault)
        await store.open()
        await store.join(60.0)

        async def call(stream: str, mine: str) -> None:
            n = 0
            while True:
                n += 1
                id = f"{mine}.{n}"
                try:
                    await store.append(
                        stream,
                        [CallAnswered(call=id), spoken(id)],
                        effects=[Effect("sms", f"msg_{id}", 0, {"n": n})],
                        timers=[Timer(f"timer_{id}", stream, "t", 0)],
                    )
                    say("done", id, stream)
                except StoreUnavailable as error:
                    say("refused", id, stream, error)

        shared = [call(f"conv_{s}", f"{name}.s{s}") for s in range(2)]
        own = [call(f"conv_{name}_{s}", f"{name}.o{s}") for s in range(4)]
        await asyncio.gather(*shared, *own)


async def appends_once(address: str) -> None:
    """One append with everything."""
    store = store_of(address)
    await store.open()
    await store.append("conv_1", **ONE)  # type: ignore[arg-type]  # a table of arguments
    print("acknowledged", flush=True)  # noqa: T201  the parent reads it
    await store.aclose()


ONE = {
    "events": [CallAnswered(call="a"), CallAnswered(call="b")],
    "effects": [Effect("sms", "msg_1", 0, {"body": "b"})],
    "timers": [Timer("timer_1", "conv_1", "t", 0)],
    "dedupe": "once",
}


async def rules(address: str, name: str, file: str, ttl: str, how: str = "") -> None:
    """Waits for the lease `sealer`, then writes everything under it that can be, without a pause.

    Says how each attempt went. At the word `freeze` it stops itself in the midst of a transaction,
    after the lease was looked at. At `stranger` it is none of the workers: only the lease guards.
    """
    say, span = _Mouth(file), float(ttl)
    store = store_of(address, name)
    await store.open()
    leases = Leaseholder(store, span, RecordingMeter(), lambda loss: say("lost", loss))
    if how != "stranger":
        leases.needs(await store.join(span), "taken for dead")
    keeping = asyncio.create_task(_keeps(leases, span))
    while (fence := await leases.fence("sealer")) is None:  # noqa: ASYNC110  a lease knows no Event
        await asyncio.sleep(span / 20)
    await store.bury()
    say("rules", time.monotonic(), fence.epoch)
    jobs = await store.claim("sms", SystemClock().now(), 5)
    if how == "freeze":
        try:
            await store._writer.run(functools.partial(_stops, store, fence, say))
            say("stale", "written")
        except (LeaseLost, StoreUnavailable) as error:
            say("stale", type(error).__name__)
    # The first one settles nothing before it has lost the lease: then its jobs are not its own.
    ruled_out = name != "old"
    for n in range(1, 1_000_000):
        for what, attempt in _writes_under(
            store, fence, name, n, jobs if ruled_out else []
        ).items():
            try:
                await attempt()
                say("wrote", what, n)
            except LeaseLost:
                say("fenced", what, n)
                ruled_out = True
            except StoreUnavailable as error:
                say("unavailable", what, n, error)
        await asyncio.sleep(0)
    keeping.cancel()


def _stops(store: EventStore, fence: Fence, say: _Mouth, link: Link) -> None:
    store._need(link, fence)
    say("inside", os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)
    link.run("INSERT INTO once (job, slot) VALUES ('stale', 'write')")


async def _keeps(leases: Leaseholder, ttl: float) -> None:
    while True:
        with contextlib.suppress(StoreUnavailable):
            await leases.keep()
        await asyncio.sleep(ttl / 5)


def _writes_under(
    store: EventStore, fence: Fence, name: str, n: int, jobs: list[Job]
) -> dict[str, Callable[[], Awaitable[object]]]:
    """One of each kind of write that a lease guards."""

    async def seal() -> None:
        last = await store.seals().latest()
        number = last.number + 1 if last else 1
        await store.seals().keep(Seal(number, n, n, b"", name, 0), [], fence)

    writes: dict[str, Callable[[], Awaitable[object]]] = {
        "append": lambda: store.append("conv_1", [CallAnswered(call=f"{name}.{n}")], fence=fence),
        "advance": lambda: store.advance("feed", n * 10 + fence.epoch, fence),
        "once": lambda: store.once("job", f"{name}.{n}", fence),
        "seal": seal,
    }
    if jobs:
        job = jobs[0]
        sent = TextSubmitted(message=job.id, carrier=name, ids=(f"{name}.{job.id}",), attempts=1)
        writes["settle"] = lambda: _settles(store, jobs, sent)
    return writes


async def _settles(store: EventStore, jobs: list[Job], sent: TextSubmitted) -> None:
    await store.settle(jobs[0], [sent])
    del jobs[0]


async def takes_turns(address: str, name: str, file: str, ttl: str) -> None:
    """Is inside whenever it has the lease; a lock of the system says whether it is alone there."""
    say, span = _Mouth(file), float(ttl)
    store = store_of(address, name)
    await store.open()
    room = os.open(f"{file}.room", os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        fence = await store.lease("room", span)
        if fence is None:
            await asyncio.sleep(0.002)
            continue
        try:
            fcntl.flock(room, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("both", name)
            continue
        say("inside", name, fence.epoch)
        await store.append("conv_1", [CallAnswered(call=f"{name}.{fence.epoch}")], fence=fence)
        await asyncio.sleep(0.002)
        fcntl.flock(room, fcntl.LOCK_UN)
        await store.release(fence)
        await asyncio.sleep(0.001)  # a turn for the others


async def binds(address: str, name: str, file: str, ttl: str, port: str) -> None:
    """Makes the binds of a carrier if they are its to make, and sends what is due over them."""
    say, span, clock, meter = _Mouth(file), float(ttl), SystemClock(), RecordingMeter()
    store = store_of(address, name)
    await store.open()
    leases = Leaseholder(store, span, meter, lambda loss: say("lost", loss))
    leases.needs(await store.join(span), "taken for dead")
    profile = carrier(int(port), window=5)
    gateway = SmppGateway(
        replace(profile, bind=Binds(per_host=2)),
        OURS,
        source="36200",
        inbox=Inbox(store, clock, meter, b"k" * 32),
        arrivals=store,
        clock=clock,
        meter=meter,
        secret=b"k" * 32,
    )
    carriers = Carriers([gateway], Routing([Offer(carrier=profile.name)]), clock)
    turns = BindLeases([gateway], leases, store.held)
    sender = TextSender(carriers, store, clock, meter, RetryPolicy())
    relay = asyncio.create_task(Relay(store, clock, meter, {"sms": sender}).run())
    keeping = asyncio.create_task(_keeps(leases, span))
    heard = (False, False)
    while not relay.done():
        await turns.run_once()
        await store.bury()
        if heard != (turns.ours, turns.up):
            heard = turns.ours, turns.up
            say("ours" if turns.ours else "theirs", name, "up" if turns.up else "down")
        await asyncio.sleep(span / 8)
    keeping.cancel()
    await relay


async def meets_a_bad_disk(address: str, file: str) -> None:
    """Appends until the files may not grow, then until they may again; says how each went."""
    say = _Mouth(file)
    store = store_of(address)
    await store.open()

    async def append(n: int) -> None:
        try:
            await store.append("conv_1", [spoken(f"{n} " + "x" * 5000)])
            say("done", n)
        except StoreUnavailable as error:
            say("refused", n, error)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(address).with_name(Path(address).name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, before[1]))
    for n in range(60):
        await append(n)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for n in range(60, 70):
        await append(n)
    await store.aclose()
    say("end")


STORIES: Sequence[Callable[..., Awaitable[None]]] = (
    writes,
    appends_once,
    rules,
    takes_turns,
    binds,
    meets_a_bad_disk,
)
_BY_NAME = {story.__name__: story for story in STORIES}


async def _live(story: str, values: Sequence[str]) -> None:
    await _BY_NAME[story](*values)


def nursery() -> None:
    """Forks a worker for each line, and says its pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody is left as a zombie
    for line in sys.stdin:
        story, *values = json.loads(line)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                asyncio.run(_live(story, values))
                status = 0
            finally:
                os._exit(status)
        print(pid, flush=True)  # noqa: T201  the parent reads it


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_live(sys.argv[1], sys.argv[2:]))
    else:
        nursery()
