"""An SMSC that others wrote, run for one test: told what to do and asked what came.

It is a program of its own: it listens for ESMEs on `port`, and speaks with us in JSON lines
over a socket in its folder, which it opens. It ends when that socket does, and when we do.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.support.foreign.home import Home
from tests.support.foreign.launch import last_words, launch

PATIENCE = 15.0  # seconds; only a failing test ever waits so long
_LOOK = 0.1  # seconds between two looks whether it has ended
_FIRST_ID = 0x10A0BC  # its hexadecimal form cannot be read as decimal
_IDS_OF_ONE_LIFE = 0x10000
_LONGEST_LINE = 1 << 20  # octets of one report

Report = dict[str, Any]


class SmscFailed(Exception):
    """The foreign SMSC did not start or has ended; the sentence says why."""


class ForeignSmsc(ABC):
    """`accounts` may bind; every other word is a switch of the program, see its source.

    Its port stays ours from now on, also while it does not run.
    """

    kind: ClassVar[str]

    def __init__(self, *, accounts: dict[str, str] | None = None, **conduct: object) -> None:
        self._conduct = {"accounts": accounts or {"segue": "secret"}, **conduct}
        self.reports: list[Report] = []
        self._news = asyncio.Event()
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._doorway: asyncio.Server | None = None
        self._line: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        # Bound and never listening: nobody else is given the port, and the program, which
        # reuses addresses as servers do, may listen there.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        try:
            self._home = Home(f"smsc-{self.kind}")
        except BaseException:
            self._held.close()
            raise

    @property
    def home(self) -> Path:
        """Everything is in here; its words are in the file `log`."""
        return self._home.path

    @property
    def pid(self) -> int:
        """The process; SmscFailed if it does not run."""
        if self._process is None:
            raise SmscFailed(f"{self.kind} does not run.")
        return self._process.pid

    @abstractmethod
    def _command(self, conduct: str) -> tuple[Sequence[str | Path], dict[str, str]]:
        """The program with its argument, and what it needs in its environment."""

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Return when it takes connections; SmscFailed if it does not."""
        called: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        called = asyncio.get_running_loop().create_future()

        def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            called.set_result((reader, writer))

        door = self.home / "line"
        self._doorway = await asyncio.start_unix_server(answer, door, limit=_LONGEST_LINE)
        self._lives += 1
        conduct = {
            **self._conduct,
            "line": str(door),
            "port": self.port,
            "first_id": _FIRST_ID + self._lives * _IDS_OF_ONE_LIFE,
        }
        command, environment = self._command(json.dumps(conduct))
        self._process = launch(command, home=self.home, environment=environment)
        try:
            async with asyncio.timeout(PATIENCE):
                while not called.done():
                    if self._process.poll() is not None:
                        raise SmscFailed(f"{self.kind} ended at once: {last_words(self.home)}")
                    await asyncio.wait([called], timeout=_LOOK)
            reader, self._line = called.result()
            self._listening = asyncio.create_task(self._listen(reader))
            await self.until(lambda: len(self.of("listening")) == self._lives)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                said = last_words(self.home)
                raise SmscFailed(f"{self.kind} is not ready in time: {said}") from None
            raise

    async def stop(self) -> None:
        """End it as a crash would: sockets fall, its memory is gone. Twice is fine."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._listening is not None:
            await self._listening
            self._listening = None
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._doorway is not None:
            self._doorway.close()
            await self._doorway.wait_closed()
            self._doorway = None
            (self.home / "line").unlink(missing_ok=True)

    async def restart(self) -> None:
        """Stop and start, on the same port, with the conduct it had at first."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._give_back()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()
        self._give_back()

    def _give_back(self) -> None:
        self._home.remove()
        self._held.close()

    # -- the line -----------------------------------------------------------------------------

    async def tell(self, do: str, **details: object) -> None:
        """An order, such as `mo`, `unbind`, `drop` or `conduct` (new values of switches)."""
        if self._line is None:
            raise SmscFailed(f"{self.kind} does not run.")
        self._line.write(json.dumps({"do": do, **details}).encode() + b"\n")
        await self._line.drain()

    def of(self, event: str) -> list[Report]:
        """What it has reported of this kind so far, in all its lives."""
        return [report for report in self.reports if report["event"] == event]

    async def told(self, event: str, count: int = 1) -> list[Report]:
        """The reports of this kind, once there are so many; SmscFailed if that never is."""
        try:
            await self.until(lambda: len(self.of(event)) >= count)
        except TimeoutError:
            seen = [report["event"] for report in self.reports]
            raise SmscFailed(
                f"{self.kind} reported {len(self.of(event))} and not {count} times "
                f"{event!r}, among {seen[-20:]}: {last_words(self.home)}"
            ) from None
        return self.of(event)

    async def until(self, true: Callable[[], bool]) -> None:
        """Return when it is so, looked at after each report; TimeoutError if it never is."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self.reports.append(json.loads(line))
                self._news.set()
        except ConnectionError:  # killed while it spoke
            pass
