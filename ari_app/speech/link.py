"""One ASR worker process as the service sees it: its recognisers, its signs of life, its end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from ari_app.speech import wire
from ari_app.speech.ear import Ear
from ari_app.speech.listener import Listener, Loss, punctual, settle
from ari_app.speech.model import ModelFacts
from ari_app.speech.spawn import Spawned

_PROBE_INTERVAL = 0.25  # seconds

DIED = "died"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker may take; every figure is in seconds."""

    deadline: float  # to finish a turn, or to make a recogniser
    hang: float  # without any sign of life
    behind: float  # of audio that may wait for it, for each call

    def __post_init__(self) -> None:
        if min(self.deadline, self.hang, self.behind) <= 0:
            raise ValueError(f"{self}: none of them may be zero or less")


class WorkerLink(asyncio.Protocol):
    """From the moment the process runs until it is lost; what is lost stays lost."""

    def __init__(self, process: Spawned, model: ModelFacts, patience: Patience) -> None:
        self._process = process
        self._model = model
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._messages = wire.Messages()
        self._ears: dict[int, Ear] = {}
        # As a set that keeps its order: who waits longest is served first.
        self._behind: dict[Ear, None] = {}
        self._last_number = 0
        self._transport: asyncio.WriteTransport | None = None
        self._writable = True
        self._model_loaded: asyncio.Future[bool] = self._loop.create_future()
        self._sign: asyncio.Future[bool] = self._loop.create_future()
        self._gone = asyncio.Event()
        self.why_gone = ""  # the rest of a sentence that begins with "an ASR worker"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def deadline(self) -> float:
        """Seconds for whatever a recogniser is asked."""
        return self._patience.deadline

    @property
    def load(self) -> tuple[bool, int]:
        """What a new call should go by: whether calls are behind, and how many calls there are."""
        return bool(self._behind), len(self._ears)

    @property
    def gone(self) -> bool:
        """Whether it is lost."""
        return self._gone.is_set()

    @property
    def writable(self) -> bool:
        """Whether it takes audio now."""
        return self._writable and not self.gone and self._transport is not None

    # -- asyncio's side --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        settle(self._sign, True)
        try:
            for message in self._messages.feed(data):
                self._take(message)
        except wire.Malformed as error:
            self.lose(Loss.FAILED, f"broke the protocol: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose(Loss.DIED, DIED)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        # In turn, a piece from each: a call that has much to say does not starve the others.
        while self.writable and self._behind:
            ear = next(iter(self._behind))
            del self._behind[ear]
            if ear.pump():
                self._behind[ear] = None

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Alive():
                settle(self._model_loaded, True)
            case wire.Failed(recogniser=0, reason=reason):
                self.lose(Loss.FAILED, f"cannot load the model: {reason}")
            case wire.Opened() | wire.Partial() | wire.Final() | wire.Failed():
                # One that is not there belonged to a call that has just gone.
                if ear := self._ears.get(message.recogniser):
                    ear.take(message)
            case _:
                raise wire.Malformed(f"it said {type(message).__name__}")

    # -- our side --

    async def loaded(self, deadline: float) -> bool:
        """Whether the model is loaded within `deadline` seconds; otherwise the worker is lost."""
        if not await punctual(self._model_loaded, deadline):
            self.lose(Loss.STUCK, f"has not loaded the model in {deadline:g} s")
        return not self.gone

    async def watch(self) -> None:
        """Ask for signs of life until the worker is lost.

        Anything it says is one, and while it is busy it gives them unasked: however much audio
        waits, one that goes on is not taken for one that hangs.
        """
        while not self.gone:
            self._sign = self._loop.create_future()
            self.send(wire.Probe())
            if not await punctual(self._sign, self._patience.hang):
                self.lose(Loss.STUCK, f"gave no sign of life in {self._patience.hang:g} s")
            with contextlib.suppress(TimeoutError):
                # Not wait_for: if both come at once, it takes the cancelling for the result.
                async with asyncio.timeout(_PROBE_INTERVAL):
                    await self._gone.wait()

    async def open(self, listener: Listener) -> Ear | None:
        """A recogniser, or None if the worker was lost meanwhile, or is too slow."""
        self._last_number += 1
        number = self._last_number
        ear = Ear(self, number, listener, self._model, self._patience.behind)
        self._ears[number] = ear
        try:
            return ear if await ear.opened() else None
        except asyncio.CancelledError:
            await ear.aclose()
            raise

    def send(self, message: wire.Message) -> None:
        """Queue a message; nothing happens if the worker is lost."""
        if self._transport is not None and not self.gone:
            self._transport.write(wire.encode(message))

    def fell_behind(self, ear: Ear) -> None:
        """Something of this ear's waits; it is sent when the worker takes audio again."""
        if not self.gone:
            self._behind.setdefault(ear)

    def forget(self, number: int) -> None:
        """Free a recogniser; what is still on its way from it has no receiver."""
        ear = self._ears.pop(number, None)
        if ear is not None:
            self._behind.pop(ear, None)
            self.send(wire.Close(number))

    def lose(self, loss: Loss, reason: str) -> None:
        """Kill the process and tell every call on it; only the first time counts."""
        if self.gone:
            return
        self.why_gone = reason
        self._gone.set()
        self._process.kill()
        if self._transport is not None:
            self._transport.abort()
        settle(self._model_loaded, False)
        settle(self._sign, False)
        self._behind.clear()
        ears, self._ears = self._ears, {}
        for ear in ears.values():
            ear.lose(loss)
