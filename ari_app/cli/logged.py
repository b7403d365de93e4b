"""One event of the log, as a line for people or as JSON for programs, and how times are written."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ari_app.cli.lens import ERASED, MASK, Seen
from ari_app.conversation.events import Envelope, from_payload
from ari_app.errors import SettingsError, UnreadableEvent
from ari_app.store.browsing import Stored

#: Of the lines that `exported` and `as_json` write; a field may come, none goes or changes.
FORMAT = 1
BROKEN = "[seal broken]"

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_VALUE = 60
_ID = re.compile(r"([a-z]+_)[0-9a-f]{24}([0-9a-f]{8})")
# What only a program wants to see of these events.
_QUIET = {
    "call.ended": {"statistics"},
    "caller.spoke": {"words"},
    "decision.made": {"bundle", "reason", "inputs", "alternatives"},
}


def envelope(event: Stored, seen: Seen) -> Envelope:
    """The event itself; UnreadableEvent if its payload is not what its version promises."""
    if seen.gone or seen.damaged:
        fault = "has been erased" if seen.gone else "is no JSON object"
        raise UnreadableEvent(event.name, event.version, "payload", fault)
    happened = from_payload(event.name, event.version, seen.fields)
    return Envelope(
        event.id, event.stream, event.sequence, event.at, event.actor, event.cause, happened
    )


# -- for programs -----------------------------------------------------------------------------


def exported(event: Stored) -> str:
    """The event as one line of JSON, its payload as it is stored.

    {"format": 1, "place": "42", "id": …, "stream": …, "sequence": 1, "at": µs UTC, "time": ISO,
     "actor": …, "cause": id or null, "name": …, "version": 1, "dedupe": key or null,
     "link": hex, "payload_hash": hex or null, "payload": {…}}

    `place` is text because it has more digits than JSON's readers hold; `tail --after` takes it.
    A sealed field is {"sealed": "1.key_….…"}. `payload` is null once it has been erased, and then
    `payload_hash` is its hash; text, if what is stored is no JSON object.
    """
    head = _text(_head(event))
    return f'{head[:-1]},"payload":{_verbatim(event.payload)}}}'


def as_json(event: Stored, seen: Seen) -> str:
    """As `exported`, with the payload as it may be shown, and the names of fields that are not:
    `masked`, `erased`, `broken`, where there are any; `damaged` if it is no JSON object.
    """
    shown = None if seen.gone or seen.damaged else seen.fields
    return _text(_head(event) | {"payload": shown} | _marks(seen))


def plain(event: Stored, seen: Seen) -> dict[str, Any]:
    """`as_json`, to be made part of something else."""
    read: dict[str, Any] = json.loads(as_json(event, seen))
    return read


def _head(event: Stored) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "place": str(event.place),
        "id": event.id,
        "stream": event.stream,
        "sequence": event.sequence,
        "at": event.at,
        "time": time_text(event.at, "microseconds"),
        "actor": event.actor,
        "cause": event.cause,
        "name": event.name,
        "version": event.version,
        "dedupe": event.dedupe,
        "link": event.link.hex(),
        "payload_hash": event.payload_hash.hex() if event.payload_hash else None,
    }


def _marks(seen: Seen) -> dict[str, Any]:
    marks = {"masked": seen.masked, "erased": seen.erased, "broken": seen.broken}
    said: dict[str, Any] = {name: list(fields) for name, fields in marks.items() if fields}
    return said | {"damaged": True} if seen.damaged else said


def _verbatim(payload: str | None) -> str:
    if payload is None:
        return "null"
    try:
        whole = isinstance(json.loads(payload), dict)
    except ValueError:
        whole = False
    # A line break inside would make two lines of it, though JSON allows it between its parts.
    return payload if whole and payload.isprintable() else _odd(payload, whole)


def _odd(payload: str, whole: bool) -> str:
    return _text(json.loads(payload)) if whole else _text(payload)


# ASCII: half a surrogate pair of a recogniser has no other form, and no terminal obeys it.
_text = json.JSONEncoder(separators=(",", ":")).encode


# -- for people -------------------------------------------------------------------------------


def line(event: Stored, seen: Seen) -> str:
    """Time in UTC, stream, sequence, name, and the fields that matter."""
    where = f"{short(event.stream)} {event.sequence:>3}"
    return safe(
        f"{time_text(event.at)} {where} {event.name:<22} {fields(event.name, seen)}"
    ).strip()


def fields(name: str, seen: Seen) -> str:
    """`field=value …`, long values cut."""
    if seen.gone:
        return ERASED
    if seen.damaged:
        return "[no JSON]"
    shown = []
    for key, value in seen.fields.items():
        marked = ERASED if key in seen.erased else BROKEN if key in seen.broken else None
        if key in seen.masked and not isinstance(value, str):
            marked = MASK
        if marked is None and (key in _QUIET.get(name, ()) or value in (None, "", [], {})):
            continue
        if key not in _QUIET.get(name, ()):
            shown.append(f"{key}={marked or value_text(value)}")
    return " ".join(shown)


def value_text(value: Any) -> str:
    """Short, on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = short(text)
    if len(text) > _LONGEST_VALUE:
        text = text[: _LONGEST_VALUE - 1] + "…"
    return json.dumps(text, ensure_ascii=False) if " " in text and text[0] not in "[{" else text


def short(id: str) -> str:
    """An id of ours by its end, which is the random part: conv_…9f3c2a1b."""
    return _ID.sub(r"\1…\2", id)


def safe(text: str) -> str:
    """Without what a terminal would obey: a carrier writes part of it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def time_text(at: int, precision: str = "milliseconds") -> str:
    """UTC; the number itself if no calendar has it."""
    try:
        moment = datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)
    except (ValueError, OverflowError, OSError):
        return str(at)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def read_time(text: str, option: str, now: int) -> int:
    """`15m`, `2h`, `3d` before now, or ISO 8601, in UTC unless it says otherwise."""
    if span := _SPAN.fullmatch(text.strip()):
        return now - int(span[1]) * _SPANS[span[2]] * 1_000_000
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(
            f"{option}: {text!r} is no time: write 2026-11-20T12:00:00Z, or 15m, 2h, 3d for ago"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


def read_limit(text: str, option: str, now: int) -> tuple[int | None, int | None]:
    """(sequence, None) or (None, time): digits alone are a sequence."""
    if text.isascii() and text.isdigit():
        return int(text), None
    return None, read_time(text, option, now)


def up_to(events: list[Stored], limit: tuple[int | None, int | None]) -> list[Stored]:
    """The beginning of a stream, up to a sequence, or to before the first event after a time."""
    sequence, at = limit
    kept = []
    for event in events:
        if (sequence is not None and event.sequence > sequence) or (
            at is not None and event.at > at
        ):
            break
        kept.append(event)
    return kept
