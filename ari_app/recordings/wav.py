"""Pure. A recording as a WAV file: 16-bit PCM, 8 kHz, the caller left and Segue right."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from ari_app.recordings.sealed import RATE, End, Piece

_CHANNELS, _OCTETS = 2, 2
_MOST = 0xFFFFFFFF - 36  # what RIFF's 32 bits can say
_SILENCE = bytes(_CHANNELS * _OCTETS * RATE)  # a second


def header(samples: int | None) -> bytes:
    """RIFF, 44 octets; None: as long as it comes, which players take as endless."""
    frame = _CHANNELS * _OCTETS
    size = _MOST if samples is None else min(samples * frame, _MOST)
    sound = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, _CHANNELS, RATE, RATE * frame, frame, 16)
    return struct.pack("<4sI4s", b"RIFF", size + 36, b"WAVE") + sound + b"data" + _size(size)


def pcm(pieces: Iterable[Piece | End], decode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The sound, what was not recorded as silence; `decode` makes 16-bit PCM of mu-law."""
    at = 0
    for piece in pieces:
        if isinstance(piece, End):
            return
        missing = max(piece.at - at, 0)
        while missing > 0:
            step = min(missing, RATE)
            yield _SILENCE[: step * _CHANNELS * _OCTETS]
            missing -= step
        yield decode(piece.audio)
        at = piece.at + piece.samples


def _size(size: int) -> bytes:
    return struct.pack("<I", size)
