"""Asks the espeak-ng process for speech, and starts another when one dies."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from types import TracebackType

import numpy as np

from ari_app.errors import VoiceUnavailable
from ari_app.speech.espeak_process import ANSWER, READY, SAMPLES, UNLOADABLE
from ari_app.speech.prompts.sound import RATE, Samples
from ari_app.speech.prompts.synthesizer import OneAtATime, Speech
from ari_app.speech.prompts.wav import to_telephone
from ari_app.speech.spawn import Spawned, spawn

logger = logging.getLogger(__name__)

LONGEST_TEXT = 4000  # characters: minutes of speech
_MOST_OCTETS = 64 << 20  # of an answer: more is not our process
__all__ = ["RATE", "Espeak", "Samples"]


class Espeak:
    """One espeak-ng process, started at the first text; one text at a time.

    `deadline` is the seconds for one text; a process that is slower is killed, and another one
    gets as long again. `start` is the seconds for the process to come up. Nobody waits longer than
    that for the texts of others.
    """

    def __init__(self, deadline: float = 10.0, start: float = 10.0) -> None:
        self._deadline = deadline
        self._patience = start
        self._process: Spawned | None = None
        self._one = OneAtATime("espeak-ng", start + 2 * deadline)
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
        """16-bit samples at 8000 Hz, as espeak-ng speaks: see `speech`."""
        return (await self.speech(text, voice, variant, rate, pitch)).samples

    async def speech(
        self,
        text: str,
        voice: str = "gmw/en-US",
        variant: str | None = None,
        rate: int = 160,
        pitch: int = 50,
    ) -> Speech:
        """What espeak-ng makes of a text: silence and level untouched.

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
        async with self._one.turn():
            try:
                octets, native, words = await self._ask(request)
            except OSError as error:
                # It has died or hung since the last text, or of this one: a second try tells.
                octets, native, words = await self._ask_again(request, error)
        # A few milliseconds for a long prompt, too many beside a 20 ms packet clock.
        samples = np.frombuffer(octets[: len(octets) & ~1], "<i2").astype(np.int16)
        return Speech(await asyncio.to_thread(to_telephone, samples, native), words)

    async def aclose(self) -> None:
        """End the process; a text that is being spoken fails, and so do later ones."""
        self._closed = True
        if self._process is not None:
            self._process.kill()
        async with self._one.last():
            await self._end()

    # -- the pipe --

    async def _ask_again(
        self, request: dict[str, str | int], first: OSError
    ) -> tuple[bytes, int, tuple[int, ...]]:
        if not self._closed:
            how = "hung" if isinstance(first, TimeoutError) else "died"
            logger.warning("espeak-ng %s; starting it again", how)
        try:
            return await self._ask(request)
        except TimeoutError as error:
            raise VoiceUnavailable(
                f"espeak-ng did not speak within {self._deadline:g} s: is this machine overloaded?"
            ) from error
        except OSError as error:
            raise VoiceUnavailable(
                f"espeak-ng died twice of one text ({error}): say it otherwise."
            ) from error

    async def _ask(self, request: dict[str, str | int]) -> tuple[bytes, int, tuple[int, ...]]:
        """Samples, their rate, and its words; OSError (and no process) if it died or hung."""
        if self._closed:
            raise VoiceUnavailable("espeak-ng was closed: this service is stopping.")
        self._last_number += 1
        line = json.dumps({"id": self._last_number, **request}) + "\n"
        try:
            async with asyncio.timeout(self._patience):
                process = self._process or await self._start()
            async with asyncio.timeout(self._deadline):
                assert process.process.stdin is not None
                process.process.stdin.write(line.encode())
                await process.process.stdin.drain()
                kind, number, rate, words, octets = await _answer(process)
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
        return octets, rate, words

    async def _start(self) -> Spawned:
        self._process = process = await spawn("ari_app.speech.espeak_process", pipes=True)
        self.started += 1
        kind, _, _, _, reason = await _answer(process)
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


async def _answer(process: Spawned) -> tuple[int, int, int, tuple[int, ...], bytes]:
    """One answer: its kind, request, sample rate, beginnings of words and octets."""
    stdout = process.process.stdout
    assert stdout is not None
    kind, number, rate, words, length = ANSWER.unpack(await stdout.readexactly(ANSWER.size))
    if length > _MOST_OCTETS or words > LONGEST_TEXT:
        raise ConnectionResetError(f"an answer of {length} octets and {words} words")
    beginnings = struct.unpack(f"!{words}I", await stdout.readexactly(4 * words))
    return kind, number, rate, beginnings, await stdout.readexactly(length)
