"""Recorded prompts: a folder for each language, `<prompt>.wav` or `<prompt>.<wording>.wav`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ari_app.speech.prompts.sound import Samples
from ari_app.speech.prompts.wav import MOST_OCTETS, BadRecording, Decoders, read_wav

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Wording:
    """One thing that is said to every caller alike; `prompt` is its name, if it has one."""

    text: str
    language: str
    prompt: str = ""
    number: int = 1  # of the wordings of that prompt

    @property
    def file(self) -> str:
        """How its recording is called; "" if it can have none."""
        if not _NAME.fullmatch(self.prompt):
            return ""
        return f"{self.prompt}.wav" if self.number == 1 else f"{self.prompt}.{self.number}.wav"


class Recordings:
    """Files below one folder: `en/greeting.wav`. Blocking: call it in a thread."""

    def __init__(self, folder: Path | None, decoders: Decoders) -> None:
        self._folder = folder
        self._decoders = decoders

    def path(self, wording: Wording) -> Path | None:
        """Where its recording is, or would be; None if it can have none."""
        if self._folder is None or not wording.file:
            return None
        return self._folder / wording.language / wording.file

    def read(self, wording: Wording) -> Samples | None:
        """16-bit samples at 8000 Hz; None if there is no recording; BadRecording."""
        path = self.path(wording)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                octets = file.read(MOST_OCTETS + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadRecording(f"it cannot be read ({error.strerror})") from None
        if len(octets) > MOST_OCTETS:
            raise BadRecording(f"it is larger than {MOST_OCTETS >> 20} MiB")
        return read_wav(octets, self._decoders)

    def unknown(self, wordings: frozenset[str]) -> list[Path]:
        """Files that belong to none of these, named `language/file`: mistyped, or left over."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = sorted(self._folder.glob("*/*.wav"))
        return [p for p in found if f"{p.parent.name}/{p.name}" not in wordings]
