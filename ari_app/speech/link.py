"""One ASR worker process as the service sees it: its recognisers, its deadline, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from ari_app.errors import AsrLost
from ari_app.ports import Meter, Utterance
from ari_app.speech import wire
from ari_app.speech.spawn import Spawned

logger = logging.getLogger(__name__)

T = TypeVar("T")

# What may wait for one worker before a call is given up: two seconds of 100 calls at 16 kHz.
_MOST_UNSENT = 8 << 20

_PROBE_INTERVAL = 1.0  # seconds


class Loss(Enum):
    """Why a call has lost its recogniser."""

    DIED = "died"  # the worker's process is gone
    STUCK = "stuck"  # it did not answer by the deadline
    BEHIND = "behind"  # too much audio waits for it
    FAILED = "failed"  # libvosk refused something
    STOPPED = "stopped"  # the service ends it


class Ear:
    """One call's recogniser: the port `Recogniser`."""

    def __init__(
        self,
        link: WorkerLink,
        number: int,
        on_partial: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._link = link
        self._number = number
        self._on_partial = on_partial
        self._on_lost = on_lost
        self._closed = False
        self._lost = False
        self._loop = asyncio.get_running_loop()
        # None stands for "lost": an exception that nobody awaits any more would be logged.
        self._opened: asyncio.Future[bool | None] = self._loop.create_future()
        self._finals: deque[asyncio.Future[Utterance | None]] = deque()

    @property
    def worker(self) -> int:
        """The process that hears this call, by its id."""
        return self._link.pid

    # -- for the call --

    def feed(self, pcm: bytes) -> None:
        """Audio at the model's rate; half a sample at the end is dropped. Never blocks."""
        whole = len(pcm) & ~1
        for at in range(0, whole, wire.MOST_AUDIO):
            if self._closed or self._lost:
                return
            piece = pcm[at : min(at + wire.MOST_AUDIO, whole)]
            if not self._link.send_audio(wire.Audio(self._number, piece)):
                logger.warning("ASR worker %d does not keep up; a call loses it", self._link.pid)
                self._link.forget(self._number)
                self.lose(Loss.BEHIND)

    async def finish(self) -> Utterance:
        """What was said since the last finish; AsrLost if the worker died or is too slow."""
        if self._closed or self._lost:
            raise AsrLost("The recogniser of this call is gone.")
        final: asyncio.Future[Utterance | None] = self._loop.create_future()
        self._finals.append(final)
        self._link.send(wire.Finish(self._number))
        asked = self._loop.time()
        utterance = await self._link.answer(final, "finish a turn")
        if utterance is None:
            raise AsrLost("The recogniser was lost before the turn was finished.")
        self._link.meter.observe("segue_asr_final_latency_seconds", self._loop.time() - asked)
        return utterance

    async def aclose(self) -> None:
        """Free the recogniser; on_lost is not called any more."""
        if not self._closed:
            self._closed = True
            self._link.forget(self._number)
            self._release()

    # -- for the link --

    async def opened(self) -> bool:
        """Whether the worker has made the recogniser within its deadline."""
        opened: bool | None = await self._link.answer(self._opened, "open a recogniser")
        return opened is True

    def take(self, message: wire.Opened | wire.Partial | wire.Final | wire.Failed) -> None:
        """What the worker says about this recogniser."""
        match message:
            case wire.Opened():
                _settle(self._opened, True)
            case wire.Partial(text=text):
                # While a finish is on its way, this belongs to the turn that is over.
                if not self._finals:
                    # Not at once: a call that raises must not cost the others their worker.
                    self._loop.call_soon(self._tell, self._on_partial, text)
            case wire.Final(words=words):
                if not self._finals:
                    raise wire.Malformed("an answer without a question")
                text = " ".join(word.text for word in words)
                _settle(self._finals.popleft(), Utterance(text, words))
            case wire.Failed(reason=reason):
                logger.warning("ASR worker %d failed a recogniser: %s", self._link.pid, reason)
                self._link.forget(self._number)
                self.lose(Loss.FAILED)

    def lose(self, loss: Loss) -> None:
        """Tell the call, once, and never from inside its own feed()."""
        if self._lost or self._closed:
            return
        self._lost = True
        self._link.meter.count("segue_asr_lost_total", reason=loss.value)
        if self._opened.done():  # else open() says it
            self._loop.call_soon(self._tell, self._on_lost)
        self._release()

    def _tell(self, callback: Callable[..., None], *arguments: str) -> None:
        if not self._closed:
            callback(*arguments)

    def _release(self) -> None:
        _settle(self._opened, None)
        while self._finals:
            _settle(self._finals.popleft(), None)


class WorkerLink(asyncio.Protocol):
    """From the moment the process runs until it is lost; what is lost stays lost.

    `deadline` is the seconds within which it must answer anything, however much audio waits.
    """

    def __init__(self, process: Spawned, deadline: float, meter: Meter) -> None:
        self._process = process
        self._deadline = deadline
        self.meter = meter
        self._loop = asyncio.get_running_loop()
        self._messages = wire.Messages()
        self._ears: dict[int, Ear] = {}
        self._last_number = 0
        self._transport: asyncio.WriteTransport | None = None
        self._alive: asyncio.Future[bool | None] = self._loop.create_future()
        self._gone = asyncio.Event()
        self.why_gone = ""  # the rest of a sentence that begins with "an ASR worker"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def load(self) -> int:
        """How many recognisers it has."""
        return len(self._ears)

    @property
    def gone(self) -> bool:
        """Whether it is lost."""
        return self._gone.is_set()

    # -- asyncio's side --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._messages.feed(data):
                self._take(message)
        except wire.Malformed as error:
            self.lose(Loss.FAILED, f"broke the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose(Loss.DIED, "died")

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Alive():
                _settle(self._alive, True)
            case wire.Failed(recogniser=0, reason=reason):
                self.lose(Loss.FAILED, f"cannot load the model: {reason}")
            case wire.Opened() | wire.Partial() | wire.Final() | wire.Failed():
                # One that is not there belonged to a call that has just gone.
                if ear := self._ears.get(message.recogniser):
                    ear.take(message)
            case wire.Open() | wire.Audio() | wire.Finish() | wire.Close() | wire.Probe():
                raise wire.Malformed(f"it said {type(message).__name__}")

    # -- our side --

    async def loaded(self, deadline: float) -> bool:
        """Whether the model is loaded within `deadline` seconds; otherwise the worker is lost."""
        await asyncio.wait([self._alive], timeout=deadline)
        if not self._alive.done():
            self.lose(Loss.STUCK, f"has not loaded the model in {deadline:g} s")
        return not self.gone

    async def watch(self) -> None:
        """Probe the worker until it is lost: one that is stuck without a call shows no other way.

        The answer comes after all audio that was sent before: one that is hopelessly behind is
        as good as stuck.
        """
        while not self.gone:
            self._alive = self._loop.create_future()
            self.send(wire.Probe())
            await self.answer(self._alive, "answer")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), _PROBE_INTERVAL)

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> Ear | None:
        """A recogniser, or None if the worker was lost meanwhile."""
        self._last_number += 1
        ear = self._ears[self._last_number] = Ear(self, self._last_number, on_partial, on_lost)
        self.send(wire.Open(self._last_number))
        try:
            return ear if await ear.opened() else None
        except asyncio.CancelledError:
            await ear.aclose()
            raise

    def send(self, message: wire.Message) -> None:
        """Queue a message; nothing happens if the worker is lost."""
        if self._transport is not None and not self.gone:
            self._transport.write(wire.encode(message))

    def send_audio(self, audio: wire.Audio) -> bool:
        """Queue audio; False if too much is waiting already."""
        if self._transport is not None:
            if self._transport.get_write_buffer_size() > _MOST_UNSENT:
                return False
            self.send(audio)
        return True

    def forget(self, number: int) -> None:
        """Free a recogniser; what is still on its way from it has no receiver."""
        if self._ears.pop(number, None):
            self.send(wire.Close(number))

    async def answer(self, future: asyncio.Future[T | None], what: str) -> T | None:
        """The future's result; a worker that does not give it by the deadline is lost (None)."""
        # Not wait_for: if our own loop was late, an answer that has come must count.
        await asyncio.wait([future], timeout=self._deadline)
        if not future.done():
            self.lose(Loss.STUCK, f"did not {what} in {self._deadline:g} s")
        return future.result() if future.done() else None

    def lose(self, loss: Loss, reason: str) -> None:
        """Kill the process and tell every call on it; only the first time counts."""
        if self.gone:
            return
        self.why_gone = reason
        self._gone.set()
        self._process.kill()
        if self._transport is not None:
            self._transport.abort()
        _settle(self._alive, None)
        ears, self._ears = self._ears, {}
        for ear in ears.values():
            ear.lose(loss)


def _settle(future: asyncio.Future[T], result: T) -> None:
    """Give the result, unless the waiter has one or is gone."""
    if not future.done():
        future.set_result(result)
