"""What `segue log` prints beside single lines: an event in full, a stream, figures, findings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ari_app.cli.lens import ERASED, Lens
from ari_app.cli.logged import envelope, line, plain, safe, time_text
from ari_app.cli.replaying import MOST_TOLD, Replayed
from ari_app.conversation.events import Envelope
from ari_app.conversation.state import fold
from ari_app.errors import UnreadableEvent
from ari_app.projections.ports import Difference
from ari_app.store.browsing import Stored, WholeStream
from ari_app.store.figures import Figures

_CONVERSATION = "conv_"


# -- one event --------------------------------------------------------------------------------


def print_event(
    event: Stored, led: Sequence[Stored], followed: Sequence[Stored], lens: Lens, as_json: bool
) -> None:
    """Everything that is stored of it; `led` is what led to it, the first cause first."""
    if as_json:
        whole = plain(event, lens.see(event))
        whole["caused_by"] = [plain(other, lens.see(other)) for other in led]
        whole["led_to"] = [plain(other, lens.see(other)) for other in followed]
        _print_json(whole)
        return
    whole = plain(event, lens.see(event))
    payload = whole.pop("payload")
    for name in ("format", "at"):
        del whole[name]
    shown = _rows(whole)
    if isinstance(payload, dict):
        for name, value in payload.items():
            erased = name in whole.get("erased", ())
            shown.add_row(f"  {name}", Text(ERASED if erased else _value(value)))
    else:
        shown.add_row("payload", Text(ERASED if payload is None else _value(payload)))
    _screen().print(shown)
    for title, others in (("led to it:", led), ("it led to:", followed)):
        if others:
            typer.echo(title)
        for other in others:
            typer.echo(f"  {other.id} {line(other, lens.see(other))}")


# -- a stream ---------------------------------------------------------------------------------


def print_stream(whole: WholeStream, events: Sequence[Stored], lens: Lens, as_json: bool) -> None:
    """The state after these events, the beginning of the stream."""
    readable, skipped = _readable(events, lens)
    head: dict[str, Any] = {
        "stream": whole.stream,
        "subject": whole.subject,
        "events": len(events),
        "of": whole.head,
        "sequence": events[-1].sequence if events else 0,
        "time": time_text(events[-1].at, "microseconds") if events else None,
        "event": events[-1].id if events else None,
        # Erased, or damaged: not in the state.
        "skipped": skipped,
    }
    state = _plain(fold(readable)) if whole.stream.startswith(_CONVERSATION) else None
    if as_json:
        _print_json(head | {"state": state})
        return
    shown = _rows({name: value for name, value in head.items() if value not in (None, [])})
    for name, value in (state or {}).items():
        if value not in (None, "", [], {}) and name != "sequence":
            shown.add_row(f"  {name}", Text(_value(value)))
    _screen().print(shown)
    if state is None:
        for event in events:
            typer.echo(line(event, lens.see(event)))


def _readable(events: Sequence[Stored], lens: Lens) -> tuple[list[Envelope], list[int]]:
    readable: list[Envelope] = []
    skipped: list[int] = []
    for event in events:
        try:
            readable.append(envelope(event, lens.see(event)))
        except UnreadableEvent:
            skipped.append(event.sequence)
    return readable, skipped


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


# -- figures and findings ---------------------------------------------------------------------


def print_figures(found: Figures, as_json: bool) -> None:
    """All of them; a mark says which are reckoned from a sample."""
    if as_json:
        _print_json(asdict(found))
        return
    about = "" if found.exact else "about "
    _screen().print(
        _rows(
            {
                "events": found.events,
                "streams": found.streams,
                "first": time_text(found.first) if found.first is not None else "",
                "last": time_text(found.last) if found.last is not None else "",
                "events/s now": f"{found.per_second:.1f}",
                "payload bytes": f"{about}{found.payload_bytes}",
                "erased payloads": f"{about}{found.erased_payloads}",
                "seal": _seal_text(found),
                "rebuilding": ", ".join(found.rebuilding) or None,
            }
        )
    )
    _table(("event", f"{about}how many"), [(n, str(c)) for n, c in found.names.items()])
    _table(("consumer", "place", "lag"), [(c.name, c.place, c.lag) for c in found.consumers])
    _table(
        ("lease", "owner", "epoch", "lasts s"),
        [(held.name, held.owner, held.epoch, f"{held.seconds:.1f}") for held in found.leases],
    )
    _table(
        ("outbox", "state", "how many", "oldest due s"),
        [
            (p.kind, p.state, p.count, "" if p.oldest is None else f"{p.oldest:.1f}")
            for p in found.outbox
        ],
    )
    if not found.exact:
        typer.echo("about: reckoned from a sample; --exact goes through the whole log")


def _seal_text(found: Figures) -> str:
    seal = found.seal
    if seal is None:
        return "none"
    return f"{seal.number}: {seal.size} events at {time_text(seal.at)}, {seal.unsealed} since"


def print_replay(found: Replayed, bundle: str, as_json: bool) -> None:
    """The summary, then what is wrong."""
    if as_json:
        whole = asdict(found) | {"bundle": bundle, "sound": not found.fault_count}
        whole["other_bundles"] = dict(found.other_bundles)
        _print_json(whole)
        return
    _screen().print(
        _rows(
            {
                "streams": found.streams,
                "events": found.events,
                "of a newer program": found.newer or None,
                "payload erased": found.erased or None,
                "decisions": found.decisions,
                "decided the same again": found.same,
                "not re-evaluated": _not_again(found) or None,
                "faults": found.fault_count,
            }
        )
    )
    for fault in found.faults:
        typer.echo(safe(str(fault)))
    if found.fault_count > len(found.faults):
        typer.echo(f"and {found.fault_count - MOST_TOLD} more")


def _not_again(found: Replayed) -> str:
    parts = []
    if others := found.other_bundles.total():
        parts.append(f"{others} decisions of {len(found.other_bundles)} other bundles")
    if found.unknowable:
        parts.append(f"{found.unknowable} whose inputs are not all recorded")
    return ", ".join(parts)


def print_differences(found: Sequence[Difference], as_json: bool) -> None:
    """Where the read models are not what the log says."""
    if as_json:
        _print_json({"sound": not found, "differences": [asdict(each) for each in found]})
        return
    for each in found:
        column = f".{each.column}" if each.column else ""
        typer.echo(
            safe(f"{each.view}{column} {each.key}: is {each.found!r}, should be {each.expected!r}")
        )
    typer.echo(
        f"{len(found)} differences: rebuild the read models"
        if found
        else "the read models are what the log says"
    )


# -- inside -----------------------------------------------------------------------------------


def _screen() -> Console:
    return Console(soft_wrap=True)


def _rows(values: Mapping[str, Any]) -> Table:
    shown = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value is not None:
            shown.add_row(name, Text(_value(value)))
    return shown


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        shown = Table(*columns)
        for row in rows:
            shown.add_row(*(Text(safe(str(value))) for value in row))
        _screen().print(shown)


def _value(value: Any) -> str:
    return safe(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _print_json(whole: Mapping[str, Any]) -> None:
    # Not rich's: it would colour what a program reads.
    typer.echo(json.dumps(whole, indent=2, default=str))
