"""Tones of the telephone network (ITU-T E.180), as prompts are played."""

from __future__ import annotations

import numpy as np

from ari_app.media.g711 import ulaw_encode

_RATE = 8000
_LEVEL = 2000  # of 32767, for each of the two: about -24 dBm0, softer than speech


def ringback() -> bytes:
    """A ring-back tone and its pause, 8 kHz mu-law: 440 and 480 Hz for 1 s, then 3 s of silence."""
    at = np.arange(_RATE) / _RATE
    tone = sum(_LEVEL * np.sin(2 * np.pi * f * at) for f in (440.0, 480.0))
    rounded = np.concatenate([np.rint(tone), np.zeros(3 * _RATE)]).astype(np.int16)
    return ulaw_encode(rounded)
