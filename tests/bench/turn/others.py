"""Clips without a turn of the caller's: noises, our own prompt as an echo, people behind."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from tests.bench.turn import line
from tests.bench.turn.corpus import ACCENTS, Clip, Set, behind
from tests.bench.turn.line import RATE, Signal
from tests.bench.turn.sounds import ONLY, SOUNDS
from tests.bench.turn.speaker import Request, say

SECONDS = 15.0  # of a clip
_QUIET = (-66.0, -54.0)  # dBFS: the line below every sound

# Who says "mm-hm" goes on listening; in espeak-ng's phonemes.
_LISTENING = ("[[m'm]]", "[[m-hm'm]]", "[[Vh'V]]", "[[m'h@m]]")

# Our voice is none of the callers'.
_PROMPTS: Mapping[str, tuple[str, ...]] = {
    "tune": (
        "Thank you for calling. Please tell me in a few words how I can help you today.",
        "I have found two open orders. Would you like to hear about the first one?",
    ),
    "figures": (
        "Welcome back. You can say a date, or the name of a person you would like to see.",
        "Your next visit is on Thursday at nine. Shall I send you the details as a text?",
    ),
}


def others(which: Set, each: int = 4) -> list[Clip]:
    """So many clips of every kind of the set, of 15 s."""
    clips = [
        noise(which, kind, number)
        for kind in SOUNDS
        if ONLY.get(kind, which.name) == which.name
        for number in range(each)
    ]
    rng = np.random.default_rng(which.seed + 1)
    room = [behind(which, rng) for _ in range(4)]
    prompts = [Request(text, "gmw/en-US+f2", 165) for text in _PROMPTS[which.name]]
    hums = [
        Request(text, f"{rng.choice(ACCENTS)}+{rng.choice(which.variants)}", 130)
        for text in _LISTENING
        for _ in range(2)
    ]
    spoken = [said.samples for said in say([*room, *prompts, *hums])]
    people, own, hms = spoken[:4], spoken[4:6], spoken[6:]
    size = int(SECONDS * RATE)
    for number in range(each):
        name = f"{which.name}-{number}"
        heard = line.at_level(line.babble(people, size, rng), rng.uniform(-56, -44))
        clips.append(_finished(f"{name}-room", "people behind", heard, rng))
        clips.append(_echo(f"{name}-echo", own[number % len(own)], rng))
        clips.append(_hums(f"{name}-hm", hms, rng))
    return clips


def noise(which: Set, kind: str, number: int) -> Clip:
    """The same for the same set, kind and number."""
    rng = np.random.default_rng([which.seed, number, zlib.crc32(kind.encode())])
    sound = SOUNDS[kind](rng, int(SECONDS * RATE))
    return _finished(f"{which.name}-{number}-{kind}", kind, sound, rng)


def _echo(name: str, prompt: Signal, rng: np.random.Generator) -> Clip:
    """What we play comes back: later, quieter, and through a handset's band."""
    played = np.resize(np.concatenate([prompt, np.zeros(RATE // 2)]), int(SECONDS * RATE))
    played *= 10 ** (-20 / 20) * line.FULL / line.speech_level(played)
    late = int(rng.uniform(0.02, 0.25) * RATE)
    back: Signal = np.concatenate([np.zeros(late), played[:-late]]) * 10 ** (
        -rng.uniform(12, 32) / 20
    )
    back = line.shaped(back, line.band(rng.uniform(200, 500), rng.uniform(2500, 3400)))
    clip = _finished(name, "own echo", back, rng)
    return Clip(clip.name, clip.kind, clip.samples, played=line.sent(played, narrow=False))


def _hums(name: str, hms: Sequence[Signal], rng: np.random.Generator) -> Clip:
    """The caller's own voice, but no turn: the truth has where it sounds."""
    sound = np.zeros(int(SECONDS * RATE))
    voiced = []
    at = int(rng.uniform(1.0, 2.0) * RATE)
    while True:
        hm = hms[int(rng.integers(len(hms)))]
        if at + hm.size > sound.size:
            break
        level = 10 ** (rng.uniform(-34, -24) / 20) * line.FULL
        sound[at : at + hm.size] = hm * level / line.speech_level(hm)
        voiced.append((at / RATE, (at + hm.size) / RATE))
        at += hm.size + int(rng.uniform(1.5, 3.0) * RATE)
    clip = _finished(name, "mm-hm", sound, rng)
    return Clip(clip.name, clip.kind, clip.samples, voiced=tuple(voiced))


def _finished(name: str, kind: str, sound: Signal, rng: np.random.Generator) -> Clip:
    below = line.at_level(line.noise(rng, sound.size, "white"), rng.uniform(*_QUIET))
    return Clip(name, kind, line.sent(sound + below, narrow=bool(rng.random() < 0.6)))
