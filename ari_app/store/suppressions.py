"""Who wants no texts: a table that follows the events, in the transaction that appends them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ari_app.conversation.events import ConsentGiven, ConsentRefused, Event, OptedIn, OptedOut
from ari_app.policy.sending.rules import ALL
from ari_app.store.appending import Appender, Write
from ari_app.store.engine import Engine, Link

_T = TypeVar("_T")
#: The purpose of the consent that texts need.
_PURPOSE = "texts"
# Spread beside other uses of such locks in one database.
_LOCKS = 7_290_157
_OUT = """
    INSERT INTO suppression (subject, sender, at, how, word, stream) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (subject, sender) DO NOTHING"""
_IN = "DELETE FROM suppression WHERE subject = ? AND sender IN (?, ?)"
_IN_ALL = "DELETE FROM suppression WHERE subject = ?"
_OF = "SELECT 1 FROM suppression WHERE subject = ? AND sender IN (?, ?)"
_PAGE = """
    SELECT subject, sender, at, how, word, stream FROM suppression
    WHERE (subject, sender) > (?, ?) ORDER BY subject, sender LIMIT ?"""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Somebody who wants no texts of `sender`; `*`: of nobody here."""

    subject: str
    sender: str
    at: int  # UTC microseconds
    how: str
    word: str
    stream: str  # where the event is


def lock_subjects(engine: Engine, *, shared: bool) -> str | None:
    """A statement that orders claims and opt-outs of the same subjects; None if they are anyway.

    Without it an opt-out could be committed between a claim's look at the table and its commit.
    """
    if not engine.for_share:  # one writer
        return None
    function = f"pg_advisory_xact_lock{'_shared' if shared else ''}"
    return f"SELECT {function}(hashtextextended(s, {_LOCKS})) FROM unnest(?::text[]) AS s"


class Following:
    """Implements `Appends` around the appender: what it appends changes the table as well."""

    def __init__(self, engine: Engine, appender: Appender) -> None:
        self._appender = appender
        self._listed = engine.listed
        self._lock = lock_subjects(engine, shared=False)
        self._subjects = f"SELECT stream, subject FROM stream WHERE {engine.any_of('stream')}"

    def needs(self, link: Link, writes: Sequence[Write]) -> AbstractSet[tuple[str, str]]:
        """See the protocol."""
        return self._appender.needs(link, writes)

    def make_ready(self, needs: AbstractSet[tuple[str, str]]) -> None:
        """See the protocol."""
        self._appender.make_ready(needs)

    def check(self, link: Link) -> None:
        """See the protocol."""
        self._appender.check(link)

    def apply(self, link: Link, writes: Sequence[Write]) -> list[Any]:
        """See the protocol."""
        outcomes = self._appender.apply(link, writes)
        told = [
            (write, outcome[0].at)
            for write, outcome in zip(writes, outcomes, strict=True)
            if outcome and not isinstance(outcome, Exception) and _concerns(write.events)
        ]
        if told:
            self._follow(link, told)
        return outcomes

    def _follow(self, link: Link, told: Sequence[tuple[Write, int]]) -> None:
        streams = self._listed({write.stream for write, _ in told})
        owners: dict[str, str | None] = dict(link.rows(self._subjects, (streams,)))
        changes = [
            (subject, change)
            for write, at in told
            for subject, change in _changes(write, at, write.subject or owners.get(write.stream))
        ]
        if self._lock is not None and changes:
            link.rows(self._lock, (sorted({subject for subject, _ in changes}),))
        for _, (statement, values) in changes:
            link.run(statement, values)


_Change = tuple[str, tuple[str, tuple[object, ...]]]


def _concerns(events: Sequence[Event]) -> bool:
    return any(isinstance(e, OptedOut | OptedIn | ConsentGiven | ConsentRefused) for e in events)


def _changes(write: Write, at: int, owner: str | None) -> Iterator[_Change]:
    """By subject. An opt-out or -in by name says more than the consent that goes with it."""
    named = False
    for event in write.events:
        match event:
            case OptedOut(subject=subject, source=sender, how=how, word=word):
                named = True
                yield subject, (_OUT, (subject, sender, at, how, word, write.stream))
            case OptedIn(subject=subject, source=sender):
                named = True
                yield subject, (_IN, (subject, sender, ALL))
            case _:
                pass
    if named or owner is None:
        return
    for event in write.events:
        match event:
            case ConsentRefused(purpose=purpose) if purpose == _PURPOSE:
                yield owner, (_OUT, (owner, ALL, at, "consent", "", write.stream))
            case ConsentGiven(purpose=purpose) if purpose == _PURPOSE:
                yield owner, (_IN_ALL, (owner,))
            case _:
                pass


class _Runs(Protocol):
    def __call__(self, action: Callable[[Link], _T], /) -> Awaitable[_T]: ...


class Suppressions:
    """The table, to be read; it is changed by appending OptedOut and OptedIn."""

    def __init__(self, read: _Runs) -> None:
        self._read = read

    async def holds(self, subject: str, sender: str) -> bool:
        """Whether the subject wants no texts of this sender."""
        return bool(await self._read(lambda link: link.rows(_OF, (subject, sender, ALL))))

    async def of(self, subject: str) -> list[Suppression]:
        """All of one subject."""
        rows = await self._read(lambda link: link.rows(_PAGE, (subject, "", 1000)))
        return [found for row in rows if (found := Suppression(*row)).subject == subject]

    async def page(self, after: tuple[str, str] = ("", ""), limit: int = 1000) -> list[Suppression]:
        """Those that follow this subject and sender, in the order of both."""
        rows = await self._read(lambda link: link.rows(_PAGE, (*after, limit)))
        return [Suppression(*row) for row in rows]
