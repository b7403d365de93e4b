"""The erasure ledger in a table: hosts take turns, and a copy in a file brings it back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ari_app.errors import StoreUnavailable
from ari_app.privacy.errors import LedgerDamaged
from ari_app.privacy.ports import Act, Entry, Ledger, Mode, Reason
from ari_app.store.erasures import LedgerFile, copy
from ari_app.store.postgres_ledger import LedgerTable
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.keys import ANNA, BEN, Database, erasure, made

HELD = Entry(1, Act.HELD, ANNA, Reason.LITIGATION)
ERASED = Entry(2, Act.ERASED, BEN, Reason.REQUEST, Mode.TOMBSTONE)
RELEASED = Entry(3, Act.RELEASED, ANNA, Reason.SETTLED)


@pytest.fixture
def home(postgres: PrivatePostgres, database: str) -> Iterator[Database]:
    with contextlib.closing(Database(postgres, database)) as found:
        yield found


@pytest.fixture
def ledger(home: Database) -> Iterator[LedgerTable]:
    with contextlib.closing(LedgerTable(home.where, patience=1.0, deadline=3.0)) as table:
        yield table


def write(ledger: Ledger, *entries: Entry) -> None:
    with ledger.exclusive():
        for entry in entries:
            ledger.append(entry)


def test_whoever_lost_the_turn_writes_nothing(home: Database, ledger: LedgerTable) -> None:
    write(ledger, HELD)
    with ledger.exclusive():
        home.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        )
        with contextlib.closing(LedgerTable(home.where)) as other:
            write(other, RELEASED)
        with pytest.raises(StoreUnavailable, match="nothing written: repeat this"):
            ledger.append(ERASED)
    assert ledger.entries() == [HELD, RELEASED]
    write(ledger, ERASED)
    assert ledger.entries() == [HELD, RELEASED, ERASED]


def test_a_turn_that_does_not_come_is_unavailable(home: Database, ledger: LedgerTable) -> None:
    with contextlib.closing(LedgerTable(home.where)) as other, other.exclusive():
        other.append(HELD)
        assert ledger.entries() == [HELD]
        with pytest.raises(StoreUnavailable, match="who holds a lock"):
            write(ledger, ERASED)
    write(ledger, ERASED)
    assert ledger.entries() == [HELD, ERASED]


def test_an_entry_is_durable_before_the_turn_ends(home: Database, ledger: LedgerTable) -> None:
    with ledger.exclusive():
        ledger.append(HELD)
        assert home.rows("SELECT count(*) FROM segue_ledger.entry") == [(1,)]


def test_a_copy_in_a_file_brings_back_what_a_restored_backup_has_forgotten(
    home: Database, ledger: LedgerTable, tmp_path: Path
) -> None:
    file = LedgerFile(tmp_path / "copy.jsonl")
    write(ledger, HELD, ERASED)
    assert copy(ledger, file) == 2
    write(ledger, RELEASED, HELD, RELEASED)
    assert copy(ledger, file) == 3
    assert copy(ledger, file) == 0

    home.rows("DELETE FROM segue_ledger.entry WHERE number > 1")
    assert copy(file, ledger) == 4
    assert ledger.entries() == file.entries() == [HELD, ERASED, RELEASED, HELD, RELEASED]
    assert copy(file, ledger) == 0


def test_a_damaged_entry_is_named(home: Database, ledger: LedgerTable) -> None:
    write(ledger, HELD, ERASED)
    home.rows("UPDATE segue_ledger.entry SET line = '{}' WHERE number = 2")
    with pytest.raises(LedgerDamaged, match="entry 2 of the ledger"):
        ledger.entries()


def test_the_schema_of_another_program_is_not_touched(home: Database, ledger: LedgerTable) -> None:
    home.rows("CREATE SCHEMA segue_ledger AUTHORIZATION plain")
    home.rows("CREATE TABLE segue_ledger.song (name text)")
    with pytest.raises(StoreUnavailable, match="another program's"):
        ledger.entries()


def test_a_ledger_that_leads_nowhere_is_named_without_the_password() -> None:
    ledger = LedgerTable("postgresql://segue:hush-hush@/ledger?host=/nowhere")
    with pytest.raises(StoreUnavailable, match="the ledger /nowhere") as caught:
        write(ledger, HELD)
    assert "hush" not in str(caught.value)


def test_an_erasure_is_not_begun_without_its_ledger(home: Database) -> None:
    keys = made(home.where)
    keys.open()
    try:
        erasing = erasure(keys, "postgresql://plain@/test_0?host=/nowhere")
        with pytest.raises(StoreUnavailable):
            erasing.erase(ANNA, Mode.SHRED, Reason.REQUEST)
    finally:
        keys.close()


def test_a_server_that_restarts_between_two_entries_is_not_noticed(
    postgres: PrivatePostgres, ledger: LedgerTable
) -> None:
    write(ledger, HELD)
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = 'segue segue_ledger'"
        )
    write(ledger, ERASED)
    assert ledger.entries() == [HELD, ERASED]
