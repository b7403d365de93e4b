"""Pure. Whether a sound comes from a throat: periodic, not one tone, and its pitch moves."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_RATE = 8000
_WINDOW = 400  # samples: two and a half periods of the lowest voice
_SIZE = 512  # of the transform: the window and the longest lag without a wrap
_LAGS = slice(20, 112)  # samples: 71 to 400 Hz
_LOW, _HIGH = 80.0, 1200.0  # Hz, where a voice is periodic

# The correlation at the pitch's lag, as a share of that at lag 0.
_PERIODIC = 0.6
_NEARLY = 0.9
# So much of the power in so few lines is DTMF, ringing, or a whistle.
_LINES, _ONE_TONE = 5, 0.88
# From frame to frame a voice's period differs by a little; a string's does not, and the next note's
# differs by much.
_STEPS = range(1, 6)  # samples

_WITHIN = 8  # frames
_VOICED, _MOVED = 2, 1  # frames among those


class Voicing:
    """Told of every frame that may be speech; `found` says whether a voice was among the last."""

    def __init__(self) -> None:
        self._lag = 0  # of the frame before; 0 if it was not voiced
        self._voiced: deque[bool] = deque(maxlen=_WITHIN)
        self._moved: deque[bool] = deque(maxlen=_WITHIN)

    @property
    def found(self) -> bool:
        """Whether the last 160 ms have a voice in them."""
        return sum(self._voiced) >= _VOICED and sum(self._moved) >= _MOVED

    def silent(self) -> None:
        """A frame that is no speech, whatever is in it."""
        self._tell(0)

    def hear(self, recent: Signal) -> bool:
        """Whether the last 50 ms, 400 samples at 8 kHz, are voiced."""
        return self._tell(_lag_of(recent))

    def _tell(self, lag: int) -> bool:
        self._voiced.append(lag > 0)
        self._moved.append(lag > 0 and self._lag > 0 and abs(lag - self._lag) in _STEPS)
        self._lag = lag
        return lag > 0


def window() -> int:
    """The samples at 8 kHz that `Voicing.hear` takes."""
    return _WINDOW


_TAPER = np.hanning(_WINDOW).astype(np.float32)
_FREQUENCIES = np.fft.rfftfreq(_SIZE, 1 / _RATE)
_PERIODS = (_FREQUENCIES > _LOW) & (_FREQUENCIES < _HIGH)
_SPEECH = (_FREQUENCIES > 200) & (_FREQUENCIES < 3400)


def _fading() -> NDArray[np.float64]:
    """What the taper alone leaves of the correlation at each lag."""
    own = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, _SIZE)) ** 2)
    return np.asarray(own[_LAGS] / own[0])


_FADING = _fading()


def _lag_of(recent: Signal) -> int:
    """The period in samples; 0 if there is none, or if it is a tone's."""
    spectrum = np.fft.rfft((recent - recent.mean()) * _TAPER, _SIZE)
    power = spectrum.real**2 + spectrum.imag**2
    heard = power[_SPEECH]
    strongest = np.partition(heard, -_LINES)[-_LINES:]
    if strongest.sum() > _ONE_TONE * heard.sum():
        return 0
    correlation = np.fft.irfft(power * _PERIODS)
    alike = correlation[_LAGS] / (max(float(correlation[0]), 1e-9) * _FADING)
    # Two periods are as like each other as one: the first summit that is nearly as high.
    best = int(np.argmax(alike > _NEARLY * alike.max()))
    while best + 1 < alike.size and alike[best + 1] > alike[best]:
        best += 1
    return best + _LAGS.start if alike[best] > _PERIODIC else 0
