"""Rows of the read models out of and into their tables, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from ari_app.projections.ports import (
    CallRow,
    ConversationRow,
    HandoffRow,
    MessageRow,
    MetricRow,
    SubjectRow,
)
from ari_app.projections.views import Changes, Fact, Rows, place_of
from ari_app.store.engine import Engine, Link

ViewRow: TypeAlias = ConversationRow | CallRow | MessageRow | HandoffRow | SubjectRow | MetricRow


class View(NamedTuple):
    """A table of rows of one kind; its key are the first columns."""

    table: str
    row: type[Any]
    keys: int = 1
    #: Never changed by a fact, so that an update need not touch their indexes. The subject is,
    #: but rarely: see `_OWN`.
    fixed: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """In the order of the row."""
        names: tuple[str, ...] = self.row._fields
        return names

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the columns of its key."""
        return self.columns[: self.keys]


CONVERSATIONS = View("conversation_view", ConversationRow, fixed=("subject", "opened_at"))
CALLS = View("call_view", CallRow, fixed=("stream", "subject", "received_at"))
MESSAGES = View("message_view", MessageRow, fixed=("stream", "subject", "template", "promised_at"))
HANDOFFS = View("handoff_view", HandoffRow, fixed=("stream", "subject", "recorded_at"))
SUBJECTS = View("subject_view", SubjectRow)
METRICS = View("metric_view", MetricRow, keys=3)
VIEWS = (CONVERSATIONS, CALLS, MESSAGES, HANDOFFS, SUBJECTS, METRICS)

_OWNED = (CONVERSATIONS, CALLS, MESSAGES, HANDOFFS)
_OWN = "UPDATE {table} SET subject = ? WHERE stream = ?"
_COUNT = """
    INSERT INTO metric_view (hour, name, label, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (hour, name, label) DO UPDATE SET value = metric_view.value + excluded.value"""
# Of two consents at the same moment the refusal counts: an odd number is a refusal.
_CONSENT = "max(consent_at * 2 + CASE WHEN consent = 'refused' THEN 1 ELSE 0 END)"
_RECKON = f"""
    INSERT INTO subject_view
        (subject, first_seen, last_seen, conversations, calls, texts_in, texts_out, consent)
    SELECT subject, min(opened_at), max(touched), count(*), sum(calls), sum(texts_in),
        sum(texts_out), CASE {_CONSENT} - 2 * ({_CONSENT} / 2)
            WHEN 0 THEN 'given' WHEN 1 THEN 'refused' END
    FROM conversation_view WHERE {{which}} GROUP BY subject
    ON CONFLICT (subject) DO UPDATE SET
        first_seen = excluded.first_seen, last_seen = excluded.last_seen,
        conversations = excluded.conversations, calls = excluded.calls,
        texts_in = excluded.texts_in, texts_out = excluded.texts_out,
        consent = excluded.consent"""
_DESERTED = """
    DELETE FROM subject_view WHERE {which} AND NOT EXISTS
        (SELECT 1 FROM conversation_view c WHERE c.subject = subject_view.subject)"""


class ViewTables:
    """The tables of the views on one engine; all inside the caller's transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reckon = _RECKON.format(which=engine.any_of("subject"))
        self._deserted = _DESERTED.format(which=engine.any_of("subject"))

    def known(self, link: Link, facts: Iterable[Fact]) -> Rows:
        """The rows that these facts concern, as far as there are any."""
        places: dict[str, set[str]] = {"call": set(), "message": set(), "handoff": set()}
        streams: set[str] = set()
        for fact in facts:
            streams.add(fact.stream)
            if place := place_of(fact.event):
                places[place[0]].add(place[1])
        return Rows(
            self.of_keys(link, CONVERSATIONS, streams),
            self.of_keys(link, CALLS, places["call"]),
            self.of_keys(link, MESSAGES, places["message"]),
            self.of_keys(link, HANDOFFS, places["handoff"]),
        )

    def of_keys(self, link: Link, view: View, keys: Iterable[str]) -> dict[str, Any]:
        """Rows of a view with a key of one column."""
        listed = list(keys)
        if not listed:
            return {}
        query = f"""
            SELECT {", ".join(view.columns)} FROM {view.table}
            WHERE {self._engine.any_of(view.columns[0])}"""
        values = (self._engine.listed(listed),)
        return {row[0]: view.row._make(row) for row in link.rows(query, values)}

    def keep(self, link: Link, known: Rows, changes: Changes, *, reckon: bool = True) -> None:
        """Write what has changed since `known`; the subjects of it are counted anew."""
        rows = changes.rows
        self._write(link, CONVERSATIONS, known.conversations, rows.conversations)
        self._write(link, CALLS, known.calls, rows.calls)
        self._write(link, MESSAGES, known.messages, rows.messages)
        self._write(link, HANDOFFS, known.handoffs, rows.handoffs)
        link.many(_COUNT, [(*figure, n) for figure, n in sorted(changes.figures.items())])
        before = known.conversations
        moved = [
            (row.subject, stream)
            for stream, row in rows.conversations.items()
            if stream in before and before[stream].subject != row.subject
        ]
        self.own(link, moved)
        if reckon:
            subjects = {row.subject for row in rows.conversations.values() if row.subject}
            left = {before[stream].subject for _, stream in moved}
            self.reckon(link, subjects | {subject for subject in left if subject})

    def own(self, link: Link, moved: list[tuple[str | None, str]]) -> None:
        """These (subject, stream) belong together from now on, with all that is in the stream."""
        for view in _OWNED if moved else ():
            link.many(_OWN.format(table=view.table), moved)

    def reckon(self, link: Link, subjects: Iterable[str]) -> None:
        """Count these subjects anew."""
        listed = self._engine.listed(sorted(subjects))
        link.run(self._reckon, (listed,))
        link.run(self._deserted, (listed,))

    def reckon_all(self, link: Link) -> None:
        """Count all subjects of an empty view."""
        link.run(_RECKON.format(which="subject IS NOT NULL"))

    def empty(self, link: Link, limit: int) -> bool:
        """Delete up to so many rows; whether that was all there is."""
        for view in VIEWS:
            key = ", ".join(view.key)
            gone = link.run(
                f"DELETE FROM {view.table} WHERE ({key}) IN"
                f" (SELECT {key} FROM {view.table} LIMIT ?)",
                (limit,),
            )
            if gone:
                return False
        return True

    def _write(
        self, link: Link, view: View, known: Mapping[str, ViewRow], rows: Mapping[str, ViewRow]
    ) -> None:
        new = [row for key, row in rows.items() if key not in known]
        old = [row for key, row in rows.items() if key in known and known[key] != row]
        columns = view.columns
        marks = ", ".join("?" for _ in columns)
        link.many(f"INSERT INTO {view.table} ({', '.join(columns)}) VALUES ({marks})", new)
        places = [n for n, name in enumerate(columns) if n and name not in view.fixed]
        assigned = ", ".join(f"{columns[n]} = ?" for n in places)
        link.many(
            f"UPDATE {view.table} SET {assigned} WHERE {columns[0]} = ?",
            [(*(row[n] for n in places), row[0]) for row in old],
        )
