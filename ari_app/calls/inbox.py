"""What happens to one call, taken in its order; that the call is over goes before all else."""

from __future__ import annotations

import asyncio

from ari_app.calls.dialogue import Signal
from ari_app.calls.recording import RecordingEvent
from ari_app.calls.signals import CallerGone, Evicted, OfPhone, Told
from ari_app.conversation.events import Event
from ari_app.ports import Exit

#: What has happened already as the event that it will be.
Happening = Signal | Event | Told | OfPhone


class Inbox:
    """Others put, one takes; putting never blocks."""

    def __init__(self) -> None:
        # None: the call is over.
        self._waiting: asyncio.Queue[Happening | None] = asyncio.Queue()
        self.gone: str | None = None  # why the caller is there no more
        self.evicted: tuple[Exit, str] | None = None  # how the call must end, and why

    def put(self, happening: Happening) -> None:
        """It is taken after all that was put before."""
        self._waiting.put_nowait(happening)

    def caller_gone(self, cause: str) -> None:
        """The first cause is the one that counts."""
        if self.gone is None:
            self.gone = cause
            self._waiting.put_nowait(None)

    def evict(self, exit: Exit, reason: str) -> None:
        """The call must end so, though the caller is there."""
        self.evicted = exit, reason
        self._waiting.put_nowait(None)

    async def next(self) -> Happening:
        """What has happened next; CallerGone or Evicted when the call is over."""
        while True:
            happening = await self._waiting.get()
            if self.gone is not None:
                raise CallerGone
            if self.evicted is not None:
                raise Evicted
            if happening is not None:
                return happening

    def untold(self) -> list[Event]:
        """What the recording told after the last was taken."""
        left = [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]
        return [happening for happening in left if isinstance(happening, RecordingEvent)]
