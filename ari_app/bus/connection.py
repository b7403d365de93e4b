"""What nats-py does not do by itself: end in time, refuse to speak in the clear, let go."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ari_app.errors import Unavailable

if TYPE_CHECKING:
    from nats.aio.client import Client

logger = logging.getLogger(__name__)

_CLOSING = 0.5  # seconds to leave politely
_LOOK = 0.1  # seconds between two looks whether the server is still there


async def within(
    seconds: float, work: Coroutine[Any, Any, None], is_gone: Callable[[], bool] = lambda: False
) -> None:
    """Do the work; TimeoutError if it takes longer, ConnectionResetError if the server is gone.

    Then it is left to itself. asyncio.timeout would not do: in places nats-py swallows that it
    is cancelled, and goes on. Nor does it always tell those who wait that it has lost the server.
    """
    task = asyncio.create_task(work)
    ends = asyncio.get_running_loop().time() + seconds
    try:
        while not task.done():
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                raise TimeoutError
            await asyncio.wait({task}, timeout=min(left, _LOOK))
            if is_gone() and not task.done():
                raise ConnectionResetError(errno.ECONNRESET, "the server went away")
        task.result()
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_look_at)


def see_tls(client: Client) -> None:
    """Unavailable if the server did not ask for TLS: nats-py then speaks in the clear."""
    # Nothing public tells; should a later nats-py drop the attribute, nothing is sent.
    if not getattr(client, "_server_info", {}).get("tls_required"):
        raise Unavailable(
            "the NATS server does not offer TLS, and nothing is sent in the clear: "
            "give it a certificate, or remove TLS from [bus]"
        )


async def let_go(client: Client) -> None:
    """Leave the server: politely if that is soon over, and in any case."""
    try:
        await within(_CLOSING, client.close())
    except Exception as error:  # noqa: BLE001  we go anyway, whatever nats-py makes of it
        logger.debug("leaving NATS failed: %s", type(error).__name__)
    finally:
        _cut(client)


def _cut(client: Client) -> None:
    """End the socket of a server that does not read: closing politely would wait for it."""
    transport = getattr(client, "_transport", None)
    # Under TLS there are two of them, and the lower one is the socket.
    for name in ("_io_writer", "_bare_io_writer"):
        writer = getattr(transport, name, None)
        if writer is not None:
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()


def _look_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # asyncio complains of one that nobody looked at
