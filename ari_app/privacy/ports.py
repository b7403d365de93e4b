"""What the room needs from outside: a home for keys, and a ledger of what was erased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol


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
