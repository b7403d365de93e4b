"""Real homes of keys, what can be found in their files, and other processes that use them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import psycopg

from ari_app.ports import Clock
from ari_app.privacy.erasure import Erasure
from ari_app.privacy.ports import Act, Entry, Ledger, Mode, Reason, Slot
from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.store.erasures import LedgerFile
from ari_app.store.keys import KeyDatabase
from ari_app.store.postgres_keys import PostgresKeys
from ari_app.store.postgres_ledger import LedgerTable
from tests.support.clock import FakeClock
from tests.support.foreign.postgres import PrivatePostgres

KEK = b"first key-encryption key of ours"
NEW_KEK = b"other key-encryption key of ours"
SCHEDULE = Schedule({"identity": 395, "words": 90, "texts": 30})
ANNA = "subj_" + "a" * 32
BEN = "subj_" + "b" * 32


PATIENCE = 60.0

#: A folder, or the dsn of a database.
Where: TypeAlias = Path | str
AnyKeys: TypeAlias = KeyDatabase | PostgresKeys


def made(where: Where, kek: bytes = KEK, clock: Clock | None = None) -> AnyKeys:
    """Not opened yet."""
    if isinstance(where, str):
        return PostgresKeys(where, kek, clock or FakeClock(), os.urandom, deadline=3.0)
    return KeyDatabase(where / "keys.db", kek, clock or FakeClock(), os.urandom, busy_ms=2000)


@contextlib.contextmanager
def opened(where: Where, kek: bytes = KEK, clock: Clock | None = None) -> Iterator[AnyKeys]:
    """Made or found there; closed at the end."""
    keys = made(where, kek, clock)
    keys.open()
    try:
        yield keys
    finally:
        keys.close()


_ledgers: list[LedgerTable] = []


def ledger(where: Where) -> Ledger:
    """The ledger that belongs to these keys."""
    if isinstance(where, Path):
        return LedgerFile(where / "erasures.jsonl")
    name = re.search(r"/(\w+)\?", where)
    assert name is not None
    # A schema instead of a database: to make one takes the server a while.
    ledgers = where.replace(name[0], "/ledgers?")
    _ledgers.append(LedgerTable(ledgers, f"of_{name[1]}", deadline=3.0))
    return _ledgers[-1]


def vault(keys: AnyKeys) -> Vault:
    """A vault on these keys."""
    return Vault(keys, SCHEDULE, FakeClock(), os.urandom)


def erasure(keys: AnyKeys, where: Where, clock: Clock | None = None) -> Erasure:
    """Erasure with the ledger that is there."""
    return Erasure(keys, ledger(where), SCHEDULE, clock or FakeClock())


def slots(owners: list[str], data_class: str = "words") -> list[Slot]:
    """This period's slot of each owner."""
    period = SCHEDULE.period(data_class, FakeClock().now())
    return [Slot(owner, data_class, period) for owner in owners]


# -- what is stored ---------------------------------------------------------------------------


class Home(Protocol):
    """Where keys are, as one who reads the disk sees it."""

    @property
    def where(self) -> Where:
        """For `opened`."""

    def wrapped(self) -> dict[str, bytes]:
        """What is stored of each key."""

    def files(self) -> dict[str, bytes]:
        """All that could hold a trace of a key."""

    def tamper(self, sql: str) -> None:
        """What somebody with access to the database may do."""

    def back_up(self) -> None:
        """Keep what is there; nobody uses it meanwhile."""

    def restore(self) -> None:
        """Put the backup in its place."""


class Folder:
    """A home on SQLite."""

    def __init__(self, path: Path) -> None:
        self.where = path

    def wrapped(self) -> dict[str, bytes]:
        with contextlib.closing(sqlite3.connect(self.where / "keys.db")) as connection:
            return dict(connection.execute("SELECT id, wrapped FROM key"))

    def files(self) -> dict[str, bytes]:
        found = [file for file in self.where.iterdir() if file.name.startswith("keys.db")]
        return {file.name: file.read_bytes() for file in found}

    def tamper(self, sql: str) -> None:
        with contextlib.closing(sqlite3.connect(self.where / "keys.db")) as connection:
            connection.execute(sql)
            connection.commit()

    def back_up(self) -> None:
        shutil.copy(self.where / "keys.db", self.where / "backup")

    def restore(self) -> None:
        shutil.copy(self.where / "backup", self.where / "keys.db")


class Database:
    """A home on a PostgreSQL of ours, whose owner is nobody special."""

    def __init__(self, server: PrivatePostgres, dsn: str) -> None:
        self._server = server
        self._superuser = dsn
        self._name = dsn.partition("@/")[2].partition("?")[0]
        self.where = dsn.replace("segue@", "plain@")
        if not self.rows("SELECT 1 FROM pg_roles WHERE rolname = 'plain'"):
            self.rows("CREATE ROLE plain LOGIN")
            self.rows("CREATE DATABASE ledgers OWNER plain")
        self.rows(f"ALTER DATABASE {self._name} OWNER TO plain")

    def close(self) -> None:
        """Free the ledgers' connections."""
        while _ledgers:
            _ledgers.pop().close()

    def wrapped(self) -> dict[str, bytes]:
        return dict(self.rows("SELECT id, wrapped FROM segue_keys.key"))

    def files(self) -> dict[str, bytes]:
        """Every table, index and catalog of the database; the log of the server is not promised."""
        self.rows("CHECKPOINT")
        ((number,),) = self.rows("SELECT oid FROM pg_database WHERE datname = current_database()")
        folder = self._server.home / "cluster" / "base" / str(number)
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    def tamper(self, sql: str) -> None:
        self.rows(f"SET search_path = segue_keys; {sql}")

    def back_up(self) -> None:
        self._server.create_database(f"{self._name}_backup", template=self._name)

    def restore(self) -> None:
        self._server.drop_database(self._name)
        self._server.create_database(self._name, template=f"{self._name}_backup")
        self._server.drop_database(f"{self._name}_backup")
        self.rows(f"ALTER DATABASE {self._name} OWNER TO plain")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """As the superuser."""
        with psycopg.connect(self._superuser, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


def traces(home: Home, ids: list[str], wrapped: list[bytes]) -> list[str]:
    """Which files hold an id, or any 16 bytes of a wrapped key."""
    wanted = [id.encode() for id in ids]
    wanted += [w[at : at + 16] for w in wrapped for at in range(0, len(w) - 15, 4)]
    return [name for name, content in home.files().items() for trace in wanted if trace in content]


# -- other processes --------------------------------------------------------------------------


def program(story: str, where: Where) -> list[str]:
    """What Python is given to live through the story."""
    return ["-m", "tests.support.keys", story, str(where)]


def process(story: str, where: Where) -> subprocess.Popen[str]:
    """One that lives through the story."""
    return subprocess.Popen(
        [sys.executable, *program(story, where)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(reader: subprocess.Popen[str], *words: str) -> str:
    """One line to the process, and its answer."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    print(*words, file=reader.stdin, flush=True)  # noqa: T201  to the process
    return reader.stdout.readline().strip()


def soon(true: Callable[[], bool], patience: float = 10.0) -> bool:
    """Whether it becomes so."""
    end = time.monotonic() + patience
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  the parent reads it


def opens_what_it_is_told(where: Where) -> None:
    """Opens each sealed text that comes in a line, and answers with what it says."""
    with opened(where) as keys:
        reader = vault(keys)
        for line in sys.stdin:
            place, sealed = line.split()
            _say(reader.open(place, sealed))


def creates(where: Where) -> None:
    """Makes keys for ten owners; says which."""
    with opened(where) as keys:
        for n in range(10):
            _say(*(k.facts.id for k in keys.create_many(slots([f"subj_{n}"]))))


def creates_the_same(where: Where) -> None:
    """Makes keys for a hundred owners, one by one; says them at the end."""
    with opened(where) as keys:
        _say(*(keys.create_many(slots([f"subj_{n}"]))[0].facts.id for n in range(100)))


def erases(where: Where) -> None:
    """Erases one owner."""
    with opened(where) as keys:
        erasure(keys, where).erase(ANNA, Mode.SHRED, Reason.REQUEST)


def counts(where: Where) -> None:
    """Adds twenty entries to the ledger, each with the number of those before it."""
    book = ledger(where)
    for _ in range(20):
        with book.exclusive():
            book.append(Entry(len(book.entries()), Act.HELD, ANNA, Reason.LITIGATION))


def rotates(where: Where) -> None:
    """Wraps all keys by the new key-encryption key."""
    with opened(where) as keys:
        keys.rotate(NEW_KEK)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2] if "://" in sys.argv[2] else Path(sys.argv[2]))
