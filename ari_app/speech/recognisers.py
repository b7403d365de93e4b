"""The ASR workers together: starts them, spreads the calls, replaces what dies."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from ari_app.errors import AsrLost, ModelUnavailable
from ari_app.ports import Meter
from ari_app.speech.link import Ear, Loss, WorkerLink
from ari_app.speech.model import ModelFacts
from ari_app.speech.spawn import Spawned, spawn

logger = logging.getLogger(__name__)

_LOAD_DEADLINE = 120.0  # seconds; the largest official models are gigabytes
_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 10.0
_STEADY = 30.0  # a worker that has lived so long is restarted at the first back-off again


class AsrWorkers:
    """`count` processes with one model each: the port `Recognisers`.

    A worker that dies, or does not answer within `deadline` seconds, is killed and replaced; its
    calls hear of it once, by on_lost.
    """

    def __init__(self, facts: ModelFacts, count: int, meter: Meter, deadline: float = 2.0) -> None:
        if count < 1 or deadline <= 0:
            raise ValueError(f"{count} workers with a deadline of {deadline} s")
        self._facts = facts
        self._count = count
        self._meter = meter
        self._deadline = deadline
        self._links: list[WorkerLink] = []
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def rate(self) -> int:
        """The model's sample rate: 8000 or 16000."""
        return self._facts.rate

    @property
    def alive(self) -> int:
        """How many workers can take a call now."""
        return sum(not link.gone for link in self._links)

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
        firsts: list[asyncio.Future[str]] = [loop.create_future() for _ in range(self._count)]
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
        """A recogniser on the least loaded worker; AsrLost if none is alive.

        Both callbacks run in the event loop: on_partial with the words of the turn so far, each
        time they change; on_lost at most once, and not after aclose.
        """
        for _ in range(self._count):
            living = [link for link in self._links if not link.gone]
            if not living:
                break
            ear = await min(living, key=lambda link: link.load).open(on_partial, on_lost)
            if ear is not None:
                return ear
        raise AsrLost("No ASR worker is alive.")

    # -- one worker after another --

    async def _keep(self, first: asyncio.Future[str]) -> None:
        """Have a worker at all times; `first` gets "" once it runs, or why it does not."""
        loop = asyncio.get_running_loop()
        back_off = _FIRST_BACK_OFF
        while True:
            began = loop.time()
            try:
                reason = await self._live(first)
            except OSError as error:
                reason = f"cannot be started: {error}"
            if not first.done():
                first.set_result(reason)
            if loop.time() - began > _STEADY:
                back_off = _FIRST_BACK_OFF
            logger.error("an ASR worker %s; the next one starts in %.1f s", reason, back_off)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, _LONGEST_BACK_OFF)

    async def _live(self, first: asyncio.Future[str]) -> str:
        """One worker's life; returns what it died of."""
        link, process = await self._start_worker()
        try:
            if await link.loaded(_LOAD_DEADLINE):
                self._links.append(link)
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
        return link.why_gone

    async def _start_worker(self) -> tuple[WorkerLink, Spawned]:
        ours, theirs = socket.socketpair()
        process = None
        try:
            with theirs:
                process = await spawn(
                    "ari_app.speech.worker",
                    *("--fd", str(theirs.fileno())),
                    *("--rate", str(self._facts.rate), "--model", os.fspath(self._facts.path)),
                    pass_fds=(theirs.fileno(),),
                )
            link = WorkerLink(process, self._deadline, self._meter)
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
