"""How a NATS server knows us; every secret is a file, read anew at each connection."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ari_app.errors import Unavailable

_JWT = re.compile(r"-+BEGIN NATS USER JWT-+\s+(\S+)\s+-+END")
_SEED = re.compile(r"-+BEGIN USER NKEY SEED-+\s+(\S+)\s+-+END")
# Two octets say "a user's seed", 32 are the seed, two a checksum.
_SEED_OCTETS = 36


@dataclass(frozen=True, slots=True)
class Login:
    """Name and password, or a token, or a credentials file as `nsc` writes; or nothing."""

    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None
    credentials_file: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.user) != (self.password_file is not None):
            raise ValueError("a login by name needs both user and password_file")
        if sum(map(bool, (self.user, self.token_file, self.credentials_file))) > 1:
            raise ValueError("a login is by name, by token or by credentials file: choose one")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom we believe (the machine's authorities if nobody is named), and who we are."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """For a client that checks name and certificate; Unavailable if a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:
            raise Unavailable(
                f"the TLS files for NATS cannot be used ({error.strerror or error}): "
                "correct their names in [bus], and let the service read them"
            ) from None
        return context


def secret(path: Path) -> str:
    """What the file holds, without the line feed at its end; Unavailable if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unavailable(
            f"cannot read the secret in {path} ({why}): correct its name in [bus]"
        ) from None


def signer(path: Path) -> tuple[str, Callable[[str], bytes]]:
    """Of a credentials file: the user's JWT, and what signs a server's nonce.

    Ours, since nats-py reads a file without these parts for ever, and needs another library.
    """
    text = secret(path)
    jwt, seed = _JWT.search(text), _SEED.search(text)
    try:
        if jwt is None or seed is None:
            raise ValueError
        encoded = seed[1]
        octets = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
        if len(octets) != _SEED_OCTETS:
            raise ValueError
        key = Ed25519PrivateKey.from_private_bytes(octets[2:34])
    except ValueError:  # which might quote the secret
        raise Unavailable(
            f"{path} is no NATS credentials file with a user's JWT and seed: "
            "write it again with `nsc generate creds`"
        ) from None
    return jwt[1], lambda nonce: base64.b64encode(key.sign(nonce.encode()))
