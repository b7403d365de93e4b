r"""The bytes of a stored event that its hash is taken of.

Lines of UTF-8, each ended by a line feed, then the SHA-256 of the payload's text:

    segue.event.v1
    <id>
    <stream>
    <sequence>
    <at>
    <actor>
    <cause: "=" and the id, or nothing if there is none>
    <name>
    <version>
    <32 bytes: SHA-256 of the payload's text as stored>

No field may hold a line feed, so two events never have the same bytes; and as a field that holds
one only makes more lines, no forged row has the bytes of a sound one either.

The payload's text is hashed as it stands in the database, never parsed or written anew: floats,
the order of keys and escapes cannot change a hash. It is a hash of its own so that a payload can
be erased: with its hash in its place the event still verifies.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple, TypeAlias

_LINES = 9

#: The columns of `StoredEvent`, as a database returns them.
Row: TypeAlias = tuple[str, str, int, int, str, str | None, str, int, str | bytes]


class StoredEvent(NamedTuple):
    """An event as the log holds it; a select of these columns, in this order, gives one."""

    id: str
    stream: str
    sequence: int
    at: int
    actor: str
    cause: str | None
    name: str
    version: int
    #: The text as stored; or, if it was erased, the 32 bytes of its SHA-256.
    payload: str | bytes


def payload_hash(text: str) -> bytes:
    """What takes the place of a payload that is erased."""
    try:
        return sha256(text.encode()).digest()
    except UnicodeEncodeError:
        raise ValueError("the payload is not Unicode text") from None


def canonical(event: Row) -> bytes:
    """The bytes of the event; ValueError if one field could be taken for two."""
    return leaf_bytes(event)[1:]


def event_hash(event: Row) -> bytes:
    """The event's leaf in the Merkle tree, and what the chain of its stream links.

    A leaf as in RFC 9162, section 2.1.1: SHA-256(0x00 || canonical bytes).
    """
    return sha256(leaf_bytes(event)).digest()


def leaf_bytes(event: Row) -> bytes:
    """What the leaf is the SHA-256 of; ValueError if one field could be taken for two.

    The hot path of verification: one format and one count, no call for each field.
    """
    id, stream, sequence, at, actor, cause, name, version, payload = event
    lines = (
        f"\0segue.event.v1\n{id}\n{stream}\n{sequence}\n{at}\n{actor}\n"
        f"{'' if cause is None else '=' + cause}\n{name}\n{version}\n"
    )
    if lines.count("\n") != _LINES:
        raise ValueError("a field of the event holds a line feed")
    try:
        if isinstance(payload, str):
            return lines.encode() + sha256(payload.encode()).digest()
        if len(payload) == 32:
            return lines.encode() + payload
    except UnicodeEncodeError as error:
        which = "the payload" if error.object is payload else "a field of the event"
        raise ValueError(f"{which} is not Unicode text") from None
    raise ValueError("the payload is neither a text nor the hash of one")
