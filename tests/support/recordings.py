"""Recordings in bytes: what was sealed, and a vault to read it with."""

from __future__ import annotations

import io
import os

from ari_app.ports import RecordingLabel
from ari_app.privacy.retention import Schedule
from ari_app.privacy.vault import Vault
from ari_app.recordings.sealed import End, Piece, Sealing, read
from tests.support.clock import NOON, FakeClock
from tests.unit.privacy.keys import ANNA, MemoryKeys

LABEL = RecordingLabel("rec_" + "1" * 32, "conv_1", "call_1", ANNA, NOON)


class Studio:
    """Keys in memory and recordings in bytes."""

    def __init__(self) -> None:
        self.keys = MemoryKeys()
        schedule = Schedule({"words": 90, "recordings": 30})
        self.vault = Vault(self.keys, schedule, FakeClock(), os.urandom)

    def sealing(self, label: RecordingLabel = LABEL) -> Sealing:
        seal = self.vault.sealing(label.owner, "recordings")
        return Sealing(label, os.urandom(32), seal)

    def made(self, pieces: int = 3, size: int = 16) -> bytes:
        """A whole recording; piece n is made of octets n."""
        sealing = self.sealing()
        parts = [sealing.piece(n * size, bytes([n]) * 2 * size) for n in range(pieces)]
        return b"".join((sealing.head, *parts, sealing.end("call_ended")))

    def read(self, written: bytes) -> tuple[list[Piece], End | None]:
        """The pieces, and the end if it is there."""
        found = list(read(io.BytesIO(written), self.vault.open))
        pieces = [piece for piece in found if isinstance(piece, Piece)]
        ends = [end for end in found if isinstance(end, End)]
        assert found == [*pieces, *ends]
        return pieces, ends[0] if ends else None
