"""The relay's contract: what one committed event looks like to other systems.

One event is one line: a JSON object in UTF-8 without a line feed, with these members.

    relay      1: the version of this format; a member more does not change it, all else does
    id         of the event, the same however often it is sent: forget what you have seen already
    stream     the conversation
    sequence   1, 2, 3, ... within the stream
    at         UTC microseconds
    actor      who brought it about
    cause      id of the event that led here, or null
    name       such as call.answered
    version    of the payload's fields, for this name
    payload    the event's fields as an object, or null once it has been erased
    link       hex of the hash that the stream's chain stands on at this event

Sent at least once. The order of a stream is that of `sequence`, not that of arrival. A personal
field is the object {"sealed": "..."} with what the log holds: the relay has no key, and erasure
in the log makes these copies unreadable too. A payload is the text of the log, octet for octet,
so its SHA-256 is what the chain has hashed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ari_app.ports import Record

#: Of this contract.
FORMAT = 1

_NO_TOKEN = re.compile(r"[^A-Za-z0-9_-]")


def line(record: Record) -> bytes:
    """The message, without a line feed; ValueError if the stored payload is no JSON object."""
    about: dict[str, Any] = {
        "relay": FORMAT,
        "id": record.id,
        "stream": record.stream,
        "sequence": record.sequence,
        "at": record.at,
        "actor": record.actor,
        "cause": record.cause,
        "name": record.name,
        "version": record.version,
    }
    head = json.dumps(about, separators=(",", ":"))[:-1]
    return f'{head},"payload":{_payload(record)},"link":"{record.link.hex()}"}}'.encode()


def subject(prefix: str, name: str) -> str:
    """The NATS subject of an event, such as segue.events.call.answered.

    What a subject cannot hold (spaces, wildcards, an empty part) becomes `_`.
    """
    parts = (_NO_TOKEN.sub("_", part) or "_" for part in name.split("."))
    return ".".join((prefix, *parts))


def _payload(record: Record) -> str:
    if record.payload is None:
        return "null"
    try:
        read = json.loads(record.payload, parse_constant=_refuse)
    except (ValueError, RecursionError):
        read = None
    # Between its tokens JSON may have line feeds; the store writes none.
    if not isinstance(read, dict) or "\n" in record.payload or "\r" in record.payload:
        raise ValueError(f"the stored payload of event {record.id} is no JSON object on one line")
    return record.payload


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
