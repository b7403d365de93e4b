"""An anchor that sends every signed checkpoint to a syslog of the premises (RFC 5424)."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from ari_app.errors import Unavailable
from ari_app.ports import Clock

_NOTICE = 5
_AUTHPRIV = 10
# RFC 5426, section 3.2: every receiver should take datagrams of so many octets.
_LONGEST_DATAGRAM = 2048
_NO_NAME = re.compile(r"[^!-~]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str  # `udp`, `tcp` or `unix`
    host: str
    port: int
    path: str


class AnchorSyslog:
    """Implements the port `Anchor`. The message is the note as one JSON string, in ASCII.

    So a syslog that breaks or escapes lines keeps it whole; `jq -r .` gives the note back. With
    tcp://host:port the note is kept when the other side has read it to its end; udp://host:port
    and unix:///dev/log are only as sure as a datagram is. A remote address must be of the
    premises: private, link-local or of this machine.
    """

    def __init__(
        self, address: str, clock: Clock, *, facility: int = _AUTHPRIV, deadline: float = 5.0
    ) -> None:
        """ValueError for no such address. `deadline` is the seconds for one note, all included."""
        if not 0 <= facility <= 23:
            raise ValueError("a syslog facility is 0 to 23")
        self._address = address
        self._place = _place(address)
        self._clock = clock
        self._facility = facility
        self._deadline = deadline

    async def put(self, note: str) -> None:
        """See the port; Unavailable says why it may not be kept."""
        message = self._message(note)
        try:
            async with asyncio.timeout(self._deadline):
                if self._place.kind == "tcp":
                    await self._stream(message)
                else:
                    await self._datagram(message)
        except TimeoutError:
            raise Unavailable(
                f"syslog at {self._address} did not take the checkpoint within "
                f"{self._deadline:g} s: see whether it runs"
            ) from None
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                why = "it is no datagram socket"
            elif error.errno and error.errno > 0:
                why = os.strerror(error.errno)  # asyncio's own words repeat the address
            else:
                why = error.strerror or str(error)  # of the resolver, with numbers of its own
            raise Unavailable(
                f"syslog at {self._address} cannot be reached ({why}): "
                "start it, or correct its address in [audit]"
            ) from None

    def _message(self, note: str) -> bytes:
        """RFC 5424, section 6."""
        at = _EPOCH + timedelta(microseconds=self._clock.now())
        written = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        host = _NO_NAME.sub("", socket.gethostname())[:255] or "-"
        head = f"<{8 * self._facility + _NOTICE}>1 {written} {host} segue {os.getpid()} checkpoint"
        return f"{head} - {json.dumps(note)}".encode("ascii")

    async def _datagram(self, message: bytes) -> None:
        if len(message) > _LONGEST_DATAGRAM:
            raise Unavailable(
                f"a checkpoint of {len(message)} octets is too long for a datagram of syslog: "
                "use tcp:// in [audit]"
            )
        loop = asyncio.get_running_loop()
        family = socket.AF_UNIX
        to: str | tuple[object, ...] = self._place.path
        if self._place.kind == "udp":
            family, to = await self._resolved(socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            # A datagram socket connects at once; a full /dev/log is waited for below.
            sender.connect(to)
            await loop.sock_sendall(sender, message)
            # Where nobody listens on this machine, the kernel knows by now.
            if error := sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, os.strerror(error))

    async def _stream(self, message: bytes) -> None:
        family, to = await self._resolved(socket.SOCK_STREAM)
        reader, writer = await asyncio.open_connection(str(to[0]), self._place.port, family=family)
        try:
            # RFC 6587, section 3.4.1: octets are counted.
            writer.write(b"%d %b" % (len(message), message))
            await writer.drain()
            # Syslog never answers; but it closes when it has read our end.
            writer.write_eof()
            while await reader.read(1024):
                pass
        finally:
            writer.transport.abort()

    async def _resolved(
        self, kind: socket.SocketKind
    ) -> tuple[socket.AddressFamily, tuple[object, ...]]:
        found = await asyncio.get_running_loop().getaddrinfo(
            self._place.host, self._place.port, type=kind
        )
        family, _, _, _, to = found[0]
        # Nothing leaves the premises, not even the size of the log.
        at = ipaddress.ip_address(str(to[0]).partition("%")[0])
        if (getattr(at, "ipv4_mapped", None) or at).is_global:
            raise Unavailable(
                f"syslog at {self._address} is not on the premises ({to[0]} is a public address): "
                "name one of yours in [audit]"
            )
        return family, to


def _place(address: str) -> _Place:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 514
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme == "unix" and not host and parts.path.startswith("/"):
        return _Place("unix", "", 0, parts.path)
    if parts.scheme in ("udp", "tcp") and host and parts.path in ("", "/") and "@" not in address:
        return _Place(parts.scheme, host, port, "")
    raise ValueError(
        "a syslog is udp://host:port, tcp://host:port or unix:///path, such as unix:///dev/log: "
        f"not {address!r}"
    )
