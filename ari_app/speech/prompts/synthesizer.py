"""What makes speech of text, and a guard that spares a dead one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from ari_app.errors import VoiceUnavailable
from ari_app.ports import Clock, Meter
from ari_app.speech.breaker import Breaker, Circuit
from ari_app.speech.prompts.sound import Samples

logger = logging.getLogger(__name__)

_FAILURES = 3  # in a row, after which it is left alone
_FIRST, _LONGEST = 1.0, 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Speech:
    """What a synthesizer made of a text, at 8000 Hz, silence and level untouched."""

    samples: Samples
    words: tuple[int, ...] = ()  # where its words begin, in ms; () if it does not say


class Synthesizer(Protocol):
    """A program of somebody else's, in a process of its own."""

    @property
    def name(self) -> str:
        """As in logs and figures."""

    def identity(self, language: str) -> str | None:
        """What its speech depends on besides the text; None: it does not speak this language."""

    async def say(self, text: str, language: str) -> Speech:
        """VoiceUnavailable if it is not there, refuses, or is too slow."""

    async def aclose(self) -> None:
        """End its process."""


class OneAtATime:
    """A process says one text after the other, and nobody waits for it without end.

    Else the last of many callers would wait as often for one that hangs as there are callers.
    """

    def __init__(self, name: str, patience: float) -> None:
        """`patience` is in seconds: as long as one text may take."""
        self._name = name
        self._patience = patience
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """VoiceUnavailable if the texts of others take too long."""
        try:
            async with asyncio.timeout(self._patience):
                await self._lock.acquire()
        except TimeoutError:
            raise VoiceUnavailable(
                f"{self._name} was busy with other texts for {self._patience:g} s"
            ) from None
        try:
            yield
        finally:
            self._lock.release()

    @asynccontextmanager
    async def last(self) -> AsyncIterator[None]:
        """When whatever is being said is over, however long that takes."""
        async with self._lock:
            yield


class Guarded:
    """A synthesizer that is left alone for a while after three failures in a row."""

    def __init__(self, synthesizer: Synthesizer, clock: Clock, meter: Meter) -> None:
        self._synthesizer = synthesizer
        self._clock = clock
        self._meter = meter
        self._breaker = Breaker(_FAILURES, _FIRST, _LONGEST)

    @property
    def name(self) -> str:
        """See Synthesizer."""
        return self._synthesizer.name

    def identity(self, language: str) -> str | None:
        """See Synthesizer."""
        return self._synthesizer.identity(language)

    async def say(self, text: str, language: str) -> Speech:
        """See Synthesizer; at once if it has failed too often."""
        began = self._clock.monotonic()
        probe = self._breaker.take_probe(began)
        if not probe and self._breaker.state is not Circuit.CLOSED:
            raise VoiceUnavailable(f"{self.name} has failed again and again: it is left alone")
        worked = False
        try:
            speech = await self._synthesizer.say(text, language)
        except VoiceUnavailable as error:
            self._meter.count("segue_prompt_faults_total", source=self.name)
            if self._breaker.failed(self._clock.monotonic()):
                logger.error("%s is left alone for a while: %s", self.name, error)
            raise
        else:
            self._breaker.succeeded()
            took = self._clock.monotonic() - began
            self._meter.observe("segue_synthesis_seconds", took, synthesizer=self.name)
            worked = True
            return speech
        finally:
            if probe:  # one that was cancelled has told nothing good
                self._breaker.probed(worked, self._clock.monotonic())

    async def aclose(self) -> None:
        """See Synthesizer."""
        await self._synthesizer.aclose()
