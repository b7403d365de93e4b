"""An anchor that keeps every signed checkpoint in a file which is only added to."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path


class AnchorFile:
    """Implements the port `Anchor`; put the file on another machine's disk, or ship it there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, note: str) -> None:
        """See the port; the note is on disk when this returns."""
        await asyncio.to_thread(self._write, note)

    def _write(self, note: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        with os.fdopen(file, "wb") as anchored:
            # An empty line in front: a note that a crash cut short does not spoil this one.
            anchored.write(f"\n\n{note}".encode())
            anchored.flush()
            os.fsync(anchored.fileno())
