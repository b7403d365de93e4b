"""`segue prompts list|render|verify`: what is said to all callers, and by what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ari_app.bootstrap import speaking
from ari_app.bootstrap.premises import load_bundle
from ari_app.config import load
from ari_app.errors import SettingsError
from ari_app.media.g711 import ulaw_decode
from ari_app.ports import Delivery
from ari_app.speech.prompts.recordings import Recordings, Wording
from ari_app.speech.prompts.wav import BadRecording, write_wav
from ari_app.speech.voice import PromptVoice, Ready
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter


def show(config: Path | None, as_json: bool) -> None:
    """Print every wording with its file, and whether that is there."""
    settings = load(config)
    recordings = speaking.recordings(settings)
    rows = [
        {
            "prompt": w.prompt,
            "wording": w.number,
            "language": w.language,
            "file": f"{w.language}/{w.file}" if w.file else "",
            "recording": _recording(recordings, w),
            "text": w.text,
        }
        for w in speaking.wordings(load_bundle(settings))
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("file", "recording", "text")
    for row in rows:
        table.add_row(str(row["file"]), str(row["recording"]), str(row["text"]))
    _screen().print(table)


def findings(recordings: Recordings, wordings: Sequence[Wording]) -> list[str]:
    """What is wrong with the recordings, a sentence each."""
    found = []
    for wording in wordings:
        try:
            recordings.read(wording)
        except BadRecording as error:
            found.append(f"{wording.language}/{wording.file} is not used: {error}")
    known = frozenset(f"{w.language}/{w.file}" for w in wordings if w.file)
    for path in recordings.unknown(known):
        found.append(f"{path.parent.name}/{path.name} is not used: no prompt is called so")
    return found


def verify(config: Path | None, as_json: bool) -> int:
    """Make every prompt anew; 1 if one cannot be made, or a recording is of no use."""
    settings = load(config)
    bundle = load_bundle(settings)
    wordings = speaking.wordings(bundle)
    wrong = findings(speaking.recordings(settings), wordings)

    async def made() -> list[Ready]:
        clock, meter = SystemClock(), PrometheusMeter()
        voice = speaking.voice(settings, bundle, clock, meter, folder=None)
        try:
            return await voice.prepare(wordings)
        finally:
            await voice.aclose()

    ready = asyncio.run(made())
    wrong += [f"{r.wording.prompt} cannot be said: {r.fault}" for r in ready if not r.source]
    sources = {r.source for r in ready if r.source}
    counts = {source: sum(r.source == source for r in ready) for source in sorted(sources)}
    seconds = round(sum(r.seconds for r in ready), 1)
    if as_json:
        typer.echo(json.dumps({"sources": counts, "seconds": seconds, "findings": wrong}))
    else:
        screen = _screen()
        for source, n in counts.items():
            screen.print(f"{n} from {source}")
        screen.print(f"{seconds:g} seconds in all")
        for finding in wrong:
            screen.print(f"wrong: {finding}")
    return 1 if wrong else 0


def render(
    config: Path | None,
    folder: Path,
    prompts: Sequence[str],
    text: str,
    slower: bool,
    louder: bool,
    as_json: bool,
) -> int:
    """Write WAV files; 1 if one of them could not be made."""
    settings = load(config)
    bundle = load_bundle(settings)
    wordings = speaking.wordings(bundle)
    if unknown := set(prompts) - {w.prompt for w in wordings}:
        raise SettingsError(
            f"no prompt {sorted(unknown)[0]!r} can be said before a call: see `segue prompts list`"
        )
    chosen = [w for w in wordings if not prompts or w.prompt in prompts]
    if text:
        chosen = [Wording(text, bundle.language, "text")]
    delivery = Delivery(pace=-1 if slower else 0, gain=1 if louder else 0)

    async def written() -> list[tuple[Ready, Path]]:
        clock, meter = SystemClock(), PrometheusMeter()
        voice = speaking.voice(settings, bundle, clock, meter, folder=None)
        try:
            ready = await voice.prepare(chosen)
            return [
                (r, await _write(voice, r.wording, delivery, folder)) for r in ready if r.source
            ]
        finally:
            await voice.aclose()

    files = asyncio.run(written())
    if as_json:
        rows = [{"file": str(p), "source": r.source, "text": r.wording.text} for r, p in files]
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for ready, path in files:
            _screen().print(f"{path} ({ready.source})")
    return 0 if len(files) == len(chosen) else 1


async def _write(voice: PromptVoice, wording: Wording, delivery: Delivery, folder: Path) -> Path:
    """As a recording is named; SettingsError if it cannot be written."""
    samples = ulaw_decode(await voice.speak(wording.text, wording.language, delivery))
    path = folder / wording.language / (wording.file or f"{wording.prompt}.wav")

    def write() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write_wav(samples))

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from None
    return path


def _recording(recordings: Recordings, wording: Wording) -> str:
    try:
        return "none" if recordings.read(wording) is None else "used"
    except BadRecording as error:
        return f"not used: {error}"


def _screen() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)
