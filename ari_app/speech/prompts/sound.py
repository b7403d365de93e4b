"""Pure. The shape of all that is played: trimmed, levelled, without clicks; pace and loudness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ari_app.ports import Delivery

Samples = NDArray[np.int16]

RATE = 8000  # Hz, of everything here

_LEVEL = 32768 * 10 ** (-20 / 20)  # root mean square of speech at -20 dBFS
_PEAK = 32000.0
_INAUDIBLE = 32.0  # -60 dBFS: a synthesizer's rest for a text without a sound
_SILENT = 10 ** (-45 / 20)  # of the loudest sample
_ACTIVE = 10 ** (-30 / 20)  # of the loudest frame: what counts as speech for the level
_FRAME = RATE // 50
FADE = RATE // 200  # 5 ms

_DIP_FRAME = RATE // 100
_DIP = 10 ** (-15 / 10)  # of the loudest power around it: a gap between words
_AROUND = 15  # frames on either side
_APART = 12  # frames between two gaps, at least

_STRETCHED = RATE // 25  # one piece of stretched speech: several periods of the deepest voice
_SEARCH = RATE // 100  # how far a piece may be moved to fit the one before it
PACE = {-1: 0.8, 0: 1.0, 1: 1.25}
_GAIN_DB = {-1: -6.0, 0: 0.0, 1: 6.0}


def shape(samples: Samples) -> tuple[Samples, int]:
    """The same speech without silence at its ends, at -20 dBFS, faded in and out over 5 ms.

    Quieter than that if its peaks would clip. Empty if there is nothing but silence. And how many
    samples were cut off at its beginning.
    """
    loud = np.abs(samples.astype(np.float32))
    peak = float(loud.max(initial=0.0))
    if peak < _INAUDIBLE:
        return np.zeros(0, np.int16), 0
    (audible,) = np.nonzero(loud >= peak * _SILENT)
    start = max(int(audible[0]) - FADE, 0)
    speech = samples[start : audible[-1] + 1 + FADE].astype(np.float32)
    speech *= min(_LEVEL / speech_level(speech), _PEAK / peak)
    return faded(speech), start


def faded(speech: NDArray[np.float32]) -> Samples:
    """With a ramp of 5 ms at both ends, as 16-bit samples."""
    ramp = np.linspace(0.0, 1.0, min(FADE, speech.size // 2), dtype=np.float32)
    speech = speech.copy()
    speech[: ramp.size] *= ramp
    speech[speech.size - ramp.size :] *= ramp[::-1]
    return np.clip(np.round(speech), -32768, 32767).astype(np.int16)


def speech_level(speech: NDArray[np.float32]) -> float:
    """Root mean square over the frames that hold speech: pauses must not make it louder."""
    padded = np.pad(speech, (0, -speech.size % _FRAME))
    power = np.mean(padded.reshape(-1, _FRAME) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * _ACTIVE**2])))


def gaps(speech: Samples) -> tuple[int, ...]:
    """Where the energy rises again after a dip, in ms: likely beginnings of words."""
    power = _powers(speech)
    if power.size < 2 * _APART:
        return ()
    found: list[int] = []
    for frame in range(_APART, power.size - _APART // 2):
        around = power[max(frame - _AROUND, 0) : frame + _AROUND]
        near = power[frame - 3 : frame + 4]
        deep = power[frame] <= near.min() and power[frame] < around.max() * _DIP
        if deep and (not found or frame - found[-1] >= _APART):
            found.append(frame)
    return tuple(frame * 10 for frame in found)


def quietest(speech: Samples, ms: int, within: int = 40) -> int:
    """The quietest 10 ms around a time, in ms: where a cut is heard least."""
    power = _powers(speech)
    first = max((ms - within) // 10, 0)
    around = power[first : (ms + within) // 10 + 1]
    return (first + int(np.argmin(around))) * 10 if around.size else ms


def _powers(speech: Samples) -> NDArray[np.float64]:
    whole = speech[: speech.size // _DIP_FRAME * _DIP_FRAME].astype(np.float64)
    powers: NDArray[np.float64] = np.mean(whole.reshape(-1, _DIP_FRAME) ** 2, axis=1)
    return powers


def delivered(speech: Samples, delivery: Delivery) -> Samples:
    """The same words slower or faster, at the same pitch; quieter or louder, never clipped."""
    pace = PACE[delivery.pace]
    said = speech if pace == 1.0 else stretched(speech, pace)
    if not delivery.gain or not said.size:
        return said
    loud = said.astype(np.float32) * 10 ** (_GAIN_DB[delivery.gain] / 20)
    peak = float(np.abs(loud).max())
    # A limiter bends only the peaks: turning all of it down would undo what was asked for.
    if peak > _PEAK:
        loud = _PEAK * np.tanh(loud / _PEAK)
    return np.round(loud).astype(np.int16)


def stretched(speech: Samples, pace: float) -> Samples:
    """Pieces moved together or apart, each where it fits the one before (WSOLA).

    `pace` above 1 is faster. What is shorter than two pieces is returned as it is.
    """
    hop = _STRETCHED // 2
    if speech.size < 2 * _STRETCHED + 2 * _SEARCH:
        return speech
    source = speech.astype(np.float32)
    window = np.hanning(_STRETCHED + 1)[:-1].astype(np.float32)
    pieces = int((source.size - _STRETCHED - 2 * _SEARCH) / (hop * pace)) + 1
    out = np.zeros((pieces + 1) * hop, np.float32)
    out[:hop] += source[:hop] * window[hop:]  # what the first piece has no forerunner for
    position = 0
    for piece in range(pieces):
        if piece:
            goes_on = source[position + hop : position + hop + hop]
            wanted = int(piece * hop * pace)
            first = max(wanted - _SEARCH, 0)
            field = source[first : first + 2 * _SEARCH + hop]
            position = first + _best_fit(goes_on, field)
        here = slice(piece * hop, piece * hop + _STRETCHED)
        out[here] += source[position : position + _STRETCHED] * window
    return faded(out)


def _best_fit(goes_on: NDArray[np.float32], field: NDArray[np.float32]) -> int:
    """Where in the field it goes on most alike."""
    alike = np.correlate(field, goes_on, "valid")
    power = np.convolve(field**2, np.ones(goes_on.size, np.float32), "valid")
    return int(np.argmax(alike / np.sqrt(power + 1.0)))


def soft_tone() -> Samples:
    """Half a second that says `still here`: 440 Hz at -32 dBFS, swelling and fading."""
    n = RATE // 2
    swell = np.sin(np.pi * np.arange(n) / n) ** 2
    tone = swell * np.sin(2 * np.pi * 440 * np.arange(n) / RATE)
    loud: Samples = np.round(tone * np.sqrt(2) * 32768 * 10 ** (-32 / 20)).astype(np.int16)
    return loud
