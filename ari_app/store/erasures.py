"""The erasure ledger: JSON lines that are only ever added to, beside the key database."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ari_app.errors import StoreUnavailable
from ari_app.privacy.errors import LedgerDamaged
from ari_app.privacy.ports import Act, Entry, Ledger, Mode, Reason


class LedgerFile:
    """Implements the port `Ledger`; an entry that was appended survives a power cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See the port."""
        with self._lock:
            try:
                file = self._open()
            except OSError as error:
                raise StoreUnavailable(f"cannot use {self._path}: {error.strerror}") from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
            finally:
                os.close(file)

    def entries(self) -> list[Entry]:
        """See the port."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreUnavailable(f"cannot read {self._path}: {error.strerror}") from error
        # What stands behind the last line end was never acknowledged.
        lines = content.split(b"\n")[:-1]
        return [self._entry(number, line) for number, line in enumerate(lines, 1)]

    def append(self, entry: Entry) -> None:
        """See the port."""
        try:
            with self._path.open("r+b") as file:
                content = file.read()
                file.truncate(content.rfind(b"\n") + 1)  # a line that a crash cut short
                file.seek(0, os.SEEK_END)
                file.write(to_line(entry).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error.strerror}") from error

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)  # the name, too, must survive a power cut
            finally:
                os.close(folder)
            return file

    def _entry(self, number: int, line: bytes) -> Entry:
        try:
            return from_line(line)
        except ValueError as error:
            raise LedgerDamaged(
                f"line {number} of {self._path} is no entry: restore it from a backup"
            ) from error


def to_line(entry: Entry) -> str:
    """One line of JSON, without its end."""
    return json.dumps(
        {
            "at": entry.at,
            "act": entry.act.value,
            "owner": entry.owner,
            "reason": entry.reason.value,
            **({} if entry.mode is None else {"mode": entry.mode.value}),
        }
    )


def from_line(line: str | bytes) -> Entry:
    """What `to_line` has written; ValueError if it is none of ours."""
    try:
        written: dict[str, Any] = json.loads(line)
        mode = written.get("mode")
        return Entry(
            at=int(written["at"]),
            act=Act(written["act"]),
            owner=str(written["owner"]),
            reason=Reason(written["reason"]),
            mode=None if mode is None else Mode(mode),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no entry of ours") from error


def copy(source: Ledger, target: Ledger) -> int:
    """Add to the target what only the source has, in its order; returns how many entries.

    From a table to a file: a copy to be kept elsewhere. From the file to a table that an old
    backup was restored into: nothing is forgotten, if it is done before anything else is added.
    """
    with target.exclusive():
        there = Counter(target.entries())
        missing = []
        for entry in source.entries():
            if there[entry]:
                there[entry] -= 1
            else:
                missing.append(entry)
        for entry in missing:
            target.append(entry)
    return len(missing)
