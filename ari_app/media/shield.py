"""Strangers' datagrams by the thousand: left to the kernel, which drops them at no cost of ours."""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import struct

logger = logging.getLogger(__name__)

# So many strangers' datagrams within the time, in seconds, are a flood.
_FLOOD = 100
_WITHIN = 0.5
_SHUT = 1.0  # seconds until it is looked again, and counted

_UNSPECIFIED = struct.pack("=H14x", socket.AF_UNSPEC)
_libc = ctypes.CDLL(None, use_errno=True)


class Shield:
    """Connects a UDP socket to its peer while strangers flood it: others then do not reach it.

    Linux: a socket that was bound to a named port (not 0) is bound for good, so that opening again,
    which is connect(2) to AF_UNSPEC, leaves it where it was.
    """

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._count = 0
        self._since = 0.0
        self._open_at = 0.0
        self.shut = False
        self.floods = 0  # how often it was shut

    def refused(self, peer: tuple[str, int], now: float) -> None:
        """One more datagram of a stranger; shuts if it is one too many."""
        if now - self._since > _WITHIN:
            self._since, self._count = now, 0
        self._count += 1
        if self._count < _FLOOD or self.shut:
            return
        try:
            self._socket.connect(peer)
        except OSError as error:
            logger.debug("the RTP port could not be shielded: %s", error)
            self._count = 0
            return
        if not self.floods:
            logger.warning(
                "RTP port %d is flooded by strangers: the kernel drops them while it lasts",
                self._socket.getsockname()[1],
            )
        self.shut, self._open_at = True, now + _SHUT
        self.floods += 1

    def tick(self, now: float) -> None:
        """Opens when it has been shut for long enough."""
        if self.shut and now >= self._open_at:
            self.open()

    def open(self) -> None:
        """Let everybody in again."""
        if not self.shut:
            return
        self.shut, self._count = False, 0
        fd = self._socket.fileno()
        if _libc.connect(fd, _UNSPECIFIED, len(_UNSPECIFIED)) != 0:
            number = ctypes.get_errno()
            logger.debug("the RTP port stays shielded: %s", os.strerror(number))
            self.shut = True
