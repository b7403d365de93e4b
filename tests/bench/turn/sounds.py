"""Pure. What is on a line and is not the caller's turn, from one seed.

`only` of a kind tells which set has it; the others are in both, drawn from different seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests.bench.turn.line import FULL, RATE, Signal, at_level, band, noise, shaped

Rng = np.random.Generator
Make = Callable[[Rng, int], Signal]

_DTMF = ((697, 770, 852, 941), (1209, 1336, 1477))  # Hz, ITU-T Q.23


def _placed(rng: Rng, size: int, gaps: tuple[float, float], make: Callable[[], Signal]) -> Signal:
    """One sound after the other, with a gap of so many seconds between."""
    line = np.zeros(size)
    at = int(rng.uniform(0.5, 1.0) * RATE)
    while at < size:
        sound = make()[: size - at]
        line[at : at + sound.size] += sound
        at += sound.size + int(rng.uniform(*gaps) * RATE)
    return line


def _decay(size: int, seconds: float) -> Signal:
    return np.exp(-np.arange(size) / (seconds * RATE))


def cough(rng: Rng, size: int) -> Signal:
    """A burst of air, then a hoarse part; one to three of them at a time."""

    def one() -> Signal:
        burst = shaped(rng.standard_normal(int(0.09 * RATE)), band(500, 3500))
        burst *= _decay(burst.size, 0.03)
        hoarse = rng.standard_normal(int(rng.uniform(0.12, 0.25) * RATE))
        time = np.arange(hoarse.size) / RATE
        throat = np.sign(np.sin(2 * np.pi * rng.uniform(90, 220) * time)) + hoarse
        throat = shaped(throat, band(350, 2200)) * _decay(hoarse.size, 0.07)
        return np.concatenate([burst / np.abs(burst).max(), 0.4 * throat / np.abs(throat).max()])

    def fit() -> Signal:
        gap = np.zeros(int(0.12 * RATE))
        parts = [part for _ in range(int(rng.integers(1, 4))) for part in (one(), gap)]
        return np.concatenate(parts) * FULL * 10 ** (rng.uniform(-14, -4) / 20)

    return _placed(rng, size, (2.0, 4.0), fit)


def breath(rng: Rng, size: int) -> Signal:
    """In and out, close to the microphone."""

    def one() -> Signal:
        parts = []
        for low, high in ((400, 2600), (250, 1600)):
            air = rng.standard_normal(int(rng.uniform(0.7, 1.4) * RATE))
            swell = np.sin(np.pi * np.arange(air.size) / air.size) ** 2
            parts += [shaped(air, band(low, high)) * swell, np.zeros(int(0.2 * RATE))]
        return at_level(np.concatenate(parts), rng.uniform(-46, -34))

    return _placed(rng, size, (1.0, 2.5), one)


def click(rng: Rng, size: int) -> Signal:
    """Of a bad contact, or a handset that is moved."""

    def one() -> Signal:
        sound = rng.standard_normal(int(rng.uniform(0.004, 0.03) * RATE))
        loud = FULL * 10 ** (rng.uniform(-22, -10) / 20)
        return np.asarray(sound * _decay(sound.size, 0.004) * loud)

    return _placed(rng, size, (0.2, 1.5), one)


def knock(rng: Rng, size: int) -> Signal:
    """A door, a cup on a table."""

    def one() -> Signal:
        sound = shaped(rng.standard_normal(int(0.2 * RATE)), band(120, 900))
        sound *= _decay(sound.size, rng.uniform(0.02, 0.05))
        return np.asarray(sound / np.abs(sound).max() * FULL * 10 ** (rng.uniform(-20, -8) / 20))

    return _placed(rng, size, (0.3, 2.0), one)


def keys(rng: Rng, size: int) -> Signal:
    """Somebody types."""

    def one() -> Signal:
        sound = shaped(rng.standard_normal(int(0.03 * RATE)), band(800, 3500))
        sound *= _decay(sound.size, 0.005)
        return np.asarray(sound / np.abs(sound).max() * FULL * 10 ** (rng.uniform(-36, -24) / 20))

    return _placed(rng, size, (0.06, 0.4), one)


def dtmf(rng: Rng, size: int) -> Signal:
    """Keys in the audio."""

    def one() -> Signal:
        time = np.arange(int(rng.uniform(0.08, 0.25) * RATE)) / RATE
        low, high = (rng.choice(tones) for tones in _DTMF)
        both = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        return at_level(both, rng.uniform(-18, -9))

    return _placed(rng, size, (0.08, 1.0), one)


def tone(rng: Rng, size: int) -> Signal:
    """Busy, ringing or a fax's call, at its cadence."""
    time = np.arange(size) / RATE
    frequencies, on, off = (((425,), 0.5, 0.5), ((440, 480), 2.0, 4.0), ((1100,), 0.5, 3.0))[
        int(rng.integers(3))
    ]
    sound = sum(np.sin(2 * np.pi * f * time) for f in frequencies)
    return at_level(np.asarray(sound), rng.uniform(-24, -14)) * (time % (on + off) < on)


def music(rng: Rng, size: int) -> Signal:
    """On hold: chords and a tune above them, plucked."""
    beat = 60 / rng.uniform(70, 125)
    root = rng.uniform(110, 180)
    line = np.zeros(size + 4 * RATE)

    def pluck(at: float, frequency: float, level: float) -> None:
        time = np.arange(int(1.5 * RATE)) / RATE
        swing = sum(np.sin(2 * np.pi * frequency * n * time) / n**1.5 for n in range(1, 7))
        sound = np.asarray(swing) * np.exp(-time / 0.45) * level
        begin = int(at * RATE)
        if begin + sound.size <= line.size:
            line[begin : begin + sound.size] += sound

    at = 0.0
    while at * RATE < size:
        chord = rng.choice([0, 5, 7, 9])
        for third in (0, 4 if chord != 9 else 3, 7):
            pluck(at, root * 2 ** ((chord + third) / 12), 0.5)
        for step in range(4):
            if rng.random() < 0.7:
                note = int(rng.choice([12, 14, 16, 19, 21, 24]))
                pluck(at + step * beat / 2, root * 2 ** ((chord + note) / 12), 0.8)
        at += 2 * beat
    return at_level(line[:size], rng.uniform(-30, -20))


def siren(rng: Rng, size: int) -> Signal:
    """Outside."""
    time = np.arange(size) / RATE
    sweep = 900 + 450 * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * time)
    return at_level(np.sin(2 * np.pi * np.cumsum(sweep) / RATE), rng.uniform(-42, -32))


def gusts(rng: Rng, size: int) -> Signal:
    """Wind in the microphone, or a car that passes: a noise that comes and goes."""
    slow = np.abs(shaped(rng.standard_normal(size), lambda f: (f < 0.4).astype(float)))
    return at_level(noise(rng, size, "rumble") * slow, rng.uniform(-40, -28))


def _steady(kind: str) -> Make:
    def make(rng: Rng, size: int) -> Signal:
        return at_level(noise(rng, size, kind), rng.uniform(-55, -38))

    return make


def _sets_in(rng: Rng, size: int) -> Signal:
    """A steady noise that begins while we listen: a tap, a vacuum cleaner."""
    sound = at_level(noise(rng, size, "pink"), rng.uniform(-46, -34))
    sound[: int(rng.uniform(2.0, 4.0) * RATE)] = 0.0
    return sound


SOUNDS: Mapping[str, Make] = {
    "white": _steady("white"),
    "hum": _steady("hum"),
    "pink": _steady("pink"),
    "fan": _steady("fan"),
    "noise sets in": _sets_in,
    "gusts": gusts,
    "coughs": cough,
    "breathing": breath,
    "clicks": click,
    "knocks": knock,
    "keyboard": keys,
    "DTMF": dtmf,
    "tones": tone,
    "music on hold": music,
    "siren": siren,
}

# Steady noises as in the turns of each set; and kinds of sound that no threshold was chosen on.
ONLY: Mapping[str, str] = {
    "white": "tune",
    "hum": "tune",
    "pink": "figures",
    "fan": "figures",
    "keyboard": "figures",
    "siren": "figures",
}
