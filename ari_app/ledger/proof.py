"""The proof, in one JSON text, that one event is in the log; it needs nothing but the key.

    {"format": "segue.proof.v1",
     "event": {"id", "stream", "sequence", "at", "actor", "cause", "name", "version",
               "payload": text as stored, or "payload_sha256": hexadecimal if it was erased},
     "index": number of the leaf,
     "path": [base64 of a hash, from the leaf's sibling up],
     "checkpoint": signed note}

The size of the tree stands in the checkpoint only, where it is signed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ari_app.ledger import checkpoint, merkle
from ari_app.ledger.canonical import StoredEvent, event_hash
from ari_app.ledger.checkpoint import Checkpoint
from ari_app.ledger.note import VerifierKey, from_base64, to_base64

_FORMAT = "segue.proof.v1"
_KEYS = {"format", "event", "index", "path", "checkpoint"}
_LONGEST = 4_000_000
_TEXT, _NUMBER = (str,), (int,)
_FIELDS: dict[str, tuple[type, ...]] = {
    "id": _TEXT,
    "stream": _TEXT,
    "sequence": _NUMBER,
    "at": _NUMBER,
    "actor": _TEXT,
    "cause": (str, type(None)),
    "name": _TEXT,
    "version": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves: that this event was in the log when the checkpoint was signed."""

    event: StoredEvent
    index: int
    checkpoint: Checkpoint


def write_proof(event: StoredEvent, index: int, path: Sequence[bytes], note: str) -> str:
    """The proof as text; `path` is the inclusion path in the tree of the checkpoint in `note`."""
    fields: dict[str, Any] = event._asdict()
    if isinstance(event.payload, bytes):
        fields["payload_sha256"] = fields.pop("payload").hex()
    return json.dumps(
        {
            "format": _FORMAT,
            "event": fields,
            "index": index,
            "path": [to_base64(sibling) for sibling in path],
            "checkpoint": note,
        },
        ensure_ascii=False,
        indent=1,
    )


def verify_proof(proof: str, key: str) -> Proven:
    """What the proof proves, by the log's verifier key; ValueError, one sentence, if nothing."""
    verifier = VerifierKey.parse(key)
    parsed = _parsed(proof)
    if type(parsed) is not dict or parsed.keys() != _KEYS or parsed["format"] != _FORMAT:
        raise ValueError(f"the text is not a proof of the format {_FORMAT}")
    index, path, note = parsed["index"], parsed["path"], parsed["checkpoint"]
    if type(index) is not int or type(note) is not str or type(path) is not list:
        raise ValueError("the proof's index, path or checkpoint is of the wrong type")
    if not all(type(sibling) is str for sibling in path):
        raise ValueError("the proof's path is not of base64 texts")
    event = _event(parsed["event"])
    siblings = [from_base64(sibling) for sibling in path]
    signed = checkpoint.verify(note, verifier)
    if not merkle.is_included(event_hash(event), index, signed.size, siblings, signed.root):
        raise ValueError("the event is not at this index of the log that was signed")
    return Proven(event, index, signed)


def _parsed(proof: str) -> Any:
    if len(proof) > _LONGEST:
        raise ValueError(f"the proof is longer than {_LONGEST} characters")
    try:
        return json.loads(proof, object_pairs_hook=_once_each, parse_int=_whole)
    except RecursionError:
        raise ValueError("the proof is nested too deeply") from None
    except json.JSONDecodeError:
        raise ValueError("the proof is not JSON") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what two readers of JSON would read differently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice in the proof")
    return found


def _whole(digits: str) -> int:
    """Refuse what Python would not convert, in our words."""
    if len(digits) > 20:
        raise ValueError("a number in the proof is too large")
    return int(digits)


def _event(fields: Any) -> StoredEvent:
    if type(fields) is not dict:
        raise ValueError("the proof's event is not an object")
    erased = "payload_sha256" in fields
    payload = fields.pop("payload_sha256" if erased else "payload", None)
    if type(payload) is not str or fields.keys() != _FIELDS.keys():
        raise ValueError("the proof's event lacks a field, or has one too many")
    if not all(type(fields[name]) in types for name, types in _FIELDS.items()):
        raise ValueError("a field of the proof's event is of the wrong type")
    return StoredEvent(**fields, payload=_from_hex(payload) if erased else payload)


def _from_hex(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32 or value.hex() != text:
        raise ValueError("the hash of the erased payload is not 64 hexadecimal digits")
    return value
