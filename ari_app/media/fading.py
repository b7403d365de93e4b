"""Pure. Cuts in a prompt that are not heard as clicks, and places where it may go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_app.media.formats import CHUNK
from ari_app.media.g711 import ulaw_decode, ulaw_encode

FADE = 40  # samples at 8 kHz: 5 ms
_BACK = 3200  # samples: 400 ms
_STEP = CHUNK // 2  # the quietest place is found to within so many samples


def fade_out(ulaw: bytes | memoryview) -> bytes:
    """The first 5 ms of these, down to silence."""
    return _faded(ulaw, np.linspace(1.0, 0.0, FADE, dtype=np.float32))


def fade_in(ulaw: bytes | memoryview) -> bytes:
    """All of these, the first 5 ms up from silence."""
    return _faded(ulaw, np.linspace(0.0, 1.0, FADE, dtype=np.float32)) + bytes(ulaw[FADE:])


def goes_on_at(ulaw: bytes | memoryview, position: int, at_ms: int | None) -> int:
    """The octet from which a prompt goes on that was paused at `position`."""
    if at_ms is None:
        return word_begins(ulaw, position)
    return min(max(at_ms, 0) * 8, position)


def word_begins(ulaw: bytes | memoryview, position: int) -> int:
    """Where to go on after a pause at `position`: the quietest 20 ms of the 400 ms before it.

    Between two words a voice is quieter than inside one; of places as quiet the latest is taken.
    """
    first = max(position - _BACK, 0)
    heard = ulaw_decode(bytes(ulaw[first:position])).astype(np.float32)
    if heard.size < CHUNK:
        return first
    power: NDArray[np.float32] = np.add.reduceat(heard**2, np.arange(0, heard.size, _STEP))
    pairs = power[:-1] + power[1:]
    latest = pairs.size - 1 - int(np.argmin(pairs[::-1]))
    return first + latest * _STEP


def _faded(ulaw: bytes | memoryview, ramp: NDArray[np.float32]) -> bytes:
    samples = ulaw_decode(bytes(ulaw[:FADE]))
    return ulaw_encode(np.round(samples * ramp[: samples.size]).astype(np.int16))
