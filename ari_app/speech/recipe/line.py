"""A telephone line for the training and the evaluation: what it does to a clean voice.

Everything is drawn from the generator that is given, so the same seed gives the same line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, resample_poly

Wave = NDArray[np.float64]  # on the scale of 16-bit samples
Pcm = NDArray[np.int16]
Law = Literal["", "mu-law", "A-law"]

RATE = 8000
PACKET = 160  # samples: 20 ms
_SPOKEN_RATE = 22050
_NOISES = ("white", "pink", "brown", "hum")
_LONGEST_BURST = 4  # packets lost in a row
# Paul Kellet's pink filter, three poles.
_PINK = ((0.049922, -0.095993, 0.050612, -0.004408), (1, -2.494956, 2.017265, -0.522189))


class Telephony(Protocol):
    """What the service does to audio; given from outside, for the rooms do not know each other."""

    def through(self, law: Law, pcm: Pcm) -> Pcm:
        """The samples after G.711 and back."""
        ...

    def concealed(self, pcm: Pcm, lost: frozenset[int]) -> Pcm:
        """The samples with these packets of 20 ms lost, and the gaps filled as in a call."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """What happens to a voice on its way."""

    snr: float | None = None  # dB; None: no noise
    noise: str = "white"  # or babble
    level: float = -22.0  # dBFS, root mean square while somebody speaks
    band: bool = False  # a narrow telephone instead of the whole 4 kHz
    reverb: bool = False
    law: Law = ""
    loss: float = 0.0  # share of the packets

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Line:
        """Any line that a caller may have."""
        return cls(
            snr=float(rng.uniform(8, 40)) if rng.random() < 0.65 else None,
            noise="babble" if rng.random() < 0.3 else str(rng.choice(_NOISES)),
            level=float(rng.uniform(-36, -14)),
            band=bool(rng.random() < 0.6),
            reverb=bool(rng.random() < 0.2),
            law=("mu-law", "mu-law", "A-law", "A-law", "")[rng.integers(5)],
            loss=float(rng.uniform(0.005, 0.06)) if rng.random() < 0.25 else 0.0,
        )


def to_line_rate(samples: Pcm, stretch: float = 1.0) -> tuple[Wave, float]:
    """22050 Hz to 8000; `stretch` also moves pitch and formants. The stretch that was possible."""
    twentieths = round(20 * stretch)
    up, down = 160 * 20, 441 * twentieths
    divisor = np.gcd(up, down)
    return resample_poly(
        samples.astype(np.float64), up // divisor, down // divisor
    ), twentieths / 20


def rms(wave: Wave) -> float:
    """Root mean square, never 0."""
    return float(np.sqrt(np.mean(np.square(wave)) + 1e-9))


def tone(rng: np.random.Generator, samples: int) -> Wave:
    """Ringback, busy, DTMF or a beep: loudness about 1."""
    t = np.arange(samples) / RATE
    kind = rng.integers(4)
    if kind == 0:
        return _sine(440, t) + _sine(480, t)
    if kind == 1:
        return _sine(425, t) * ((t % 1.0) < 0.5)
    if kind == 2:
        low, high = rng.choice((697, 770, 852, 941)), rng.choice((1209, 1336, 1477))
        return (_sine(low, t) + _sine(high, t)) * ((t % 0.2) < 0.1)
    return _sine(rng.uniform(300, 1800), t)


def noise(rng: np.random.Generator, samples: int, kind: str) -> Wave:
    """Noise of a kind, of any loudness; ValueError if there is no such kind."""
    white = rng.standard_normal(samples)
    match kind:
        case "white":
            return white
        case "pink":
            return _filtered(_PINK[0], _PINK[1], white) * 8
        case "brown":
            return _filtered((1,), (1, -0.98), white)
        case "hum":
            t = np.arange(samples) / RATE
            return _sine(50, t) + 0.5 * _sine(150, t) + 0.3 * white
        case _:
            raise ValueError(f"no such noise: {kind!r}")


def over(
    line: Line,
    rng: np.random.Generator,
    wave: Wave,
    telephony: Telephony,
    babble: Callable[[], Wave] | None = None,
) -> Pcm:
    """A clean voice, with its silences, as it comes out of the line; as long as it was."""
    if not len(wave):
        return np.zeros(0, np.int16)
    loud = np.abs(wave)
    speech = rms(wave[loud >= 0.02 * np.max(loud)])
    if line.reverb:
        wave = _reverberated(rng, wave)
    if line.snr is not None:
        if line.noise == "babble" and babble is not None:
            added = np.resize(babble(), len(wave)) + 0.0
        else:
            kind = line.noise if line.noise in _NOISES else "pink"
            added = noise(rng, len(wave), kind)
        wave = wave + added * (speech / rms(added)) * 10 ** (-line.snr / 20)
    if line.band:
        edges = [rng.uniform(150, 320) / (RATE / 2), rng.uniform(3100, 3700) / (RATE / 2)]
        b, a = butter(2, edges, "band")
        wave = _filtered(b, a, wave)
    wave = wave * (10 ** (line.level / 20) * 32768 / max(speech, 1e-6))
    pcm = np.round(np.clip(wave, -32768, 32767)).astype(np.int16)
    if line.law:
        pcm = telephony.through(line.law, pcm)
    if line.loss:
        pcm = telephony.concealed(pcm, lost_packets(rng, len(pcm) // PACKET, line.loss))
    return pcm


def lost_packets(rng: np.random.Generator, packets: int, share: float) -> frozenset[int]:
    """Which packets are lost: about so many, in bursts of one to four."""
    lost: set[int] = set()
    mean = (1 + _LONGEST_BURST) / 2
    for at in range(packets):
        if rng.random() < share / mean:
            lost.update(range(at, min(at + int(rng.integers(1, _LONGEST_BURST + 1)), packets)))
    return frozenset(lost)


def _reverberated(rng: np.random.Generator, wave: Wave) -> Wave:
    samples = int(rng.uniform(0.08, 0.3) * RATE)
    decay = np.exp(-6.9 * np.arange(samples) / samples)  # 60 dB
    room = rng.standard_normal(samples) * decay * rng.uniform(0.02, 0.12)
    room[0] = 1.0
    heard: Wave = fftconvolve(wave, room)[: len(wave)]
    return heard


def _sine(frequency: float, t: Wave) -> Wave:
    return np.sin(2 * np.pi * frequency * t)


def _filtered(b: Any, a: Any, wave: Wave) -> Wave:
    filtered: Wave = lfilter(b, a, wave)
    return filtered
