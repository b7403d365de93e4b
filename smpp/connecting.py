"""How a connection to the SMSC comes about: we call it, or it calls us (outbind)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

P = TypeVar("P", bound=asyncio.Protocol)


class Connecting(Protocol):
    """A way to a connection."""

    where: str
    listens: bool  # for an outbind

    async def connect(self, make: Callable[[], P]) -> P:
        """The protocol that `make` made, with its transport; OSError or TimeoutError."""

    async def aclose(self) -> None:
        """Stop listening, if that is the way."""


class Dial:
    """We connect: the name is looked up each time, and every address of it is tried."""

    listens = False

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        """`server_hostname` is what the certificate must say, if it is not `host` (SNI too).

        The addresses share `timeout`, so that one that swallows packets leaves time for the next.
        """
        self.where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._host = host
        self._port = port
        self._tls = tls
        self._server_hostname = None if tls is None else server_hostname or host
        self._timeout = timeout

    async def connect(self, make: Callable[[], P]) -> P:
        """Call the SMSC; the error of the last address if none answers."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout
        async with asyncio.timeout_at(end):
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        for left in range(len(addresses), 0, -1):
            try:
                async with asyncio.timeout_at(loop.time() + (end - loop.time()) / left):
                    _, protocol = await loop.create_connection(
                        make,
                        addresses[-left],
                        self._port,
                        ssl=self._tls,
                        server_hostname=self._server_hostname,
                    )
                return protocol
            except OSError:  # TimeoutError is one
                if left == 1:
                    raise
        raise OSError("the name has no address")

    async def aclose(self) -> None:
        """Nothing stays open."""


class Listen:
    """The SMSC connects to us (SMPP 3.4 §2.2.1); one connection at a time."""

    listens = True

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Port 0 takes a free one, which `port` tells when the first `connect` has begun."""
        self.where = f"{host}:{port} (listening)"
        self.port = port
        self._host = host
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._waiting: asyncio.Future[asyncio.Protocol] | None = None

    @property
    def waits(self) -> bool:
        """Whether the next caller is let in."""
        return self._waiting is not None and not self._waiting.done()

    async def connect(self, make: Callable[[], P]) -> P:
        """Wait until somebody calls."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[asyncio.Protocol] = loop.create_future()
        self._waiting, self._make = waiting, make
        if self._server is None:
            self._server = await loop.create_server(
                self._accept, self._host, self.port, ssl=self._tls
            )
            self.port = int(self._server.sockets[0].getsockname()[1])
        try:
            return await waiting  # type: ignore[return-value]  # what `make` made
        finally:
            self._waiting = None

    async def aclose(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(OSError):
                await self._server.wait_closed()

    def _accept(self) -> asyncio.Protocol:
        if self._waiting is None or self._waiting.done():
            return _Busy()
        protocol = self._make()
        self._waiting.set_result(protocol)
        return protocol


class _Busy(asyncio.Protocol):
    """A second caller: there is one bind on each connection, and one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
