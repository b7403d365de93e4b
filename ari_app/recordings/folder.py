"""The folder of recordings: one thread writes them all, and a slow disk stops only recordings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ari_app.errors import SegueError
from ari_app.ports import Clock, Meter, RecordingLabel, TapeEnd
from ari_app.privacy.errors import Held
from ari_app.privacy.retention import RECORDINGS
from ari_app.privacy.vault import Vault
from ari_app.recordings.errors import RecordingDamaged, RecordingErased, RecordingUnknown
from ari_app.recordings.sealed import (
    KEY_SIZE,
    RATE,
    End,
    Piece,
    Sealing,
    file_key,
    has_end,
    read,
    read_label,
)

logger = logging.getLogger(__name__)

_ID = re.compile(r"rec_[0-9a-f]{32}")
_SUFFIX = ".rec"


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording in the folder; `closed`: it looks as if it had been ended properly."""

    label: RecordingLabel
    octets: int
    closed: bool


class RecordingFolder:
    """Implements the port `Recordings`. The folder is made, for the service's eyes only."""

    def __init__(
        self,
        path: Path,
        vault: Vault,
        clock: Clock,
        meter: Meter,
        *,
        behind: float = 10.0,
        longest: float = 7200.0,
        least_free: int = 0,
    ) -> None:
        """`behind`: seconds of a recording that may wait for the disk, `longest` of one.

        `least_free`: octets that the disk must still have; recordings end before it is full.
        """
        self.path = path
        self._vault = vault
        self._clock = clock
        self._meter = meter
        self._behind = behind
        self._longest = longest
        self._least_free = least_free
        self._thread = ThreadPoolExecutor(1, "recordings")

    # -- writing --------------------------------------------------------------------------------

    def start(self, label: RecordingLabel, told: Callable[[TapeEnd], None]) -> FileTape:
        """See the port."""
        return FileTape(self, label, told, self._clock.monotonic())

    async def aclose(self) -> None:
        """Write what waits."""
        await asyncio.to_thread(self._thread.shutdown)

    # -- reading --------------------------------------------------------------------------------

    def kept(self) -> Iterator[Kept]:
        """All of them, the oldest first; what is none of ours is logged and passed over."""
        for file in sorted(self.path.glob(f"rec_*{_SUFFIX}")):
            try:
                with file.open("rb") as opened:
                    label, _, _ = read_label(opened)
                    opened.seek(0)
                    closed = has_end(opened)
                yield Kept(label, file.stat().st_size, closed)
            except (OSError, RecordingDamaged) as error:
                logger.warning("%s cannot be read: %s", file.name, error)

    def play(self, recording: str) -> Iterator[Piece | End]:
        """Its pieces and its end; see `sealed.read`. RecordingUnknown if it is not here."""
        try:
            with self._file(recording).open("rb") as file:
                yield from read(file, self._vault.open)
        except FileNotFoundError:
            raise RecordingUnknown(
                f"there is no recording {recording} in {self.path}: see `segue recording list`"
            ) from None

    # -- erasing --------------------------------------------------------------------------------

    def erase(self, recording: str, held: Collection[str]) -> bool:
        """Remove the file; False if it is not here. Held if its owner is one of the held.

        After what waits to be written: a file that is not made yet must not be made afterwards.
        """
        return self._thread.submit(self._erase, recording, held).result()

    def _erase(self, recording: str, held: Collection[str]) -> bool:
        file = self._file(recording)
        try:
            with file.open("rb") as opened:
                label, _, _ = read_label(opened)
            if label.owner in held:
                raise Held(label.owner)
        except FileNotFoundError:
            return False
        except RecordingDamaged:
            pass  # whoever it was of, it is to go
        file.unlink(missing_ok=True)
        return True

    def sweep(self) -> int:
        """Remove what nobody can hear any more, since its key is shredded; how many."""
        gone = 0
        for file in self.path.glob(f"rec_*{_SUFFIX}"):
            try:
                with file.open("rb") as opened:
                    label, sealed, _ = read_label(opened)
                file_key(label, sealed, self._vault.open)
            except RecordingErased:
                file.unlink(missing_ok=True)
                gone += 1
            except (OSError, RecordingDamaged) as error:
                logger.warning("%s cannot be read: %s", file.name, error)
        return gone

    def _file(self, recording: str) -> Path:
        if not _ID.fullmatch(recording):
            raise RecordingUnknown("a recording is called rec_ and 32 hex digits")
        return self.path / f"{recording}{_SUFFIX}"


class FileTape:
    """Implements the port `Tape`: hands its pieces to the thread, and counts what waits there."""

    def __init__(
        self,
        folder: RecordingFolder,
        label: RecordingLabel,
        told: Callable[[TapeEnd], None],
        began: float,
    ) -> None:
        self.id = label.recording
        self.began = began
        self._folder = folder
        self._label = label
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._waiting = 0.0  # seconds
        self._ended = False
        # Only the thread uses these.
        self._file: int | None = None
        self._sealing: Sealing | None = None
        self._octets = 0
        self._submit(self._open, 0.0)

    def write(self, at: int, audio: bytes) -> None:
        """See the port."""
        if self._ended:
            return
        if at > self._folder._longest * RATE:
            self.end("longest")
        elif self._waiting > self._folder._behind:
            self._give_up("slow_disk")
        else:
            self._submit(lambda: self._write(at, audio), len(audio) / 2 / RATE)

    def end(self, why: str) -> None:
        """See the port."""
        if not self._ended:
            self._ended = True
            self._submit(lambda: self._close(why), 0.0)

    # -- in the event loop ----------------------------------------------------------------------

    def _submit(self, step: Callable[[], None], seconds: float) -> None:
        self._waiting += seconds
        try:
            self._folder._thread.submit(self._run, step, seconds)
        except RuntimeError:  # the service has ended
            self._give_up("disk")

    def _done(self, seconds: float) -> None:
        self._waiting -= seconds

    def _give_up(self, why: str) -> None:
        """Wait for the disk no longer: it may take for ever."""
        self._ended = True
        logger.error("recording %s ends: %s", self.id, why)
        self._tell(why)
        with contextlib.suppress(RuntimeError):
            self._folder._thread.submit(self._drop)

    def _tell(self, why: str) -> None:
        told, self._told = self._told, _nothing
        if told is not _nothing:
            self._folder._meter.count("segue_recordings_total", outcome=why)
            samples = self._sealing.samples if self._sealing else 0
            told(TapeEnd(why, samples / RATE, self._octets))

    # -- in the thread --------------------------------------------------------------------------

    def _run(self, step: Callable[[], None], seconds: float) -> None:
        try:
            step()
        except (OSError, SegueError) as error:
            logger.error("recording %s cannot be written: %s", self.id, error)
            self._drop()
            self._in_loop(lambda: self._give_up("disk"))
        self._in_loop(lambda: self._done(seconds))

    def _in_loop(self, what: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _open(self) -> None:
        folder = self._folder
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._need_room()
        seal = folder._vault.sealing(self._label.owner, RECORDINGS)
        self._sealing = Sealing(self._label, os.urandom(KEY_SIZE), seal)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(folder._file(self.id), flags, 0o600)
        self._put(self._sealing.head)

    def _write(self, at: int, audio: bytes) -> None:
        if self._sealing is not None and self._file is not None:
            self._need_room()
            self._put(self._sealing.piece(at, audio))

    def _close(self, why: str) -> None:
        if self._sealing is None or self._file is None:
            return
        self._put(self._sealing.end(why))
        os.fsync(self._file)
        self._drop()
        self._in_loop(lambda: self._tell(why))

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self._octets += len(data)

    def _need_room(self) -> None:
        least = self._folder._least_free
        if least and shutil.disk_usage(self._folder.path).free < least:
            raise OSError(f"{self._folder.path} has less room than [recording] least_free")

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _nothing(_: TapeEnd) -> None:
    """Nobody is told twice."""
