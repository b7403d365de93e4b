"""How a secret is wrapped by another key: AES-256-GCM, bound to what the secret is for."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ari_app.privacy.errors import WrongKek

#: Bytes of a data key and of a key-encryption key.
KEY_SIZE = 32
NONCE_SIZE = 12


class Kek:
    """A key-encryption key."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_SIZE:
            raise WrongKek(f"a key-encryption key has {KEY_SIZE} bytes, this one {len(secret)}")
        self.secret = secret
        self._cipher = AESGCM(secret)
        #: Names the key without telling it.
        self.fingerprint = hmac.digest(secret, b"segue kek", hashlib.sha256)[:8].hex()

    def wrap(self, secret: bytes, purpose: str, nonce: bytes) -> bytes:
        """The secret, to be unwrapped for the same purpose only; a nonce is used once."""
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes | None:
        """The secret; None if the wrapped bytes were changed, or are for another purpose."""
        nonce, rest = wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:]
        try:
            return self._cipher.decrypt(nonce, rest, purpose.encode())
        except (InvalidTag, ValueError):
            return None
