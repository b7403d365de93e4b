"""Waiting for what Asterisk tells by an event, before or after it answers the request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from ari_app.errors import PbxUnavailable

_One = TypeVar("_One")
_Other = TypeVar("_Other")


@contextlib.asynccontextmanager
async def expected(
    futures: dict[str, asyncio.Future[None]], channel: str, deadline: float
) -> AsyncIterator[None]:
    """At the end of the block, wait for the channel's event, which may have come meanwhile."""
    future = futures[channel] = asyncio.get_running_loop().create_future()
    try:
        yield
        async with asyncio.timeout(deadline):
            await future
    except TimeoutError:
        raise PbxUnavailable(f"nothing is heard of channel {channel} in {deadline:g} s") from None
    finally:
        if futures.get(channel) is future:
            del futures[channel]


def settle(futures: dict[str, asyncio.Future[None]], channel: str) -> None:
    """The channel's event has come; nobody may wait for it."""
    future = futures.get(channel)
    if future is not None and not future.done():
        future.set_result(None)


async def both(one: Awaitable[_One], other: Awaitable[_Other]) -> tuple[_One, _Other]:
    """Both at the same time; the first error after both have ended."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second
