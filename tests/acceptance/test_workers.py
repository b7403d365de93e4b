"""Two workers on one PostgreSQL: when one dies or freezes, the other goes on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from unittest import mock

import pytest
import pytest_asyncio

from ari_app.cli.processes import Process
from ari_app.conversation.events import CallEnded, CallResumed, HandoffRecorded
from tests.support.callers import Story, only
from tests.support.foreign.postgres import PrivatePostgres
from tests.support.house import PATIENCE, House, built, eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

TTL = 2.0
# Until the lease has run out, and the other has looked for it and has connected to Asterisk.
TAKEN_OVER = TTL + 6.0


@pytest.fixture(scope="session")
def shared(postgres: PrivatePostgres) -> str:
    return postgres.create_database("workers")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_house(
    asterisk_root: Path, tmp_path_factory: pytest.TempPathFactory, shared: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("workers")
    async with built(folder, **settings(shared, folder)) as house:
        yield house


def settings(url: str, folder: Path) -> dict[str, str]:
    """What all workers have in common."""
    return {
        "SEGUE_STORE__URL": url,
        "SEGUE_STORE__LEASE": str(TTL),
        "SEGUE_BUS__TO": str(folder / "events.jsonl"),
    }


_numbers = itertools.count(1)


class Workers:
    """The one that has the calls, and one that stands by."""

    def __init__(self, house: House, url: str) -> None:
        self.house = house
        self._url = url
        self.standby: Process | None = None

    async def another(self) -> Process:
        """Start one more worker; it stands by as soon as this returns."""
        folder = self.house.stage.folder
        name = f"worker{next(_numbers)}"  # another log for each
        process = Process(folder, name, "run", "--config", str(self.house.stage.config))
        with mock.patch.dict(os.environ, settings(self._url, folder), SEGUE_AGI__PORT="0"):
            await process.start(60.0)
        assert "this one stands by" in self.words(process)
        return process

    def words(self, process: Process) -> str:
        """All that it has logged."""
        return (self.house.stage.folder / f"{process.name}.log").read_text(encoding="utf-8")

    async def takes_over(self, process: Process, since: float) -> None:
        """Wait until it has the calls; not longer than promised."""

        async def up() -> bool:
            return "this worker has the calls" in self.words(process)

        await eventually(up, "the other worker takes over")
        assert time.monotonic() - since < TAKEN_OVER


@pytest_asyncio.fixture(loop_scope="session")
async def story(shared_house: House) -> AsyncIterator[Story]:
    async with AsyncExitStack() as callers:
        yield Story(shared_house, callers)


async def text_is_delivered(story: Story) -> None:
    """A whole call, on whichever worker has the calls now."""
    caller = await story.caller_at("what")
    await story.agrees_to_a_text(caller)
    assert len(await story.texts(caller)) == 1


async def everything_is_relayed(house: House, ids: list[str], number: str) -> None:
    """By whichever worker had the relay, at least once; what is personal stays sealed."""
    file = house.stage.folder / "events.jsonl"

    async def there() -> bool:
        return set(ids) <= {json.loads(line)["id"] for line in file.read_text().splitlines()}

    await eventually(there, "all events of the conversation are in the file")
    assert number not in file.read_text()


async def test_when_a_worker_dies_or_freezes_the_other_goes_on(story: Story, shared: str) -> None:
    house = story.house
    workers = Workers(house, shared)
    await text_is_delivered(story)

    second = await workers.another()
    third = None
    try:
        # One dies with a call up: the caller goes on talking with the other.
        caller = await story.caller_at("what")
        killed = time.monotonic()
        await house.kill()
        await workers.takes_over(second, killed)
        await caller.hears("what")
        await story.agrees_to_a_text(caller)
        log = await story.log(caller)
        only(log, CallResumed)
        assert only(log, CallEnded).cause == "done"
        only(log, HandoffRecorded)
        await text_is_delivered(story)

        # The next one freezes with a call up, and wakes when others have its work.
        third = await workers.another()
        caller = await story.caller_at("what")
        frozen = time.monotonic()
        os.kill(second.pid, signal.SIGSTOP)
        try:
            await workers.takes_over(third, frozen)
            await caller.hears("what")
            await caller.hangs_up()
            log = await story.log(caller)
            only(log, CallResumed)
            assert only(log, CallEnded).cause == "hangup"
            stream = await story.stream(caller)
        finally:
            os.kill(second.pid, signal.SIGCONT)

        async with asyncio.timeout(PATIENCE):
            assert await second.ended() == 1
        assert "taken for dead" in workers.words(second)
        # It has written nothing after it was taken for dead.
        after = await story.house.read(stream)
        assert [e.event for e in after] == log
        await text_is_delivered(story)
        await everything_is_relayed(house, [e.id for e in after], caller.number)
    finally:
        for process in (second, third):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                await process.stop()


async def test_a_worker_that_is_told_to_stop_leaves_its_work_at_once(
    story: Story, shared: str
) -> None:
    house = story.house
    workers = Workers(house, shared)
    if not house.is_up():
        with mock.patch.dict(os.environ, settings(shared, house.stage.folder)):
            await house.restart()
    second = await workers.another()
    try:
        stopped = asyncio.create_task(house.service.stop(60.0))
        assert await stopped == 0
        await workers.takes_over(second, time.monotonic())
        await text_is_delivered(story)
        assert await second.stop() == 0
    finally:
        await second.stop()
