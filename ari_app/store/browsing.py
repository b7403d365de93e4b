"""The log as those who look at it read it: newest first, from a place on, one event, a stream.

Nothing here writes, and no statement is open for longer than one page takes. A reader has no
transaction id on PostgreSQL, so that it never holds up the tail of anybody.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ari_app.store.engine import Engine, Link, Row

_T = TypeVar("_T")
_PAGE = 1000
# Events that are held in memory at once where whole streams are read.
_MOST_IN_STREAMS = 5000
_COLUMNS = (
    "id, stream, sequence, at, actor, cause, name, version, payload, payload_hash, link, dedupe"
)


class Stored(NamedTuple):
    """An event as it stands in the log: what is personal in it is sealed."""

    place: int
    id: str
    stream: str
    sequence: int
    at: int
    actor: str
    cause: str | None
    name: str
    version: int
    payload: str | None  # JSON; None once it has been erased
    payload_hash: bytes | None  # of a payload that was erased
    link: bytes
    dedupe: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; all of them by default."""

    names: tuple[str, ...] = ()  # patterns: `*` any letters, `?` one
    streams: tuple[str, ...] | None = None
    since: int | None = None  # UTC microseconds, this one included
    until: int | None = None  # and this one not any more

    def takes(self, event: Stored) -> bool:
        """The same as the condition says in SQL."""
        return (
            (self.streams is None or event.stream in self.streams)
            and (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and (not self.names or any(re.fullmatch(_regular(n), event.name) for n in self.names))
        )

    def condition(self, engine: Engine) -> tuple[str, tuple[object, ...]]:
        """`AND …` with its values."""
        parts: list[str] = []
        values: list[object] = []
        if self.streams is not None:
            parts.append(engine.any_of("stream"))
            values.append(engine.listed(self.streams))
        for bound, test in ((self.since, "at >= ?"), (self.until, "at < ?")):
            if bound is not None:
                parts.append(test)
                values.append(bound)
        if self.names:
            parts.append("(" + " OR ".join(["name LIKE ? ESCAPE '!'"] * len(self.names)) + ")")
            values.extend(_like(name) for name in self.names)
        return "".join(f" AND {part}" for part in parts), tuple(values)


@dataclass(frozen=True, slots=True)
class WholeStream:
    """A stream, and where its head says that it ends."""

    stream: str
    head: int
    subject: str | None
    events: list[Stored]


class LogReader:
    """Reads over one connection of its own, in one thread; StoreUnavailable if it cannot."""

    def __init__(self, engine: Engine) -> None:
        """`engine` has been opened, and is closed by whoever opened it."""
        self.engine = engine
        self._link: Link | None = None
        self._back = ", ".join(f"{column} DESC" for column in engine.order.split(", "))

    def close(self) -> None:
        """Free the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def newest(self, limit: int, wanted: Wanted | None = None) -> tuple[int, list[Stored]]:
        """The place of the log's end, and the last events before it that are wanted, in order."""
        condition, values = self.engine.after(0)
        more, chosen = (wanted or Wanted()).condition(self.engine)

        def query(link: Link) -> tuple[int, list[Stored]]:
            end = link.rows(
                f"SELECT {self.engine.cursor} FROM event WHERE {condition} "
                f"ORDER BY {self._back} LIMIT 1",
                values,
            )
            rows = link.rows(
                f"SELECT {self.engine.cursor}, {_COLUMNS} FROM event WHERE {condition}{more} "
                f"ORDER BY {self._back} LIMIT ?",
                (*values, *chosen, limit),
            )
            return (int(end[0][0]) if end else 0), [_stored(row) for row in reversed(rows)]

        return self._at_one_moment(query)

    def after(self, place: int, wanted: Wanted | None = None, limit: int = _PAGE) -> list[Stored]:
        """The next events that are wanted, in the order of the log; complete, see `Engine.after`.

        One statement looks at all that is between them. Whoever waits for what is rare asks for
        everything, and chooses with `Wanted.takes`.
        """
        condition, values = self.engine.after(place)
        more, chosen = (wanted or Wanted()).condition(self.engine)
        query = f"""
            SELECT {self.engine.cursor}, {_COLUMNS} FROM event
            WHERE {condition}{more} ORDER BY {self.engine.order} LIMIT ?"""
        return [_stored(row) for row in self.rows(query, (*values, *chosen, limit))]

    def pages(self, wanted: Wanted | None = None, size: int = _PAGE) -> Iterator[list[Stored]]:
        """All of the log that is wanted, page by page, up to what is settled when it gets there."""
        place = 0
        while page := self.after(place, wanted, size):
            yield page
            if len(page) < size:
                return
            place = page[-1].place

    def event(self, id: str) -> Stored | None:
        """One event. Ids have no index: the log is gone through."""
        found = self._where("id = ?", (id,))
        return found[0] if found else None

    def caused_by(self, ids: Sequence[str]) -> list[Stored]:
        """What these events led to at once, in log order. Goes through the log like `event`."""
        return self._where(self.engine.any_of("cause"), (self.engine.listed(ids),))

    def _where(self, condition: str, values: Sequence[object]) -> list[Stored]:
        query = f"""
            SELECT {self.engine.cursor}, {_COLUMNS} FROM event
            WHERE {condition} ORDER BY {self.engine.order}"""
        return [_stored(row) for row in self.rows(query, values)]

    def streams_of(self, subject: str) -> list[str]:
        """The subject's conversations, and the stream of whom it is joined with."""
        query = "SELECT stream FROM stream WHERE subject = ? OR stream = ? ORDER BY stream"
        return [stream for (stream,) in self.rows(query, (subject, subject))]

    def touched(self, prefix: str, limit: int) -> list[str]:
        """The streams written to last whose names begin so."""
        query = """
            SELECT stream FROM stream WHERE stream LIKE ? ESCAPE '!'
            ORDER BY touched DESC LIMIT ?"""
        return [s for (s,) in self.rows(query, (_like(prefix) + "%", limit))]

    def whole(self, streams: Sequence[str]) -> list[WholeStream]:
        """These streams with all their events, at one moment; those that are there."""
        return self._at_one_moment(lambda link: self._whole(link, self._heads(link, streams)))

    def every_stream(self) -> Iterator[list[WholeStream]]:
        """All streams by name, some at a time, each of them as it is at one moment."""
        name = ""
        while page := self._at_one_moment(lambda link, name=name: self._some(link, name)):  # type: ignore[misc]  # a default binds the name of this turn
            yield page
            name = page[-1].stream

    def _some(self, link: Link, after: str) -> list[WholeStream]:
        query = "SELECT stream, sequence, subject FROM stream WHERE stream > ? ORDER BY stream"
        heads: list[Row] = []
        total = 0
        for row in link.rows(f"{query} LIMIT ?", (after, _PAGE)):
            total += int(row[1])
            if heads and total > _MOST_IN_STREAMS:
                break
            heads.append(row)
        return self._whole(link, heads)

    def _heads(self, link: Link, streams: Sequence[str]) -> list[Row]:
        engine = self.engine
        query = f"SELECT stream, sequence, subject FROM stream WHERE {engine.any_of('stream')}"
        return link.rows(f"{query} ORDER BY stream", (engine.listed(streams),))

    def _whole(self, link: Link, heads: Sequence[Row]) -> list[WholeStream]:
        found = {stream: WholeStream(stream, int(head), of, []) for stream, head, of in heads}
        if found:
            engine = self.engine
            query = f"""
                SELECT {engine.cursor}, {_COLUMNS} FROM event WHERE {engine.any_of("stream")}
                ORDER BY stream, sequence"""
            for row in link.rows(query, (engine.listed(found),)):
                event = _stored(row)
                found[event.stream].events.append(event)
        return list(found.values())

    # -- inside -------------------------------------------------------------------------------

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Row]:
        """What a statement returns, outside of any transaction."""
        return self._run(lambda link: link.rows(query, values))

    def count(self) -> int:
        """All events; from the smallest index."""
        return int(self.rows("SELECT count(*) FROM event")[0][0])

    def _at_one_moment(self, query: Callable[[Link], _T]) -> _T:
        def inside(link: Link) -> _T:
            link.begin(read_only=True)
            try:
                return query(link)
            finally:
                with contextlib.suppress(Exception):  # a lost connection has nothing to undo
                    link.rollback()

        return self._run(inside)

    def _run(self, query: Callable[[Link], _T]) -> _T:
        """Once more on a new connection if the old one was lost: the server was started again."""
        engine = self.engine
        for again in (True, False):
            try:
                if self._link is None or self._link.lost:
                    self._link = engine.connect()
                return query(self._link)
            except engine.Error as error:
                if not (again and self._link is not None and self._link.lost):
                    raise engine.unavailable(error) from error
        raise AssertionError  # the loop returns or raises


def _stored(row: Row) -> Stored:
    # PostgreSQL's place is a Decimal.
    return Stored(int(row[0]), *row[1:])


def _like(pattern: str) -> str:
    escaped = re.sub(r"([!%_])", r"!\1", pattern.lower())
    return escaped.replace("*", "%").replace("?", "_")


def _regular(pattern: str) -> str:
    return re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
