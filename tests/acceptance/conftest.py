"""One house for each xdist worker; every test finds it up and leaves it quiet."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.callers import Story
from tests.support.desk import Desk
from tests.support.house import House, built

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"
_REACH = """
reach:
  agents:
    - {{name: moved, endpoint: PJSIP/nobody, ring: 5}}
    - {{name: first, endpoint: "PJSIP/carrier/sip:first@127.0.0.1:{first}", ring: {ring}}}
    - {{name: second, endpoint: "PJSIP/carrier/sip:second@127.0.0.1:{second}", ring: {longer}}}
  whisper: "A caller. Press 1."
  waiting: looking
  every: 5
  keys: {{"2": voicemail}}
  nobody: [callback, dialplan]
  offer: offer_callback
  promised: will_call
"""
# The first is not waited for in vain; while the second rings there is time to hear some words.
_RING, _LONGER = 7, 20


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(
    asterisk_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Everything, as separate processes, from the private Asterisk to the carrier."""
    async with built(tmp_path_factory.mktemp("house")) as house:
        yield house
        if house.is_up():
            assert await house.service.stop() == 0


@pytest_asyncio.fixture(loop_scope="session")
async def story(house: House) -> AsyncIterator[Story]:
    """A fresh page, and no trace of a bug in the service's log afterwards."""
    if not house.is_up():  # the test before failed while it was down
        await house.restart()
    house.user_events.clear()
    house.news()
    async with AsyncExitStack() as callers:
        story = Story(house, callers)
        yield story
    if house.is_up():
        await story.is_quiet()
    assert "Traceback" not in house.all_news()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def ports() -> tuple[int, int, int]:
    """Of the phones of two persons (of a third, `moved`, there is none), and of who is called."""
    return _free_port(), _free_port(), _free_port()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reached(
    house: House, ports: tuple[int, int, int], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[None]:
    """The policy knows these phones while these tests run."""
    reach = _REACH.format(first=ports[0], second=ports[1], ring=_RING, longer=_LONGER)
    bundle = tmp_path_factory.mktemp("reach") / "bundle.yaml"
    bundle.write_text(_SHORT.read_text(encoding="utf-8") + reach, encoding="utf-8")
    with pytest.MonkeyPatch.context() as settings:
        # For every restart of these tests.
        settings.setenv("SEGUE_POLICY__BUNDLE", str(bundle))
        settings.setenv("SEGUE_CALLS__DIAL", f"PJSIP/carrier/sip:{{number}}@127.0.0.1:{ports[2]}")
        await house.restart()
        yield
    await house.restart()


@pytest_asyncio.fixture(loop_scope="session")
async def desks(house: House, ports: tuple[int, int, int]) -> AsyncIterator[tuple[Desk, Desk]]:
    # A whisper is spoken when it is needed: then espeak-ng runs, behind two pipes.
    house.descriptors_at_rest += 2
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(await Desk.at(p)) for p in ports[:2]]
        yield first, second


@pytest_asyncio.fixture(loop_scope="session")
async def home(ports: tuple[int, int, int]) -> AsyncIterator[Desk]:
    """Where those are called who asked for it."""
    async with await Desk.at(ports[2]) as phone:
        yield phone
