"""`segue callbacks`: who waits to be called back, and what an operator may do about it."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises
from ari_app.calls.promising import KIND
from ari_app.cli.conversations import reading
from ari_app.config import load
from ari_app.conversation.events import CallbackEnded
from ari_app.errors import Conflict, SettingsError
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_LATEST = 2**62  # later than any timer
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call-back that is open; `attempts` have been made."""

    callback: str
    conversation: str
    due: str
    attempts: int
    topic: str


def show(config: Path | None, as_json: bool) -> None:
    """Every call-back that is open, the next one first; read without disturbing the service."""
    found = asyncio.run(reading(load(config), _waiting))
    if as_json:
        Console().print_json(json.dumps([asdict(one) for one in found]))
        return
    shown = Table("call-back", "due (UTC)", "attempts", "topic", "conversation")
    for one in found:
        shown.add_row(one.callback, one.due, str(one.attempts), one.topic, one.conversation)
    Console().print(shown)


def cancel(config: Path | None, id: str, reason: str, as_json: bool) -> None:
    """Take one back; a phone that rings already is not stopped."""
    settings = load(config)

    async def run() -> str:
        premises = Premises(settings, SystemClock(), PrometheusMeter())
        await premises.open()
        try:
            return await _cancel(premises.store, id, reason)
        finally:
            await premises.aclose()

    stream = asyncio.run(run())
    if as_json:
        Console().print_json(json.dumps({"cancelled": id, "conversation": stream}))
    else:
        Console().print(f"Call-back {id} is cancelled.", markup=False, highlight=False)


async def _cancel(store: EventStore, id: str, reason: str) -> str:
    """The conversation that it was open in; whoever is called just now may be faster than we."""
    while True:
        known = [one for one in await _waiting(store) if one.callback == id]
        if not known:
            raise SettingsError(
                f"no call-back {id} is open: `segue callbacks list` shows those that are"
            )
        stream = known[0].conversation
        state = await store.state(stream)
        ended = CallbackEnded(callback=id, reason=reason, by=f"operator:{getpass.getuser()}")
        with contextlib.suppress(Conflict):
            if id in state.callbacks:
                await store.append(stream, [ended], expected=state.sequence)
                return stream


async def _waiting(store: EventStore) -> list[_Waiting]:
    """By their timers: each is stored with its promise or attempt, so none is missing or late."""
    found: dict[str, _Waiting] = {}
    for timer in await store.due_timers(_LATEST, _MOST, kind=KIND):
        _, id, *made = timer.id.split(":")
        state = await store.state(timer.stream)
        if id in state.callbacks:
            due = datetime.fromtimestamp(timer.due / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
            attempts = int(made[0]) if made else 0
            found[id] = _Waiting(id, timer.stream, due, attempts, state.topic or "")
    return sorted(found.values(), key=lambda one: one.due)
