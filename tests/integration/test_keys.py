"""The key database on a real disk: nothing is lost, and what was destroyed left no byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_app.errors import StoreUnavailable
from ari_app.privacy.errors import (
    ErasureIncomplete,
    Held,
    KeyDamaged,
    LedgerDamaged,
    SealBroken,
    WrongKek,
)
from ari_app.privacy.ports import Act, Entry, Mode, Reason
from ari_app.store.erasures import LedgerFile
from ari_app.store.keys import KeyDatabase
from tests.support.clock import NOON, FakeClock
from tests.support.keys import ANNA, BEN, KEK, NEW_KEK, erasure, opened, slots, vault

HERE = "conv_1|1|text"
PATIENCE = 60.0


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyDatabase]:
    with opened(tmp_path) as database:
        yield database


def process(story: str, folder: Path, failpoint: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.keys", story, str(folder)],
        env={**os.environ, "SEGUE_FAILPOINT": failpoint},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(story: str, folder: Path, failpoint: str) -> list[str]:
    """What it said before it was killed there."""
    with process(story, folder, failpoint) as doomed:
        said, _ = doomed.communicate(timeout=PATIENCE)
        assert doomed.returncode == -signal.SIGKILL
    return said.split()


def traces(folder: Path, ids: list[str], wrapped: list[bytes]) -> list[str]:
    """Which files of the key database hold an id, or any 16 bytes of a wrapped key."""
    wanted = [id.encode() for id in ids]
    wanted += [w[at : at + 16] for w in wrapped for at in range(0, len(w) - 15, 4)]
    files = [f for f in folder.iterdir() if f.name.startswith("keys.db")]
    return [f.name for f in files for trace in wanted if trace in f.read_bytes()]


def wrapped(folder: Path) -> dict[str, bytes]:
    """What is stored of each key."""
    connection = sqlite3.connect(folder / "keys.db")
    try:
        return dict(connection.execute("SELECT id, wrapped FROM key"))
    finally:
        connection.close()


# -- keys ---------------------------------------------------------------------------------------


def test_a_key_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        sealed = vault(keys).seal(ANNA, "words", HERE, "my back hurts")
    with opened(tmp_path) as keys:
        assert vault(keys).open(HERE, sealed) == "my back hurts"


def test_a_slot_has_one_key_however_often_it_is_asked_for(keys: KeyDatabase) -> None:
    (first,) = keys.create_many(slots([ANNA]))
    again, bens = keys.create_many(slots([ANNA, BEN]))
    assert again == first == keys.find(slots([ANNA])[0]) == keys.by_id(first.facts.id)
    assert bens.secret != first.secret
    assert keys.find(slots(["subj_nobody"])[0]) is None
    assert [f.owner for f in keys.facts()] == sorted(
        [ANNA, BEN], key=lambda o: keys.create_many(slots([o]))[0].facts.id
    )
    assert [f.owner for f in keys.facts(BEN)] == [BEN]


def test_secrets_are_not_shown(keys: KeyDatabase) -> None:
    (key,) = keys.create_many(slots([ANNA]))
    assert "secret" not in repr(key)


def test_only_the_service_reads_the_files(tmp_path: Path) -> None:
    (tmp_path / "keys.db").touch(0o644)
    with opened(tmp_path) as keys:
        keys.create_many(slots([ANNA]))
        files = [f for f in tmp_path.iterdir() if f.name.startswith("keys.db")]
        assert len(files) == 4
        assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        secrets = [k.secret for k in keys.create_many(slots([f"subj_{n}" for n in range(50)]))]
        assert not traces(tmp_path, [], [*secrets, KEK])


def test_processes_that_make_the_same_keys_agree(tmp_path: Path) -> None:
    workers = [process("creates_the_same", tmp_path) for _ in range(3)]
    said = [worker.communicate(timeout=PATIENCE)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(said[0]) == 100
    assert said[0] == said[1] == said[2]


def test_a_key_that_was_handed_out_survives_kill_9(tmp_path: Path) -> None:
    killed("creates", tmp_path, "keys.after_create")
    with opened(tmp_path) as keys:
        assert len(list(keys.facts())) == 1


def test_many_keys_are_listed_page_by_page(keys: KeyDatabase) -> None:
    owners = [f"subj_{n}" for n in range(1203)]
    made = {key.facts.id for key in keys.create_many(slots(owners))}
    listed = [facts.id for facts in keys.facts()]
    assert listed == sorted(made)


# -- wrong, damaged, taken ----------------------------------------------------------------------


def test_the_wrong_key_encryption_key_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        keys.create_many(slots([ANNA]))
    with pytest.raises(WrongKek, match=r"does not open .*: put key [0-9a-f]{16} in its place"):
        KeyDatabase(tmp_path / "keys.db", NEW_KEK, FakeClock(), os.urandom).open()


def test_a_key_encryption_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongKek, match="has 32 bytes, this one 5"):
        KeyDatabase(tmp_path / "keys.db", b"short", FakeClock(), os.urandom)


def test_a_row_that_was_given_to_somebody_else_opens_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        keys.create_many(slots([ANNA]))
        connection = sqlite3.connect(tmp_path / "keys.db", isolation_level=None)
        connection.execute("UPDATE key SET owner = ?", (BEN,))
        connection.close()
        with pytest.raises(KeyDamaged, match="restore the key database"):
            keys.find(slots([BEN])[0])


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_another_file_is_not_touched(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.db"
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE song (name)")
        connection.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable):
        KeyDatabase(path, KEK, FakeClock(), os.urandom).open()
    assert path.read_bytes() == before


# -- destruction --------------------------------------------------------------------------------


def test_an_erased_owner_leaves_no_byte_in_any_file(tmp_path: Path, keys: KeyDatabase) -> None:
    safe = vault(keys)
    annas = [safe.seal(ANNA, c, HERE, "hers") for c in ("words", "texts", "identity")]
    bens = safe.seal(BEN, "words", HERE, "his")
    ids = [sealed.split(".")[1] for sealed in annas]
    stored = wrapped(tmp_path)
    assert traces(tmp_path, ids, [])

    assert sorted(erasure(keys, tmp_path).erase(ANNA, Mode.SHRED, Reason.REQUEST)) == sorted(ids)

    assert not traces(tmp_path, [*ids, ANNA], [stored[id] for id in ids])
    assert [safe.open(HERE, sealed) for sealed in annas] == [None, None, None]
    assert safe.open(HERE, bens) == "his"
    assert traces(tmp_path, [bens.split(".")[1]], [])


@pytest.mark.parametrize("together", [1, 5, 200])
def test_no_byte_is_left_in_the_gaps_of_a_large_file(tmp_path: Path, together: int) -> None:
    dice = random.Random(together)
    owners = [f"subj_{n:04}" for n in range(1500)]
    dice.shuffle(owners)
    with opened(tmp_path) as keys:
        for at in range(0, 1500, 60):
            keys.create_many(slots(owners[at : at + 60]))
        ids = [facts.id for facts in keys.facts()]
        dice.shuffle(ids)
        stored = wrapped(tmp_path)
        gone: list[str] = []
        for _ in range(4):
            batch, ids = ids[:together], ids[together:]
            assert sorted(keys.shred_keys(batch)) == sorted(batch)
            gone += batch
            assert not traces(tmp_path, gone, [stored[id] for id in gone])
        assert len(list(keys.facts())) == len(ids)


def test_another_process_stops_using_a_shredded_key_at_once(
    tmp_path: Path, keys: KeyDatabase
) -> None:
    sealed = vault(keys).seal(ANNA, "words", HERE, "secret")
    with process("opens_what_it_is_told", tmp_path) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def ask() -> str:
            print(HERE, sealed, file=reader.stdin, flush=True)  # noqa: T201  to the process
            return reader.stdout.readline().strip() if reader.stdout else ""

        assert [ask(), ask()] == ["secret", "secret"]
        erasure(keys, tmp_path).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        assert [ask(), ask()] == ["None", "None"]
    assert reader.returncode == 0


def test_a_shredded_text_stays_closed_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        sealed = vault(keys).seal(ANNA, "words", HERE, "secret")
        keys.shred(ANNA)
    with opened(tmp_path) as keys:
        again = vault(keys).seal(ANNA, "words", HERE, "later")
        assert vault(keys).open(HERE, sealed) is None
        assert vault(keys).open(HERE, again) == "later"
        with pytest.raises(SealBroken):
            vault(keys).open("conv_2|1|text", again)


@pytest.mark.parametrize("failpoint", ["privacy.after_ledger", "keys.before_delete"])
def test_an_erasure_that_was_killed_before_it_began_is_done_at_the_next_start(
    tmp_path: Path, failpoint: str
) -> None:
    with opened(tmp_path) as keys:
        ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
        stored = wrapped(tmp_path)
    killed("erases", tmp_path, failpoint)
    with opened(tmp_path) as keys:
        assert keys.by_id(ids[0]) is not None
        assert keys.generation() is not None
        assert erasure(keys, tmp_path).reapply() == ids
        assert keys.by_id(ids[0]) is None
        assert not traces(tmp_path, ids, list(stored.values()))


def test_an_erasure_that_was_killed_half_way_leaves_no_byte_after_the_next_start(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as keys:
        ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
        stored = wrapped(tmp_path)
    killed("erases", tmp_path, "keys.after_delete")
    with opened(tmp_path) as keys:
        assert keys.generation() is not None
        assert keys.by_id(ids[0]) is None
        assert not traces(tmp_path, ids, list(stored.values()))


def test_a_key_is_out_of_use_although_whoever_shredded_it_was_killed_in_the_act(
    tmp_path: Path, keys: KeyDatabase
) -> None:
    safe = vault(keys)
    sealed, bens = (safe.seal(owner, "words", HERE, "secret") for owner in (ANNA, BEN))
    killed("erases", tmp_path, "keys.after_delete")
    assert keys.generation() is None
    assert [safe.open(HERE, sealed), safe.open(HERE, bens)] == [None, "secret"]
    keys.shred("subj_nobody")
    assert keys.generation() is not None


def test_a_reader_in_the_way_makes_the_erasure_incomplete_until_it_is_repeated(
    tmp_path: Path, keys: KeyDatabase
) -> None:
    ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
    stored = wrapped(tmp_path)
    reader = sqlite3.connect(tmp_path / "keys.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM key").fetchall()
    with pytest.raises(ErasureIncomplete, match="repeat this"):
        keys.shred(ANNA)
    assert keys.by_id(ids[0]) is None
    assert keys.generation() is not None
    reader.close()
    assert keys.shred(ANNA) == []
    assert not traces(tmp_path, ids, list(stored.values()))


def test_a_restored_backup_revives_nobody(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    clock = FakeClock()
    with opened(tmp_path, clock=clock) as keys:
        annas = vault(keys).seal(ANNA, "words", HERE, "hers")
        bens = vault(keys).seal(BEN, "words", HERE, "his")
    shutil.copy(tmp_path / "keys.db", backup)
    clock.advance(3600)
    with opened(tmp_path, clock=clock) as keys:
        erased = erasure(keys, tmp_path, clock).erase(ANNA, Mode.SHRED, Reason.REQUEST)
    shutil.copy(backup, tmp_path / "keys.db")

    with opened(tmp_path, clock=clock) as keys:
        stored = wrapped(tmp_path)
        assert vault(keys).open(HERE, annas) == "hers"
        assert erasure(keys, tmp_path, clock).reapply() == erased
        assert vault(keys).open(HERE, annas) is None
        assert vault(keys).open(HERE, bens) == "his"
        assert not traces(tmp_path, erased, [stored[id] for id in erased])


def test_keys_made_after_an_erasure_survive_reapplying_even_if_the_clock_went_back(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    with opened(tmp_path, clock=clock) as keys:
        keys.create_many(slots([ANNA]))
        erasure(keys, tmp_path, clock).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        clock.advance(-3600)
        (later,) = keys.create_many(slots([ANNA]))
        assert later.facts.created > NOON
        assert erasure(keys, tmp_path, clock).reapply() == []
        assert keys.by_id(later.facts.id) is not None


def test_a_held_owner_stays_across_restarts(tmp_path: Path) -> None:
    with opened(tmp_path) as keys:
        keys.create_many(slots([ANNA]))
        erasure(keys, tmp_path).hold(ANNA, Reason.LITIGATION)
    with opened(tmp_path) as keys:
        with pytest.raises(Held):
            erasure(keys, tmp_path).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        later = FakeClock(NOON + 10**15)
        erasure(keys, tmp_path, later).expire()
        assert len(list(keys.facts(ANNA))) == 1


# -- rotation -----------------------------------------------------------------------------------


def test_rotation_wraps_every_key_anew_and_changes_none(tmp_path: Path) -> None:
    owners = [f"subj_{n}" for n in range(1100)]
    with opened(tmp_path) as keys:
        before = keys.create_many(slots(owners))
        stored = wrapped(tmp_path)
        assert keys.rotate(NEW_KEK) == 1100
        assert keys.rotate(NEW_KEK) == 0
        assert not keys.rotating
        assert keys.create_many(slots(owners)) == before
        assert not traces(tmp_path, [], list(stored.values())[:20])
    with opened(tmp_path, NEW_KEK) as keys:
        assert keys.create_many(slots(owners)) == before
    with pytest.raises(WrongKek):
        KeyDatabase(tmp_path / "keys.db", KEK, FakeClock(), os.urandom).open()


@pytest.mark.parametrize("failpoint", ["keys.rotating", "keys.before_rewrite"])
@pytest.mark.parametrize("kek", [KEK, NEW_KEK])
def test_a_rotation_that_was_killed_loses_nothing_and_goes_on(
    tmp_path: Path, failpoint: str, kek: bytes
) -> None:
    owners = [f"subj_{n}" for n in range(1100)]
    with opened(tmp_path) as keys:
        before = keys.create_many(slots(owners))
        stored = wrapped(tmp_path)
    killed("rotates", tmp_path, failpoint)

    finished = failpoint == "keys.before_rewrite"
    with opened(tmp_path, NEW_KEK if finished else kek) as keys:
        assert keys.rotating is not finished
        assert keys.create_many(slots(owners)) == before
        (new,) = keys.create_many(slots(["subj_new"]))
        if not finished:
            with pytest.raises(WrongKek, match="end it with that key"):
                keys.rotate(b"third key-encryption key of ours")
        assert keys.rotate(NEW_KEK) == (0 if finished else 600)
        assert not traces(tmp_path, [], list(stored.values())[-20:])
    with opened(tmp_path, NEW_KEK) as keys:
        assert keys.create_many(slots([*owners, "subj_new"])) == [*before, new]


def test_a_process_that_runs_while_another_rotates_goes_on(
    tmp_path: Path, keys: KeyDatabase
) -> None:
    before = keys.create_many(slots([f"subj_{n}" for n in range(1100)]))
    killed("rotates", tmp_path, "keys.rotating")
    assert keys.by_id(before[0].facts.id) == before[0]
    assert keys.create_many(slots(["subj_0"])) == [before[0]]


def test_a_process_that_slept_through_a_rotation_says_so(tmp_path: Path, keys: KeyDatabase) -> None:
    (before,) = keys.create_many(slots([ANNA]))
    with process("rotates", tmp_path) as other:
        other.communicate(timeout=PATIENCE)
    assert other.returncode == 0
    with pytest.raises(WrongKek, match="in its place, and start again"):
        keys.by_id(before.facts.id)
    with pytest.raises(WrongKek):
        keys.create_many(slots([BEN]))
    assert not list(keys.facts(BEN))


# -- the ledger ---------------------------------------------------------------------------------


def test_the_ledger_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "erasures.jsonl"
    entries = [
        Entry(1, Act.HELD, ANNA, Reason.LITIGATION),
        Entry(2, Act.ERASED, BEN, Reason.REQUEST, Mode.TOMBSTONE),
    ]
    ledger = LedgerFile(path)
    assert ledger.entries() == []
    for entry in entries:
        with ledger.exclusive():
            ledger.append(entry)
    assert LedgerFile(path).entries() == entries
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_a_crash_cut_short_is_none(tmp_path: Path) -> None:
    ledger = LedgerFile(tmp_path / "erasures.jsonl")
    entry = Entry(1, Act.HELD, ANNA, Reason.LITIGATION)
    with ledger.exclusive():
        ledger.append(entry)
    with (tmp_path / "erasures.jsonl").open("ab") as file:
        file.write(b'{"at": 2, "act": "rel')
    assert ledger.entries() == [entry]
    with ledger.exclusive():
        ledger.append(entry)
    assert ledger.entries() == [entry, entry]


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"at": 1, "act": "eaten"}', b"\xff"])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    ledger = LedgerFile(path)
    with ledger.exclusive():
        ledger.append(Entry(1, Act.HELD, ANNA, Reason.LITIGATION))
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(LedgerDamaged, match="line 2 of"):
        ledger.entries()
