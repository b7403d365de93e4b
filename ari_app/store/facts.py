"""Events of the log as the projections see them: without a key, so without what is personal."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from ari_app.conversation.events import PERSONAL_FIELDS, REGISTRY, Event, Unrecognised, from_payload
from ari_app.errors import UnreadableEvent
from ari_app.projections.views import CONCERNS, Fact, is_conversation
from ari_app.store.engine import Engine, Link

logger = logging.getLogger(__name__)

# Of these it is enough that they happened: their payloads need not be read.
_ONLY_HAPPENED = frozenset(key for key, cls in REGISTRY.items() if cls not in CONCERNS)

# `json.loads` also looks for space around it, which takes as long as a small payload.
_read = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class FactPage:
    """Facts in the order of the log; `end` is the place of the last event, `count` of all."""

    end: int
    count: int
    facts: list[Fact]


class FactReader:
    """Reads pages of the log inside the caller's transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._owners = f"SELECT stream, subject FROM stream WHERE {engine.any_of('stream')}"

    def after(self, link: Link, place: int, limit: int, until: int | None = None) -> FactPage:
        """The next events after this place, none after `until`."""
        condition, values = self._engine.after(place)
        rows = link.rows(
            f"""
            SELECT {self._engine.cursor}, stream, sequence, at, name, version, payload FROM event
            WHERE {condition} ORDER BY {self._engine.order} LIMIT ?""",
            (*values, limit),
        )
        if until is not None:
            rows = [row for row in rows if row[0] <= until]
        if not rows:
            return FactPage(place, 0, [])
        streams = {row[1] for row in rows if is_conversation(row[1])}
        owners: dict[str, str | None] = dict(
            link.rows(self._owners, (self._engine.listed(streams),))
        )
        facts = [
            Fact(stream, sequence, at, owners.get(stream), self._event(stream, sequence, *rest))
            for _, stream, sequence, at, *rest in rows
            if stream in streams
        ]
        return FactPage(int(rows[-1][0]), len(rows), facts)

    def _event(
        self, stream: str, sequence: int, name: str, version: int, text: str | None
    ) -> Event | None:
        if (name, version) in _ONLY_HAPPENED:
            return None
        try:
            payload, end = _read(text or "")
            if end != len(text or ""):
                raise ValueError("more than one value")
            # Sealed or not, it is not looked at; erased, it is of the type that it should be.
            for field, _, erased in PERSONAL_FIELDS.get((name, version), ()):
                payload[field] = erased
            event = from_payload(name, version, payload)
        except (UnreadableEvent, ValueError, TypeError, AttributeError, RecursionError) as error:
            # Payloads that were erased, and damage that the audit names. The views go on.
            if text is not None:
                what = type(error).__name__
                logger.warning("event %d of %s is not in the views: %s", sequence, stream, what)
            return None
        return None if isinstance(event, Unrecognised) else event
