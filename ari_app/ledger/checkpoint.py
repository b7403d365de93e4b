"""Checkpoints (c2sp.org/tlog-checkpoint): the signed word of how large the log is, and its root."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.ledger.note import VerifierKey, from_base64, is_text, open_note, sign_note, to_base64

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of one log at one size."""

    #: Who issued it; also the name that its key signs under.
    origin: str
    size: int
    root: bytes
    #: Further lines. They are signed, but the tree says nothing of them: better none.
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line or not is_text(line):
                raise ValueError(f"not one line of a checkpoint: {line!r}")
        if not 0 <= self.size < 10**19:
            raise ValueError(f"no tree has {self.size} leaves")
        if len(self.root) != 32:
            raise ValueError(f"a root has 32 bytes, not {len(self.root)}")

    def __str__(self) -> str:
        return "".join(
            f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions)
        )

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint of an opened note; ValueError if it is malformed."""
        *lines, end = text.split("\n")
        if end or len(lines) < 3:
            raise ValueError("a checkpoint has three lines: origin, size and root")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise ValueError(f"not the size of a tree: {size[:30]!r}")
        return cls(origin, int(size), from_base64(root), tuple(extensions))


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The signed note. Never sign one that is not consistent with all that you have signed."""
    return sign_note(str(checkpoint), checkpoint.origin, key)


def verify(note: str, verifier: VerifierKey) -> Checkpoint:
    """The checkpoint that the log of this key signed; ValueError, one sentence, if it did not."""
    checkpoint = Checkpoint.parse(open_note(note, verifier))
    # The specification only recommends it; but one key must never vouch for another log.
    if checkpoint.origin != verifier.name:
        raise ValueError(f"the checkpoint is of {checkpoint.origin!r}, not of {verifier.name}")
    return checkpoint
