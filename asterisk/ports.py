"""Blocks of ports, each of which one private Asterisk and the application beside it have alone."""

from __future__ import annotations

import os
import socket

# Below 32768, where Linux begins to give ports to outgoing connections.
_FIRST, _END = 14_000, 32_768
_SIZE = 600
_APP = range(100, 200)
_RTP = range(200, 600)


class NoFreePorts(Exception):
    """Every block of ports is taken, or the one that was asked for is."""


class PortBlock:
    """600 neighbouring ports of 127.0.0.1, kept from other blocks until `release` or our death."""

    def __init__(self, base: int, lock: socket.socket) -> None:
        self.base = base
        # A bare descriptor: a block that nobody released closes with the process, silently.
        self._lock: int | None = lock.detach()

    @property
    def ari(self) -> int:
        """HTTP with ARI (TCP)."""
        return self.base

    @property
    def ami(self) -> int:
        """AMI (TCP)."""
        return self.base + 1

    @property
    def sip(self) -> int:
        """SIP of Asterisk (UDP and TCP)."""
        return self.base + 2

    @property
    def carrier(self) -> int:
        """SIP of the carrier, where Asterisk sends its own calls (UDP); for a simulated one."""
        return self.base + 3

    @property
    def agi(self) -> int:
        """FastAGI of the application (TCP)."""
        return self.base + 4

    @property
    def rtp(self) -> range:
        """Media ports of Asterisk (UDP); a call with its media leg takes four."""
        return range(self.base + _RTP.start, self.base + _RTP.stop)

    @property
    def app(self) -> range:
        """Left alone by Asterisk: for the application and for what a test stands up beside it."""
        return range(self.base + _APP.start, self.base + _APP.stop)

    def release(self) -> None:
        """Let others have the block."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def reserve(base: int | None = None) -> PortBlock:
    """A block that is free now and stays ours; NoFreePorts if there is none.

    Safe for any number of processes at once. A `base` asks for one place, such as
    ports that a person wants to know by heart.
    """
    if base is not None:
        if not 1024 <= base <= _END - _SIZE:
            raise NoFreePorts(f"A block of ports begins between 1024 and {_END - _SIZE}.")
        block = _try(base)
        if block is None:
            raise NoFreePorts(
                f"Of the ports {base} to {base + _SIZE - 1} some are in use: name another base."
            )
        return block
    for candidate in range(_FIRST, _END - _SIZE + 1, _SIZE):
        block = _try(candidate)
        if block is not None:
            return block
    raise NoFreePorts(
        f"No {_SIZE} neighbouring ports are free between {_FIRST} and {_END - 1}: "
        "end some of the private Asterisks that run on this machine."
    )


def _try(base: int) -> PortBlock | None:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # An abstract name, not a file: taken atomically, given back by the kernel however we
        # die, and valid exactly where the ports are, in this network namespace.
        lock.bind(f"\0segue-ports-{base}")
    except OSError:
        lock.close()
        return None
    block = PortBlock(base, lock)
    # Who is not one of us knows nothing of the lock.
    if not _all_free(block):
        block.release()
        return None
    return block


def _all_free(block: PortBlock) -> bool:
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    wanted = [(port, kind) for port in (*range(block.base, block.base + 5),) for kind in (tcp, udp)]
    wanted += [(port, kind) for port in block.app for kind in (tcp, udp)]
    wanted += [(port, udp) for port in block.rtp]
    return all(_is_free(port, kind) for port, kind in wanted)


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            # As servers do: a connection that has just ended does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
