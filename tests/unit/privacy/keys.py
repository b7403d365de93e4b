"""A key store in memory, and what tests of the room share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from ari_app.privacy.ports import Entry, Key, KeyFacts, Period, Slot
from ari_app.privacy.retention import Schedule
from tests.support.clock import NOON

ANNA = "subj_" + "a" * 32
BEN = "subj_" + "b" * 32
SCHEDULE = Schedule({"identity": 395, "words": 90, "texts": 30})


class MemoryKeys:
    """The port KeyStore, without a disk; counts what a disk would have to do."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.writes = 0
        self.reads = 0
        self.moved: int | None = 0

    def generation(self) -> int | None:
        return self.moved

    def find(self, slot: Slot) -> Key | None:
        self.reads += 1
        return self._find(slot)

    def _find(self, slot: Slot) -> Key | None:
        wanted = (slot.owner, slot.data_class, slot.period.begins)
        return next((k for k in self.keys.values() if _place(k.facts) == wanted), None)

    def create_many(self, slots: Sequence[Slot]) -> list[Key]:
        self.writes += 1
        return [self._find(slot) or self._create(slot) for slot in slots]

    def _create(self, slot: Slot) -> Key:
        number = 1 + max((int(id[4:], 16) for id in self.keys), default=self._made)
        self._made = number
        id = f"key_{number:032x}"
        facts = KeyFacts(id, slot.owner, slot.data_class, *slot.period, NOON + number)
        self.keys[id] = Key(facts, number.to_bytes(32, "big"))
        return self.keys[id]

    _made = 0

    def by_id(self, id: str) -> Key | None:
        self.reads += 1
        return self.keys.get(id)

    def facts(self, owner: str | None = None) -> Iterator[KeyFacts]:
        for id in sorted(self.keys):
            if owner in (None, self.keys[id].facts.owner):
                yield self.keys[id].facts

    def shred(
        self, owner: str, data_class: str | None = None, created_until: int | None = None
    ) -> list[str]:
        return self.shred_keys(
            [
                key.id
                for key in self.facts(owner)
                if data_class in (None, key.data_class)
                and (created_until is None or key.created <= created_until)
            ]
        )

    def shred_keys(self, ids: Sequence[str]) -> list[str]:
        there = [id for id in ids if self.keys.pop(id, None)]
        if there and self.moved is not None:
            self.moved += 2
        return there


class MemoryLedger:
    """The port Ledger, without a disk."""

    def __init__(self) -> None:
        self.lines: list[Entry] = []
        self._exclusive = False

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        assert not self._exclusive
        self._exclusive = True
        try:
            yield
        finally:
            self._exclusive = False

    def entries(self) -> list[Entry]:
        return list(self.lines)

    def append(self, entry: Entry) -> None:
        assert self._exclusive
        self.lines.append(entry)


def slot(owner: str = ANNA, data_class: str = "words", begins: int = 0, ends: int = 1) -> Slot:
    """A slot whose period does not matter."""
    return Slot(owner, data_class, Period(begins, ends))


def _place(facts: KeyFacts) -> tuple[str, str, int]:
    return facts.owner, facts.data_class, facts.begins
