"""One call's recogniser on an ASR worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from ari_app.errors import AsrLost
from ari_app.ports import Utterance
from ari_app.speech import grammar, wire
from ari_app.speech.backlog import Backlog
from ari_app.speech.listener import Listener, Loss, punctual, settle
from ari_app.speech.model import ModelFacts

logger = logging.getLogger(__name__)

Mark = wire.Finish | wire.Expect


class Worker(Protocol):
    """The worker, as its recognisers see it."""

    @property
    def pid(self) -> int:
        """The process's id."""

    @property
    def writable(self) -> bool:
        """Whether it takes audio now; if not, it pumps the ears that are behind when it does."""

    @property
    def deadline(self) -> float:
        """Seconds for whatever a recogniser is asked."""

    def send(self, message: wire.Message) -> None:
        """Queue a message; nothing happens if the worker is lost."""

    def fell_behind(self, ear: Ear) -> None:
        """Something of this ear's waits now."""

    def forget(self, number: int) -> None:
        """Free a recogniser; what is still on its way from it has no receiver."""


class Ear:
    """The ports `Recogniser` and `Expecting`.

    `behind`: seconds of audio that may wait while the worker is busy; what is older is dropped
    and counted. Times of words do not count what was dropped.
    """

    def __init__(
        self, worker: Worker, number: int, listener: Listener, model: ModelFacts, behind: float
    ) -> None:
        self._worker = worker
        self._number = number
        self._listener = listener
        self._model = model
        # Small enough for the worker to give a sign of life in between.
        self._piece = min(model.rate // 5 * 2, wire.MOST_AUDIO)
        self._backlog: Backlog[Mark] = Backlog(max(int(model.rate * behind), 1) * 2)
        self._opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def worker(self) -> int:
        """The process that hears this call, by its id."""
        return self._worker.pid

    @property
    def waiting(self) -> float:
        """Seconds of audio that the worker has not taken yet."""
        return self._backlog.octets / 2 / self._model.rate

    @property
    def dropped(self) -> float:
        """Seconds of audio that nobody has heard because the worker was too slow."""
        return self._backlog.dropped / 2 / self._model.rate

    # -- for the call --

    def feed(self, pcm: bytes) -> None:
        """Audio at the model's rate; half a sample at the end is dropped. Never blocks."""
        if self._listener.over:
            return
        whole = pcm[: len(pcm) & ~1]
        if self._worker.writable and not self._backlog and len(whole) <= self._piece:
            if whole:
                self._worker.send(wire.Audio(self._number, whole))
            return
        had_dropped = self._backlog.dropped
        if self._backlog.add_audio(whole):
            self._listener.missed(self._backlog.dropped - had_dropped, self._model.rate)
            if not had_dropped:
                pid = self._worker.pid
                logger.warning("ASR worker %d does not keep up: a call loses audio", pid)
        self._catch_up()

    def expect(self, phrases: Sequence[str]) -> bool:
        """Hear only these from here on; see the port."""
        wanted = grammar.check(phrases)
        if self._listener.over or not self._model.dynamic:
            return False
        if not grammar.heard_by(wanted, self._model.words):
            return False
        self._mark(wire.Expect(self._number, wanted))
        return True

    async def finish(self) -> Utterance:
        """What was said since the last finish; AsrLost if the worker died or is too slow."""
        final = self._listener.ask()
        self._mark(wire.Finish(self._number))
        utterance = await self._listener.answer(final, self._worker.deadline)
        if utterance is None:
            self._give_up(Loss.LATE, "has not finished a turn by its deadline")
            raise AsrLost("The recogniser has not finished the turn in time.")
        return utterance

    async def aclose(self) -> None:
        """Free the recogniser; on_lost is not called any more."""
        if not self._listener.closed:
            self._listener.close()
            self._end()

    # -- for the link --

    async def opened(self) -> bool:
        """Whether the worker has made the recogniser within its deadline."""
        self._worker.send(wire.Open(self._number))
        if await punctual(self._opened, self._worker.deadline) and self._opened.result():
            self._listener.opened = True
            return True
        self._give_up(Loss.LATE, "has not made a recogniser by its deadline")
        return False

    def take(self, message: wire.Opened | wire.Partial | wire.Final | wire.Failed) -> None:
        """What the worker says about this recogniser."""
        match message:
            case wire.Opened():
                settle(self._opened, True)
            case wire.Partial(text=text):
                self._listener.partial(text)
            case wire.Final(words=words):
                if not self._listener.final(words):
                    raise wire.Malformed("an answer without a question")
            case wire.Failed(reason=reason):
                self._give_up(Loss.FAILED, f"failed a recogniser: {reason}")

    def pump(self) -> bool:
        """Send the oldest that waits, one message of it; whether more is left."""
        item = self._backlog.take(self._piece)
        match item:
            case bytes():
                self._worker.send(wire.Audio(self._number, item))
            case wire.Finish() | wire.Expect():
                self._worker.send(item)
            case None:
                pass
        return bool(self._backlog)

    def lose(self, loss: Loss) -> None:
        """The worker is lost."""
        self._listener.lose(loss)
        self._end()

    def _mark(self, mark: Mark) -> None:
        self._backlog.add_mark(mark)
        self._catch_up()

    def _catch_up(self) -> None:
        while self._worker.writable and self._backlog:
            self.pump()
        if self._backlog:
            self._worker.fell_behind(self)

    def _give_up(self, loss: Loss, why: str) -> None:
        if self._listener.lose(loss):
            logger.warning("ASR worker %d %s", self._worker.pid, why)
        self._end()

    def _end(self) -> None:
        self._backlog.clear()
        settle(self._opened, False)
        self._worker.forget(self._number)
