"""The service is killed or frozen with a call up: its caller meets people, and is not alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import pytest

from ari_app.cli.processes import Process
from ari_app.errors import Unavailable
from ari_app.phone.call import Phone
from tests.support.house import House, built

pytestmark = [pytest.mark.vosk, pytest.mark.usefixtures("asterisk_root")]

CALLER = "+12025550177"
WITHIN = 5.0  # seconds, from the death to Asterisk's own words at the caller's ear
GRACE = 2.0


@asynccontextmanager
async def watched(house: House, **environment: str) -> AsyncIterator[None]:
    """A watchdog beside the service, with the service's settings and some of its own."""
    folder = house.stage.folder
    dog = Process(folder, "watchdog", "watchdog", "--config", str(house.stage.config))
    with mock.patch.dict(os.environ, environment):
        await dog.start(30.0)
    try:
        yield
    finally:
        assert await dog.stop() == 0
        assert "Traceback" not in said(house)


def said(house: House) -> str:
    return (house.stage.folder / "watchdog.log").read_text(encoding="utf-8")


async def once(house: House) -> tuple[int, dict[str, object]]:
    """Status and report of one look."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ari_app", "watchdog", "--once", "--json"),
        *("--config", str(house.stage.config)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, json.loads(output)


async def on_the_line(house: House, phone: Phone) -> None:
    """A caller who has heard the service speak."""
    await phone.call(*house.stage.sip, "+15550100", CALLER)
    await phone.until_quiet(deadline=20.0)


async def meets_people(house: House, phone: Phone, since: float, within: float) -> None:
    """The caller hears Asterisk's own sentence in time, then a person, and nobody hangs up."""
    await phone.until_prompt(deadline=within, since=since)
    await house.user_event("SegueAppDown", Reason="app_down")
    await house.user_event("FakePersonAnswered")
    assert phone.up


async def test_the_caller_of_a_killed_service_meets_people_and_one_of_a_living_is_left_alone(
    tmp_path: Path,
) -> None:
    async with built(tmp_path) as house, watched(house), await Phone.open() as phone:
        await on_the_line(house, phone)
        status, seen = await once(house)
        assert (status, seen["application"], seen["ami"]) == (0, "alive", True)
        assert seen["alone"] == 1

        # Another one would do everything twice.
        second = Process(tmp_path, "second", "watchdog", "--config", str(house.stage.config))
        with pytest.raises(Unavailable, match="another watchdog already watches segue"):
            await second.start(30.0)

        # Whoever lives is left alone, also for longer than the grace.
        await asyncio.sleep(GRACE + 1.0)
        assert "moved" not in said(house)
        assert not house.user_events

        os.kill(house.service.pid, signal.SIGKILL)
        killed = time.monotonic()
        await meets_people(house, phone, killed + 0.2, WITHIN)
        assert said(house).count("was moved to app-down") == 1
        assert CALLER.lstrip("+") not in said(house)
        status, seen = await once(house)
        assert (status, seen["application"], seen["alone"]) == (1, "gone", 0)
        await phone.hang_up()
        await house.service.stop()


async def test_the_caller_of_a_frozen_service_meets_people_and_it_goes_on_when_it_wakes(
    tmp_path: Path,
) -> None:
    async with (
        built(tmp_path) as house,
        watched(house, SEGUE_WATCHDOG__HANG="3"),
        await Phone.open() as phone,
    ):
        await on_the_line(house, phone)
        with house.frozen(house.service.pid):
            frozen = time.monotonic()
            # It still has its websocket, and its sockets still listen: only answers are missing.
            await meets_people(house, phone, frozen + 0.2, 3.0 + WITHIN)
            assert "the application is dead (silent)" in said(house)
        await phone.hang_up()
        async with await Phone.open() as following:
            await on_the_line(house, following)
            assert "the application is back" in said(house)
            await following.hang_up()
        assert said(house).count("was moved to app-down") == 1
