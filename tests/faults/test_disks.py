"""Disks that are full, read-only or broken: one sentence, nothing lost, and it goes on later."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ari_app.conversation.events import CallerSpoke
from ari_app.errors import StoreUnavailable
from ari_app.ports import Effect
from ari_app.store.sqlite import SqliteLink
from ari_app.store.store import EventStore
from tests.support.faults import fault
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.store import Base, running
from tests.support.workers import Nursery, audited, engine_of, said, spoken, store_of

FULL = "a full disk"
FULL_PROMISE = "one sentence says so, nothing acknowledged is lost, it goes on once there is room"


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own that is soon full; skips where it cannot be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size},mode=0777", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


async def fill(store: EventStore, until_refused: int = 3) -> tuple[list[str], set[str]]:
    """Append until it is refused that often; what was acknowledged, and the sentences."""
    done, sentences, n = list[str](), list[str](), 0
    while len(sentences) < until_refused:
        assert n < 5000, "the disk is not full yet"
        id = f"{n} " + "x" * 5000
        try:
            await store.append("conv_1", [spoken(id)], effects=[Effect("sms", f"m{n}", 0, {})])
            done.append(id)
        except StoreUnavailable as error:
            sentences.append(str(error))
        n += 1
    return done, set(sentences)


async def check(store: EventStore, done: list[str]) -> None:
    """Exactly these are there, with their effects."""
    happened = [e.event for e in await store.read("conv_1")]
    assert [e.text for e in happened if isinstance(e, CallerSpoke)] == done
    jobs = await store.claim("sms", 1, 10_000)
    assert {job.id for job in jobs} == {f"m{text.split()[0]}" for text in done}


@fault(FULL, FULL_PROMISE, "sqlite")
async def test_a_full_disk_is_said_and_room_heals_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "3m") as disk:
        address = str(disk / "segue.db")
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(1_000_000))
        async with running(store_of(address)) as store:
            done, sentences = await fill(store)
            assert len(done) > 10
            (sentence,) = sentences
            assert sentence.startswith("the database cannot be used (")
            assert sentence.endswith("free some disk space")
            assert "\n" not in sentence
            assert len(await store.read("conv_1")) == len(done)  # reading goes on

            ballast.unlink()
            more = await store.append("conv_1", [spoken("after")])
            assert more[0].sequence == len(done) + 1
            await store.append("conv_1", [], effects=[Effect("sms", "mafter", 0, {})])
        async with running(store_of(address)) as store:
            await check(store, [*done, "after"])
        assert audited(address).sound


@fault(FULL, FULL_PROMISE, "sqlite")
async def test_a_database_that_may_not_grow_is_said_and_heals(tmp_path: Path) -> None:
    # The same without the right to mount: SQLite itself says that there is no room.
    address = str(tmp_path / "segue.db")
    async with running(store_of(address)) as store:

        async def room(pages: int) -> None:
            def limit(link: object) -> None:
                assert isinstance(link, SqliteLink)
                link.rows(f"PRAGMA max_page_count={pages}")

            await store._writer.run(limit)

        await room(400)
        done, sentences = await fill(store)
        assert len(done) > 10
        assert len(sentences) == 1
        await room(1_000_000)
        await store.append("conv_1", [spoken("after")], effects=[Effect("sms", "mafter", 0, {})])
        await check(store, [*done, "after"])
    assert audited(address).sound


@fault(FULL, FULL_PROMISE, "postgres")
async def test_a_full_disk_of_the_server_is_said_and_room_heals_it(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    with PrivatePostgres() as server, small_disk(server.home / "small", "24m") as disk:
        space = disk / "space"
        space.mkdir()
        os.chmod(space, 0o700)
        owner = (server.home / "cluster").stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
            connection.execute("CREATE DATABASE full_one TABLESPACE small")
        address = server.dsn("full_one")
        async with running(store_of(address)) as store:
            await store.append("conv_0", [spoken("first")])
            room = os.statvfs(disk)
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(max(room.f_bavail * room.f_frsize - 1_000_000, 0)))
            done, sentences = await fill(store)
            assert len(done) > 10
            assert all("\n" not in s and "No space left" in s for s in sentences)
            assert all(s.endswith("free some disk space on the database server") for s in sentences)
            assert len(await store.read("conv_1")) == len(done)

            ballast.unlink()
            await store.append(
                "conv_1", [spoken("after")], effects=[Effect("sms", "mafter", 0, {})]
            )
            await check(store, [*done, "after"])
        assert audited(address).sound


@fault(
    "an I/O error of the disk",
    "one sentence says so, nothing acknowledged is lost, it goes on once the disk is well",
    "sqlite",
)
def test_an_io_error_is_said_and_costs_nothing(nursery: Nursery, tmp_path: Path) -> None:
    address, file = str(tmp_path / "segue.db"), tmp_path / "said"
    nursery.start("meets_a_bad_disk", address, file).ends()
    heard = said(file)
    assert heard[-1] == ["end"]
    done = [int(words[1]) for words in heard if words[0] == "done"]
    refused = [" ".join(words[2:]) for words in heard if words[0] == "refused"]
    assert len(done) > 10
    assert len(refused) > 10
    assert set(range(60, 70)) <= set(done)
    (sentence,) = set(refused)
    assert "I/O error" in sentence
    assert sentence.endswith("check the disk, then restore it from a backup")
    with contextlib.closing(engine_of(address).connect()) as link:
        rows = link.rows("SELECT payload FROM event ORDER BY position")
    assert [int(row[0].partition('"text":"')[2].split()[0]) for row in rows] == done
    assert audited(address).sound


@fault("a read-only database", "one sentence says so, reading goes on, and writing once it may")
async def test_a_database_that_becomes_read_only_is_read_and_written_again_later(
    base: Base,
) -> None:
    async with running(base.store()) as store:
        await store.append("conv_1", [spoken("before")])
        await store._writer.run(lambda link: link.run(_READ_ONLY[base.name].format("on")))
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as refused:
                await store.append("conv_1", [spoken("meanwhile")])
            assert "\n" not in str(refused.value)
            assert any(
                str(refused.value).endswith(advice)
                for advice in ("connect to the primary server", "the service's user")
            )
        assert len(await store.read("conv_1")) == 1
        assert store._writer._link is not None
        store._writer._link.run(_READ_ONLY[base.name].format("off"))
        await store.append("conv_1", [spoken("after")])
        assert len(await store.read("conv_1")) == 2


#: On the writer's connection alone; that is enough for all that writes.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only={}",
    "postgres": "SET SESSION default_transaction_read_only = {}",
}


@fault("a read-only disk", "a service that starts there says so in one sentence", "sqlite")
async def test_a_disk_that_is_mounted_read_only_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "3m") as disk:
        path = disk / "segue.db"
        async with running(store_of(str(path))) as store:
            await store.append("conv_1", [spoken("before")])
        remount(disk, "ro")
        store = store_of(str(path))
        with pytest.raises(StoreUnavailable) as refused:
            await store.open()
        await store.aclose()
        assert "\n" not in str(refused.value)
        assert str(refused.value).endswith("writable for the service's user")
        remount(disk, "rw")
        async with running(store_of(str(path))) as store:
            assert len(await store.read("conv_1")) == 1
