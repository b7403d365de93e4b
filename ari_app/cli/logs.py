"""`segue log`: look at the log, take it elsewhere, replay it; nothing here writes to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from ari_app.bootstrap.premises import load_bundle
from ari_app.cli import log_pages
from ari_app.cli.lens import Lens
from ari_app.cli.log_export import Export
from ari_app.cli.log_site import Site, opened, progress, read_models
from ari_app.cli.logged import as_json as json_line
from ari_app.cli.logged import line, read_limit, up_to
from ari_app.cli.replaying import Replay
from ari_app.config import Settings, load
from ari_app.conversation.events import REGISTRY
from ari_app.errors import SegueError, SettingsError, StoreUnavailable
from ari_app.store.browsing import LogReader, Stored, Wanted
from ari_app.store.figures import figures
from ari_app.telemetry.clock import SystemClock

# A hint of PostgreSQL comes sooner; of other processes on SQLite there is none.
_POLL = 0.3
_AWAY = 1.0
_PAGE = 1000
_MOST_IN_CHAIN = 200
_MOST_COMPLETED = 50


# -- tail -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tail:
    """The newest events, or those after a place; with `follow` all that come until Ctrl-C."""

    lines: int = 20
    follow: bool = False
    after: str | None = None
    names: Sequence[str] = ()
    stream: str | None = None
    as_json: bool = False
    reveal: bool = False
    place: int = 0  # how far it has come

    async def run(self, settings: Settings) -> None:
        """Print them."""
        wanted = Wanted(tuple(self.names), (self.stream,) if self.stream else None)
        async with opened(settings, keys=True) as site:
            lens = Lens(site.vault, reveal=self.reveal)
            if self.after is None:
                self.place, newest = site.reader.newest(self.lines, wanted)
                self._print(newest, lens)
                if not self.follow:
                    return
            else:
                self.place = _place(self.after)
            await self._go_on(site, wanted, lens)

    async def _go_on(self, site: Site, wanted: Wanted, lens: Lens) -> None:
        assert site.store is not None
        changes, away = 0, False
        while True:
            try:
                # Everything, and chosen here: else each look would begin at the last one wanted.
                page = site.reader.after(self.place, limit=_PAGE)
            except StoreUnavailable as error:
                if not self.follow:
                    raise
                if not away:
                    typer.echo(f"segue: {error}; still trying", err=True)
                away = True
                await asyncio.sleep(_AWAY)
                continue
            away = False
            self._print([event for event in page if wanted.takes(event)], lens)
            if page:
                self.place = page[-1].place
            if len(page) == _PAGE:
                await asyncio.sleep(0)  # Ctrl-C is heard here
            elif self.follow:
                changes = await site.store.changed(changes, _POLL)
            else:
                return

    def _print(self, events: Sequence[Stored], lens: Lens) -> None:
        for event in events:
            seen = lens.see(event)
            typer.echo(json_line(event, seen) if self.as_json else line(event, seen))


def tail(config: Path | None, wanted: Tail) -> int:
    """Print events as they were asked for; the exit status. Ctrl-C is how one that follows ends."""
    settings = load(config)
    try:
        asyncio.run(wanted.run(settings))
    except KeyboardInterrupt:
        if not wanted.follow:
            raise
        if wanted.place:
            typer.echo(f"segue: to go on from here: --after {wanted.place}", err=True)
    return 0


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 40):
        raise SettingsError("--after: a place is a number, `place` of an event with --json")
    return int(text)


# -- show -------------------------------------------------------------------------------------


def show(config: Path | None, what: str, at: str | None, as_json: bool, reveal: bool) -> int:
    """Print one event with what led to it and what it led to, or a stream at a point in time."""

    async def run(settings: Settings) -> None:
        async with opened(settings, keys=True) as site:
            lens = Lens(site.vault, reveal=reveal)
            if what.startswith("evt_"):
                if at is not None:
                    raise SettingsError("--at: it is for streams; an event never changes")
                _show_event(site.reader, lens, what, as_json)
            else:
                _show_stream(site.reader, lens, what, at, as_json)

    asyncio.run(run(load(config)))
    return 0


def _show_event(reader: LogReader, lens: Lens, id: str, as_json: bool) -> None:
    event = reader.event(id)
    if event is None:
        raise SettingsError(f"there is no event {id}: see `segue log tail --json`")
    near = {other.id: other for whole in reader.whole([event.stream]) for other in whole.events}
    led: list[Stored] = []
    known = {event.id}
    # What is damaged may go round in a circle.
    while (cause := (led[-1] if led else event).cause) and cause not in known:
        before = near.get(cause) or reader.event(cause)
        if before is None or len(led) == _MOST_IN_CHAIN:
            break
        known.add(cause)
        led.append(before)
    followed: list[Stored] = []
    young = [event.id]
    while young and len(followed) < _MOST_IN_CHAIN:
        found = [other for other in reader.caused_by(young) if other.id not in known]
        young = [other.id for other in found]
        known.update(young)
        followed += found
    log_pages.print_event(event, led[::-1], followed[:_MOST_IN_CHAIN], lens, as_json)


def _show_stream(reader: LogReader, lens: Lens, stream: str, at: str | None, as_json: bool) -> None:
    limit = read_limit(at, "--at", SystemClock().now()) if at else (None, None)
    found = reader.whole([stream])
    if not found:
        raise SettingsError(f"there is no stream {stream}: see `segue conversation list`")
    log_pages.print_stream(found[0], up_to(found[0].events, limit), lens, as_json)


# -- export -----------------------------------------------------------------------------------


def export(config: Path | None, wanted: Export) -> int:
    """Write the events that are wanted as JSON Lines, in log order; the exit status."""
    count = asyncio.run(wanted.run(load(config)))
    to = "" if wanted.out == "-" else f" to {wanted.out}"
    typer.echo(f"segue: {count} events written{to}", err=True)
    return 0


# -- replay, figures, read models -------------------------------------------------------------


def replay(
    config: Path | None, streams: Sequence[str], every: bool, to: str | None, as_json: bool
) -> int:
    """Replay these streams, or all, and print what is not as it was; 1 if there is anything."""
    settings = load(config)
    if every == bool(streams):
        raise SettingsError("name the streams to replay, or --all")
    limit = read_limit(to, "--to", SystemClock().now()) if to else None
    bundle = load_bundle(settings)

    async def run() -> Replay:
        async with opened(settings, keys=True) as site:
            again = Replay(Lens(site.vault, reveal=True), bundle)
            whole = site.reader.whole(streams) if streams else []
            for missing in set(streams) - {found.stream for found in whole}:
                raise SettingsError(f"there is no stream {missing}")
            pages = site.reader.every_stream() if every else iter([whole])
            with progress("events", site.reader.count() if every else None) as step:
                for page in pages:
                    for found in page:
                        events = up_to(found.events, limit) if limit else found.events
                        again.stream(found.stream, events, None if limit else found.head)
                    step(sum(len(found.events) for found in page))
                    await asyncio.sleep(0)  # Ctrl-C is heard here
            return again

    found = asyncio.run(run()).found
    log_pages.print_replay(found, bundle.hash, as_json)
    return 1 if found.fault_count else 0


def stats(config: Path | None, exact: bool, as_json: bool) -> int:
    """Print how much there is, who is behind and what waits."""

    async def run(settings: Settings) -> None:
        async with opened(settings, keys=False) as site:
            with progress("events", site.reader.count() if exact else None, exact) as step:
                found = figures(site.reader, exact=exact, progress=step)
            log_pages.print_figures(found, as_json)

    asyncio.run(run(load(config)))
    return 0


def verify_projections(config: Path | None, as_json: bool) -> int:
    """Print where the read models are not what the log says; 1 if that is anywhere."""

    async def run(settings: Settings) -> int:
        async with opened(settings, keys=False) as site:
            models = read_models(site.reader)
            with progress("events", site.reader.count(), not as_json) as step:
                found = await models.verify(step)
            log_pages.print_differences(found, as_json)
            return 1 if found else 0

    return asyncio.run(run(load(config)))


# -- completion -------------------------------------------------------------------------------


def complete_name(incomplete: str) -> list[str]:
    """Names of events, and of all of a kind: `call.*`."""
    names = {name for name, _ in REGISTRY}
    known = names | {name.partition(".")[0] + ".*" for name in names}
    return sorted(name for name in known if name.startswith(incomplete))


def complete_stream(context: typer.Context, incomplete: str) -> list[str]:
    """The conversations written to last; nothing if the log cannot be read."""

    async def run() -> list[str]:
        async with opened(load(context.params.get("config")), keys=False) as site:
            return site.reader.touched(incomplete or "conv_", _MOST_COMPLETED)

    try:
        return asyncio.run(run())
    except (SegueError, OSError):
        return []
