"""A cable between a program and a TCP server, which a test can cut, or let swallow everything."""

from __future__ import annotations

import asyncio
import contextlib


class TcpWire:
    """Listens on a port of its own; what comes is carried to host:port and back."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.called = asyncio.Event()  # somebody has tried it since it swallows

    async def __aenter__(self) -> TcpWire:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ari"

    def cut(self) -> None:
        """Every connection breaks now; new ones are made as before."""
        for pair in self._pairs:
            for writer in pair:
                writer.transport.abort()

    def swallow(self) -> None:
        """Nothing arrives any more, in either direction, and nobody is told."""
        self._whole.clear()
        self.called.clear()

    def heal(self) -> None:
        """What was under way is lost with its connections; new ones work."""
        self.cut()
        self._whole.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.called.set()
        try:
            await self._whole.wait()
            there, back = await asyncio.open_connection(*self._to)
            pair = writer, back
            self._pairs.add(pair)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                self._pairs.discard(pair)
                back.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await self._whole.wait()
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
