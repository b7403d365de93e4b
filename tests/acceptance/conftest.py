"""One house for each xdist worker; every test finds it up and leaves it quiet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.callers import Story
from tests.support.house import House, built


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
