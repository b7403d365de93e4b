"""The same events as JSON lines: in a file that is only added to, or on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ari_app.bus.message import line
from ari_app.errors import Unavailable
from ari_app.ports import Record

_MB = 1_000_000
_BLOCK = 65_536
# What a pipe takes without blocking once it says that it can be written to.
_CHUNK = select.PIPE_BUF


class LineFile:
    """Implements `Destination`: on disk when `put` returns, and every line of the file is whole.

    A file that has reached `largest` octets becomes `<name>.1`, that one `<name>.2` and so on;
    of these `kept` remain, and the oldest is removed. So a reader that falls behind by
    `kept` x `largest` octets misses events, and disk use has a bound.
    """

    def __init__(self, path: Path, *, largest: int = 100 * _MB, kept: int = 10) -> None:
        if largest < 1 or kept < 1:
            raise ValueError("largest and kept are at least 1")
        self._path = path
        self._largest = largest
        self._kept = kept

    async def put(self, records: Sequence[Record]) -> None:
        """See `Destination`."""
        try:
            await asyncio.to_thread(self._write, _lines(records))
        except OSError as error:
            raise Unavailable(
                f"cannot write events to {self._path} ({error.strerror}): "
                "make room or correct its name in [bus]"
            ) from error

    def _write(self, lines: bytes) -> None:
        with self._locked() as file:
            end = _end_of_whole_lines(file)
            os.ftruncate(file, end)  # a line that a crash cut short: it comes again
            if end < self._largest:
                _append(file, end, lines)
                return
            self._rotate()
        with self._locked() as file:
            _append(file, os.fstat(file).st_size, lines)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The file; Unavailable while another process that believes it is its turn has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"another process writes to {self._path}: it is waited for"
                ) from None
            if not os.path.samestat(os.fstat(file), self._path.stat()):
                raise Unavailable(f"{self._path} has just been renamed: it is made again")
            if not os.fstat(file).st_size:
                self._sync_names()
            yield file
        finally:
            os.close(file)

    def _rotate(self) -> None:
        """Rename each to the next number; a crash in between leaves a gap, and no harm."""
        for number in range(self._kept, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.rename(self._numbered(number))  # the last one of all is written over
        self._sync_names()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path

    def _sync_names(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the names, too, must survive a power cut
        finally:
            os.close(folder)


class LineOutput:
    """Implements `Destination` on a pipe, a terminal or a socket: done when it has been taken.

    Whether the reader keeps it is the reader's business. A reader that is too slow for the
    `deadline`, in seconds, gets the rest of its line first when it reads again.
    """

    def __init__(self, file: int = 1, *, deadline: float = 10.0) -> None:
        self._file = file
        self._deadline = deadline
        self._rest = b""  # of a line that has begun

    async def put(self, records: Sequence[Record]) -> None:
        """See `Destination`."""
        try:
            await asyncio.to_thread(self._write, _lines(records))
        except OSError as error:
            raise Unavailable(
                f"nobody takes events from our output ({error.strerror}): start its reader again"
            ) from error

    def _write(self, lines: bytes) -> None:
        left = memoryview(self._rest + lines)
        ends = time.monotonic() + self._deadline
        takes = select.poll()
        takes.register(self._file, select.POLLOUT)
        try:
            while left:
                wait = max(0.0, ends - time.monotonic())
                if not takes.poll(1000 * wait):
                    raise Unavailable(
                        f"nobody read our output for {self._deadline:g} s: see its reader"
                    )
                left = left[os.write(self._file, left[:_CHUNK]) :]
        finally:
            self._rest = self._unfinished(self._rest + lines, len(left))

    @staticmethod
    def _unfinished(all: bytes, left: int) -> bytes:
        """What is left of the line in the middle of which writing stopped."""
        at = len(all) - left
        if at == 0 or not left or all[at - 1 : at] == b"\n":
            return b""
        return all[at : all.index(b"\n", at) + 1]


def _lines(records: Sequence[Record]) -> bytes:
    try:
        return b"".join(line(record) + b"\n" for record in records)
    except ValueError as error:
        raise Unavailable(f"the relay stops at it: {error}; run `segue audit verify`") from None


def _append(file: int, end: int, lines: bytes) -> None:
    try:
        left = memoryview(lines)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)  # a full disk: of this batch, then, no line counts
        raise


def _end_of_whole_lines(file: int) -> int:
    """The place behind the last line feed."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
