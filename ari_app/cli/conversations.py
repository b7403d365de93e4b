"""`segue conversation`: what the log says, read without disturbing the service."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises
from ari_app.cli.timeline import table
from ari_app.config import Settings, load
from ari_app.conversation.events import Envelope, name_of, to_payload
from ari_app.errors import SettingsError
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_T = TypeVar("_T")


async def reading(settings: Settings, read: Callable[[EventStore], Awaitable[_T]]) -> _T:
    """What `read` finds in the database, opened read-only, sealed fields opened."""
    premises = Premises(settings, SystemClock(), PrometheusMeter(), read_only=True)
    await premises.open()
    try:
        return await read(premises.store)
    finally:
        await premises.aclose()


def show_list(config: Path | None, limit: int, as_json: bool) -> None:
    """The newest conversations."""
    recent = asyncio.run(reading(load(config), lambda store: store.recent(limit)))
    if as_json:
        rows = [{"conversation": s, "last_event": _time(at)} for s, at in recent]
        Console().print_json(json.dumps(rows))
        return
    shown = Table("conversation", "last event (UTC)")
    for stream, at in recent:
        shown.add_row(stream, _time(at))
    Console().print(shown)


def show_one(config: Path | None, id: str, as_json: bool, svg: Path | None) -> None:
    """The events of one conversation: on the screen, or as a picture."""
    envelopes = asyncio.run(reading(load(config), lambda store: _events(store, id)))
    if as_json:
        Console().print_json(json.dumps([as_plain(e) for e in envelopes]))
    elif svg is not None:
        drawn = Console(record=True, width=150, file=io.StringIO())
        drawn.print(table(envelopes))
        # No font from elsewhere: the picture must not call out when it is opened.
        plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        drawn.save_svg(str(svg), title="segue conversation show", code_format=plain)
    else:
        Console().print(table(envelopes))


def as_plain(envelope: Envelope) -> dict[str, object]:
    """An event as JSON-ready values."""
    name, version = name_of(envelope.event)
    plain = asdict(envelope)
    plain.update(name=name, version=version, event=to_payload(envelope.event))
    return plain


async def _events(store: EventStore, id: str) -> Sequence[Envelope]:
    if id == "last":
        recent = await store.recent(1)
        if not recent:
            raise SettingsError("there is no conversation yet")
        id = recent[0][0]
    envelopes = await store.read(id)
    if not envelopes:
        raise SettingsError(f"there is no conversation {id}: see `segue conversation list`")
    return envelopes


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds")
