"""A backup of either engine, and what a restore into either makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.conversation.events import CallAnswered
from ari_app.errors import LeaseLost, StoreUnavailable
from ari_app.ledger.note import VerifierKey
from ari_app.ports import Effect, Receipt, Timer
from ari_app.privacy.sealing import Sealer
from ari_app.projections.ports import CONSUMER
from ari_app.store import backup, backup_file, migration
from ari_app.store import read_models as read_models  # makes the tables known
from ari_app.store.backup import take
from ari_app.store.backup_file import TABLES, BackupDamaged, Manifest, opened
from ari_app.store.rehearsal import Verified, verify
from ari_app.store.restoring import Restored, release, restore
from ari_app.store.schema import Table
from ari_app.store.sqlite import SqliteEngine
from ari_app.store.store import EventStore
from tests.support.clock import NOON, FakeClock
from tests.support.killing import killed_at
from tests.support.store import Base, PostgresBase, SqliteBase, running
from tests.support.wait import until

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = VerifierKey.of("segue-test", SIGNER)
ENGINES = ["sqlite", "postgres"]
PAIRS = [f"{source} to {target}" for source in ENGINES for target in ENGINES]


def base_of(kind: str, name: str, request: pytest.FixtureRequest, folder: Path) -> Base:
    if kind == "sqlite":
        (folder / name).mkdir()
        return SqliteBase(folder / name)
    return PostgresBase(request.getfixturevalue("database"), name)


@pytest.fixture(params=ENGINES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    """A database on each engine."""
    with contextlib.closing(base_of(request.param, "site", request, tmp_path)) as base:
        yield base


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Base, Base]]:
    """Where the backup is taken, and an empty place where it is restored, on all engines."""
    source, _, target = request.param.partition(" to ")
    with (
        contextlib.closing(base_of(source, "source", request, tmp_path)) as first,
        contextlib.closing(base_of(target, "target", request, tmp_path)) as second,
    ):
        yield first, second


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup.segue"


def call(name: str) -> CallAnswered:
    return CallAnswered(call=name)


def effect(id: str, kind: str = "sms") -> Effect:
    return Effect(kind, id, NOON, {"body": "b"})


def sealer(store: EventStore) -> Sealer:
    return Sealer(store.seals(), "segue-test", SIGNER, FakeClock())


async def backed_up(base: Base, file: Path, *, force: bool = False) -> Manifest:
    engine = base.engine()
    engine.open()
    try:
        return await asyncio.to_thread(take, engine, file, base.clock, force=force)
    finally:
        engine.close()


async def restored(
    base: Base, file: Path, *, force: bool = False, resume: bool = False, mark: str | None = None
) -> Restored:
    engine = base.engine()

    def run() -> Restored:
        return restore(file, engine, base.clock, force=force, resume=resume, mark=mark)

    try:
        return await asyncio.to_thread(run)
    finally:
        engine.close()


def content(file: Path) -> bytes | None:
    """None if it is not there."""
    return file.read_bytes() if file.exists() else None


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def put(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def remove(file: Path) -> None:
    file.unlink()


def audited(base: Base) -> Verified:
    engine = base.engine()
    engine.open()
    try:
        return verify(engine, VERIFIER)
    finally:
        engine.close()


def audited_file(file: Path) -> Verified:
    return verify(SqliteEngine(file, FakeClock(), read_only=True), VERIFIER)


async def names(store: EventStore, consumer: str) -> list[str]:
    return [p.envelope.id for p in await store.tail(consumer, 10_000)]


# -- taking one ---------------------------------------------------------------------------------


async def test_a_backup_has_all_that_was_acknowledged_before_it_and_holds_up_nobody(
    base: Base, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_STEP", 4)
    monkeypatch.setattr(backup, "_BATCH", 100)
    acknowledged: list[str] = []
    async with running(base.store()) as store:

        async def write(stream: str) -> None:
            while True:
                happened = [call(f"{n}") for n in range(5)]
                acknowledged.extend(e.id for e in await store.append(stream, happened))

        writers = [asyncio.create_task(write(f"conv_{n}")) for n in range(8)]
        await until(lambda: len(acknowledged) >= 400)
        before = set(acknowledged)
        readable: list[int] = []
        steps: list[int] = []
        dones: list[int] = []

        def progress(done: int, total: int) -> None:
            """It goes on only when others have written since the last step."""
            steps.append(len(acknowledged))
            dones.append(done)
            deadline = time.monotonic() + 20
            while len(steps) < 4 and len(acknowledged) < steps[-1] + 20:
                assert time.monotonic() < deadline, "nobody can write while the backup is taken"
                time.sleep(0.01)
            if len(steps) < 4:
                ((count,),) = base.rows(f"SELECT count(*) FROM event WHERE {settled}", *values)
                readable.append(count)

        engine = base.engine()
        settled, values = engine.after(0)
        engine.open()
        manifest = await asyncio.to_thread(take, engine, file, base.clock, progress=progress)
        engine.close()
        for writer in writers:
            writer.cancel()

    with opened(file, base.clock) as (_, link):
        there = {id for (id,) in link.rows("SELECT id FROM event")}
    assert before <= there
    assert len(steps) >= 4
    assert dones == sorted(set(dones)), "it began again"
    assert readable[-1] > readable[0], "nobody could read on while the backup was taken"
    assert steps[-1] > len(before)
    assert len(there) < len(acknowledged)
    report = audited_file(file)
    assert (report.sound, report.report.events) == (True, manifest.events)
    assert manifest.events == len(there)


async def test_a_backup_is_private_and_says_what_it_is(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a"), call("b")])
        seal = await sealer(store).run_once()
        await store.append("conv_1", [call("c")])
        manifest = await backed_up(base, file)
    assert seal is not None
    assert mode(file) == 0o600
    assert (manifest.taken, manifest.events, manifest.sealed) == (base.clock.now(), 3, 2)
    assert manifest.engine == {"sqlite": "sqlite", "postgres": "postgresql"}[base.name]
    with opened(file, base.clock) as (found, link):
        assert found == manifest
        assert link.rows("PRAGMA journal_mode") == [("delete",)]  # it can be read from a DVD
    assert sorted(f.name for f in file.parent.iterdir() if "backup" in f.name) == [file.name]


async def test_leases_and_read_models_are_not_in_a_backup(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")])
        await store.lease("sealer", 60)
        await store.advance(CONSUMER, 1)
        base_rows = base.rows("SELECT name FROM lease WHERE owner <> ''")
        await backed_up(base, file)
    assert [name for (name,) in base_rows] == ["sealer"]
    with opened(file, base.clock) as (_, link):
        assert link.rows("SELECT * FROM lease") == []
        assert link.rows("SELECT consumer FROM checkpoint") == []


async def test_what_was_deleted_does_not_come_along(tmp_path: Path, file: Path) -> None:
    base = SqliteBase(tmp_path)
    async with running(base.store()):
        with contextlib.closing(sqlite3.connect(base.path, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete=OFF")
            rows = [(f"t{n}", f"long-gone-{n:0100}") for n in range(200)]
            database.executemany("INSERT INTO timer VALUES (?, 'conv_1', ?, 1)", rows)
            database.execute("DELETE FROM timer")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"long-gone-" in (content(base.path) or b"")
        await backed_up(base, file)
    assert b"long-gone-" not in (content(file) or b"long-gone-")


def test_every_table_is_in_a_backup_or_known_to_be_made_anew() -> None:
    views = {name for name in Table.metadata.tables if name.endswith("_view")}
    assert {*TABLES, *views, "lease", "snapshot"} == set(Table.metadata.tables)


async def test_a_file_that_is_there_is_only_replaced_when_told_to(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")])
        await backed_up(base, file)
        await store.append("conv_1", [call("b")])
        with pytest.raises(StoreUnavailable, match="exists: name another file, or say --force"):
            await backed_up(base, file)
        assert audited_file(file).report.events == 1
        await backed_up(base, file, force=True)
        assert audited_file(file).report.events == 2


async def test_two_backups_to_one_file_do_not_meet(base: Base, file: Path) -> None:
    async with running(base.store()):
        with backup._workplace(file), pytest.raises(StoreUnavailable, match="another backup is"):
            await backed_up(base, file)


async def test_a_place_that_cannot_be_written_is_said(base: Base, tmp_path: Path) -> None:
    async with running(base.store()):
        with pytest.raises(StoreUnavailable, match="cannot be written to .*nowhere"):
            await backed_up(base, tmp_path / "nowhere" / "backup")


# -- restoring it -------------------------------------------------------------------------------


async def test_a_consumer_sees_exactly_what_it_had_not_seen(
    pair: tuple[Base, Base], file: Path
) -> None:
    source, target = pair
    async with running(source.store()) as store:
        for n in range(40):
            await store.append(f"conv_{n % 7}", [call(f"{n}a"), call(f"{n}b")])
        first = await store.tail("replies", 33)
        await store.advance("replies", first[-1].position)
        await store.advance("nothing", 0)
        await store.advance("everything", (await store.tail("everything", 1000))[-1].position)
        unseen = await names(store, "replies")
        whole = [p.envelope for p in await store.tail("new", 1000)]
        await backed_up(source, file)

    await restored(target, file)

    async with running(target.store()) as store:
        assert await names(store, "replies") == unseen
        assert [p.envelope for p in await store.tail("new", 1000)] == whole
        assert len(await store.tail("nothing", 1000)) == 80
        assert await store.tail("everything", 1000) == []
        (more,) = await store.append("conv_1", [call("more")])
        assert await names(store, "replies") == [*unseen, more.id]
        assert await names(store, "everything") == [more.id]
        assert more.sequence == 1 + len([e for e in whole if e.stream == "conv_1"])


async def test_seals_go_on_after_a_restore_and_the_whole_log_is_sound(
    pair: tuple[Base, Base], file: Path
) -> None:
    source, target = pair
    async with running(source.store()) as store:
        for n in range(30):
            await store.append(f"conv_{n % 4}", [call(f"{m}") for m in range(10)])
            if n % 10 == 5:
                await sealer(store).run_once()
        await backed_up(source, file)
    assert audited_file(file).sound

    await restored(target, file)

    async with running(target.store()) as store:
        await store.append("conv_new", [call("a")])
        seal = await sealer(store).run_once()
    assert seal is not None
    assert (seal.number, seal.size) == (4, 301)
    places = target.rows("SELECT size, position FROM seal WHERE number < 4 ORDER BY number")
    assert [(size, int(place) % (1 << 44)) for size, place in places] == [
        (60, 60),
        (160, 160),
        (260, 260),
    ]
    found = audited(target)
    assert found.sound
    assert (found.report.sealed, found.conversations, found.unreadable) == (301, 5, 0)


async def test_what_else_was_there_is_there_again(pair: tuple[Base, Base], file: Path) -> None:
    source, target = pair
    async with running(source.store()) as store:
        await store.belongs_to("m" * 32)
        timer = Timer("t1", "conv_1", "k", NOON)
        await store.append("conv_1", [call("a")], timers=[timer], subject="subj_1", dedupe="d")
        await store.append("conv_1", [call("b")], effects=[effect("msg_1")])
        (job,) = await store.claim("sms", NOON)
        await store.settle(job, [call("sent")], wire=("main", ["77"]))
        await store.receipt(Receipt("main", "88", "DELIVRD", ""))
        assert await store.once("job", "slot")
        await backed_up(source, file)

    await restored(target, file, mark="m" * 32)

    async with running(target.store()) as store:
        assert await store.due_timers(NOON) == [timer]
        assert await store.latest("subj_1") == "conv_1"
        assert await store.append("conv_1", [call("twice")], dedupe="d") == []
        assert await store.receipt(Receipt("main", "77", "DELIVRD", ""))
        assert not await store.receipt(Receipt("main", "99", "DELIVRD", ""))
        assert not await store.once("job", "slot")
        with pytest.raises(StoreUnavailable, match="another installation"):
            await store.belongs_to("n" * 32)
    assert target.rows("SELECT id FROM early_receipt ORDER BY number") == [("88",), ("99",)]


async def in_every_state(base: Base) -> None:
    async with running(base.store()) as store:
        ids = ["msg_done", "msg_claimed", "msg_sending", "msg_due"]
        for n, id in enumerate(ids):
            await store.append("conv_1", [call(id)], effects=[Effect("sms", id, NOON + n, {})])
        done, _, sending = await store.claim("sms", NOON + 2)
        await store.settle(done, [call("done")])
        await store.sending(sending)


async def test_nothing_that_was_due_is_sent_before_somebody_says_so(
    pair: tuple[Base, Base], file: Path
) -> None:
    source, target = pair
    await in_every_state(source)
    await backed_up(source, file)

    assert (await restored(target, file)).held == {"sms": 2}

    later = NOON * 2
    async with running(target.store()) as store:
        await store.join(5.0)
        await store.bury()
        # Of what was being sent nobody knows; it is told, not sent.
        assert [(j.id, j.state) for j in await store.claim("sms", later)] == [
            ("msg_sending", "sending")
        ]
        assert await store.claim("sms", later) == []
        assert await asyncio.to_thread(release, store.engine) == 2
        jobs = await store.claim("sms", later)
        assert [(job.id, job.state) for job in jobs] == [("msg_claimed", "due"), ("msg_due", "due")]
        assert await asyncio.to_thread(release, store.engine) == 0


async def test_with_resume_what_was_due_is_due(pair: tuple[Base, Base], file: Path) -> None:
    source, target = pair
    await in_every_state(source)
    await backed_up(source, file)

    assert (await restored(target, file, resume=True)).held == {}

    async with running(target.store()) as store:
        jobs = {(job.id, job.state) for job in await store.claim("sms", NOON * 2)}
    assert jobs == {("msg_claimed", "due"), ("msg_due", "due"), ("msg_sending", "sending")}


async def test_a_database_with_events_is_only_replaced_when_told_to(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("old")], timers=[Timer("t", "conv_1", "k", 1)])
        await backed_up(base, file)
        await store.drop_timer("t")
        base.rows("INSERT INTO snapshot VALUES ('conv_1', 2, '{}') RETURNING stream")
        kept = await store.append("conv_1", [call("new")]) + await store.append("c2", [call("x")])
    with pytest.raises(StoreUnavailable, match="has 3 events: restore into an empty one"):
        await restored(base, file)
    assert base.rows("SELECT count(*) FROM event") == [(3,)]

    await restored(base, file, force=True)

    assert base.rows("SELECT * FROM snapshot") == []  # it was of events that are gone
    async with running(base.store()) as store:
        assert [e.event for e in await store.read("conv_1")] == [call("old")]
        assert await store.read("c2") == []
        assert len(await store.due_timers(NOON)) == 1
        # No position is ever used for two events, not even after this.
        (after,) = await store.append("conv_1", [call("after")])
        assert after.id not in {e.id for e in kept}
        assert [e.sequence for e in await store.read("conv_1")] == [1, 2]
    assert audited(base).sound


async def test_nothing_is_restored_under_a_worker_that_lives(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await backed_up(base, file)
        fence = await store.join(30.0)
        with pytest.raises(StoreUnavailable, match="works on the database: stop every"):
            await restored(base, file, force=True)
        await store.release(fence)
        await restored(base, file)


async def test_a_worker_that_wakes_after_a_restore_writes_nothing(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await backed_up(base, file)
        await store.join(5.0)
        base.clock.advance(6.0)  # it was stopped for so long
        await restored(base, file)
        with pytest.raises(LeaseLost):
            await store.append("conv_1", [call("late")])
    assert base.rows("SELECT count(*) FROM event") == [(0,)]


async def test_while_a_service_has_the_file_nothing_is_restored(tmp_path: Path) -> None:
    base, file = SqliteBase(tmp_path), tmp_path / "b"
    async with running(base.store()) as store:
        await backed_up(base, file)
        await store.release(await store.join(5.0, alone=True))
        with pytest.raises(StoreUnavailable, match="another segue uses"):
            await restored(base, file)


async def test_a_backup_of_another_installation_is_refused(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.belongs_to("m" * 32)
        await backed_up(base, file)
    with pytest.raises(StoreUnavailable, match="of another installation: put the subject key"):
        await restored(base, file, mark="n" * 32)


async def test_views_are_made_anew_after_a_restore(pair: tuple[Base, Base], file: Path) -> None:
    source, target = pair
    async with running(source.store()) as store:
        await store.append("conv_1", [call("a")])
        await store.advance(CONSUMER, (await store.tail("x"))[-1].position)
        await backed_up(source, file)
    await restored(target, file)
    async with running(target.store()) as store:
        assert len(await store.tail(CONSUMER)) == 1


# -- damage -------------------------------------------------------------------------------------


def overwrite(file: Path, at: int, with_: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(with_)


def refused(file: Path) -> str:
    with pytest.raises(BackupDamaged) as damaged, opened(file, FakeClock()):
        pass
    assert str(file) in str(damaged.value)
    assert "\n" not in str(damaged.value)
    return str(damaged.value)


async def test_a_damaged_backup_is_named_and_nothing_is_touched(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        for n in range(50):
            await store.append(f"conv_{n}", [call("x" * 200)] * 4)
        await backed_up(base, file)
    whole = content(file) or b""

    put(file, whole[: len(whole) // 2])
    assert "is damaged" in refused(file)
    put(file, b"not a database at all" * 100)
    assert "is damaged" in refused(file)
    put(file, whole)
    overwrite(file, 4096 * (len(whole) // 4096 // 2), b"\0" * 4096)
    assert "is damaged" in refused(file)
    with pytest.raises(BackupDamaged):
        await restored(base, file, force=True)
    assert base.rows("SELECT count(*) FROM event") == [(200,)]

    put(file, whole)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM event WHERE position = 7")
        database.commit()
    assert "it has 199 events and not 200" in refused(file)
    remove(file)
    assert "there is no backup at" in refused(file)


async def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path) -> None:
    async with running(SqliteBase(tmp_path).store()):
        pass
    assert "is no backup of Segue" in refused(tmp_path / "segue.db")


async def test_a_changed_event_of_a_backup_is_found_and_named(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call(str(n)) for n in range(9)])
        await sealer(store).run_once()
        await backed_up(base, file)
    assert audited_file(file).sound
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE event SET payload = '{\"call\": 1}' WHERE sequence = 7")
        database.commit()
    found = audited_file(file)
    assert not found.sound
    assert "event 7 of stream conv_1 was changed" in found.report.findings[0].text
    assert found.unreadable == 1
    assert found.examples[0].startswith("event 7 of stream conv_1")


async def test_a_checkpoint_of_later_says_nothing_of_a_backup_but_one_of_before_does(
    base: Base, file: Path
) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")])
        seal = await sealer(store).run_once()
        await backed_up(base, file)
        await store.append("conv_1", [call("b")])
        later = await sealer(store).run_once()
    assert seal is not None
    assert later is not None
    engine = SqliteEngine(file, FakeClock(), read_only=True)
    notes = [("anchor", seal.note), ("anchor", later.note)]
    found = verify(engine, VERIFIER, notes)
    assert (found.sound, found.newer, found.report.checkpoints) == (True, 1, 1)
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM seal")
        database.commit()
    assert "the seals were removed" in verify(engine, VERIFIER, notes).report.findings[0].text


# -- kills --------------------------------------------------------------------------------------

TAKES = """
engine.open()
take(engine, Path(sys.argv[1]), SystemClock())
"""
RESTORES = """
restore(Path(sys.argv[1]), engine, SystemClock())
"""


def dying(program: str, base: Base, file: Path) -> list[str]:
    """What Python is given to run the program on this database."""
    if isinstance(base, SqliteBase):
        made = f"SqliteEngine(Path({str(base.path)!r}), SystemClock())"
    else:
        assert isinstance(base, PostgresBase)
        made = f"PostgresEngine({base.dsn!r}, schema={base.schema!r})"
    lines = f"""
import sys
from pathlib import Path
from ari_app.store.backup import take
from ari_app.store.postgres import PostgresEngine
from ari_app.store.restoring import restore
from ari_app.store.sqlite import SqliteEngine
from ari_app.telemetry.clock import SystemClock
engine = {made}
{program}
"""
    return ["-c", lines, str(file)]


async def test_a_backup_that_is_killed_leaves_the_one_before(base: Base, file: Path) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")])
        await asyncio.to_thread(killed_at, "backup.before_rename", *dying(TAKES, base, file))
        assert content(file) is None
        await backed_up(base, file)
        await store.append("conv_1", [call("b")])
        with_force = TAKES.replace("SystemClock())", "SystemClock(), force=True)")
        await asyncio.to_thread(killed_at, "backup.before_rename", *dying(with_force, base, file))
        assert audited_file(file).report.events == 1
        await backed_up(base, file, force=True)
    assert audited_file(file).report.events == 2
    assert [f.name for f in file.parent.glob("*backup*")] == [file.name]
    assert list(file.parent.glob(".*")) == []


async def test_a_restore_that_is_killed_leaves_an_empty_database(
    pair: tuple[Base, Base], file: Path
) -> None:
    source, target = pair
    async with running(source.store()) as store:
        await store.append("conv_1", [call("a"), call("b")], effects=[effect("msg_1")])
        await backed_up(source, file)

    await asyncio.to_thread(killed_at, "restore.before_commit", *dying(RESTORES, target, file))

    for table in set(TABLES) - {"meta"}:
        assert target.rows(f"SELECT count(*) FROM {table}") == [(0,)], table
    await restored(target, file)
    assert audited(target).report.events == 2


async def test_a_restore_that_is_interrupted_changes_nothing(
    pair: tuple[Base, Base], file: Path
) -> None:
    source, target = pair
    async with running(source.store()) as store:
        await store.append("conv_1", [call("a"), call("b")])
        await backed_up(source, file)

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    engine = target.engine()
    with pytest.raises(KeyboardInterrupt):
        restore(file, engine, target.clock, progress=interrupted)
    engine.close()
    assert target.rows("SELECT count(*) FROM event") == [(0,)]
    await restored(target, file)


# -- a backup of an older program ---------------------------------------------------------------


async def test_a_backup_of_an_older_schema_is_restored_and_not_changed(
    base: Base, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [call("a")])
        await backed_up(base, file)
    before = content(file)
    stepped: list[Path] = []
    real = migration.status

    class Old:
        pending = ("9999_later",)

    def status(engine: SqliteEngine) -> object:
        return Old() if engine.path == file else real(engine)

    monkeypatch.setattr(backup_file, "status", status)
    monkeypatch.setattr(backup_file, "migrate", lambda engine: stepped.append(engine.path))
    await restored(base, file, force=True)
    assert stepped
    assert stepped[0] != file
    assert content(stepped[0]) is None
    assert content(file) == before
    assert audited(base).report.events == 1
