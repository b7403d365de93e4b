"""Payloads of the log for a reader: masked unless they are to be revealed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ari_app.conversation.events import PERSONAL_FIELDS
from ari_app.conversation.identity import E164
from ari_app.privacy.errors import SealBroken
from ari_app.privacy.vault import Vault
from ari_app.store.browsing import Stored

MASK = "***"
ERASED = "[erased]"


@dataclass(frozen=True, slots=True)
class Seen:
    """A payload as it may be shown; what was taken out keeps its type."""

    fields: dict[str, Any]
    masked: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()  # what is there is not what was sealed there
    gone: bool = False  # the whole payload has been erased
    damaged: bool = False  # it is no JSON object


@dataclass(slots=True)
class _Fields:
    """What becomes of one payload's fields."""

    shown: dict[str, Any]
    masked: list[str] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Lens:
    """Shows payloads: numbers masked and words hidden, or everything, as far as keys are there."""

    def __init__(self, vault: Vault | None, *, reveal: bool = False) -> None:
        """Without a vault nothing that is sealed is opened."""
        self._vault = vault
        self._reveal = reveal

    def see(self, event: Stored) -> Seen:
        """The payload of an event."""
        if event.payload is None:
            return Seen({}, gone=True)
        try:
            payload = json.loads(event.payload)
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            return Seen({}, damaged=True)
        known = {f: (c, e) for f, c, e in PERSONAL_FIELDS.get((event.name, event.version), ())}
        fields = _Fields(payload)
        for name, value in payload.items():
            # Also of a newer program, whose fields are not known here.
            sealed = isinstance(value, dict) and value.keys() == {"sealed"}
            if sealed or name in known:
                data_class, erased = known.get(name, ("", ERASED))
                place = f"{event.stream}|{event.sequence}|{name}"
                fields.shown[name] = self._field(
                    name, value, place if sealed else None, data_class, erased, fields
                )
        return Seen(payload, tuple(fields.masked), tuple(fields.erased), tuple(fields.broken))

    def _field(
        self, name: str, value: Any, place: str | None, data_class: str, erased: Any, out: _Fields
    ) -> Any:
        if place is not None:
            if self._vault is None:
                out.masked.append(name)
                return MASK if isinstance(erased, str) or erased is None else erased
            try:
                plain = self._vault.open(place, str(value["sealed"]))
            except SealBroken:
                out.broken.append(name)
                return erased
            if plain is None:
                out.erased.append(name)
                return erased
            value = json.loads(plain)
        if self._reveal or value is None:
            return value
        out.masked.append(name)
        return _masked(value, data_class)


def _masked(value: Any, data_class: str) -> Any:
    """Of the same type, so that an event of it can still be made."""
    if isinstance(value, str):
        try:
            return E164(value).masked if data_class == "identity" else MASK
        except ValueError:
            return MASK
    if isinstance(value, list):
        return []
    return {} if isinstance(value, dict) else MASK
