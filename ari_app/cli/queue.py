"""`segue sms`: the queue of texts, with the numbers masked."""

from __future__ import annotations

import asyncio
import getpass
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from ari_app.bootstrap.premises import Premises, subject_key
from ari_app.cli.conversations import as_plain, reading
from ari_app.cli.timeline import table
from ari_app.config import Settings, load
from ari_app.conversation.events import Envelope, TextPromised
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.store.pauses import Pause, scope_of
from ari_app.store.queue_desk import SHOWN, Listed, QueueDesk, Wanted, names_of
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_T = TypeVar("_T")
_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Filter:
    """What was asked for, as it was written."""

    state: str | None
    to: str | None
    since: str | None
    limit: int


def show_list(config: Path | None, asked: Filter, as_json: bool) -> None:
    """The newest texts, and what is paused."""
    settings = load(config)
    wanted = Wanted(
        state=_state(asked.state),
        who=_who(settings, asked.to),
        since=_since(asked.since),
        limit=asked.limit,
    )

    async def read(store: EventStore) -> tuple[list[Pause], list[Listed]]:
        desk = store.queue()
        return await desk.pauses(), await desk.texts(wanted)

    pauses, texts = asyncio.run(reading(settings, read))
    if as_json:
        _print_json({"paused": [asdict(p) for p in pauses], "texts": [asdict(t) for t in texts]})
        return
    for pause in pauses:
        _say(f"PAUSED {pause.scope} since {_time(pause.at)} by {pause.by}: {pause.reason}", "red")
    shown = Table()
    for column in ("text", "to"):
        shown.add_column(column, no_wrap=True)
    for column in ("state", "class", "due (UTC)"):
        shown.add_column(column, overflow="fold")
    for text in texts:
        doubt = " (possible duplicate)" if text.doubts and text.state != "unknown" else ""
        shown.add_row(
            text.id,
            text.to,
            text.state + doubt,
            f"{text.priority} {text.message_class}",
            _time(text.due),
        )
    Console().print(shown)


def show_one(config: Path | None, id: str, as_json: bool) -> None:
    """One text, and its events."""

    async def read(store: EventStore) -> tuple[Listed, list[Envelope]]:
        text = await store.queue().text(id)
        envelopes = await store.read(text.stream)
        return text, [e for e in envelopes if getattr(e.event, "message", None) == id]

    text, envelopes = asyncio.run(reading(load(config), read))
    if as_json:
        events = [as_plain(e) for e in envelopes]
        for event in events:
            _mask(event["event"])
        _print_json({**asdict(text), "events": events})
        return
    for name, value in asdict(text).items():
        at = name in ("due", "until", "promised_at") and value is not None
        _say(f"{name:14} {_time(value) if at else value}")
    # What the promise says stands above, and its words are for `segue log show --reveal`.
    Console().print(table([e for e in envelopes if not isinstance(e.event, TextPromised)]))


def retry(config: Path | None, id: str, as_json: bool) -> None:
    """Send it now, or again."""
    again = _change(load(config), lambda desk: desk.retry(id))
    said = "is sent again, as a possible duplicate" if again else "is due now"
    _done(as_json, {"id": id, "again": again}, f"{id} {said}")


def cancel(config: Path | None, id: str, reason: str, as_json: bool) -> None:
    """Take it back."""
    _change(load(config), lambda desk: desk.cancel(id, reason, _operator()))
    _done(as_json, {"id": id, "state": "cancelled"}, f"{id} is cancelled")


def pause(config: Path | None, scope: str, reason: str, as_json: bool) -> None:
    """Switch it off."""
    scope = _scope(scope)
    _change(load(config), lambda desk: desk.pause(scope, reason, _operator()))
    _done(
        as_json,
        {"scope": scope, "paused": True},
        f"{scope}: nothing more is claimed; what a carrier has already is not stopped. "
        f"`segue sms resume {scope}` ends it",
    )


def resume(config: Path | None, scope: str, as_json: bool) -> None:
    """Switch it on again."""
    scope = _scope(scope)
    _change(load(config), lambda desk: desk.resume(scope))
    _done(as_json, {"scope": scope, "paused": False}, f"{scope}: texts are claimed again")


# -- inside -------------------------------------------------------------------------------------


def _change(settings: Settings, change: Callable[[QueueDesk], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        premises = Premises(settings, SystemClock(), PrometheusMeter())
        await premises.open()
        try:
            return await change(premises.store.queue())
        finally:
            await premises.aclose()

    return asyncio.run(run())


def _operator() -> str:
    """Who sits at the terminal, for the log: a name of the system, never of the caller."""
    return f"operator:{getpass.getuser()}"


def _scope(text: str) -> str:
    try:
        return scope_of(text)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _state(text: str | None) -> str | None:
    if text is not None and text not in SHOWN:
        raise SettingsError(f"{text!r} is no state of a text: write one of {', '.join(SHOWN)}")
    return text


def _who(settings: Settings, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    number = E164.read(text, settings.calls.region or None)
    if number is None:
        raise SettingsError("that is not a phone number: write it as +12025550123")
    return names_of(subject_key(settings), number)


def _since(text: str | None) -> int | None:
    """UTC microseconds of `2h` ago, or of a time as ISO 8601 writes it."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago:
        return SystemClock().now() - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000
    try:
        at = datetime.fromisoformat(text)
        return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--since {text!r} is no time: write 30m, 2h, 7d or 2026-11-20T12:00"
        ) from None


def _mask(event: object) -> None:
    """Neither numbers nor words: `segue log show --reveal` is for those."""
    if isinstance(event, dict):
        to = event.get("to")
        if isinstance(to, str):
            event["to"] = E164(to).masked if E164.read(to) else to
        if isinstance(event.get("body"), str):
            event["body"] = f"[{len(event['body'])} characters]"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")


def _done(as_json: bool, fact: dict[str, object], said: str) -> None:
    if as_json:
        _print_json(fact)
    else:
        _say(said)


def _say(text: str, style: str = "") -> None:
    Console(soft_wrap=True, highlight=False).print(text, style=style, markup=False)


def _print_json(value: object) -> None:
    Console(soft_wrap=True).print_json(json.dumps(value, ensure_ascii=False))
