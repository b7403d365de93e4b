"""Pure. WAV files of prompts: what a telephone can play is read, all else is refused clearly."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from ari_app.speech.prompts.sound import RATE

Samples = NDArray[np.int16]
Decode = Callable[[bytes], Samples]

MOST_OCTETS = 32 << 20
_LONGEST = 300  # seconds
_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE  # RFC 2361
_RATES = (8000, 16000)
_FORMAT = struct.Struct("<HHIIHH")


class BadRecording(ValueError):
    """A file is no recording that can be played; its text is one sentence without the name."""


@dataclass(frozen=True, slots=True)
class Decoders:
    """G.711 from octets to 16-bit samples."""

    ulaw: Decode
    alaw: Decode


def read_wav(octets: bytes, decoders: Decoders, rates: tuple[int, ...] = _RATES) -> Samples:
    """16-bit samples at 8000 Hz; BadRecording.

    Mono, 16-bit PCM, mu-law or A-law, at one of `rates`.
    """
    if octets[:4] != b"RIFF" or octets[8:12] != b"WAVE":
        raise BadRecording("it is no WAV file")
    described: tuple[int, int, int, int] | None = None
    for name, body in _chunks(octets):
        if name == b"fmt ":
            described = _read_format(body)
        elif name == b"data":
            if described is None:
                raise BadRecording("it is damaged: its sound comes before its format")
            return _samples(body, described, decoders, rates)
    raise BadRecording("it is cut off: it has no sound")


def _chunks(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(octets):
        name, size = octets[at : at + 4], int.from_bytes(octets[at + 4 : at + 8], "little")
        body = octets[at + 8 : at + 8 + size]
        # A program that writes to a pipe cannot go back to write the size: all ones, or zero.
        if len(body) < size and size != 0xFFFFFFFF:
            raise BadRecording("it is cut off: it is shorter than it says")
        yield name, body
        at += 8 + size + size % 2


def _read_format(body: bytes) -> tuple[int, int, int, int]:
    """Coding, channels, rate, bits."""
    if len(body) < _FORMAT.size:
        raise BadRecording("it is damaged: its format cannot be read")
    coding, channels, rate, _, _, bits = _FORMAT.unpack_from(body)
    if coding == _EXTENSIBLE and len(body) >= 26:
        coding = int.from_bytes(body[24:26], "little")
    return coding, channels, rate, bits


def _samples(
    body: bytes, described: tuple[int, int, int, int], decoders: Decoders, rates: tuple[int, ...]
) -> Samples:
    coding, channels, rate, bits = described
    if channels != 1:
        raise BadRecording(f"it has {channels} channels: record it in mono")
    if rate not in rates:
        known = " or ".join(map(str, rates))
        raise BadRecording(f"it has {rate} Hz: record it at {known} Hz")
    if coding == _PCM and bits == 16:
        samples: Samples = np.frombuffer(body[: len(body) & ~1], "<i2").astype(np.int16)
    elif coding in (_ULAW, _ALAW) and bits == 8:
        samples = (decoders.ulaw if coding == _ULAW else decoders.alaw)(body)
    else:
        raise BadRecording(
            f"its coding {coding} of {bits} bits is not known: use 16-bit PCM, mu-law or A-law"
        )
    if samples.size > _LONGEST * rate:
        raise BadRecording(f"it is longer than {_LONGEST} seconds")
    return to_telephone(samples, rate)


def to_telephone(samples: Samples, rate: int) -> Samples:
    """The same at 8000 Hz."""
    if rate == RATE or not samples.size:
        return samples
    # soxr rounds 16-bit samples itself and clips what the filter lets overshoot.
    resampled: Samples = soxr.resample(samples, rate, RATE).astype(np.int16)
    return resampled


def write_wav(samples: Samples) -> bytes:
    """A WAV file of 16-bit samples at 8000 Hz."""
    body = samples.astype("<i2").tobytes()
    described = _FORMAT.pack(_PCM, 1, RATE, 2 * RATE, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(described)) + described
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
