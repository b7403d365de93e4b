"""Pure. How Asterisk's media formats look on the wire, and how they become PCM and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ari_app.media import g711
from ari_app.media.rtp import PCMU

CHUNK = 160  # octets of 20 ms of mu-law
_LONGEST_PACKET = 0.12  # seconds of audio in one packet
_SLIN16 = 118  # what Asterisk's rtp_engine.c calls it: dynamic, L16 at 16 kHz, big-endian


@dataclass(frozen=True, slots=True)
class Format:
    """One of the formats that a leg may have towards us."""

    payload_type: int
    rate: int
    sample_size: int  # octets
    decode: Callable[[bytes], bytes]  # of RTP, to 16-bit PCM in native order

    @property
    def frame(self) -> int:
        """Octets of 20 ms of PCM."""
        return self.rate // 50 * 2

    @property
    def silence(self) -> bytes:
        """20 ms of it, as on the wire."""
        return g711.SILENCE * CHUNK if self.sample_size == 1 else bytes(self.frame)

    def fits(self, size: int) -> bool:
        """Whether so many octets can be one packet's audio."""
        longest = int(self.rate * _LONGEST_PACKET) * self.sample_size
        return 0 < size <= longest and size % self.sample_size == 0


def named(media_format: str) -> Format:
    """`ulaw` or `slin16`; ValueError for another."""
    found = _FORMATS.get(media_format)
    if found is None:
        raise ValueError(f"media format is {media_format!r}, not one of {sorted(_FORMATS)}")
    return found


def _from_ulaw(payload: bytes) -> bytes:
    return g711.ulaw_decode(payload).tobytes()


def _from_slin16(payload: bytes) -> bytes:
    return np.frombuffer(payload, ">i2").astype("<i2").tobytes()


_FORMATS = {
    "ulaw": Format(PCMU, 8000, 1, _from_ulaw),
    "slin16": Format(_SLIN16, 16000, 2, _from_slin16),
}

# A half-band low-pass: every other coefficient is zero, so half of the samples stay as they are.
_TAPS = 31
_HALF = np.sinc((np.arange(_TAPS) - _TAPS // 2) / 2) * np.hamming(_TAPS)
_BETWEEN = (_HALF[1 - _TAPS // 2 % 2 :: 2] / _HALF[1 - _TAPS // 2 % 2 :: 2].sum()).astype(
    np.float32
)


def widen(ulaw: bytes) -> bytes:
    """8 kHz mu-law as 16 kHz PCM, little-endian, without the mirror image above 4 kHz."""
    samples = g711.ulaw_decode(ulaw)
    if not len(samples):
        return b""
    side = len(_BETWEEN) // 2
    padded = np.pad(samples.astype(np.float32), (side - 1, side), "edge")
    between = np.convolve(padded, _BETWEEN, "valid")
    wide = np.empty(2 * len(samples), "<i2")
    wide[::2] = samples
    wide[1::2] = np.clip(np.rint(between), -32768, 32767)
    return wide.tobytes()
