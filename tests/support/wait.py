"""Waiting for what others do, with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 10.0


async def until(true: Callable[[], bool]) -> None:
    """Return when it is so; TimeoutError if it does not become so."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  what is waited for has no event to set
            await asyncio.sleep(0.001)
