"""What the store needs of a database: the same SQL on both, and the few words that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeAlias

import sqlalchemy

from ari_app.errors import StoreUnavailable
from ari_app.store.bulk import Bulk

Row: TypeAlias = tuple[Any, ...]


class Place(NamedTuple):
    """What an event's row has beside the columns that are the same on both engines."""

    column: str = ""
    value: str = ""
    types: str = ""


class Link(Protocol):
    """One connection, without a transaction until `begin`; not to be shared between threads.

    SQL is written with `?`. Both engines know the function `segue_now()`: UTC microseconds by the
    clock of the store, also in the middle of a transaction.
    """

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run it; all that it returns."""

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run it; how many rows it changed."""

    def many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run it once for each row, in as few round trips as there can be."""

    def bulk(self, statement: Bulk, rows: Sequence[Row]) -> None:
        """Run it for all rows, by as few messages as there can be."""

    def stream(self, sql: str, values: Sequence[object] = (), size: int = 1000) -> Iterator[Row]:
        """Run it; what it returns bit by bit. Inside a transaction, and nothing else meanwhile."""

    def begin(self, *, read_only: bool = False) -> None:
        """Begin a transaction that writes, or one that sees a single moment."""

    def commit(self) -> None:
        """On disk when it returns."""

    def rollback(self) -> None:
        """Undo; without effect if there is no transaction."""

    def alone(self) -> AbstractContextManager[None]:
        """A savepoint: what fails inside is undone by itself. Doomed if all was undone."""

    @property
    def lost(self) -> bool:
        """Whether it is of no use any more: connect again."""

    def close(self) -> None:
        """Free it."""


class Engine(Protocol):
    """A database of ours."""

    read_only: bool
    #: Ends of a SELECT: other writers wait for, or pass over, the rows that it returns.
    for_update: str
    for_share: str
    skip_locked: str
    #: The columns by which the log is in order, and the expression of an event's place in it.
    order: str
    cursor: str
    #: A further column of a new event and its value, both with a comma in front; or nothing.
    place: Place
    #: Errors of the driver; `Busy` are those of which a repetition may succeed.
    Error: type[Exception]
    Broken: tuple[type[Exception], ...]  # a constraint: a bug in the calling code
    Busy: tuple[type[Exception], ...]

    def open(self) -> None:
        """Make or check the database; StoreUnavailable says what to do."""

    def connect(self) -> Link:
        """A connection of one's own."""

    def close(self) -> None:
        """Free what all connections share."""

    def take_alone(self) -> bool:
        """Whether nobody else can work on it from now on; StoreUnavailable if somebody does.

        False where several workers may: then leases say who is alive.
        """

    def after(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """A condition, with its values, for all that comes after this place and is settled.

        What is read by it is complete: no event will ever come before one that was read.
        """

    def beyond(self, cursor: int) -> tuple[str, tuple[object, ...]]:
        """... for all that this transaction sees there; others may still come in between."""

    def placed(self, stream: str, sequence: int) -> Row:
        """The values for `place` of what comes after this event of the stream."""

    def any_of(self, column: str) -> str:
        """A condition with one `?` for the value of `listed`."""

    def listed(self, values: Iterable[str]) -> object:
        """Texts as one value."""

    def was_committed(self, error: BaseException) -> bool:
        """Whether a commit that ended with this error was done all the same.

        StoreUnavailable if nobody knows.
        """

    def alchemy(self) -> sqlalchemy.Engine:
        """For what makes tables."""

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """One sentence, with what to do, for what the driver said."""

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call it, from any thread, soon after another process has written; before `open`."""

    def announce(self) -> None:
        """Something was committed here: tell the others soon."""


class Doomed(Exception):
    """The database has undone the whole transaction."""
