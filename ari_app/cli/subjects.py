"""`segue subject` and `segue retention`: what is known of a person, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises, Privacy, recordings, subject_key
from ari_app.cli.conversations import as_plain, reading
from ari_app.cli.recordings import opened, write_wav
from ari_app.config import Settings, load
from ari_app.conversation.events import Envelope, HandoffRecorded, PreferenceStated
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.policy.preferences import check_preference
from ari_app.privacy.ports import Mode, Reason
from ari_app.projections.persons import Persons
from ari_app.recordings.errors import RecordingErased
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter


def export(config: Path | None, number: str, folder: Path | None) -> None:
    """Print everything that the log holds of a number, one event a line; and its recordings."""
    settings = load(config)
    subject = _subject(settings, number)

    async def read(store: EventStore) -> list[Envelope]:
        person = await Persons(store, SystemClock()).of(subject)
        found = [await store.streams_of(one) for one in sorted(person.subjects)]
        return [event for streams in found for s in streams for event in await store.read(s)]

    found = asyncio.run(reading(settings, read))
    for event in found:
        typer.echo(json.dumps(as_plain(event), ensure_ascii=False))
    if folder is not None:
        _export_recordings(settings, {e.stream for e in found}, folder)


def _export_recordings(settings: Settings, streams: set[str], into: Path) -> None:
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened(settings) as folder:
        theirs = [k.label.recording for k in folder.kept() if k.label.conversation in streams]
        written = 0
        for recording in theirs:
            # One whose key is shredded is nobody's any more: its file goes with the next sweep.
            with contextlib.suppress(RecordingErased):
                write_wav(folder, recording, into / f"{recording}.wav", cut=True)
                written += 1
    Console(stderr=True).print(f"{written} recordings are in {into}. They are not sealed.")


def erase(config: Path | None, number: str, reason: str, tombstone: bool, sure: bool) -> None:
    """Shred the person's keys and remove the records that were dropped for others."""
    settings = load(config)
    subject = _subject(settings, number)
    why = _reason(reason)
    if not sure:
        masked = _number(settings, number).masked
        typer.confirm(f"Erase what is known of {masked} for ever?", abort=True)
    keys, buried, files, recorded = asyncio.run(_erase(settings, subject, why, tombstone))
    payloads = f"{buried} payloads are replaced by their hashes, " if tombstone else ""
    Console().print(
        f"{keys} keys of {subject} are shredded, {payloads}{files} hand-off files and {recorded} "
        "recordings are removed. Receivers of records keep their own copies: tell them."
    )


async def _erase(
    settings: Settings, subject: str, reason: Reason, tombstone: bool
) -> tuple[int, int, int, int]:
    """Every subject that is this person; how many keys, payloads, files, recordings are gone."""
    clock = SystemClock()
    mode = Mode.TOMBSTONE if tombstone else Mode.SHRED
    keys = buried = 0
    files: list[Path] = []
    async with _premises(settings) as premises:
        for one in sorted((await Persons(premises.store, clock).of(subject)).subjects):
            files += await _dropped(settings, premises.store, one)
            keys += len(await asyncio.to_thread(premises.privacy.erasure.erase, one, mode, reason))
            if tombstone:
                buried += await premises.store.tombstone(one, clock.now())
        folder = recordings(settings, premises.privacy.vault, clock, PrometheusMeter())
        recorded = await asyncio.to_thread(folder.sweep)
    for file in files:
        file.unlink(missing_ok=True)
    return keys, buried, len(files), recorded


def join(config: Path | None, number: str, other: str, reason: str) -> None:
    """Make two numbers one person."""
    settings = load(config)
    one, two = _subject(settings, number), _subject(settings, other)

    async def run() -> int:
        async with _premises(settings) as premises:
            persons = Persons(premises.store, SystemClock())
            return len((await persons.join(one, two, reason=reason, by=_operator())).subjects)

    Console().print(f"{one} and {two} are one person now, of {_said(run)} subjects.")


def prefer(config: Path | None, number: str, what: str, value: str) -> None:
    """Note what a person prefers: their next conversation begins with it."""
    try:
        check_preference(what, value)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    settings = load(config)
    subject = _subject(settings, number)

    async def run() -> str | None:
        async with _premises(settings) as premises:
            clock = SystemClock()
            stream = await Persons(premises.store, clock).latest(subject)
            if stream is not None:
                stated = PreferenceStated(what=what, value=value, at=clock.now(), by=_operator())
                await premises.store.append(stream, [stated])
            return stream

    stream = asyncio.run(run())
    if stream is None:
        raise SettingsError(f"{subject} has never turned to us: there is nowhere to note it")
    Console().print(f"{subject} prefers {what}: {value} (noted in {stream}).")


def part(config: Path | None, number: str, other: str, reason: str) -> None:
    """Undo what `join` did."""
    settings = load(config)
    one, two = _subject(settings, number), _subject(settings, other)

    async def run() -> int:
        async with _premises(settings) as premises:
            persons = Persons(premises.store, SystemClock())
            return await persons.part(one, two, reason=reason, by=_operator())

    if not _said(run):
        raise SettingsError(f"{one} and {two} were not joined")
    Console().print(f"{one} and {two} are parted.")


def _said(run: Callable[[], Coroutine[None, None, int]]) -> int:
    try:
        return asyncio.run(run())
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _operator() -> str:
    """Who sits at the terminal, for the log: a name of the system, never of the caller."""
    return f"operator:{getpass.getuser()}"


def hold(config: Path | None, number: str, reason: str) -> None:
    """Let nothing of the person be erased or expire until it is released."""
    settings = load(config)
    subject = _subject(settings, number)
    with _privacy(settings) as privacy:
        privacy.erasure.hold(subject, _reason(reason))
    Console().print(f"{subject} is held: nothing of it is erased or expires.")


def release(config: Path | None, number: str, reason: str) -> None:
    """End a hold; what is due goes with the next run of retention."""
    settings = load(config)
    subject = _subject(settings, number)
    with _privacy(settings) as privacy:
        if subject not in privacy.erasure.holds():
            raise SettingsError(f"{subject} is not held")
        privacy.erasure.release(subject, _reason(reason))
    Console().print(f"{subject} is released.")


def rotate(config: Path | None, new: Path) -> None:
    """Wrap all keys of persons by a new key-encryption key; services go on meanwhile."""
    with _privacy(load(config)) as privacy:
        count = privacy.rotate(new)
    Console().print(
        f"{count} keys are wrapped by the key in {new}. Name it in [privacy] kek_file (or put it "
        "in the place of the old one) before the next start, then destroy the old one."
    )


def holds(config: Path | None, as_json: bool) -> None:
    """Who is held, by pseudonym."""
    with _privacy(load(config)) as privacy:
        held = sorted(privacy.erasure.holds())
    if as_json:
        Console().print_json(json.dumps(held))
        return
    shown = Table("held")
    for subject in held:
        shown.add_row(subject)
    Console().print(shown)


def expire(config: Path | None, dry_run: bool, as_json: bool) -> None:
    """Shred the keys whose time has come, or say which would be."""
    settings = load(config)
    with _privacy(settings) as privacy:
        found = privacy.erasure.dry_run() if dry_run else privacy.erasure.expire()
        if not dry_run:
            recordings(settings, privacy.vault, SystemClock(), PrometheusMeter()).sweep()
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


async def _dropped(settings: Settings, store: EventStore, subject: str) -> list[Path]:
    folder = settings.handoff.folder or settings.store.path.parent / "handoffs"
    return [
        folder / f"{envelope.event.handoff}.json"
        for stream in await store.streams_of(subject)
        for envelope in await store.read(stream)
        if isinstance(envelope.event, HandoffRecorded)
    ]


@contextlib.asynccontextmanager
async def _premises(settings: Settings) -> AsyncIterator[Premises]:
    premises = Premises(settings, SystemClock(), PrometheusMeter())
    await premises.open()
    try:
        yield premises
    finally:
        await premises.aclose()


@contextlib.contextmanager
def _privacy(settings: Settings) -> Iterator[Privacy]:
    privacy = Privacy(settings, SystemClock())
    privacy.open()
    try:
        yield privacy
    finally:
        privacy.close()


def _reason(text: str) -> Reason:
    known = {r.value: r for r in Reason}
    if text not in known:
        raise SettingsError(f"--reason must be one of {', '.join(known)}")
    return known[text]


def _number(settings: Settings, text: str) -> E164:
    number = E164.read(text, settings.calls.region or None)
    if number is None:
        raise SettingsError("that is not a phone number: write it as +12025550123")
    return number


def _subject(settings: Settings, text: str) -> str:
    return _number(settings, text).subject(subject_key(settings))
