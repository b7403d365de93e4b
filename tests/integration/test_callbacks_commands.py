"""`segue callbacks`: who waits to be called back, and how one is taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ari_app.bootstrap.premises import Premises
from ari_app.calls.promising import promise
from ari_app.cli.callbacks_app import callbacks_app
from ari_app.config import load
from ari_app.conversation.events import (
    CallbackDialled,
    CallbackEnded,
    CallbackReached,
    CallBackRequested,
    ConversationOpened,
    Event,
)
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.ports import Timer
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

ADA, BOB = E164("+12025550147"), E164("+12025550148")
NOON = 1_790_000_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR = 3_600_000_000


class Site:
    """An installation in a folder, with people who were promised a call."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "segue.toml"
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\n')

    def live(self, story: Callable[[EventStore], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            premises = Premises(load(self.config), SystemClock(), PrometheusMeter())
            await premises.open()
            try:
                return await story(premises.store)
            finally:
                await premises.aclose()

        return asyncio.run(run())

    def promises(self, stream: str, number: E164, due: int) -> str:
        """The id of the call-back."""

        async def story(store: EventStore) -> str:
            wanted, timer = promise(SystemClock(), stream, number, "+15550100", due, "asked")
            opened = ConversationOpened(channel="voice", did="", language="en", number=number.value)
            await store.append(stream, [opened, wanted], timers=[timer])
            return wanted.callback

        return str(self.live(story))

    def goes_on(self, stream: str, events: Sequence[Event], timers: Sequence[Timer] = ()) -> None:
        self.live(lambda store: store.append(stream, events, timers=timers))

    def log(self, stream: str) -> list[Event]:
        async def story(store: EventStore) -> list[Event]:
            return [e.event for e in await store.read(stream)]

        found: list[Event] = self.live(story)
        return found

    def says(self, *words: str) -> Result:
        return CliRunner().invoke(callbacks_app, [*words, "--config", str(self.config)])

    def listed(self) -> list[dict[str, Any]]:
        done = self.says("list", "--json")
        assert done.exit_code == 0, done.output
        rows: list[dict[str, Any]] = json.loads(done.output)
        return rows


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_those_who_wait_are_listed_the_next_one_first(site: Site) -> None:
    later = site.promises("conv_1", ADA, NOON + HOUR)
    soon = site.promises("conv_2", BOB, NOON)
    rows = site.listed()
    assert [row["callback"] for row in rows] == [soon, later]
    assert rows[0] == {
        "callback": soon,
        "conversation": "conv_2",
        "due": "2026-09-21 14:13:20",
        "attempts": 0,
        "topic": "",
    }


def test_a_list_of_nobody_is_empty(site: Site) -> None:
    site.live(lambda store: store.recent(1))
    assert site.listed() == []


def test_no_number_is_shown(site: Site) -> None:
    site.promises("conv_1", ADA, NOON)
    assert ADA.value[-7:] not in site.says("list").output
    assert ADA.value[-7:] not in site.says("list", "--json").output


def test_attempts_are_counted_by_the_timer_that_counts(site: Site) -> None:
    id = site.promises("conv_1", ADA, NOON)
    # As it is between the attempt and the drop of the timer that it was made for.
    dialled = CallbackDialled(callback=id, call="call_1", attempt=1)
    next = Timer(id=f"callback:{id}:1", stream="conv_1", kind="callback", due=NOON + HOUR)
    site.goes_on("conv_1", [dialled], [next])
    (row,) = site.listed()
    assert (row["attempts"], row["due"]) == (1, "2026-09-21 15:13:20")


def test_who_was_reached_waits_no_more_though_a_timer_is_left(site: Site) -> None:
    id = site.promises("conv_1", ADA, NOON)
    site.goes_on("conv_1", [CallbackReached(callback=id, call="call_1")])
    assert site.listed() == []


def test_one_that_is_cancelled_waits_no_more_and_the_log_says_why_and_by_whom(site: Site) -> None:
    kept, id = site.promises("conv_1", ADA, NOON), site.promises("conv_2", BOB, NOON)
    done = site.says("cancel", id, "--reason", "wrote to us")
    assert done.exit_code == 0, done.output
    assert done.output.strip() == f"Call-back {id} is cancelled."
    assert [row["callback"] for row in site.listed()] == [kept]
    (ended,) = [e for e in site.log("conv_2") if isinstance(e, CallbackEnded)]
    assert (ended.callback, ended.reason) == (id, "wrote to us")
    assert ended.by.startswith("operator:")
    assert [type(e) for e in site.log("conv_1")] == [ConversationOpened, CallBackRequested]


def test_one_is_cancelled_for_programs_too(site: Site) -> None:
    id = site.promises("conv_1", ADA, NOON)
    done = site.says("cancel", id, "--reason", "x", "--json")
    assert json.loads(done.output) == {"cancelled": id, "conversation": "conv_1"}


def test_one_that_is_not_open_cannot_be_cancelled(site: Site) -> None:
    id = site.promises("conv_1", ADA, NOON)
    site.says("cancel", id, "--reason", "x")
    for unknown in (id, "back_of_nobody"):
        done = site.says("cancel", unknown, "--reason", "x")
        assert isinstance(done.exception, SettingsError)
        assert f"no call-back {unknown} is open" in str(done.exception)
        assert "segue callbacks list" in str(done.exception)
    assert sum(isinstance(e, CallbackEnded) for e in site.log("conv_1")) == 1


def test_why_it_is_cancelled_must_be_said(site: Site) -> None:
    done = site.says("cancel", site.promises("conv_1", ADA, NOON))
    assert done.exit_code == 2
    assert "--reason" in done.output
