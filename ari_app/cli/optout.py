"""`segue optout`: who wants no texts, and what an operator may do about it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises, mark, subject_key
from ari_app.cli.conversations import reading
from ari_app.cli.optout_lines import Line, read_lines
from ari_app.config import Settings, load
from ari_app.conversation.events import ConsentGiven, ConsentRefused, Event, OptedIn, OptedOut
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.policy.sending.rules import ALL
from ari_app.policy.sending.senders import sender_of
from ari_app.store.store import EventStore
from ari_app.store.suppressions import Suppression, Suppressions
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_PAGE = 1000


def show(config: Path | None, number: str, limit: int, as_json: bool) -> None:
    """Who has opted out; read without disturbing the service."""
    settings = load(config)
    subject = _number(settings, number).subject(subject_key(settings)) if number else None

    async def read(store: EventStore) -> list[Suppression]:
        table = store.suppressions()
        return await table.of(subject) if subject else await table.page(limit=limit)

    found = asyncio.run(reading(settings, read))
    if as_json:
        Console().print_json(json.dumps([_plain(one) for one in found]))
        return
    shown = Table("subject", "sender", "since (UTC)", "how", "word", "stream")
    for one in found:
        shown.add_row(one.subject, one.sender, _time(one.at), one.how, one.word, one.stream)
    Console().print(shown)


def add(config: Path | None, number: str, sender: str, reason: str, as_json: bool) -> None:
    """Opt a number out by hand."""
    settings = load(config)
    who = _number(settings, number)
    subject = who.subject(subject_key(settings))
    ours = sender_of(sender) if sender else ALL

    async def run() -> bool:
        async with _open(settings) as (store, table):
            if any(one.sender in (ours, ALL) for one in await table.of(subject)):
                return False
            await _opt_out(store, subject, ours, "operator", _operator(), reason)
            return True

    added = asyncio.run(run())
    _say(
        {"added": added, "subject": subject, "sender": ours},
        f"{who.masked} gets no more texts." if added else f"{who.masked} had opted out before.",
        as_json,
    )


def remove(config: Path | None, number: str, reason: str, as_json: bool) -> None:
    """Undo every opt-out of a number."""
    settings = load(config)
    who = _number(settings, number)
    subject = who.subject(subject_key(settings))

    async def run() -> None:
        async with _open(settings) as (store, table):
            found = await table.of(subject)
            if not found:
                raise SettingsError(f"{who.masked} has not opted out")
            stream = await store.latest(subject) or subject
            events: list[Event] = [
                OptedIn(
                    subject=subject,
                    source=one.sender,
                    how="operator",
                    word=_operator(),
                    message="",
                    body=reason,
                )
                for one in found
            ]
            if stream != subject:
                agreed = ConsentGiven(
                    purpose="texts",
                    channel="operator",
                    how="operator",
                    confidence=1.0,
                    wording=_operator(),
                )
                events.append(agreed)
            await store.append(stream, events)

    asyncio.run(run())
    _say({"removed": True, "subject": subject}, f"{who.masked} may get texts again.", as_json)


def export(config: Path | None, file: Path, numbers: bool, force: bool) -> None:
    """All of the table as JSON Lines, the first of them about the file."""
    settings = load(config)
    head = {"segue_optouts": 1, "installation": mark(subject_key(settings))}

    async def write(store: EventStore, to: TextIO) -> int:
        table, after, count = store.suppressions(), ("", ""), 0
        to.write(json.dumps(head) + "\n")
        while page := await table.page(after, _PAGE):
            for one in page:
                line = _plain(one)
                if numbers:
                    line["number"] = await _number_of(store, one)
                to.write(json.dumps(line) + "\n")
            count += len(page)
            after = page[-1].subject, page[-1].sender
        return count

    with _written(file, force) as to:
        count = asyncio.run(reading(settings, lambda store: write(store, to)))
    Console(stderr=True).print(f"{count} opt-outs.")


def bring(config: Path | None, file: Path, sender: str, as_json: bool) -> None:
    """Add all of a file, or nothing of it if a line of it cannot be read."""
    settings = load(config)
    key = subject_key(settings)
    default = sender_of(sender) if sender else ALL

    def lines() -> Iterator[Line]:
        return read_lines(file, key, mark(key), settings.calls.region or None, default)

    for _ in lines():  # every line is read once before the first is added
        pass

    async def run() -> tuple[int, int]:
        added = known = 0
        async with _open(settings) as (store, table):
            for some in _batches(lines()):
                # Together: one commit serves them all.
                new = await asyncio.gather(*(one(store, table, line) for line in some))
                added += sum(new)
                known += len(new) - sum(new)
        return added, known

    async def one(store: EventStore, table: Suppressions, line: Line) -> bool:
        if any(found.sender in (line.sender, ALL) for found in await table.of(line.subject)):
            return False
        await _opt_out(store, line.subject, line.sender, "import", file.name[:100], "")
        return True

    added, known = asyncio.run(run())
    sentence = f"{added} added, {known} had opted out before."
    _say({"added": added, "known": known}, sentence, as_json)


def _batches(lines: Iterator[Line]) -> Iterator[set[Line]]:
    while some := set(itertools.islice(lines, _PAGE)):
        yield some


async def _opt_out(
    store: EventStore, subject: str, sender: str, how: str, word: str, reason: str
) -> None:
    """Into the person's latest conversation, so that the agent knows; else into its own stream."""
    stream = await store.latest(subject) or subject
    events: list[Event] = [
        OptedOut(subject=subject, source=sender, how=how, word=word, message="", body=reason)
    ]
    if stream != subject:
        events.append(ConsentRefused(purpose="texts", channel="operator", how=how))
    await store.append(stream, events)


async def _number_of(store: EventStore, one: Suppression) -> str | None:
    """As its conversation has it; None where it has been erased, or never was."""
    return (await store.state(one.stream)).number if one.stream.startswith("conv_") else None


@contextlib.asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[EventStore, Suppressions]]:
    premises = Premises(settings, SystemClock(), PrometheusMeter())
    await premises.open()
    try:
        yield premises.store, premises.store.suppressions()
    finally:
        await premises.aclose()


@contextlib.contextmanager
def _written(file: Path, force: bool) -> Iterator[TextIO]:
    """Complete or not there; nobody but its owner reads it."""
    if str(file) == "-":
        yield sys.stdout
        return
    if file.exists() and not force:
        raise SettingsError(f"{file} is there already: name another file, or use --force")
    part = file.with_name(file.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as to:
            yield to
        part.replace(file)
    except OSError as error:
        raise SettingsError(f"cannot write {file}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _number(settings: Settings, text: str) -> E164:
    number = E164.read(text, settings.calls.region or None)
    if number is None:
        raise SettingsError("that is not a phone number: write it as +12025550123")
    return number


def _operator() -> str:
    return f"operator:{getpass.getuser()}"


def _plain(one: Suppression) -> dict[str, Any]:
    return {**asdict(one), "at": _time(one.at)}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")


def _say(facts: dict[str, object], sentence: str, as_json: bool) -> None:
    if as_json:
        Console().print_json(json.dumps(facts))
    else:
        Console().print(sentence)
