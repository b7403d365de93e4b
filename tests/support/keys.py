"""The real key database in a folder, and stories of other processes that use it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ari_app.ports import Clock
from ari_app.privacy.erasure import Erasure
from ari_app.privacy.ports import Mode, Reason, Slot
from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.store.erasures import LedgerFile
from ari_app.store.keys import KeyDatabase
from tests.support.clock import FakeClock

KEK = b"first key-encryption key of ours"
NEW_KEK = b"other key-encryption key of ours"
SCHEDULE = Schedule({"identity": 395, "words": 90, "texts": 30})
ANNA = "subj_" + "a" * 32
BEN = "subj_" + "b" * 32


@contextlib.contextmanager
def opened(folder: Path, kek: bytes = KEK, clock: Clock | None = None) -> Iterator[KeyDatabase]:
    """`keys.db` in the folder, made or found; closed at the end."""
    keys = KeyDatabase(folder / "keys.db", kek, clock or FakeClock(), os.urandom, busy_ms=2000)
    keys.open()
    try:
        yield keys
    finally:
        keys.close()


def vault(keys: KeyDatabase) -> Vault:
    """A vault on these keys."""
    return Vault(keys, SCHEDULE, FakeClock(), os.urandom)


def erasure(keys: KeyDatabase, folder: Path, clock: Clock | None = None) -> Erasure:
    """Erasure with its ledger in the folder."""
    return Erasure(keys, LedgerFile(folder / "erasures.jsonl"), SCHEDULE, clock or FakeClock())


def slots(owners: list[str], data_class: str = "words") -> list[Slot]:
    """This period's slot of each owner."""
    period = SCHEDULE.period(data_class, FakeClock().now())
    return [Slot(owner, data_class, period) for owner in owners]


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  the parent reads it


def opens_what_it_is_told(folder: Path) -> None:
    """Opens each sealed text that comes in a line, and answers with what it says."""
    with opened(folder) as keys:
        reader = vault(keys)
        for line in sys.stdin:
            place, sealed = line.split()
            _say(reader.open(place, sealed))


def creates(folder: Path) -> None:
    """Makes keys for ten owners; says which."""
    with opened(folder) as keys:
        for n in range(10):
            _say(*(k.facts.id for k in keys.create_many(slots([f"subj_{n}"]))))


def creates_the_same(folder: Path) -> None:
    """Makes keys for a hundred owners, one by one; says them at the end."""
    with opened(folder) as keys:
        _say(*(keys.create_many(slots([f"subj_{n}"]))[0].facts.id for n in range(100)))


def erases(folder: Path) -> None:
    """Erases one owner."""
    with opened(folder) as keys:
        erasure(keys, folder).erase(ANNA, Mode.SHRED, Reason.REQUEST)


def rotates(folder: Path) -> None:
    """Wraps all keys by the new key-encryption key."""
    with opened(folder) as keys:
        keys.rotate(NEW_KEK)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
