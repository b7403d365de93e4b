"""A small log of a clinic's conversations, linked and signed, for the tests to attack."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.ledger.canonical import StoredEvent, event_hash
from ari_app.ledger.chain import Head, LinkedRow, genesis, link
from ari_app.ledger.checkpoint import Checkpoint, sign
from ari_app.ledger.merkle import Tree, inclusion_path
from ari_app.ledger.note import VerifierKey
from ari_app.ledger.proof import write_proof

ORIGIN = "harbour-clinic.example/segue"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = VerifierKey.of(ORIGIN, KEY)

BLUE, RED = "conv_blue", "conv_red"


def event(stream: str = BLUE, sequence: int = 1, **changes: Any) -> StoredEvent:
    """What a caller said; its words are ciphertext."""
    sound = StoredEvent(
        id=f"evt_{stream}_{sequence}",
        stream=stream,
        sequence=sequence,
        at=1_786_000_000_000_000 + sequence,
        actor="calls",
        cause=f"evt_{stream}_{sequence - 1}" if sequence > 1 else None,
        name="caller.spoke",
        version=1,
        payload=json.dumps({"call": "call_1", "text": "v1.c2VjcmV0é", "confidence": 0.91}),
    )
    return sound._replace(**changes)


def linked(events: Iterable[StoredEvent]) -> list[LinkedRow]:
    """The rows as the store would have written them."""
    heads: dict[str, bytes] = {}
    rows: list[LinkedRow] = []
    for one in events:
        before = heads.get(one.stream) or genesis(one.stream)
        heads[one.stream] = link(before, event_hash(one))
        rows.append((*one, heads[one.stream]))
    return rows


def interleaved(length: int = 5) -> list[LinkedRow]:
    """Two conversations at once."""
    return linked(event(stream, n) for n in range(1, length + 1) for stream in (BLUE, RED))


def heads_of(rows: Iterable[LinkedRow]) -> dict[str, Head]:
    """The last event of each stream."""
    return {row[1]: Head(row[2], row[9] or b"") for row in rows}


@dataclass
class SealedLog:
    """Events under a signed checkpoint."""

    events: list[StoredEvent]
    leaves: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = [event_hash(one) for one in self.events]

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(ORIGIN, len(self.leaves), Tree().extended(self.leaves).root)

    def proof(self, index: int) -> str:
        path = inclusion_path(index, len(self.leaves), lambda start, end: self.leaves[start:end])
        return write_proof(self.events[index], index, path, sign(self.checkpoint, KEY))
