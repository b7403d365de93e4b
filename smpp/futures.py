"""For those who wait for one message rather than for batches: a future for each part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from smpp.errors import SmppError, command_error
from smpp.texts import Settled


class Futures:
    """A Sink whose tokens are futures; each gets the message id or an SmppError."""

    def settle(self, settled: Settled) -> None:
        """Tell each future; one that is cancelled is told nothing."""
        for future, message_id in settled.taken:
            if not future.done():
                future.set_result(message_id)
        failed: list[tuple[asyncio.Future[str], SmppError]] = [*settled.unknown, *settled.unsent]
        failed += [(future, command_error(status)) for future, status in settled.refused]
        for future, error in failed:
            if not future.done():
                future.set_exception(error)

    def wanted(self, tokens: Sequence[asyncio.Future[str]]) -> bool:
        """Whether anybody waits for any part of the text."""
        return not all(future.done() for future in tokens)
