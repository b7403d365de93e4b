"""Answers of a carrier to texts whose fate was lost, inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from ari_app.conversation.events import Event, TextRefused, TextSubmitted
from ari_app.conversation.message import MessageState
from ari_app.ports import Clock, Late
from ari_app.store.appending import Appender, Write
from ari_app.store.engine import Engine, Link, Row
from ari_app.store.snapshots import Snapshots

_END = "UPDATE outbox SET state = 'done', due = ? WHERE id = ?"


class LateAnswers:
    """See `Store.answered_late`."""

    def __init__(
        self, engine: Engine, appender: Appender, snapshots: Snapshots, clock: Clock
    ) -> None:
        self._appender = appender
        self._snapshots = snapshots
        self._clock = clock
        self._listed = engine.listed
        self._rows = f"""
            SELECT id, stream, state, attempts, doubts FROM outbox
            WHERE {engine.any_of("id")} ORDER BY id{engine.for_update}"""

    def store(self, link: Link, answers: Sequence[tuple[str, Late]]) -> None:
        """One after the other: the second answer to a text finds what the first has made of it."""
        known = {
            row[0]: row for row in link.rows(self._rows, (self._listed(m for m, _ in answers),))
        }
        for message, answer in answers:
            if message in known:
                self._store(link, known[message], answer)

    def _store(self, link: Link, row: Row, answer: Late) -> None:
        id, stream, state, _, _ = row
        found = self._snapshots.state(link, stream)[0].messages.get(id)
        lost = found is not None and found.state is MessageState.UNKNOWN
        event = _correction(row, answer) if lost else None
        if event is not None and state == "due":
            link.run(_END, (self._clock.now(), id))
        wire = (answer.carrier, answer.ids) if answer.ids else None
        write = Write(stream, [event] if event else [], wire=wire, text=id)
        for outcome in self._appender.apply(link, [write]):
            if isinstance(outcome, Exception):
                raise outcome


def _correction(row: Row, answer: Late) -> Event | None:
    """What is a fact now of a text of unknown fate; None while some of it is open."""
    id, _, state, attempts, doubts = row
    if not answer.refused and len(answer.ids) == answer.segments:
        return TextSubmitted(message=id, carrier=answer.carrier, ids=answer.ids, attempts=attempts)
    # What is due goes again anyway; and of two tries that were lost it is the answer to one.
    if answer.refused and state == "done" and doubts == 1:
        return TextRefused(message=id, reason=answer.refused, attempts=attempts)
    return None
