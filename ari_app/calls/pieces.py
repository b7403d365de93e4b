"""The words of a turn, piece by piece: in every pause the recogniser is asked what was said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ari_app.calls.ear import Ear
from ari_app.errors import AsrLost
from ari_app.ports import Utterance

_NOTHING = Utterance("", ())


class Pieces:
    """Final words cost the recogniser milliseconds, partial ones come half a second late.

    So a caller who pauses is taken to have finished, and if they go on, what comes is joined.
    """

    def __init__(self, ear: Ear, told: Callable[[Utterance, Utterance], None]) -> None:
        """`told` gets the latest piece, and all of the turn; it may not block."""
        self._ear = ear
        self._told = told
        self._so_far = _NOTHING
        self._turn = asyncio.Lock()
        self._asking: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """The caller is quiet; `told` follows, unless hearing is lost. Never blocks."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="a piece of a turn")

    def forget(self) -> None:
        """What the recogniser has heard since the last piece was nobody's. Never blocks."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._forget(), name="words of a noise")

    async def take(self) -> Utterance:
        """All that was said since the last time; AsrLost if that is nothing, and none is heard."""
        async with self._turn:
            try:
                last = await self._ear.finish()
            except AsrLost:
                if not self._so_far.text:
                    raise
                last = _NOTHING
            return self.drop().followed_by(last)

    def drop(self) -> Utterance:
        """What was said so far: it is no part of what comes."""
        said, self._so_far = self._so_far, _NOTHING
        return said

    async def aclose(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _forget(self) -> None:
        async with self._turn:
            with contextlib.suppress(AsrLost):  # whoever owns the ear is told
                await self._ear.finish()

    async def _ask(self) -> None:
        async with self._turn:
            try:
                piece = await self._ear.finish()
            except AsrLost:
                return  # whoever owns the ear is told
            self._so_far = self._so_far.followed_by(piece)
            self._told(piece, self._so_far)
