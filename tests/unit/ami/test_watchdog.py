"""A round of the watchdog: what it asks, what it does, and what it must not do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from ari_app.ami.supervision import AmiRefused
from ari_app.ami.vigil import Sign
from ari_app.ami.watchdog import Rescue, Watchdog
from ari_app.errors import PbxUnavailable
from tests.unit.ami.test_stranded import CALLER, LEG, PERSON

ALIVE, GONE = Sign.ALIVE, Sign.GONE


class Pbx:
    """Takes actions like AmiSupervision; whoever is moved is gone from the list."""

    def __init__(self, *channels: dict[str, str]) -> None:
        self.channels = list(channels)
        self.done: list[tuple[str, str]] = []
        self.down = False

    async def ask(
        self, action: str, fields: Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> list[dict[str, str]]:
        if self.down:
            raise PbxUnavailable(f"AMI is down: {action} was not sent")
        if action == "CoreShowChannels":
            return [{"Response": "Success"}, *self.channels]
        assert fields is not None
        left = [c for c in self.channels if c["Channel"] != fields["Channel"]]
        if left == self.channels:
            raise AmiRefused(f"{action}: Channel does not exist")
        self.channels = left
        self.done.append((action, fields["Channel"]))
        if action == "Redirect":
            assert (fields["Context"], fields["Exten"], fields["Priority"]) == (
                "app-down",
                "s",
                "1",
            )
        return [{"Response": "Success"}]


class World:
    """Signs as a test wants them, and time that each look moves."""

    def __init__(self, pbx: Pbx, *signs: Sign) -> None:
        self.signs = list(signs)
        self.now = 0.0
        self.dog = Watchdog(pbx, self.look, Rescue(), clock=lambda: self.now)

    async def look(self) -> Sign:
        return self.signs.pop(0) if len(self.signs) > 1 else self.signs[0]

    async def turns(self, count: int) -> int:
        done = 0
        for _ in range(count):
            done += await self.dog.turn()
            self.now += 0.5
        return done


async def test_while_it_lives_nobody_is_moved() -> None:
    pbx = Pbx(CALLER, LEG)
    assert await World(pbx, ALIVE).turns(100) == 0
    assert pbx.done == []


async def test_when_it_is_dead_its_caller_is_moved_once() -> None:
    pbx = Pbx(CALLER, LEG)
    assert await World(pbx, GONE).turns(20) == 1
    assert pbx.done == [("Redirect", "PJSIP/carrier-1")]


async def test_a_person_without_a_caller_is_hung_up_and_not_sent_to_people() -> None:
    pbx = Pbx(PERSON, LEG)
    await World(pbx, GONE).turns(10)
    assert pbx.done == [("Hangup", "PJSIP/desk-2")]


async def test_it_is_asked_once_more_before_anybody_is_moved() -> None:
    pbx = Pbx(CALLER)
    # The fifth look says dead; the sixth, before the first action, says alive.
    world = World(pbx, GONE, GONE, GONE, GONE, GONE, ALIVE)
    await world.turns(20)
    assert pbx.done == []


async def test_it_stops_moving_as_soon_as_the_application_is_back() -> None:
    pbx = Pbx(CALLER)
    world = World(pbx, GONE)
    await world.turns(6)
    assert len(pbx.done) == 1
    world.signs = [ALIVE]
    pbx.channels = [CALLER]
    await world.turns(20)
    assert len(pbx.done) == 1


async def test_while_ami_is_down_it_says_so_once_and_then_does_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    pbx = Pbx(CALLER)
    pbx.down = True
    world = World(pbx, GONE)
    assert await world.turns(20) == 0
    assert caplog.text.count("callers may be stranded, but AMI is down") == 1
    pbx.down = False
    assert await world.turns(1) == 1


async def test_a_caller_who_hangs_up_first_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Late(Pbx):
        async def ask(
            self,
            action: str,
            fields: Mapping[str, str] | None = None,
            *,
            deadline: float | None = None,
        ) -> list[dict[str, str]]:
            rows = await super().ask(action, fields, deadline=deadline)
            if action == "CoreShowChannels":
                self.channels = [c for c in self.channels if c is not CALLER]
            return rows

    other = {**CALLER, "Channel": "PJSIP/carrier-9", "BridgeId": ""}
    pbx = Late(CALLER, other)
    assert await World(pbx, GONE).turns(6) == 1
    assert pbx.done == [("Redirect", "PJSIP/carrier-9")]
    assert "ERROR" not in [r.levelname for r in caplog.records if "moved" in r.message]


async def test_each_action_is_one_line_without_a_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    local = {**CALLER, "Channel": "Local/+33123456789@x-1;2", "Uniqueid": "17.5", "BridgeId": ""}
    await World(Pbx(local), GONE).turns(10)
    assert caplog.text.count("call 17.5 was moved to app-down") == 1
    assert "+33123456789" not in caplog.text


async def test_a_bug_in_one_round_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    looks = 0
    again = asyncio.Event()

    async def look() -> Sign:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("a bug")
        again.set()
        return ALIVE

    dog = Watchdog(Pbx(), look, Rescue(), interval=0.001)
    running = asyncio.create_task(dog.run())
    async with asyncio.timeout(5):
        await again.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "it looks again" in caplog.text


async def test_a_watchdog_that_was_frozen_itself_begins_anew() -> None:
    pbx = Pbx(CALLER)
    world = World(pbx, GONE)
    await world.turns(4)

    times = iter([world.now, world.now + 3600.0])
    world.dog._clock = lambda: next(times)
    world.dog._interval = 0.0
    await world.dog.rest()
    world.dog._clock = lambda: world.now
    world.now += 3600.0

    assert await world.turns(4) == 0
    assert await world.turns(1) == 1
