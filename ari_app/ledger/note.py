"""Signed notes (c2sp.org/signed-note): a text, and under it who signed it with Ed25519."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# The signature type of Ed25519 in keys and key ids.
_ED25519 = b"\1"
_PREFIX = "\N{EM DASH} "

# Limits of ours, far above what the specification asks verifiers to take (16 signatures).
_LONGEST = 1_000_000
_MOST_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that signs; as text `name+id+base64`, safe to hand to anybody."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if (
            not self.name
            or not is_text(self.name)
            or any(c in "+\n" or c.isspace() for c in self.name)
        ):
            raise ValueError(f"not a name for a key: {self.name!r}")
        if len(self.public) != 32:
            raise ValueError(f"an Ed25519 public key has 32 bytes, not {len(self.public)}")

    @classmethod
    def of(cls, name: str, key: Ed25519PrivateKey) -> VerifierKey:
        """The key that verifies what `key` signs under this name."""
        return cls(name, key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key that was written as text."""
        name, _, rest = text.partition("+")
        id, _, encoded = rest.partition("+")
        public = from_base64(encoded)
        if public[:1] != _ED25519:
            raise ValueError("the verifier key is not `name+id+key` with an Ed25519 key")
        key = cls(name, public[1:])
        if key.id.hex() != id:
            raise ValueError(f"the verifier key's id is {key.id.hex()}, not {id!r}")
        return key

    @property
    def id(self) -> bytes:
        """Four bytes, to find a signature by; no proof of anything."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(_ED25519 + self.public)}"


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """The text, signed under this name; it must end with a line feed."""
    if not text.endswith("\n") or not is_text(text):
        raise ValueError("a note is Unicode lines without control characters")
    signature = VerifierKey.of(name, key).id + key.sign(text.encode())
    return f"{text}\n{_PREFIX}{name} {to_base64(signature)}\n"


def open_note(note: str, verifier: VerifierKey) -> str:
    """The text that this key signed; ValueError if it did not, or if the note is malformed.

    Signatures of other keys are passed over, as the specification demands.
    """
    if len(note) > _LONGEST:
        raise ValueError(f"the note is longer than {_LONGEST} characters")
    if not is_text(note):
        raise ValueError("the note is not Unicode lines without control characters")
    # The last empty line: the text may hold some itself.
    text, empty_line, below = note.rpartition("\n\n")
    *lines, end = below.split("\n")
    if not empty_line or end:
        raise ValueError("the note does not end with an empty line and signatures")
    if len(lines) > _MOST_SIGNATURES:
        raise ValueError(f"the note has more than {_MOST_SIGNATURES} signatures")
    text += "\n"
    ours = [
        signature[4:]
        for name, signature in map(_signature, lines)
        if name == verifier.name and signature[:4] == verifier.id
    ]
    if not ours:
        raise ValueError(f"{verifier.name} with key {verifier.id.hex()} did not sign the note")
    public = Ed25519PublicKey.from_public_bytes(verifier.public)
    for signature in ours:
        try:
            public.verify(signature, text.encode())
        except InvalidSignature:
            raise ValueError(f"the signature of {verifier.name} is not of this note") from None
    return text


def to_base64(value: bytes) -> str:
    """RFC 4648, section 4."""
    return base64.b64encode(value).decode()


def from_base64(text: str) -> bytes:
    """The bytes of RFC 4648, section 4; ValueError for any but their one spelling."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 where base64 must stand") from None
    # Python takes `QQ==` and `QR==` for the same byte.
    if to_base64(value) != text:
        raise ValueError("not base64 as everybody writes it")
    return value


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_PREFIX).partition(" ")
    if not line.startswith(_PREFIX) or not name or not space:
        raise ValueError("a signature line of the note is not `— name base64`")
    signature = from_base64(encoded)
    if len(signature) < 5:
        raise ValueError("a signature of the note has no more than a key id")
    return name, signature


def is_text(text: str) -> bool:
    """UTF-8 without control characters but line feeds."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return all(character >= " " or character == "\n" for character in text)
