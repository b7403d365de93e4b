"""Asks piper for speech: one process for each model, WAV files through a folder of our own.

Every piper takes a line of text on its input and writes a file into `--output_dir`; the C++ one
tells the file's path on its output, the one in Python in its log. Both are read as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ari_app.errors import VoiceUnavailable
from ari_app.speech.prompts.sound import Samples
from ari_app.speech.prompts.synthesizer import OneAtATime, Speech
from ari_app.speech.prompts.wav import MOST_OCTETS, BadRecording, Decoders, read_wav
from ari_app.speech.spawn import Spawned

logger = logging.getLogger(__name__)

_LONGEST_TEXT = 4000
_MOST_LINE = 1 << 16  # octets of a line of its log
_LOADING = 10.0  # seconds
_LOOK = 0.005  # seconds between two looks at a file that is being written
_RATES = (8000, 16000, 22050, 24000, 44100, 48000)


class Piper:
    """The port Synthesizer, for the languages that have a model.

    `deadline` is the seconds for one text; a process that is slower is killed, and another one
    gets as long again. The first text of a process may take 10 seconds more: it loads its model.
    Nobody waits longer than that for the texts of others.
    """

    name = "piper"

    def __init__(
        self,
        program: str,
        models: Mapping[str, Path],
        decoders: Decoders,
        deadline: float = 10.0,
    ) -> None:
        self._models = {language.lower(): model for language, model in models.items()}
        self._mouths = {
            model: _Mouth(program, model, decoders, deadline) for model in self._models.values()
        }

    def identity(self, language: str) -> str | None:
        """Its model; None if the language has none."""
        model = self._model(language)
        return None if model is None else f"piper {model}"

    async def say(self, text: str, language: str) -> Speech:
        """See Synthesizer."""
        model = self._model(language)
        if model is None:
            raise VoiceUnavailable(f"piper has no model for the language {language!r}")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if len(line) > _LONGEST_TEXT:
            raise VoiceUnavailable(f"a text of {len(line)} characters is too long for piper")
        return Speech(await self._mouths[model].say(line))

    async def aclose(self) -> None:
        """End its processes."""
        for mouth in self._mouths.values():
            await mouth.aclose()

    def _model(self, language: str) -> Path | None:
        tag = language.lower().replace("_", "-")
        return self._models.get(tag) or self._models.get(tag.split("-")[0])


class _Mouth:
    """One process with one model, started at the first text; one text at a time."""

    def __init__(self, program: str, model: Path, decoders: Decoders, deadline: float) -> None:
        self._program = program
        self._model = model
        self._decoders = decoders
        self._deadline = deadline
        self._one = OneAtATime("piper", _LOADING + 2 * deadline)
        self._process: Spawned | None = None
        self._folder: Path | None = None
        self._closed = False

    async def say(self, line: str) -> Samples:
        async with self._one.turn():
            try:
                return await self._within_deadline(line)
            except OSError as error:
                if self._closed:
                    raise VoiceUnavailable("piper was closed: this service is stopping") from error
                logger.warning("piper failed (%s); starting it again", str(error) or "it hung")
            try:
                return await self._within_deadline(line)
            except OSError as error:
                why = str(error) or f"not a word within {self._deadline:g} s"
                raise VoiceUnavailable(
                    f"piper failed twice ({why}): try `{self._program} --model {self._model}` "
                    "by hand"
                ) from error

    async def aclose(self) -> None:
        self._closed = True
        if self._process is not None:
            self._process.kill()
        async with self._one.last():
            await self._end()

    async def _within_deadline(self, line: str) -> Samples:
        """OSError, and no process, if it dies, hangs or writes nothing that can be read."""
        if self._closed:
            raise VoiceUnavailable("piper was closed: this service is stopping")
        try:
            loading = 0.0 if self._process else _LOADING
            async with asyncio.timeout(self._deadline + loading):
                process = self._process or await self._start()
                assert process.process.stdin is not None
                process.process.stdin.write(line.encode() + b"\n")
                await process.process.stdin.drain()
                return await self._take(await self._announced(process))
        except BaseException:  # also cancelled: what comes late is of no use to the next
            await self._end()
            raise

    async def _start(self) -> Spawned:
        self._folder = Path(tempfile.mkdtemp(prefix="segue-piper-"))
        arguments = ("--model", str(self._model), "--output_dir", str(self._folder))
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._program, *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_MOST_LINE,
            )
        except OSError as error:
            raise VoiceUnavailable(
                f"piper cannot be started ({error.strerror}): set [voice] piper to its program"
            ) from error
        self._process = Spawned(process)
        return self._process

    async def _announced(self, process: Spawned) -> Path:
        """The file that it says it has written."""
        assert process.process.stdout is not None
        assert self._folder is not None
        while True:
            try:
                line = await process.process.stdout.readline()
            except ValueError:
                raise ConnectionResetError("it writes lines without end") from None
            if not line:
                raise ConnectionResetError("it ended")
            said = line.decode(errors="replace").strip()
            place = said.find(str(self._folder))
            if place >= 0 and said.endswith(".wav"):
                return self._folder / Path(said[place:]).name

    async def _take(self, path: Path) -> Samples:
        """What is in the file, once it is whole: it may be announced before its last octets."""
        while True:
            octets = await asyncio.to_thread(_read, path)
            with contextlib.suppress(BadRecording):
                samples = await asyncio.to_thread(read_wav, octets, self._decoders, _RATES)
                await asyncio.to_thread(path.unlink)
                return samples
            await asyncio.sleep(_LOOK)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.aclose()
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        octets = file.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        raise ConnectionResetError("its file has no end")
    return octets
