"""`segue subject` and `segue retention`: what is known of a person, and its end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap import Privacy, subject_key
from ari_app.cli.conversations import as_plain, reading
from ari_app.config import Settings, load
from ari_app.conversation.events import HandoffRecorded
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.privacy.ports import Mode, Reason
from ari_app.store.sqlite import SqliteStore
from ari_app.telemetry.clock import SystemClock


def export(config: Path | None, number: str) -> None:
    """Print everything that the log holds of a number, one event a line."""
    settings = load(config)
    subject = _subject(settings, number)

    async def read(store: SqliteStore) -> list[dict[str, object]]:
        streams = await store.streams_of(subject)
        return [as_plain(e) for stream in streams for e in await store.read(stream)]

    for event in asyncio.run(reading(settings, read)):
        typer.echo(json.dumps(event, ensure_ascii=False))


def erase(config: Path | None, number: str, reason: str, sure: bool) -> None:
    """Shred the person's keys and remove the records that were dropped for others."""
    settings = load(config)
    subject = _subject(settings, number)
    known = {r.value: r for r in Reason}
    if reason not in known:
        raise SettingsError(f"--reason must be one of {', '.join(known)}")
    if not sure:
        masked = _number(settings, number).masked
        typer.confirm(f"Erase what is known of {masked} for ever?", abort=True)
    files = asyncio.run(reading(settings, lambda store: _dropped(settings, store, subject)))
    privacy = Privacy(settings, SystemClock())
    privacy.open()
    try:
        keys = privacy.erasure.erase(subject, Mode.SHRED, known[reason])
    finally:
        privacy.close()
    for file in files:
        file.unlink(missing_ok=True)
    Console().print(
        f"{len(keys)} keys of {subject} are shredded, {len(files)} hand-off files are removed. "
        "Receivers of records keep their own copies: tell them."
    )


def expire(config: Path | None, dry_run: bool, as_json: bool) -> None:
    """Shred the keys whose time has come, or say which would be."""
    privacy = Privacy(load(config), SystemClock())
    privacy.open()
    try:
        found = privacy.erasure.dry_run() if dry_run else privacy.erasure.expire()
    finally:
        privacy.close()
    rows = {
        name: {"due": tally.due, "held": tally.held, "kept": tally.kept}
        for name, tally in sorted(found.items())
    }
    if as_json:
        Console().print_json(json.dumps(rows))
        return
    shown = Table("data class", "would be shredded" if dry_run else "shredded", "held", "kept")
    for name, row in rows.items():
        shown.add_row(name, *(str(row[key]) for key in ("due", "held", "kept")))
    Console().print(shown)


async def _dropped(settings: Settings, store: SqliteStore, subject: str) -> list[Path]:
    folder = settings.handoff.folder or settings.store.path.parent / "handoffs"
    return [
        folder / f"{envelope.event.handoff}.json"
        for stream in await store.streams_of(subject)
        for envelope in await store.read(stream)
        if isinstance(envelope.event, HandoffRecorded)
    ]


def _number(settings: Settings, text: str) -> E164:
    number = E164.read(text, settings.calls.region or None)
    if number is None:
        raise SettingsError("that is not a phone number: write it as +12025550123")
    return number


def _subject(settings: Settings, text: str) -> str:
    return _number(settings, text).subject(subject_key(settings))
