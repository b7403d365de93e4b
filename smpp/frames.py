"""A stream of octets cut into frames by command_length (§3.2), without I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from smpp.constants import HEADER, MAX_PDU
from smpp.errors import RemoteProtocolError

_LENGTH = struct.Struct(">I")


class FrameReader:
    """Holds at most one frame that is not complete, of at most MAX_PDU octets."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lost = ""

    @property
    def halfway(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The frames that are complete now; RemoteProtocolError if the next length is absurd.

        After the error the stream is lost: nobody can know where the next PDU begins, so every
        later call raises it again and keeps nothing.
        """
        if self._lost:
            raise RemoteProtocolError(self._lost)
        buffer = self._buffer
        buffer += octets
        start, end = 0, len(buffer)
        try:
            while end - start >= 4:
                (length,) = _LENGTH.unpack_from(buffer, start)
                if not HEADER <= length <= MAX_PDU:
                    self._lost = f"command_length {length} is absurd"
                    start = end
                    raise RemoteProtocolError(self._lost)
                if end - start < length:
                    break
                frame = bytes(buffer[start : start + length])
                start += length
                yield frame
        finally:
            # Once per feed, not per frame: a burst of small PDUs must not cost its square.
            del buffer[:start]
