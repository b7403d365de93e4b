"""The keys of several hosts: what PostgreSQL makes harder than a file."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from ari_app.errors import StoreUnavailable
from ari_app.privacy.errors import ErasureIncomplete
from ari_app.privacy.ports import Mode, Reason
from ari_app.store.postgres_generation import TRUST
from ari_app.store.postgres_keys import PostgresKeys
from tests.support.clock import FakeClock
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.keys import (
    ANNA,
    BEN,
    KEK,
    NEW_KEK,
    PATIENCE,
    Database,
    ask,
    erasure,
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


@pytest.fixture
def home(postgres: PrivatePostgres, database: str) -> Iterator[Database]:
    with contextlib.closing(Database(postgres, database)) as found:
        yield found


@pytest.fixture
def keys(home: Database) -> Iterator[PostgresKeys]:
    with opened(home.where) as found:
        assert isinstance(found, PostgresKeys)
        yield found


@pytest.fixture(scope="module")
def mortal(postgres: PrivatePostgres) -> Iterator[PrivatePostgres]:
    """A server that a test may kill."""
    assert postgres.is_running  # or this test is skipped where there is none
    with PrivatePostgres() as server:
        yield server


@pytest.fixture
def there(mortal: PrivatePostgres) -> Iterator[str]:
    """The dsn of a database on it."""
    yield mortal.create_database("mortal")
    mortal.drop_database("mortal")


def readers(home: Database) -> int:
    return len(home.rows("SELECT id FROM segue_keys.reader"))


# -- what other processes remember --------------------------------------------------------------


def test_nobody_goes_by_what_it_remembered_when_an_erasure_returns(
    home: Database, keys: PostgresKeys
) -> None:
    with opened(home.where) as other:
        theirs = vault(other)
        for n in range(5):
            sealed = vault(keys).seal(f"subj_{n}", "words", HERE, "secret")
            assert theirs.open(HERE, sealed) == "secret"
            keys.shred(f"subj_{n}")
            assert theirs.open(HERE, sealed) is None


def test_a_process_that_stood_still_during_an_erasure_goes_by_nothing_it_remembered(
    home: Database, keys: PostgresKeys
) -> None:
    sealed = vault(keys).seal(ANNA, "words", HERE, "secret")
    with process("opens_what_it_is_told", home.where) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert ask(reader, HERE, sealed) == "secret"
        assert readers(home) == 2
        reader.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        erasure(keys, home.where).erase(ANNA, Mode.SHRED, Reason.REQUEST)
        assert time.monotonic() - began > TRUST
        assert readers(home) == 1
        # It has these questions before it can ask the server anything.
        print(*[f"{HERE} {sealed}\n"] * 5, sep="", end="", file=reader.stdin, flush=True)  # noqa: T201  to the process
        reader.send_signal(signal.SIGCONT)
        assert [reader.stdout.readline().strip() for _ in range(5)] == ["None"] * 5
        assert soon(lambda: readers(home) == 2)
        reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0
    assert readers(home) == 1


def test_a_process_that_was_killed_holds_up_one_erasure_for_a_second_and_no_other(
    home: Database, keys: PostgresKeys
) -> None:
    keys.create_many(slots([ANNA, BEN]))
    killed_at("keys.after_create", *program("creates", home.where))
    assert readers(home) == 2
    began = time.monotonic()
    keys.shred(ANNA)
    assert time.monotonic() - began > TRUST
    # Nobody else is waited for.
    assert readers(home) == 1
    assert keys.shred(BEN)


def test_without_the_server_the_generation_is_unknown_after_a_second_and_comes_back(
    postgres: PrivatePostgres, keys: PostgresKeys
) -> None:
    before = keys.generation()
    assert before is not None
    postgres.pause()
    try:
        assert soon(lambda: keys.generation() is None, 3 * TRUST)
    finally:
        postgres.resume()
    assert soon(lambda: keys.generation() == before)


def test_the_generation_after_an_old_backup_is_not_one_that_was_there_before(
    home: Database,
) -> None:
    with opened(home.where) as keys:
        keys.create_many(slots([ANNA]))
    home.back_up()

    def shredded() -> int | None:
        with opened(home.where) as keys:
            assert keys.shred(ANNA)
            assert soon(lambda: keys.generation() is not None)
            return keys.generation()

    before = shredded()
    home.restore()
    assert shredded() != before


# -- processes in each other's way --------------------------------------------------------------


def test_keys_that_stay_can_be_read_all_the_time_while_others_are_destroyed(
    home: Database, keys: PostgresKeys
) -> None:
    owners = [f"subj_{n}" for n in range(10)]
    (bens, *_) = keys.create_many(slots([BEN, *owners]))
    ended, missed, read = threading.Event(), 0, 0

    def reads() -> None:
        nonlocal missed, read
        with opened(home.where) as other:
            while not ended.is_set():
                missed += other.by_id(bens.facts.id) is None
                read += 1

    thread = threading.Thread(target=reads)
    thread.start()
    assert soon(lambda: read > 0)
    for owner in owners:
        keys.shred(owner)
    ended.set()
    thread.join()
    assert read > 20
    assert missed == 0


def test_a_key_that_is_made_during_an_erasure_is_gone_or_later_than_it(
    home: Database, keys: PostgresKeys
) -> None:
    ended = threading.Event()

    def creates() -> None:
        with opened(home.where, clock=FakeClock(1)) as other:
            while not ended.is_set():
                other.create_many(slots([ANNA]))

    thread = threading.Thread(target=creates)
    thread.start()
    clock = FakeClock()
    try:
        for _ in range(20):
            clock.advance(1)
            keys.shred(ANNA, created_until=clock.now())
            assert all(key.created > clock.now() for key in keys.facts(ANNA))
    finally:
        ended.set()
        thread.join()


def test_two_processes_may_rotate_at_once(home: Database) -> None:
    with opened(home.where) as keys:
        before = keys.create_many(slots([f"subj_{n}" for n in range(1100)]))
    both = [process("rotates", home.where) for _ in range(2)]
    for one in both:
        one.communicate(timeout=PATIENCE)
    assert 0 in [one.returncode for one in both]
    with opened(home.where, NEW_KEK) as keys:
        keys.rotate(NEW_KEK)
        assert keys.create_many(slots([f"subj_{n}" for n in range(1100)])) == before


@pytest.mark.parametrize("looks_at_the_keys", [True, False])
def test_a_long_transaction_makes_the_erasure_incomplete_until_it_is_repeated(
    home: Database, keys: PostgresKeys, looks_at_the_keys: bool
) -> None:
    (annas,) = keys.create_many(slots([ANNA]))
    stored = home.wrapped()
    with psycopg.connect(home.where) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute(f"SELECT 1 FROM segue_keys.{'key' if looks_at_the_keys else 'reader'}")
        with pytest.raises(ErasureIncomplete, match="repeat this"):
            keys.shred(ANNA)
        assert keys.by_id(annas.facts.id) is None
        assert traces(home, [annas.facts.id], [])
    assert keys.shred(ANNA) == []
    assert not traces(home, [annas.facts.id], list(stored.values()))


def test_the_statistics_of_the_server_keep_no_samples_of_keys(
    home: Database, keys: PostgresKeys
) -> None:
    made = keys.create_many(slots([f"subj_{n:032}" for n in range(50)]))
    stored = home.wrapped()
    home.rows("ANALYZE")
    assert keys.shred_keys([key.facts.id for key in made]) != []
    traced = made[10:15]
    wrapped = [stored[key.facts.id] for key in traced]
    assert not traces(home, [key.facts.owner for key in traced], wrapped)


def test_a_role_that_cannot_write_the_keys_anew_is_told(home: Database, keys: PostgresKeys) -> None:
    keys.create_many(slots([ANNA]))
    ((name,),) = home.rows("SELECT current_database()")
    home.rows(f"ALTER DATABASE {name} OWNER TO segue")
    home.tamper("ALTER TABLE key OWNER TO segue; GRANT SELECT, UPDATE, DELETE ON key TO plain")
    with pytest.raises(ErasureIncomplete, match="make it the owner"):
        keys.shred(ANNA)


# -- the server goes, and comes back ------------------------------------------------------------


def test_a_key_that_was_handed_out_survives_the_kill_of_the_server(
    mortal: PrivatePostgres, there: str
) -> None:
    acknowledged: list[str] = []
    failed: list[StoreUnavailable] = []

    with opened(there) as keys:

        def creates() -> None:
            try:
                for n in range(10**6):
                    made = keys.create_many(slots([f"subj_{n}_{m}" for m in range(20)]))
                    acknowledged.extend(key.facts.id for key in made)
            except StoreUnavailable as error:
                failed.append(error)

        thread = threading.Thread(target=creates)
        thread.start()
        assert soon(lambda: len(acknowledged) > 200)
        mortal.kill()
        thread.join()
        assert len(failed) == 1
        assert soon(lambda: keys.generation() is None)
        with pytest.raises(StoreUnavailable, match="see that it runs"):
            keys.by_id(acknowledged[0])
        mortal.start()

        there_now = {facts.id for facts in keys.facts()}
        assert set(acknowledged) <= there_now
        assert keys.create_many(slots(["subj_0_0"]))[0].facts.id == acknowledged[0]
        assert soon(lambda: keys.generation() is not None)


def test_a_server_that_restarts_between_two_calls_is_not_noticed(
    mortal: PrivatePostgres, there: str
) -> None:
    with opened(there) as keys:
        (annas,) = keys.create_many(slots([ANNA]))
        assert keys.by_id(annas.facts.id) == annas
        mortal.restart()
        assert keys.by_id(annas.facts.id) == annas
        assert keys.create_many(slots([ANNA])) == [annas]
        mortal.restart()
        assert keys.shred(ANNA) == [annas.facts.id]


def test_nobody_waits_for_a_silent_server_without_end(mortal: PrivatePostgres, there: str) -> None:
    keys = PostgresKeys(there, KEK, FakeClock(), bytes, deadline=0.5)
    keys.open()
    try:
        mortal.pause()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            keys.by_id("key_1")
        with pytest.raises(StoreUnavailable):
            keys.create_many(slots([ANNA]))
        assert time.monotonic() - began < 20
    finally:
        mortal.resume()
        keys.close()


# -- refusals -----------------------------------------------------------------------------------


def refused(dsn: str, password: str | None = None) -> str:
    """What is said when it is opened."""
    with pytest.raises(StoreUnavailable) as caught:
        PostgresKeys(dsn, KEK, FakeClock(), bytes, password=password).open()
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_address_that_leads_nowhere_is_named_without_the_password(
    postgres: PrivatePostgres, home: Database
) -> None:
    nowhere = refused("postgresql://segue:hush-hush@/keys?host=/nowhere")
    assert "see that it runs" in nowhere
    unreadable = refused("postgresql://segue:hush-hush%zz@host/keys")
    assert "cannot be read: write it as postgresql://role@host/database" in unreadable
    no_database = refused(postgres.dsn("nothing"), "hush-hush")
    assert "does not exist" in no_database
    assert "hush" not in nowhere + unreadable + no_database


def test_a_wrong_password_is_named_without_it(mortal: PrivatePostgres, there: str) -> None:
    rules = mortal.home / "cluster" / "pg_hba.conf"
    rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right-one'")
        connection.execute("SELECT pg_reload_conf()")
    said = refused(there.replace("segue@", "locked@"), "hush-hush")
    assert "password" in said
    assert "hush" not in said


def test_the_schema_of_another_program_is_not_touched(home: Database) -> None:
    home.rows("CREATE SCHEMA segue_keys AUTHORIZATION plain")
    home.tamper("CREATE TABLE song (name text)")
    with pytest.raises(StoreUnavailable, match="another program's"):
        made(home.where).open()
    tables = home.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'segue_keys'")
    assert tables == [("song",)]


def test_a_schema_of_another_time_is_refused(home: Database) -> None:
    with opened(home.where):
        home.tamper("UPDATE meta SET value = '2' WHERE name = 'schema'")
    with pytest.raises(StoreUnavailable, match="run the program that wrote it"):
        made(home.where).open()


def test_a_role_without_rights_is_told_what_it_needs(home: Database) -> None:
    home.rows("DO 'BEGIN CREATE ROLE poor LOGIN; EXCEPTION WHEN duplicate_object THEN END'")
    said = refused(home.where.replace("plain@", "poor@"))
    assert "give the role the database" in said
