"""What goes to an ESME: one write per turn of the loop, or cut into pieces on purpose."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

_APART = 0.001  # seconds between halves: time for the peer to read the first


class Outlet:
    """Collects frames; `cut` says how those of this turn are written."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._frames: list[bytes] = []
        self._pieces: deque[bytes] = deque()
        self._cut = "whole"
        self._due = False
        self._ending = False

    def put(self, frame: bytes, cut: str) -> None:
        """Goes out with this turn, in order."""
        if self._ending or self._transport.is_closing():
            return
        self._frames.append(frame)
        self._cut = cut
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def end(self) -> None:
        """Close, after everything is written."""
        self._ending = True
        if not self._due:
            self._transport.close()

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if self._cut == "whole" and not self._pieces:
            self._due = False
            self._transport.write(b"".join(frames))
            if self._ending:
                self._transport.close()
            return
        self._pieces.extend(_pieces(frames, self._cut))
        self._write_next()

    def _write_next(self) -> None:
        # TCP_NODELAY makes a segment of each, if they are written one by one.
        if self._pieces and not self._transport.is_closing():
            self._transport.write(self._pieces.popleft())
            loop = asyncio.get_running_loop()
            if self._cut == "halves":
                loop.call_later(_APART, self._write_next)
            else:
                loop.call_soon(self._write_next)
            return
        self._pieces.clear()
        if self._frames:
            self._flush()
            return
        self._due = False
        if self._ending:
            self._transport.close()


def _pieces(frames: list[bytes], cut: str) -> Iterator[bytes]:
    """For `halves`, every piece but the last ends in the middle of a PDU."""
    if cut == "octets":
        yield from (frame[at : at + 1] for frame in frames for at in range(len(frame)))
        return
    begun = b""
    for frame in frames:
        middle = len(frame) // 2 if cut == "halves" else len(frame)
        yield begun + frame[:middle]
        begun = frame[middle:]
    if begun:
        yield begun
