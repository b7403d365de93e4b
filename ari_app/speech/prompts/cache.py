"""Prepared prompts on disk: bounded, shared by workers, and never believed without a check."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import struct
import tempfile
import time
from pathlib import Path

from ari_app.ports import Prompt

logger = logging.getLogger(__name__)

_MAGIC = b"SEGUEPR1"
_DIGEST = hashlib.sha256().digest_size
_SUFFIX = ".prompt"
_STALE = 3600.0  # seconds after which a half-written file is nobody's any more
_MOST_OCTETS = 16 << 20  # of one file: half an hour


class CorruptPrompt(ValueError):
    """A file in the cache is not what was written."""


class PromptCache:
    """Files `<key>.prompt` in a folder, the least recently used ones deleted beyond `most`.

    `most` is in octets. None of it raises for what a disk can do: a prompt that cannot be kept is
    made anew at the next start. Blocking: call it in a thread.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._complained = False

    def load(self, key: str) -> Prompt | None:
        """None if it is not there; CorruptPrompt if it was, and is deleted now."""
        path = self._folder / f"{key}{_SUFFIX}"
        try:
            with path.open("rb") as file:
                octets = file.read(_MOST_OCTETS + 1)
            os.utime(path)  # used now
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain("read", error)
            return None
        try:
            return _unpack(octets)
        except CorruptPrompt:
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def save(self, key: str, prompt: Prompt) -> None:
        """Whole or not at all."""
        written = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="new-", delete=False) as file:
                written = Path(file.name)
                file.write(_pack(prompt))
            written.replace(self._folder / f"{key}{_SUFFIX}")
            self._sweep()
        except OSError as error:
            self._complain("written", error)
            if written is not None:
                with contextlib.suppress(OSError):
                    written.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Delete the oldest beyond the bound, and what a dead worker left half-written."""
        kept = []
        for entry in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):  # another worker sweeps too
                found = entry.stat()
                if entry.name.endswith((_SUFFIX, ".ulaw")):
                    kept.append((found.st_mtime, found.st_size, entry.path))
                elif entry.name.startswith("new-") and found.st_mtime < time.time() - _STALE:
                    os.unlink(entry.path)
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self._most:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            total -= size

    def _complain(self, done: str, error: OSError) -> None:
        """Once: a full disk fails for every prompt."""
        if not self._complained:
            self._complained = True
            logger.warning(
                "prepared prompts cannot be %s in %s (%s): they are made anew at each start",
                done,
                self._folder,
                error.strerror or error,
            )


def _pack(prompt: Prompt) -> bytes:
    marks = struct.pack(f"!I{len(prompt.boundaries)}I", len(prompt.boundaries), *prompt.boundaries)
    body = marks + prompt.audio
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpack(octets: bytes) -> Prompt:
    digest, body = octets[len(_MAGIC) :][:_DIGEST], octets[len(_MAGIC) + _DIGEST :]
    if not octets.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        raise CorruptPrompt("its checksum is wrong")
    (count,) = struct.unpack_from("!I", body)
    return Prompt(body[4 + 4 * count :], struct.unpack_from(f"!{count}I", body, 4))
