"""The log opened for a command that looks at it, and the bar that such a command shows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ari_app.bootstrap.premises import Premises, engine
from ari_app.config import Settings
from ari_app.errors import StoreUnavailable
from ari_app.privacy.vault import Vault
from ari_app.store.browsing import LogReader
from ari_app.store.engine import Link
from ari_app.store.migration import prepare
from ari_app.store.projecting import ReadModels
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Site:
    """What a command reads from; the vault and the store only where it asked for keys."""

    reader: LogReader
    vault: Vault | None = None
    store: EventStore | None = None


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, keys: bool) -> AsyncIterator[Site]:
    """Read-only. Without `keys` whoever may read the database needs no secret."""
    if not keys:
        database = engine(settings, SystemClock(), read_only=True)
        database.open()
        prepare(database)
        with contextlib.closing(LogReader(database)) as reader:
            yield Site(reader)
        database.close()
        return
    premises = Premises(settings, SystemClock(), PrometheusMeter(), read_only=True)
    await premises.open()
    try:
        with contextlib.closing(LogReader(premises.store.engine)) as reader:
            yield Site(reader, premises.privacy.vault, premises.store)
    finally:
        await premises.aclose()


def read_models(reader: LogReader) -> ReadModels:
    """To be verified only: nothing can be written by it."""
    database = reader.engine

    async def read(action: Callable[[Link], _T], /) -> _T:
        try:
            with contextlib.closing(database.connect()) as link:
                return action(link)
        except database.Error as error:
            raise database.unavailable(error) from error

    async def write(action: Callable[[Link], _T], /) -> _T:
        raise StoreUnavailable("the database is only read here")

    async def lag(_consumer: str) -> int:
        return 0

    return ReadModels(database, read, write, lambda *_: None, lag, PrometheusMeter())


@contextlib.contextmanager
def progress(what: str, total: int | None, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where somebody looks at it; without a total it only counts."""
    screen = Console(stderr=True)
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        disable=not (wanted and screen.is_terminal),
        transient=True,
    )
    asked = asyncio.current_task()
    with bar:
        task = bar.add_task(what, total=total)

        def step(done: int) -> None:
            bar.advance(task, done)
            if asked is not None and asked.cancelling():  # Ctrl-C, in the middle of one long step
                raise asyncio.CancelledError

        yield step
