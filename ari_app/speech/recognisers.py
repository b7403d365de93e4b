"""The ASR workers together: starts them, spreads the calls, replaces what dies."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from ari_app.errors import AsrLost, ModelUnavailable
from ari_app.ports import Meter
from ari_app.speech.breaker import BackOff
from ari_app.speech.ear import Ear
from ari_app.speech.grammar import heard_by
from ari_app.speech.link import DIED, Patience, WorkerLink
from ari_app.speech.listener import Listener, Loss
from ari_app.speech.model import ModelFacts, why_unusable
from ari_app.speech.spawn import Spawned, spawn

logger = logging.getLogger(__name__)

_LOAD_DEADLINE = 120.0  # seconds; the largest official models are gigabytes
_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 10.0
_STEADY = 30.0  # a worker that has lived so long is restarted at the first back-off again


class AsrWorkers:
    """`count` processes with one model each: the ports `Recognisers` and `Returning`.

    A worker that dies, breaks the protocol or gives no sign of life for `hang` seconds is killed
    and replaced; its calls hear of it once, by on_lost, and may open again. A call whose turn is
    not finished within `deadline` seconds loses its recogniser alone. `spare` workers more wait
    with the model loaded, and take the place of one that is gone at once.
    """

    def __init__(
        self,
        facts: ModelFacts,
        count: int,
        meter: Meter,
        deadline: float = 2.0,
        *,
        hang: float = 1.0,
        behind: float = 5.0,
        spare: int = 0,
        module: str = "ari_app.speech.worker",
    ) -> None:
        if count < 1 or spare < 0:
            raise ValueError(f"{count} workers, {spare} to spare")
        self._facts = facts
        self._count = count
        self._spare = spare
        self._meter = meter
        self._patience = Patience(deadline, min(hang, deadline), behind)
        self._module = module
        self._links: list[WorkerLink] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._some_alive = asyncio.Event()
        self.started = 0  # how many processes there have been

    @property
    def rate(self) -> int:
        """The model's sample rate: 8000 or 16000."""
        return self._facts.rate

    @property
    def takes_phrases(self) -> bool:
        """Whether `expect` can have an effect with this model."""
        return self._facts.dynamic

    def knows(self, phrase: str) -> bool:
        """Whether the model can hear every word of this."""
        return heard_by((phrase.lower(),), self._facts.words)

    @property
    def alive(self) -> int:
        """How many workers can take a call now."""
        return sum(not link.gone for link in self._links)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that are alive."""
        return [link.pid for link in self._links if not link.gone]

    async def start(self) -> None:
        """Return when every worker has loaded the model or failed to; ModelUnavailable if all did.

        Those that failed are tried again as if they had died later.
        """
        if self._facts.is_mini:
            logger.warning(
                "the mini speech model is in use: it hears synthesized voices only, not people; "
                "set speech.model_path to an official model before real callers come"
            )
        loop = asyncio.get_running_loop()
        firsts: list[asyncio.Future[str]] = [
            loop.create_future() for _ in range(self._count + self._spare)
        ]
        self._keepers = [asyncio.create_task(self._keep(first)) for first in firsts]
        try:
            reasons = await asyncio.gather(*firsts)
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if all(reasons):
            await self.aclose()
            raise ModelUnavailable(
                f"Vosk does not start with the model at {self._facts.path} ({reasons[0]}): "
                "install it again, or set speech.model_path to another."
            )

    async def aclose(self) -> None:
        """End all workers; calls that are still open lose their recogniser."""
        keepers, self._keepers = self._keepers, []
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    async def open(self, on_partial: Callable[[str], None], on_lost: Callable[[], None]) -> Ear:
        """A recogniser on the least loaded worker; AsrLost if none is alive, or all are too slow.

        Both callbacks run in the event loop: on_partial with the words of the turn so far, each
        time they change; on_lost at most once, and not after aclose.
        """
        asked: list[WorkerLink] = []
        while living := [link for link in self._in_use() if link not in asked]:
            link = min(living, key=lambda link: link.load)
            asked.append(link)
            ear = await link.open(Listener(on_partial, on_lost, self._meter))
            if ear is not None:
                return ear
        if asked:
            raise AsrLost("No ASR worker has made a recogniser in time.")
        raise AsrLost("No ASR worker is alive.")

    async def returned(self) -> None:
        """Return as soon as a worker is alive; at once if one is."""
        while not self.alive:
            self._some_alive.clear()
            await self._some_alive.wait()

    def _in_use(self) -> list[WorkerLink]:
        """Those that have lived longest: who comes after them is to spare."""
        return [link for link in self._links if not link.gone][: self._count]

    # -- one worker after another --

    async def _keep(self, first: asyncio.Future[str]) -> None:
        """Have a worker at all times; `first` gets "" once it runs, or why it does not."""
        back_off = BackOff(_FIRST_BACK_OFF, _LONGEST_BACK_OFF, _STEADY)
        suspicious = False
        while True:
            lived = 0.0
            # Said by us, a missing file has a name; libvosk only says that it cannot.
            reason = await asyncio.to_thread(why_unusable, self._facts, thoroughly=suspicious)
            if not reason:
                try:
                    lived, reason = await self._live(first)
                except OSError as error:
                    reason = f"cannot be started: {error}"
            if not first.done():
                first.set_result(reason)
            # One that died before it had the model may have met a damaged one.
            suspicious = not lived
            pause = back_off.ended(lived)
            logger.error("an ASR worker %s; the next one starts in %.1f s", reason, pause)
            await asyncio.sleep(pause)

    async def _live(self, first: asyncio.Future[str]) -> tuple[float, str]:
        """One worker's life: its seconds with the model loaded, and what it died of."""
        link, process = await self._start_worker()
        loop = asyncio.get_running_loop()
        began = None
        try:
            if await link.loaded(_LOAD_DEADLINE):
                began = loop.time()
                self._links.append(link)
                self._some_alive.set()
                self._count_living()
                if not first.done():
                    first.set_result("")
                await link.watch()
        finally:
            link.lose(Loss.STOPPED, "was stopped")
            if link in self._links:
                self._links.remove(link)
                self._count_living()
            await process.aclose()
        how = f" ({process.how_it_ended})" if link.why_gone == DIED else ""
        return (0.0 if began is None else loop.time() - began), link.why_gone + how

    async def _start_worker(self) -> tuple[WorkerLink, Spawned]:
        ours, theirs = socket.socketpair()
        process = None
        try:
            with theirs:
                process = await spawn(
                    self._module,
                    *("--fd", str(theirs.fileno())),
                    *("--rate", str(self._facts.rate), "--model", os.fspath(self._facts.path)),
                    pass_fds=(theirs.fileno(),),
                )
            self.started += 1
            link = WorkerLink(process, self._facts, self._patience)
            # A socket that is connected already: nothing here waits for anybody.
            await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
        except BaseException:
            ours.close()
            if process is not None:
                await process.aclose()
            raise
        return link, process

    def _count_living(self) -> None:
        self._meter.gauge("segue_asr_workers_alive", self.alive)
