"""`segue recording`: what was recorded of calls, for those who may hear it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises, Privacy, folder_of_recordings, recordings
from ari_app.config import Settings, load
from ari_app.conversation.events import RecordingErased
from ari_app.errors import SettingsError
from ari_app.media.g711 import ulaw_decode
from ari_app.privacy.ports import Reason
from ari_app.recordings import wav
from ari_app.recordings.errors import RecordingDamaged, RecordingUnknown
from ari_app.recordings.folder import Kept, RecordingFolder
from ari_app.recordings.sealed import RATE, End, Piece
from ari_app.store.findings import Check, State, bad, good, size_of
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter


def show(config: Path | None, conversation: str, as_json: bool) -> None:
    """The folder's recordings."""
    with opened(load(config)) as folder:
        found = [k for k in folder.kept() if conversation in ("", k.label.conversation)]
    rows = [_row(kept) for kept in found]
    if as_json:
        Console().print_json(json.dumps(rows))
        return
    shown = Table("recording", "conversation", "began (UTC)", "octets", "state")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    Console().print(shown)


def _row(kept: Kept) -> dict[str, object]:
    began = datetime.fromtimestamp(kept.label.began / 1e6, UTC).isoformat(timespec="seconds")
    return {
        "recording": kept.label.recording,
        "conversation": kept.label.conversation,
        "began": began,
        "octets": kept.octets,
        "state": "closed" if kept.closed else "cut, or still written",
    }


def play(config: Path | None, which: str, cut: bool) -> None:
    """The recording as WAV on standard output."""
    if sys.stdout.isatty():
        raise SettingsError(
            "a recording is no text: give it to a player (segue recording play last | aplay), "
            "or use `segue recording export`"
        )
    with opened(load(config)) as folder:
        for part in sound(folder, which, cut):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()


def export(config: Path | None, which: str, file: Path, cut: bool) -> None:
    """The recording as a WAV file that only its owner may read."""
    with opened(load(config)) as folder:
        seconds = write_wav(folder, which, file, cut)
    Console().print(f"{seconds:.1f} s are in {file}. It is not sealed: keep it apart, then erase.")


def write_wav(folder: RecordingFolder, which: str, file: Path, cut: bool) -> float:
    """Make the file, which must not be there; how many seconds it has. SettingsError."""
    parts = sound(folder, which, cut)
    octets = 0
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SettingsError(f"cannot make {file}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as target:
            for part in parts:
                octets += target.write(part)
            octets -= len(wav.header(0))
            target.seek(0)
            target.write(wav.header(octets // 4))
    except BaseException:
        file.unlink()
        raise
    return octets / 4 / RATE


def sound(folder: RecordingFolder, which: str, cut: bool) -> Iterator[bytes]:
    """A WAV file of unknown length; RecordingDamaged if it is not whole, unless `cut`."""
    whole = False

    def pieces() -> Iterator[Piece | End]:
        nonlocal whole
        try:
            for piece in folder.play(_named(folder, which)):
                whole = isinstance(piece, End)
                yield piece
        except RecordingDamaged:
            if not cut:
                raise

    yield wav.header(None)
    yield from wav.pcm(pieces(), lambda audio: ulaw_decode(audio).tobytes())
    if not whole and not cut:
        raise RecordingDamaged(
            "the recording has no end: it is still written, or whoever wrote it died; "
            "--cut takes what is there"
        )


def erase(config: Path | None, which: str, reason: str, sure: bool) -> None:
    """Remove the file, and say so in its conversation. Held if a legal hold forbids it."""
    known = {r.value for r in Reason}
    if reason not in known:
        raise SettingsError(f"--reason must be one of {', '.join(sorted(known))}")
    settings = load(config)
    if not sure:
        typer.confirm(f"Erase {which} for ever?", abort=True)
    asyncio.run(_erase(settings, which, reason))
    Console().print(f"{which} is erased.")


async def _erase(settings: Settings, which: str, reason: str) -> None:
    clock, meter = SystemClock(), PrometheusMeter()
    premises = Premises(settings, clock, meter)
    await premises.open()
    try:
        folder = recordings(settings, premises.privacy.vault, clock, meter)
        label = next((k.label for k in folder.kept() if k.label.recording == which), None)
        if not folder.erase(which, premises.privacy.erasure.holds()):
            raise RecordingUnknown(f"there is no recording {which}: see `segue recording list`")
        if label is not None:
            erased = RecordingErased(recording=which, why=reason)
            await premises.store.append(label.conversation, [erased])
    finally:
        await premises.aclose()


def check_recordings(settings: Settings) -> Check:
    """What the doctor says of the folder."""
    folder = folder_of_recordings(settings)
    if not folder.exists():
        return good("recordings", f"none so far in {folder}")
    if folder.stat().st_mode & 0o077:
        what = f"others may look into {folder}"
        return bad("recordings", what, f"chmod go= {folder}", State.FAIL)
    free, least = shutil.disk_usage(folder).free, settings.recording.least_free * 1_000_000
    what = f"{size_of(free)} free for {folder}"
    if free < least:
        fix = "free some disk space, or lower [recording] least_free: nothing is recorded now"
        return bad("recordings", what, fix)
    return good("recordings", what)


def _named(folder: RecordingFolder, which: str) -> str:
    if which != "last":
        return which
    newest = max(folder.kept(), key=lambda kept: kept.label.began, default=None)
    if newest is None:
        raise RecordingUnknown(f"there is no recording in {folder.path}")
    return newest.label.recording


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[RecordingFolder]:
    """The folder with the keys to read it."""
    clock = SystemClock()
    privacy = Privacy(settings, clock)
    privacy.open()
    try:
        yield recordings(settings, privacy.vault, clock, PrometheusMeter())
    finally:
        privacy.close()
