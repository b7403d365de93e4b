"""kill -9 at random and at named places: what was acknowledged is there, once, and proven."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from ari_app.agent.turn import Agent
from ari_app.calls.orphans import Orphans
from ari_app.conversation.events import CallAnswered, CallerSpoke
from ari_app.store.migration import prepare
from ari_app.store.postgres import CommitLost, PostgresEngine, PostgresLink
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import FakeClock
from tests.support.doomed import relay
from tests.support.faults import fault
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.killing import killed_at
from tests.support.meter import RecordingMeter
from tests.support.store import opened
from tests.support.store import running as kept_open
from tests.support.workers import (
    ONE,
    Nursery,
    audited,
    engine_of,
    said,
    sealed,
    soon,
    store_of,
)
from tests.unit.calls.call_story import FakeClock as CallClock

_KILLS = 40
_OUTAGE = 4.0  # seconds that a writer certainly waits for its server


async def check_the_log(address: str, folder: Path, acknowledged: list[list[str]]) -> None:
    """All that was acknowledged is there, nothing is there twice or by half, and it is proven."""
    done = Counter((id, stream) for what, id, stream, *_ in acknowledged if what == "done")
    assert set(done.values()) == {1}
    streams = {stream for _, stream in done}
    with sealed(folder) as vault:
        async with kept_open(store_of(address, "reader", vault)) as store:
            there: list[tuple[str, str]] = []
            for stream in sorted(streams):
                envelopes = await store.read(stream)
                assert [e.sequence for e in envelopes] == list(range(1, len(envelopes) + 1))
                happened = [e.event for e in envelopes]
                for call, words in zip(happened[::2], happened[1::2], strict=True):
                    assert isinstance(call, CallAnswered)
                    assert isinstance(words, CallerSpoke)
                    assert words.text == call.call  # its key was kept before it
                    there.append((call.call, stream))
    assert sorted(done.keys() - set(there)) == [], "acknowledged, and not there"
    assert len(there) == len(set(there))
    # What was on its way to the disk may be there too; then it is there with all that it promised.
    with contextlib.closing(engine_of(address).connect()) as link:
        known = "" if len(streams) == len(link.rows("SELECT stream FROM stream")) else "some"
        effects = [id for (id,) in link.rows("SELECT id FROM outbox")]
        timers = [id for (id,) in link.rows("SELECT id FROM timer")]
    if not known:
        assert sorted(effects) == sorted(f"msg_{id}" for id, _ in there)
        assert sorted(timers) == sorted(f"timer_{id}" for id, _ in there)
    assert {f"msg_{id}" for id, _ in there} <= set(effects)
    assert len(effects) == len(set(effects)) == len(timers)
    report = audited(address)
    assert report.sound, report.findings
    assert report.events == 2 * len(effects)


@fault("kill -9 of the writer, 40 times", "every acknowledged event is there, once, and readable")
async def test_a_writer_that_is_killed_forty_times_loses_nothing_it_acknowledged(
    address: str, nursery: Nursery, tmp_path: Path
) -> None:
    seed = time.time_ns()
    print(f"seed {seed}")  # noqa: T201  shown if it fails
    dice = random.Random(seed)
    file = tmp_path / "acknowledged"
    wholly = 0
    for n in range(_KILLS):
        worker = nursery.start("writes", address, f"r{n}", file)
        # Some in the first commits or before, most in the midst of work.
        if dice.random() < 0.8:
            wanted, before = dice.randint(1, 40), file.stat().st_size if file.exists() else 0
            soon(lambda b=before, w=wanted: _grown(file, b) > 20 * w, "it works")  # type: ignore[misc]  # bound defaults
            wholly += 1
        await asyncio.sleep(dice.random() * 0.02)
        worker.kill()
    acknowledged = said(file)
    assert len(acknowledged) > wholly
    await check_the_log(address, tmp_path, acknowledged)


def _grown(file: Path, size: int) -> int:
    return file.stat().st_size - size if file.exists() else 0


@fault(
    "kill -9 of PostgreSQL under two workers",
    "every acknowledged event is there, once; writers ride through a restart",
    "postgres",
)
async def test_a_server_that_is_killed_under_load_loses_nothing_it_acknowledged(
    nursery: Nursery, tmp_path: Path
) -> None:
    file = tmp_path / "acknowledged"
    with PrivatePostgres() as server:
        address = server.create_database("load")
        workers = [nursery.start("writes", address, f"w{n}", file) for n in range(2)]
        patient = True
        for n in range(3):
            before = _grown(file, 0)
            soon(lambda b=before: _grown(file, b) > 5000, "they work")  # type: ignore[misc]  # a bound default
            server.kill()
            began = time.monotonic()
            server.start()
            patient = patient and time.monotonic() - began < _OUTAGE
            print(f"outage {n}: {time.monotonic() - began:.1f} s")  # noqa: T201  shown if it fails
        for name in ("w0", "w1"):
            heard = sum(words[1].startswith(name) for words in said(file))
            soon(
                lambda w=name, h=heard: sum(x[1].startswith(w) for x in said(file)) > h + 50,  # type: ignore[misc]  # bound defaults
                f"{name} goes on",
            )
        for worker in workers:
            worker.kill()
        acknowledged = said(file)
        refused = [words for words in acknowledged if words[0] == "refused"]
        assert not (patient and refused)
        await check_the_log(address, tmp_path, acknowledged)


@fault(
    "PostgreSQL killed in a commit, its answer lost",
    "what became of it is found out, also if the server has given its number to another one",
    "postgres",
)
@pytest.mark.parametrize("others", [0, 3])
def test_a_commit_that_a_killed_server_forgot_is_not_taken_for_a_later_one(
    others: int,
) -> None:
    advance = "INSERT INTO checkpoint (consumer, position) VALUES (?, 1)"
    with PrivatePostgres() as server:
        engine = PostgresEngine(server.create_database("lost"))
        engine.open()
        prepare(engine)
        marks: list[CommitLost] = []
        server.restart()  # so that the numbers of transactions are known to be on the disk
        link = engine.connect()
        link.begin()
        link.run(advance, ("of a killed server",))
        server.kill()
        server.start()
        for n in range(others):
            with contextlib.closing(engine.connect()) as other:
                other.begin()
                other.run(advance, (f"of another {n}",))
                other.commit()
                assert isinstance(other, PostgresLink)
                marks.append(CommitLost(other._xid, (other._name, other._commits)))
        with pytest.raises(CommitLost) as lost:
            link.commit()
        assert (lost.value.xid in {done.xid for done in marks}) is bool(others)
        began = time.monotonic()
        assert not engine.was_committed(lost.value)
        assert all(engine.was_committed(done) for done in marks)
        assert time.monotonic() - began < 5.0
        engine.close()


@fault(
    "PostgreSQL killed in a commit, its answer lost",
    "it is there once, whether it was done or not",
    "postgres",
)
@pytest.mark.parametrize("done", [True, False])
async def test_what_was_in_the_commit_whose_answer_was_lost_is_there_once(
    done: bool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = PostgresLink.commit, list[str]()

    def commit(link: PostgresLink) -> None:
        if lost:
            real(link)
            return
        lost.append(link._xid)
        if done:
            real(link)
        link.connection.close()
        raise CommitLost(lost[0], (link._name, link._commits + (not done)))

    async with kept_open(store_of(database)) as store:
        await store.append("conv_1", [CallAnswered(call="before")])
        monkeypatch.setattr(PostgresLink, "commit", commit)
        (written,) = await store.append("conv_1", [CallAnswered(call="in doubt")])
        assert lost
        calls = [e.id for e in await store.read("conv_1")]
    assert calls[1:] == [written.id]


@fault("a crash before the commit", "nothing is there, no half of it, and it can be done again")
async def test_what_a_crash_before_the_commit_left_is_nothing(address: str) -> None:
    async with kept_open(store_of(address)) as store:
        await store.append("conv_0", [CallAnswered(call="before")])
    spoke = killed_at("store.before_commit", "-m", "tests.support.workers", "appends_once", address)
    assert spoke == ""
    assert counted(address) == {"event": 1, "outbox": 0, "timer": 0}
    async with kept_open(store_of(address)) as store:
        assert await store.append("conv_1", **ONE)  # type: ignore[arg-type]  # a table of arguments
    assert counted(address) == {"event": 3, "outbox": 1, "timer": 1}
    assert audited(address).sound


@fault("a crash after the commit", "it is there as a whole, and only once if it is repeated")
async def test_what_a_crash_after_the_commit_left_is_all_of_it(address: str) -> None:
    async with kept_open(store_of(address)) as store:
        await store.append("conv_0", [CallAnswered(call="before")])
    spoke = killed_at("store.after_commit", "-m", "tests.support.workers", "appends_once", address)
    assert spoke == ""
    assert counted(address) == {"event": 3, "outbox": 1, "timer": 1}
    async with kept_open(store_of(address)) as store:
        assert await store.append("conv_1", **ONE) == []  # type: ignore[arg-type]  # a table of arguments
    assert counted(address) == {"event": 3, "outbox": 1, "timer": 1}
    assert audited(address).sound


def counted(address: str) -> dict[str, int]:
    with contextlib.closing(engine_of(address).connect()) as link:
        tables = ("event", "outbox", "timer")
        return {t: int(link.rows(f"SELECT count(*) FROM {t}")[0][0]) for t in tables}


@fault(
    "a crash in a live call",
    "the call is closed once, people get its record, a promised text is sent once",
    "sqlite",
)
@pytest.mark.parametrize(
    ("place", "promised"),
    [
        ("call.after_received", False),
        ("call.after_answered", False),
        ("call.after_decision", False),
        ("call.after_ended", True),
    ],
)
async def test_a_call_whose_process_dies_ends_with_one_record(
    place: str, promised: bool, tmp_path: Path
) -> None:
    killed_at(place, "-m", "tests.support.doomed", "takes_a_call", tmp_path)
    # Later than anything of the call, and not so much later that the text is of no use any more.
    async with opened(tmp_path, clock := FakeClock(CallClock().now())) as store:
        clock.advance(10_000)
        agent = Agent(demo_bundle(), demo_intents(), clock, lambda: True)
        orphans = Orphans(store.bury, store, agent, RecordingMeter())
        for _ in range(2):
            await orphans.run_once()
            await relay(store, tmp_path, clock).run_once()
        ((stream, _),) = await store.recent(10)
        names = [type(e.event).__name__ for e in await store.read(stream)]
    assert names.count("CallEnded") == 1
    assert names.count("HandoffRecorded") == names.count("HandoffAcknowledged") == 1
    assert names.count("TextPromised") == names.count("TextSubmitted") == int(promised)
    taken = tmp_path / "taken"
    assert len(said(taken)) == int(promised)
    assert len(list((tmp_path / "handoffs").iterdir())) == 1
