"""What the room needs from outside: homes for keys, for erasures and for seals of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from ari_app.ledger.chain import Head, LinkedRow
from ari_app.ports import Fence


class Period(NamedTuple):
    """A span of time, its end excluded, in UTC microseconds."""

    begins: int
    ends: int


class Slot(NamedTuple):
    """What one key is for: whose, what kind, and sealed when."""

    owner: str  # a pseudonym: subj_…, or conv_… for an anonymous caller
    data_class: str
    period: Period


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key without its secret."""

    id: str  # key_…
    owner: str
    data_class: str
    begins: int
    ends: int  # it seals nothing from here on
    created: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can be used."""

    facts: KeyFacts
    secret: bytes = field(repr=False)  # 32 bytes


class KeyStore(Protocol):
    """The home of keys; safe to use from several threads. StoreUnavailable if it is not there."""

    def generation(self) -> int | None:
        """Moves after every shredding, in any process; None while one is under way.

        A key read under one generation must not be used under another. Costs next to nothing:
        ask before every use.
        """

    def find(self, slot: Slot) -> Key | None:
        """The key of a slot, if there is one."""

    def create_many(self, slots: Sequence[Slot]) -> list[Key]:
        """A key for each slot, in order; on disk before it returns. One that is there is kept."""

    def by_id(self, id: str) -> Key | None:
        """The key with this id; None if it was shredded."""

    def facts(self, owner: str | None = None) -> Iterator[KeyFacts]:
        """Every key there is (of one owner), without secrets, in the order of their ids."""

    def shred(
        self, owner: str, data_class: str | None = None, created_until: int | None = None
    ) -> list[str]:
        """Destroy an owner's keys (of one class, created so far); returns their ids.

        No byte of them is left in any file when it returns; ErasureIncomplete if that failed.
        Keys made afterwards are `created` later than these, whatever the clock says.
        """

    def shred_keys(self, ids: Sequence[str]) -> list[str]:
        """Destroy these keys in the same way; returns the ids that were there."""


class Act(Enum):
    """What an entry of the ledger says."""

    ERASED = "erased"
    HELD = "held"
    RELEASED = "released"


class Mode(Enum):
    """How much an erasure takes away."""

    SHRED = "shred"  # the keys: the sealed texts stay and can never be read
    TOMBSTONE = "tombstone"  # the keys, and the store puts hashes where the sealed texts were


class Reason(Enum):
    """Why; a list and not words, so that no number or name can get into the ledger."""

    REQUEST = "request"  # the person asked
    CONSENT_WITHDRAWN = "consent_withdrawn"
    UNLAWFUL = "unlawful"  # it should never have been stored
    AUTHORITY = "authority"  # an authority or court ordered it
    LITIGATION = "litigation"
    SETTLED = "settled"  # what the hold was for is over


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    at: int  # UTC microseconds
    act: Act
    owner: str
    reason: Reason
    mode: Mode | None = None  # of an erasure


class Ledger(Protocol):
    """Append-only, kept and backed up apart from the keys, so that no restore undoes it."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Nobody else, in any process, appends inside; not reentrant."""

    def entries(self) -> list[Entry]:
        """All of it, in order; LedgerDamaged if a line cannot be read."""

    def append(self, entry: Entry) -> None:
        """On disk before it returns; only inside `exclusive`."""


# -- sealing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed checkpoint, and what is needed to go on from it."""

    number: int  # 1, 2, 3, ...
    size: int  # events that it covers
    position: int  # of the last of them
    tree: bytes  # Tree.to_bytes()
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Tile:
    """The leaves of one run of `ledger.merkle.TILE` events; `root` once it is full."""

    number: int  # 0, 1, 2, ...
    leaves: bytes  # 32 bytes each
    root: bytes | None


class SealStore(Protocol):
    """Where the sealer reads the log and keeps its seals."""

    async def latest(self) -> Seal | None:
        """The last seal."""

    async def tile(self, number: int) -> Tile | None:
        """The tile of this number."""

    async def rows(self, after: int, limit: int) -> tuple[int, list[LinkedRow]]:
        """Events after a position in log order, and the position of the last (else `after`)."""

    async def keep(self, seal: Seal, tiles: Sequence[Tile], fence: Fence | None = None) -> None:
        """All in one transaction; a full tile takes the place of what was there of it.

        With a `fence` nothing is kept after somebody else has that lease: LeaseLost.
        """


class Anchor(Protocol):
    """A place that keeps checkpoints out of reach of whoever can write to the database."""

    async def put(self, note: str) -> None:
        """Keep the note; any exception means that it may not be kept."""


class SealedLog(Protocol):
    """The log with its seals as an auditor reads it, at one moment."""

    def count(self) -> int:
        """So many events are there."""

    def heads(self) -> dict[str, Head]:
        """Where each stream ended, as the store says."""

    def pages(self, size: int) -> Iterator[tuple[list[int], list[LinkedRow]]]:
        """All events in log order, with their positions; each page but the last is full."""

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Places (after, until) that cut the log into parts of so many events, about.

        Empty if it is in one piece only.
        """

    def between(self, after: int, until: int, size: int) -> Iterator[list[LinkedRow]]:
        """The events of a part, in log order, in pages."""

    def again(self) -> SealedLog:
        """The same log once more, to be closed; also in a forked process."""

    def close(self) -> None:
        """Free it."""

    def seals(self) -> list[Seal]:
        """All seals in order."""

    def tiles(self, start: int, end: int) -> list[Tile]:
        """Tiles by number, from the first (included) to the second (not included)."""

    def find(self, event: str) -> tuple[int, LinkedRow] | None:
        """The event of this id, and how many are before it in the log."""
