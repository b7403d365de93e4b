"""Pure. From 16-bit samples to G.711 octets and back, by table (ITU-T G.711; G.191's g711.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SILENCE = b"\xff"  # mu-law zero

_ULAW_BIAS = 33  # in 14-bit samples, G.711 table 2
_ULAW_CLIP = 0x1FFF


def ulaw_encode(samples: Samples) -> bytes:
    """One octet a sample; amplitudes beyond the last decision value are clipped."""
    return _LINEAR_TO_ULAW[_codes(samples)].tobytes()


def ulaw_decode(data: bytes) -> Samples:
    """One sample an octet."""
    return _ULAW_TO_LINEAR[np.frombuffer(data, np.uint8)]


def alaw_encode(samples: Samples) -> bytes:
    """One octet a sample."""
    return _LINEAR_TO_ALAW[_codes(samples)].tobytes()


def alaw_decode(data: bytes) -> Samples:
    """One sample an octet."""
    return _ALAW_TO_LINEAR[np.frombuffer(data, np.uint8)]


def _codes(samples: Samples) -> NDArray[np.uint16]:
    """Samples as table indices; TypeError if they are not 16-bit: a silent wrap would be noise."""
    if samples.dtype != np.int16:
        raise TypeError(f"samples must be int16, not {samples.dtype}")
    return np.ascontiguousarray(samples).view(np.uint16)


def _every_sample() -> NDArray[np.int32]:
    """All 65536 samples in the order of their 16-bit codes."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)


def _magnitude(linear: NDArray[np.int32]) -> NDArray[np.int32]:
    # One's complement of the negatives, as G.191: -1 and 0 are mirror images.
    return np.where(linear < 0, ~linear, linear)


def _linear_to_ulaw() -> NDArray[np.uint8]:
    linear = _every_sample()
    absolute = np.minimum((_magnitude(linear) >> 2) + _ULAW_BIAS, _ULAW_CLIP)
    segment = np.zeros_like(absolute)
    for bound in range(6, 13):
        segment += absolute >= 1 << bound
    step = (absolute >> (segment + 1)) & 0xF
    octet: NDArray[np.int32] = (~(segment << 4 | step) & 0x7F) | np.where(linear < 0, 0, 0x80)
    return octet.astype(np.uint8)


def _ulaw_to_linear() -> Samples:
    octet = np.arange(256, dtype=np.int32)
    segment, step = ~octet >> 4 & 0x7, ~octet & 0xF
    absolute = ((step << 1) + _ULAW_BIAS << segment) - _ULAW_BIAS << 2
    return np.where(octet < 0x80, -absolute, absolute).astype(np.int16)


def _linear_to_alaw() -> NDArray[np.uint8]:
    linear = _every_sample()
    absolute = _magnitude(linear) >> 4
    segment = np.zeros_like(absolute)
    for bound in range(4, 11):
        segment += absolute >= 1 << bound
    step = absolute >> np.maximum(segment - 1, 0) & 0xF
    octet: NDArray[np.int32] = segment << 4 | step | np.where(linear < 0, 0, 0x80)
    return (octet ^ 0x55).astype(np.uint8)  # even bits inverted, G.711 section 3


def _alaw_to_linear() -> Samples:
    octet = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = octet >> 4 & 0x7, octet & 0xF
    absolute = (step << 4) + 8
    absolute = np.where(segment > 0, absolute + 0x100 << np.maximum(segment - 1, 0), absolute)
    return np.where(octet < 0x80, -absolute, absolute).astype(np.int16)


_LINEAR_TO_ULAW = _linear_to_ulaw()
_ULAW_TO_LINEAR = _ulaw_to_linear()
_LINEAR_TO_ALAW = _linear_to_alaw()
_ALAW_TO_LINEAR = _alaw_to_linear()
