"""Asks the espeak-ng process for speech, and starts another when one dies."""

from __future__ import annotations

import asyncio
import json
import logging
from types import TracebackType

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from ari_app.errors import VoiceUnavailable
from ari_app.speech.espeak_process import ANSWER, READY, SAMPLES, UNLOADABLE
from ari_app.speech.spawn import Spawned, spawn

logger = logging.getLogger(__name__)

Samples = NDArray[np.int16]

RATE = 8000  # of everything that leaves here, in Hz
LONGEST_TEXT = 4000  # characters: minutes of speech
_MOST_OCTETS = 64 << 20  # of an answer: more is not our process


class Espeak:
    """One espeak-ng process, started at the first text; one text at a time.

    `deadline` is the seconds for one text; a process that is slower is killed.
    """

    def __init__(self, deadline: float = 10.0) -> None:
        self._deadline = deadline
        self._process: Spawned | None = None
        self._turn = asyncio.Lock()
        self._last_number = 0
        self._closed = False
        self.started = 0  # how many processes there have been

    async def __aenter__(self) -> Espeak:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def synthesize(
        self,
        text: str,
        voice: str = "gmw/en-US",
        variant: str | None = None,
        rate: int = 160,
        pitch: int = 50,
    ) -> Samples:
        """16-bit samples at 8000 Hz, as espeak-ng speaks: silence and level untouched.

        voice is one of espeak-ng's files, variant a timbre such as f4; rate in words a minute,
        pitch 0-100. VoiceUnavailable if espeak-ng is not there, refuses or is too slow.
        """
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"a text of {len(text)} characters is longer than {LONGEST_TEXT}")
        request: dict[str, str | int] = {
            "text": "".join(c if c.isprintable() else " " for c in text),
            "voice": f"{voice}+{variant}" if variant else voice,
            "rate": rate,
            "pitch": pitch,
        }
        async with self._turn:
            try:
                octets, native = await self._ask(request)
            except OSError:
                # It has died since the last text, or of this one: a second try tells.
                octets, native = await self._ask_again(request)
        # A few milliseconds for a long prompt, too many beside a 20 ms packet clock.
        return await asyncio.to_thread(_to_telephone, octets, native)

    async def aclose(self) -> None:
        """End the process; a text that is being spoken fails, and so do later ones."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
        async with self._turn:
            await self._end()

    # -- the pipe --

    async def _ask_again(self, request: dict[str, str | int]) -> tuple[bytes, int]:
        if not self._closed:
            logger.warning("espeak-ng died; starting it again")
        try:
            return await self._ask(request)
        except OSError as error:
            raise VoiceUnavailable(
                f"espeak-ng died twice of one text ({error}): say it otherwise."
            ) from error

    async def _ask(self, request: dict[str, str | int]) -> tuple[bytes, int]:
        """Samples and their rate; OSError (and no process) if it died."""
        if self._closed:
            raise VoiceUnavailable("espeak-ng was closed: this service is stopping.")
        self._last_number += 1
        line = json.dumps({"id": self._last_number, **request}) + "\n"
        try:
            async with asyncio.timeout(self._deadline):
                process = self._process or await self._start()
                assert process.process.stdin is not None
                process.process.stdin.write(line.encode())
                await process.process.stdin.drain()
                kind, number, rate, octets = await _answer(process)
        except TimeoutError as error:
            await self._end()
            raise VoiceUnavailable(
                f"espeak-ng did not speak within {self._deadline:g} s: is this machine overloaded?"
            ) from error
        except asyncio.IncompleteReadError as error:
            await self._end()
            raise ConnectionResetError("espeak-ng ended") from error
        except BaseException:  # also cancelled: an answer half read is of no use to the next
            await self._end()
            raise
        if kind != SAMPLES or number != self._last_number:
            raise VoiceUnavailable(
                f"{octets.decode(errors='replace')}: see `espeak-ng --voices` for what there is."
            )
        return octets, rate

    async def _start(self) -> Spawned:
        self._process = process = await spawn("ari_app.speech.espeak_process", pipes=True)
        self.started += 1
        kind, _, _, reason = await _answer(process)
        if kind == UNLOADABLE:
            raise VoiceUnavailable(
                f"espeak-ng cannot be loaded ({reason.decode(errors='replace')}): "
                "install it with `pip install segue[voice]` or `apt install espeak-ng`."
            )
        if kind != READY:
            raise ConnectionResetError("the espeak-ng process does not speak our protocol")
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.aclose()


async def _answer(process: Spawned) -> tuple[int, int, int, bytes]:
    """One answer: its kind, request, sample rate and octets."""
    assert process.process.stdout is not None
    kind, number, rate, length = ANSWER.unpack(
        await process.process.stdout.readexactly(ANSWER.size)
    )
    if length > _MOST_OCTETS:
        raise ConnectionResetError(f"an answer of {length} octets")
    return kind, number, rate, await process.process.stdout.readexactly(length)


def _to_telephone(octets: bytes, rate: int) -> Samples:
    samples = np.frombuffer(octets[: len(octets) & ~1], "<i2")
    if not samples.size:
        return np.zeros(0, np.int16)
    # soxr rounds 16-bit samples itself and clips what the filter lets overshoot.
    resampled: Samples = soxr.resample(samples, rate, RATE).astype(np.int16)
    return resampled
