"""A hand-off route that drops each record as a file into a folder."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from ari_app.errors import Unavailable


class FileDrop:
    """Implements the port `HandoffRoute`: acknowledged when the file is on disk under its name."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def deliver(self, handoff: str, record: dict[str, object]) -> str:
        """Write `<handoff>.json`; a receiver never sees half a file."""
        try:
            return await asyncio.to_thread(self._write, handoff, record)
        except OSError as error:
            raise Unavailable(f"cannot write to {self._folder}: {error.strerror}") from error

    def _write(self, handoff: str, record: dict[str, object]) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        final = self._folder / f"{handoff}.json"
        half = final.with_suffix(".part")
        # Half a surrogate pair, which UTF-8 has not, becomes its JSON escape.
        with open(half, "w", encoding="utf-8", errors="backslashreplace", opener=_private) as file:
            json.dump(record, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        half.rename(final)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the name survives a power cut too
        finally:
            os.close(folder)
        return final.name


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
