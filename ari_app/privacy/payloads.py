"""What the log holds of an event: its fields as JSON text, the personal ones sealed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Set
from typing import Any

from ari_app.conversation.events import (
    PERSONAL_FIELDS,
    REGISTRY,
    Envelope,
    Event,
    Unrecognised,
    from_payload,
    name_of,
    to_payload,
)
from ari_app.privacy.retention import SNAPSHOTS
from ari_app.privacy.vault import Vault

# A sealed field is {"sealed": "1.key_….…"}: no field of ours is such an object itself.
_SEALED = "sealed"
_ONE = {_SEALED}
_HEAD, _TAIL = f'{{"{_SEALED}":"', '"}'
_NOTHING: frozenset[str] = frozenset()


class Payloads:
    """Writes and reads payloads. Without a vault everything is plain: for tests of other things."""

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault

    @staticmethod
    def classes(events: Sequence[Event], effects: Sequence[str] = ()) -> Set[str]:
        """The data classes of what is personal in these events, and in effects of these kinds."""
        found = _CLASSES[type(events[0])] if events else _NOTHING
        for event in events[1:]:
            found |= _CLASSES[type(event)]
        return found.union(map(_class_of, effects)) if effects else found

    def make_ready(self, needs: Set[tuple[str, str]]) -> None:
        """Have these keys at hand, with one durable write for all new ones."""
        if self._vault is not None and needs:
            self._vault.prepare(needs)

    def write(self, owner: str, stream: str, sequence: int, event: Event) -> str:
        """The text to store; `owner` is the subject, or the stream if nobody is known."""
        payload = to_payload(event)
        if self._vault is None:
            return _json(payload)
        seals: dict[str, Callable[[str, str], str]] = {}
        for name, data_class, _ in PERSONAL_FIELDS.get(name_of(event), ()):
            value = payload[name]
            if value is not None:
                seal = seals.get(data_class)
                if seal is None:
                    seal = seals[data_class] = self._vault.sealing(owner, data_class)
                payload[name] = {_SEALED: seal(f"{stream}|{sequence}|{name}", _json(value))}
        return _json(payload)

    def read(
        self, stream: str, sequence: int, name: str, version: int, text: str | None
    ) -> dict[str, Any]:
        """The fields; those of a shredded key as erased. Nothing if the payload was erased."""
        payload: dict[str, Any] = json.loads(text) if text is not None else {}
        for field, value in payload.items():
            # By what is there and not by what is known: old versions are opened as well.
            if isinstance(value, dict) and value.keys() == _ONE:
                plain = self._opened(f"{stream}|{sequence}|{field}", value[_SEALED])
                payload[field] = (
                    _erased(name, version, field) if plain is None else json.loads(plain)
                )
        return payload

    def envelope(self, row: Sequence[Any]) -> Envelope:
        """The event of a row of the log: id, stream, …, version, payload; see `StoredEvent`."""
        id, stream, sequence, at, actor, cause, name, version, payload = row
        if payload is None:  # a tombstone: that it happened is known, and nothing else
            event: Event = Unrecognised(name=name, version=version, payload={})
        else:
            event = from_payload(name, version, self.read(stream, sequence, name, version, payload))
        return Envelope(id, stream, sequence, at, actor, cause, event)

    def write_snapshot(self, owner: str, stream: str, sequence: int, text: str) -> str:
        """A state as one sealed field."""
        if self._vault is None:
            return _json(text)
        return _json(self._sealed(owner, SNAPSHOTS, f"{stream}|{sequence}|snapshot", text))

    def read_snapshot(self, stream: str, sequence: int, text: str) -> str | None:
        """The state; None if it cannot be read any more."""
        written: str | dict[str, str] = json.loads(text)
        if isinstance(written, str):
            return written
        plain = self._opened(f"{stream}|{sequence}|snapshot", written[_SEALED])
        return None if plain is None else str(json.loads(plain))

    def write_effect(self, owner: str, id: str, kind: str, payload: dict[str, Any]) -> str:
        """An effect's payload as one sealed field: it repeats what its events say of the person."""
        if self._vault is None:
            return _json(payload)
        return _json(self._sealed(owner, _class_of(kind), f"outbox|{id}|payload", payload))

    def read_effect(self, id: str, text: str) -> dict[str, Any]:
        """An effect's payload; empty if the person has been erased."""
        # What is sealed needs no escapes, so that it need not be read as JSON first.
        if not text.startswith(_HEAD):
            plain: dict[str, Any] = json.loads(text)
            return plain
        opened = self._opened(f"outbox|{id}|payload", text[len(_HEAD) : -len(_TAIL)])
        payload: dict[str, Any] = {} if opened is None else json.loads(opened)
        return payload

    def _sealed(self, owner: str, data_class: str, place: str, value: Any) -> dict[str, str]:
        assert self._vault is not None
        return {_SEALED: self._vault.seal(owner, data_class, place, _json(value))}

    def _opened(self, place: str, sealed: str) -> str | None:
        if self._vault is None:
            return None
        return self._vault.open(place, sealed)


# By the class of the event: this is asked for every append.
_CLASSES: dict[type, frozenset[str]] = {
    Unrecognised: _NOTHING,
    **{
        cls: frozenset(data_class for _, data_class, _ in PERSONAL_FIELDS.get(key, ()))
        for key, cls in REGISTRY.items()
    },
}


def _erased(name: str, version: int, field: str) -> Any:
    known = PERSONAL_FIELDS.get((name, version), ())
    return next((erased for personal, _, erased in known if personal == field), None)


def _class_of(kind: str) -> str:
    return "texts" if kind == "sms" else "records"


def _encoder() -> Callable[[Any], str]:
    """As json.dumps does it, but its C part is made once and not at each call."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # another Python
        return plain.encode
    text = json.encoder.encode_basestring
    encode = make(None, plain.default, text, None, ":", ",", False, False, True)
    return lambda value: "".join(encode(value, 0))


_json = _encoder()
