"""`segue log export`: events as JSON Lines, into a file that is there whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from ari_app.bootstrap.premises import subject_key
from ari_app.cli.lens import Lens
from ari_app.cli.log_site import opened, progress
from ari_app.cli.logged import as_json, exported, read_time
from ari_app.config import Settings
from ari_app.conversation.identity import E164, is_pseudonym
from ari_app.errors import SettingsError, Unavailable
from ari_app.store.browsing import LogReader, Stored, Wanted
from ari_app.telemetry.clock import SystemClock

STDOUT = "-"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Export:
    """What to take out of the log, and where to; see `logged.exported` for the format."""

    since: str | None = None
    until: str | None = None
    streams: Sequence[str] = ()
    subject: str | None = None
    out: str = "-"
    reveal: bool = False

    async def run(self, settings: Settings) -> int:
        """Write it; how many events."""
        count = 0
        async with opened(settings, keys=self.reveal) as site:
            wanted = self._wanted(settings, site.reader)
            lens = Lens(site.vault, reveal=True) if self.reveal else None
            total = site.reader.count() if wanted == Wanted() else None
            with written(self.out) as write, progress("events", total) as step:
                for page in site.reader.pages(wanted, _PAGE):
                    write("".join(_line(event, lens) for event in page))
                    count += len(page)
                    step(len(page))
                    await asyncio.sleep(0)  # Ctrl-C is heard here
        return count

    def _wanted(self, settings: Settings, reader: LogReader) -> Wanted:
        now = SystemClock().now()
        streams: list[str] | None = list(self.streams) or None
        if self.subject is not None:
            of = set(reader.streams_of(_subject(settings, self.subject)))
            streams = sorted(of & set(streams) if streams else of)
            if not streams:
                raise SettingsError("--subject: there is no stream of that person")
        return Wanted(
            streams=tuple(streams) if streams is not None else None,
            since=read_time(self.since, "--since", now) if self.since else None,
            until=read_time(self.until, "--until", now) if self.until else None,
        )


def _line(event: Stored, lens: Lens | None) -> str:
    return (exported(event) if lens is None else as_json(event, lens.see(event))) + "\n"


def _subject(settings: Settings, text: str) -> str:
    if is_pseudonym(text):
        return text
    number = E164.read(text, settings.calls.region or None)
    if number is None:
        raise SettingsError("--subject: write a phone number as +12025550123, or subj_…")
    return number.subject(subject_key(settings))


# -- the file ---------------------------------------------------------------------------------


@contextlib.contextmanager
def written(out: str) -> Iterator[Callable[[str], None]]:
    """Write text to a file, private, which has its name once it is on disk; `-` is stdout.

    Unavailable if it cannot be written. What was there before stays until then, and if it fails.
    """
    if out == STDOUT:
        yield _to_stdout
        return
    path = Path(out)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with _private(part) as file:
            yield lambda text: _all(file, text.encode())
            os.fsync(file)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise Unavailable(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _private(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _all(file: int, octets: bytes) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.write(file, left) :]


def _to_stdout(text: str) -> None:
    stdout = typer.get_binary_stream("stdout")
    stdout.write(text.encode())
    stdout.flush()


def _sync_folder(folder: Path) -> None:
    """The name too is on disk afterwards."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
