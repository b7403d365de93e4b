"""Between octets and PDUs (SMPP 3.4, chapters 3 to 5), without I/O.

The stream is cut into frames in `frames`, a frame is read in `reading` and written in `writing`;
this is their one door.
"""

from __future__ import annotations

from smpp.constants import MAX_SEQUENCE
from smpp.frames import FrameReader
from smpp.reading import decode
from smpp.writing import encode

__all__ = ["FrameReader", "decode", "encode", "next_sequence"]


def next_sequence(sequence: int) -> int:
    """The sequence number after this one (§3.2): 1 follows 0x7FFFFFFF."""
    return sequence % MAX_SEQUENCE + 1
