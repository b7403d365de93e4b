"""The call behind a recogniser: what it is told, and that it is told once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from ari_app.errors import AsrLost
from ari_app.ports import Meter, Utterance, Word

T = TypeVar("T")


class Loss(Enum):
    """Why a call has lost its recogniser."""

    DIED = "died"  # the worker's process, or the connection to the server, is gone
    STUCK = "stuck"  # no sign of life
    LATE = "late"  # it lives, but has not finished a turn by the deadline
    FAILED = "failed"  # it refused something, or said what makes no sense
    STOPPED = "stopped"  # the service ends it


class Listener:
    """Keeps the promises of the port `Recogniser` for one call, whatever hears for it."""

    def __init__(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None], meter: Meter
    ) -> None:
        self._on_partial = on_partial
        self._on_lost = on_lost
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        # None stands for "lost": an exception that nobody awaits any more would be logged.
        self._finals: deque[asyncio.Future[Utterance | None]] = deque()
        self._told = ""
        self.closed = False
        self.lost = False
        self.opened = False  # before, the loss is told by `open`

    @property
    def over(self) -> bool:
        """Whether nothing is heard for this call any more."""
        return self.closed or self.lost

    def missed(self, octets: int, rate: int) -> None:
        """So much 16-bit audio was never heard: whatever hears was too slow."""
        self._meter.count("segue_asr_dropped_ms_total", octets * 500 // rate)

    # -- from the call --

    def ask(self) -> asyncio.Future[Utterance | None]:
        """A turn has ended; AsrLost if nobody hears. Await it by `answer`."""
        if self.over:
            raise AsrLost("The recogniser of this call is gone.")
        final: asyncio.Future[Utterance | None] = self._loop.create_future()
        self._finals.append(final)
        return final

    async def answer(
        self, final: asyncio.Future[Utterance | None], deadline: float
    ) -> Utterance | None:
        """The finished turn; None if it did not come in `deadline` seconds; AsrLost if lost."""
        asked = self._loop.time()
        if not await punctual(final, deadline):
            return None
        utterance = final.result()
        if utterance is None:
            raise AsrLost("The recogniser was lost before the turn was finished.")
        self._meter.observe("segue_asr_final_latency_seconds", self._loop.time() - asked)
        return utterance

    def close(self) -> None:
        """Tell the call nothing any more."""
        self.closed = True
        self._release()

    # -- from who hears --

    def partial(self, text: str) -> None:
        """The words of the turn so far."""
        # While a finish is on its way, they belong to the turn that is over.
        if not self._finals and text != self._told:
            self._told = text
            # Not at once: a call that raises must not cost the others their worker.
            self._loop.call_soon(self._tell_partial, text)

    def final(self, words: tuple[Word, ...]) -> bool:
        """The words of the oldest turn that is being finished; False if there is none."""
        if not self._finals:
            return False
        self._told = ""
        settle(self._finals.popleft(), Utterance(" ".join(w.text for w in words), words))
        return True

    def lose(self, loss: Loss) -> bool:
        """Tell the call, once, and never from inside its own feed(); whether it was news."""
        if self.over:
            return False
        self.lost = True
        self._meter.count("segue_asr_lost_total", reason=loss.value)
        if self.opened:
            self._loop.call_soon(self._tell_lost)
        self._release()
        return True

    def _tell_partial(self, text: str) -> None:
        if not self.over:
            self._on_partial(text)

    def _tell_lost(self) -> None:
        if not self.closed:
            self._on_lost()

    def _release(self) -> None:
        while self._finals:
            settle(self._finals.popleft(), None)


async def punctual(future: asyncio.Future[T], deadline: float) -> bool:
    """Whether the future is done within `deadline` seconds.

    An answer that has come counts, though our own loop was too late to see it; and if the whole
    machine stood still, the other side gets its time again.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + deadline
    await asyncio.wait([future], timeout=deadline)
    if not future.done() and loop.time() - due > deadline / 4:
        await asyncio.wait([future], timeout=deadline)
    return future.done()


def settle(future: asyncio.Future[T], result: T) -> None:
    """Give the result, unless the waiter has one or is gone."""
    if not future.done():
        future.set_result(result)
