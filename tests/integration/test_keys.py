"""Both homes of keys on a real disk: nothing is lost, and what was destroyed left no byte."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import stat
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
from tests.support.clock import NOON, FakeClock
from tests.support.faults import fault
from tests.support.keys import (
    ANNA,
    BEN,
    KEK,
    NEW_KEK,
    PATIENCE,
    AnyKeys,
    Database,
    Folder,
    Home,
    ask,
    erasure,
    ledger,
    made,
    opened,
    process,
    program,
    slots,
    soon,
    traces,
    vault,
)
from tests.support.killing import killed_at

HERE = "conv_1|1|text"


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    if request.param == "sqlite":
        yield Folder(tmp_path)
    else:
        server, dsn = request.getfixturevalue("postgres"), request.getfixturevalue("database")
        with contextlib.closing(Database(server, dsn)) as database:
            yield database


@pytest.fixture
def keys(home: Home) -> Iterator[AnyKeys]:
    with opened(home.where) as database:
        yield database


# -- keys ---------------------------------------------------------------------------------------


def test_a_key_is_there_again_after_a_restart(home: Home) -> None:
    with opened(home.where) as keys:
        sealed = vault(keys).seal(ANNA, "words", HERE, "my back hurts")
    with opened(home.where) as keys:
        assert vault(keys).open(HERE, sealed) == "my back hurts"


def test_a_slot_has_one_key_however_often_it_is_asked_for(keys: AnyKeys) -> None:
    (first,) = keys.create_many(slots([ANNA]))
    again, bens = keys.create_many(slots([ANNA, BEN]))
    assert again == first == keys.find(slots([ANNA])[0]) == keys.by_id(first.facts.id)
    assert bens.secret != first.secret
    assert keys.find(slots(["subj_nobody"])[0]) is None
    assert [f.owner for f in keys.facts()] == sorted(
        [ANNA, BEN], key=lambda o: keys.create_many(slots([o]))[0].facts.id
    )
    assert [f.owner for f in keys.facts(BEN)] == [BEN]


def test_secrets_are_not_shown(keys: AnyKeys) -> None:
    (key,) = keys.create_many(slots([ANNA]))
    assert "secret" not in repr(key)


def test_only_the_service_reads_the_files(tmp_path: Path) -> None:
    (tmp_path / "keys.db").touch(0o644)
    with opened(tmp_path) as keys:
        keys.create_many(slots([ANNA]))
        files = [f for f in tmp_path.iterdir() if f.name.startswith("keys.db")]
        assert len(files) == 4
        assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_the_file_holds_no_secret(home: Home) -> None:
    with opened(home.where) as keys:
        secrets = [k.secret for k in keys.create_many(slots([f"subj_{n}" for n in range(10)]))]
        assert not traces(home, [], [*secrets, KEK])


def test_processes_that_make_the_same_keys_agree(home: Home) -> None:
    workers = [process("creates_the_same", home.where) for _ in range(3)]
    said = [worker.communicate(timeout=PATIENCE)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(said[0]) == 100
    assert said[0] == said[1] == said[2]


@fault("kill -9 after a key was made", "what was sealed with it can be read")
def test_a_key_that_was_handed_out_survives_kill_9(home: Home) -> None:
    killed_at("keys.after_create", *program("creates", home.where))
    with opened(home.where) as keys:
        assert len(list(keys.facts())) == 1


def test_many_keys_are_listed_page_by_page(keys: AnyKeys) -> None:
    owners = [f"subj_{n}" for n in range(1203)]
    made = {key.facts.id for key in keys.create_many(slots(owners))}
    listed = [facts.id for facts in keys.facts()]
    assert listed == sorted(made)


# -- wrong, damaged, taken ----------------------------------------------------------------------


def test_the_wrong_key_encryption_key_is_refused_in_one_sentence(home: Home) -> None:
    with opened(home.where) as keys:
        keys.create_many(slots([ANNA]))
    with pytest.raises(WrongKek, match=r"does not open .*: put key [0-9a-f]{16} in its place"):
        made(home.where, NEW_KEK).open()


def test_a_key_encryption_key_of_another_length_is_refused(home: Home) -> None:
    with pytest.raises(WrongKek, match="has 32 bytes, this one 5"):
        made(home.where, b"short")


def test_a_row_that_was_given_to_somebody_else_opens_nothing(home: Home) -> None:
    with opened(home.where) as keys:
        keys.create_many(slots([ANNA]))
        home.tamper(f"UPDATE key SET owner = '{BEN}'")
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
        made(tmp_path).open()
    assert path.read_bytes() == before


# -- destruction --------------------------------------------------------------------------------


def test_an_erased_owner_leaves_no_byte_in_any_file(home: Home, keys: AnyKeys) -> None:
    safe = vault(keys)
    annas = [safe.seal(ANNA, c, HERE, "hers") for c in ("words", "texts", "identity")]
    bens = safe.seal(BEN, "words", HERE, "his")
    ids = [sealed.split(".")[1] for sealed in annas]
    stored = home.wrapped()
    assert traces(home, ids, [])

    assert sorted(erasure(keys, home.where).erase(ANNA, Mode.SHRED, Reason.REQUEST)) == sorted(ids)

    assert not traces(home, [*ids, ANNA], [stored[id] for id in ids])
    assert [safe.open(HERE, sealed) for sealed in annas] == [None, None, None]
    assert safe.open(HERE, bens) == "his"
    assert traces(home, [bens.split(".")[1]], [])


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
        stored = Folder(tmp_path).wrapped()
        gone: list[str] = []
        for _ in range(4):
            batch, ids = ids[:together], ids[together:]
            assert sorted(keys.shred_keys(batch)) == sorted(batch)
            gone += batch
            assert not traces(Folder(tmp_path), gone, [stored[id] for id in gone])
        assert len(list(keys.facts())) == len(ids)


def test_another_process_stops_using_a_shredded_key_at_once(home: Home, keys: AnyKeys) -> None:
    sealed = vault(keys).seal(ANNA, "words", HERE, "secret")
    with process("opens_what_it_is_told", home.where) as reader:
        assert [ask(reader, HERE, sealed) for _ in range(2)] == ["secret", "secret"]
        erasure(keys, home.where).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        assert [ask(reader, HERE, sealed) for _ in range(2)] == ["None", "None"]
        reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0


def test_a_shredded_text_stays_closed_after_a_restart(home: Home) -> None:
    with opened(home.where) as keys:
        sealed = vault(keys).seal(ANNA, "words", HERE, "secret")
        keys.shred(ANNA)
    with opened(home.where) as keys:
        again = vault(keys).seal(ANNA, "words", HERE, "later")
        assert vault(keys).open(HERE, sealed) is None
        assert vault(keys).open(HERE, again) == "later"
        with pytest.raises(SealBroken):
            vault(keys).open("conv_2|1|text", again)


@fault("kill -9 in an erasure", "the next start ends it, and no byte of the key is left")
@pytest.mark.parametrize("failpoint", ["privacy.after_ledger", "keys.before_delete"])
def test_an_erasure_that_was_killed_before_it_began_is_done_at_the_next_start(
    home: Home, failpoint: str
) -> None:
    with opened(home.where) as keys:
        ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
        stored = home.wrapped()
    killed_at(failpoint, *program("erases", home.where))
    with opened(home.where) as keys:
        assert keys.by_id(ids[0]) is not None
        assert soon(lambda: keys.generation() is not None)
        assert erasure(keys, home.where).reapply() == ids
        assert keys.by_id(ids[0]) is None
        assert not traces(home, ids, list(stored.values()))


@fault("kill -9 in an erasure", "the next start ends it, and no byte of the key is left")
def test_an_erasure_that_was_killed_half_way_leaves_no_byte_after_the_next_start(
    home: Home,
) -> None:
    with opened(home.where) as keys:
        ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
        stored = home.wrapped()
    killed_at("keys.after_delete", *program("erases", home.where))
    with opened(home.where) as keys:
        assert soon(lambda: keys.generation() is not None)
        assert keys.by_id(ids[0]) is None
        assert not traces(home, ids, list(stored.values()))


def test_a_key_is_out_of_use_although_whoever_shredded_it_was_killed_in_the_act(
    home: Home, keys: AnyKeys
) -> None:
    safe = vault(keys)
    sealed, bens = (safe.seal(owner, "words", HERE, "secret") for owner in (ANNA, BEN))
    before = keys.generation()
    killed_at("keys.after_delete", *program("erases", home.where))
    assert soon(lambda: keys.generation() != before)
    assert [safe.open(HERE, sealed), safe.open(HERE, bens)] == [None, "secret"]
    keys.shred("subj_nobody")
    assert soon(lambda: keys.generation() is not None)


def test_a_reader_in_the_way_makes_the_erasure_incomplete_until_it_is_repeated(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as keys:
        ids = [k.facts.id for k in keys.create_many(slots([ANNA]))]
        stored = Folder(tmp_path).wrapped()
        reader = sqlite3.connect(tmp_path / "keys.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM key").fetchall()
        with pytest.raises(ErasureIncomplete, match="repeat this"):
            keys.shred(ANNA)
        assert keys.by_id(ids[0]) is None
        assert keys.generation() is not None
        reader.close()
        assert keys.shred(ANNA) == []
        assert not traces(Folder(tmp_path), ids, list(stored.values()))


@fault("yesterday's backup is restored after an erasure", "the erased stay erased")
def test_a_restored_backup_revives_nobody(home: Home) -> None:
    clock = FakeClock()
    with opened(home.where, clock=clock) as keys:
        annas = vault(keys).seal(ANNA, "words", HERE, "hers")
        bens = vault(keys).seal(BEN, "words", HERE, "his")
    home.back_up()
    clock.advance(3600)
    with opened(home.where, clock=clock) as keys:
        erased = erasure(keys, home.where, clock).erase(ANNA, Mode.SHRED, Reason.REQUEST)
    home.restore()

    with opened(home.where, clock=clock) as keys:
        stored = home.wrapped()
        assert vault(keys).open(HERE, annas) == "hers"
        assert erasure(keys, home.where, clock).reapply() == erased
        assert vault(keys).open(HERE, annas) is None
        assert vault(keys).open(HERE, bens) == "his"
        assert not traces(home, erased, [stored[id] for id in erased])


def test_keys_made_after_an_erasure_survive_reapplying_even_if_the_clock_went_back(
    home: Home,
) -> None:
    clock = FakeClock()
    with opened(home.where, clock=clock) as keys:
        keys.create_many(slots([ANNA]))
        erasure(keys, home.where, clock).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        clock.advance(-3600)
        (later,) = keys.create_many(slots([ANNA]))
        assert later.facts.created > NOON
        assert erasure(keys, home.where, clock).reapply() == []
        assert keys.by_id(later.facts.id) is not None


def test_a_held_owner_stays_across_restarts(home: Home) -> None:
    with opened(home.where) as keys:
        keys.create_many(slots([ANNA]))
        erasure(keys, home.where).hold(ANNA, Reason.LITIGATION)
    with opened(home.where) as keys:
        with pytest.raises(Held):
            erasure(keys, home.where).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        later = FakeClock(NOON + 10**15)
        erasure(keys, home.where, later).expire()
        assert len(list(keys.facts(ANNA))) == 1


# -- rotation -----------------------------------------------------------------------------------


def test_rotation_wraps_every_key_anew_and_changes_none(home: Home) -> None:
    owners = [f"subj_{n}" for n in range(1100)]
    with opened(home.where) as keys:
        before = keys.create_many(slots(owners))
        stored = home.wrapped()
        assert keys.rotate(NEW_KEK) == 1100
        assert keys.rotate(NEW_KEK) == 0
        assert not keys.rotating
        assert keys.create_many(slots(owners)) == before
        assert not traces(home, [], list(stored.values())[:5])
    with opened(home.where, NEW_KEK) as keys:
        assert keys.create_many(slots(owners)) == before
    with pytest.raises(WrongKek):
        made(home.where, KEK).open()


@fault("kill -9 in a rotation of keys", "no key is lost, and the rotation goes on")
@pytest.mark.parametrize("failpoint", ["keys.rotating", "keys.before_rewrite"])
@pytest.mark.parametrize("kek", [KEK, NEW_KEK])
def test_a_rotation_that_was_killed_loses_nothing_and_goes_on(
    home: Home, failpoint: str, kek: bytes
) -> None:
    owners = [f"subj_{n}" for n in range(1100)]
    with opened(home.where) as keys:
        before = keys.create_many(slots(owners))
        stored = home.wrapped()
    killed_at(failpoint, *program("rotates", home.where))

    finished = failpoint == "keys.before_rewrite"
    with opened(home.where, NEW_KEK if finished else kek) as keys:
        assert keys.rotating is not finished
        assert keys.create_many(slots(owners)) == before
        (new,) = keys.create_many(slots(["subj_new"]))
        if not finished:
            with pytest.raises(WrongKek, match="end it with that key"):
                keys.rotate(b"third key-encryption key of ours")
        assert keys.rotate(NEW_KEK) == (0 if finished else 600)
        assert not traces(home, [], list(stored.values())[-5:])
    with opened(home.where, NEW_KEK) as keys:
        assert keys.create_many(slots([*owners, "subj_new"])) == [*before, new]


def test_a_process_that_runs_while_another_rotates_goes_on(home: Home, keys: AnyKeys) -> None:
    before = keys.create_many(slots([f"subj_{n}" for n in range(1100)]))
    killed_at("keys.rotating", *program("rotates", home.where))
    assert keys.by_id(before[0].facts.id) == before[0]
    assert keys.create_many(slots(["subj_0"])) == [before[0]]


def test_a_process_that_slept_through_a_rotation_says_so(home: Home, keys: AnyKeys) -> None:
    (before,) = keys.create_many(slots([ANNA]))
    with process("rotates", home.where) as other:
        other.communicate(timeout=PATIENCE)
    assert other.returncode == 0
    with pytest.raises(WrongKek, match="in its place, and start again"):
        keys.by_id(before.facts.id)
    with pytest.raises(WrongKek):
        keys.create_many(slots([BEN]))
    assert not list(keys.facts(BEN))


# -- the ledger ---------------------------------------------------------------------------------


def test_the_ledger_gives_back_what_was_written(home: Home) -> None:
    entries = [
        Entry(1, Act.HELD, ANNA, Reason.LITIGATION),
        Entry(2, Act.ERASED, BEN, Reason.REQUEST, Mode.TOMBSTONE),
    ]
    written = ledger(home.where)
    assert written.entries() == []
    for entry in entries:
        with written.exclusive():
            written.append(entry)
    assert ledger(home.where).entries() == entries


def test_processes_take_turns_at_the_ledger(home: Home) -> None:
    writers = [process("counts", home.where) for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=PATIENCE)
    assert [entry.at for entry in ledger(home.where).entries()] == list(range(60))


def test_a_ledger_in_a_new_folder_is_for_the_service_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "erasures.jsonl"
    with LedgerFile(path).exclusive():
        LedgerFile(path).append(Entry(1, Act.HELD, ANNA, Reason.LITIGATION))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_a_crash_cut_short_is_none(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "erasures.jsonl")
    entry = Entry(1, Act.HELD, ANNA, Reason.LITIGATION)
    with file.exclusive():
        file.append(entry)
    with (tmp_path / "erasures.jsonl").open("ab") as end:
        end.write(b'{"at": 2, "act": "rel')
    assert file.entries() == [entry]
    with file.exclusive():
        file.append(entry)
    assert file.entries() == [entry, entry]


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b'{"at": 1, "act": "eaten"}', b"\xff"])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    file = LedgerFile(path)
    with file.exclusive():
        file.append(Entry(1, Act.HELD, ANNA, Reason.LITIGATION))
    with path.open("ab") as end:
        end.write(line + b"\n")
    with pytest.raises(LedgerDamaged, match="line 2 of"):
        file.entries()
