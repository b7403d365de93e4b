"""Pure. Whether 20 ms of a telephone line are the caller's speech.

Energy above a noise floor per band tells sound from the line's noise; only a voice, periodic and
with a pitch that moves, begins speech; and what is far quieter than the caller is the room's, or
the echo of what we play.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.caller import CallerLevel
from ari_app.speech.voicing import Signal, Voicing, window

Bands = NDArray[np.float32]

# Hz, of what a telephone carries; below are mains hum and its first harmonics.
_EDGES = (200, 400, 600, 900, 1300, 1900, 2700, 3600)
_SPACING = 100  # Hz between the frequencies that are measured: a Hann window of 20 ms spans it

# Mean square of 16-bit samples in one band. A band below the first is silent, whatever its floor:
# no telephone line is quieter, and after digital silence the first bit of noise is no voice. A
# floor above the second would hide a voice.
_QUIETEST = 10.0**2  # -70 dBFS
_LOUDEST_FLOOR = 2000.0**2  # -24 dBFS

# The mean log-likelihood ratio of speech over the bands (Sohn, Kim, Sung 1999) where it begins,
# and below which it ends.
_BEGINS = 0.9
_ENDS = 0.35

# A voice makes the sounds after it speech, until so many frames without any, or so many of sound
# without a voice. The former is a pause inside a turn: what follows need not prove itself again.
_SILENT, _UNVOICED = 60, 25

_FULL_SCALE = 32768.0**2
_WARM = 5  # frames of a call that are taken for noise: nobody speaks in the first 100 ms

_FOLLOW = np.float32(0.1)  # the floor's step, per frame, to a frame without speech
_SMOOTH = np.float32(0.3)  # the power's step, per frame, before its minimum is taken
_WINDOW = 20  # frames: the minimum is taken over windows...
_WINDOWS = 5  # ...of which so many are kept, so that 2 s of steady noise are the floor
_LEAST, _MOST = np.float32(1.2), np.float32(4.0)  # the mean of a noise over that minimum


class VoiceActivity:
    """One call's line, frame by frame; it learns the line's noise.

    No hangover: the answer turns False with the first frame that is not speech, so also in the
    closure of a consonant. What begins a word without voice ("s") is not speech yet; the first
    True comes with the second voiced frame or later, so a single one tells that a caller speaks.
    """

    def __init__(self, rate: int) -> None:
        if rate not in (8000, 16000):
            raise ValueError(f"a line at {rate} Hz, not 8000 or 16000")
        self._size = rate // 50
        self._waves, self._sums = _filters(rate)
        self._even = np.full(len(_EDGES) - 1, 1 / (len(_EDGES) - 1), np.float32)
        self._floor: Bands = np.full(len(_EDGES) - 1, _QUIETEST, np.float32)
        self._smooth = self._floor
        self._least = self._smooth  # over this window
        self._windows: deque[Bands] = deque(maxlen=_WINDOWS)
        self._least_of_windows = self._smooth
        self._warm = 0
        self._frames = 0
        self._sound = False
        self._voicing = Voicing()
        self._caller = CallerLevel()
        self._recent: Signal = np.zeros(window(), np.float32)  # at 8 kHz
        self._speaks = False
        self._silent = self._unvoiced = 0  # frames

    def played(self, pcm: bytes) -> None:
        """What leaves our side in these 20 ms, at the same rate; tell before `is_speech`.

        An echo of it is then no speech. Without it, our own voice may count as the caller's.
        """
        sent = np.frombuffer(pcm, "<i2").astype(np.float32)
        self._caller.played(_dbfs(float(np.mean(sent * sent)) if sent.size else 0.0))

    def is_speech(self, pcm: bytes) -> bool:
        """Whether the next 20 ms (16-bit little-endian) are speech; ValueError if not 20 ms."""
        if len(pcm) != 2 * self._size:
            raise ValueError(f"{len(pcm)} octets are not 20 ms of audio")
        samples = np.frombuffer(pcm, "<i2").astype(np.float32)
        self._remember(samples)
        waves = samples @ self._waves
        power: Bands = np.maximum((waves * waves) @ self._sums, _QUIETEST)
        if self._warm < _WARM:
            self._begin(power)
            return False
        above = np.maximum(power / self._floor, 1.0)
        score = float((above - np.log(above)) @ self._even) - 1.0
        self._sound = score > (_ENDS if self._sound else _BEGINS)
        self._learn(power)
        level = _dbfs(float(power.sum()))
        # Every frame tells the level of the room, those of the line's noise too.
        enough = self._caller.enough(level)
        return self._follow(self._sound and enough, level)

    def _follow(self, loud: bool, level: float) -> bool:
        """Whether a frame that is loud enough, or not, is speech."""
        voiced = False
        if loud:
            voiced = self._voicing.hear(self._recent)
        else:
            self._voicing.silent()
        self._silent = 0 if loud else self._silent + 1
        self._unvoiced = 0 if voiced else self._unvoiced + loud
        if not self._speaks:
            self._speaks = loud and self._voicing.found
        elif self._silent > _SILENT or self._unvoiced > _UNVOICED:
            self._speaks = False
        if self._speaks and voiced:
            self._caller.spoke(level)
        return self._speaks and loud

    def _remember(self, samples: Signal) -> None:
        narrow = samples if self._size == 160 else samples.reshape(-1, 2).mean(axis=1)
        self._recent = np.concatenate([self._recent[narrow.size :], narrow])

    def _begin(self, power: Bands) -> None:
        """Take the first frames for noise; one alone may be far below the mean."""
        self._warm += 1
        mean: Bands = self._smooth + (power - self._smooth) * np.float32(1 / self._warm)
        self._smooth = self._least = self._least_of_windows = mean
        self._floor = np.minimum(mean, _LOUDEST_FLOOR)

    def _learn(self, power: Bands) -> None:
        """Follow the noise: its mean where nobody speaks, held near its minimum of late."""
        self._smooth = self._smooth + _SMOOTH * (power - self._smooth)
        self._least = np.minimum(self._least, self._smooth)
        self._frames += 1
        if self._frames == _WINDOW:
            self._frames = 0
            self._windows.append(self._least)
            self._least = self._smooth
            self._least_of_windows = np.minimum.reduce(list(self._windows))
        if not self._sound:
            self._floor = self._floor + _FOLLOW * (power - self._floor)
        least = np.minimum(self._least, self._least_of_windows)
        held = np.minimum(np.maximum(self._floor, least * _LEAST), least * _MOST)
        self._floor = np.minimum(held, _LOUDEST_FLOOR)


def _dbfs(mean_square: float) -> float:
    return 10 * math.log10(max(mean_square, 1.0) / _FULL_SCALE)


def _filters(rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Windowed cosines and sines, one frequency a column, and the sum of their squares per band.

    Scaled so that the sums are mean squares.
    """
    size = rate // 50
    frequencies = np.arange(_EDGES[0], _EDGES[-1], _SPACING)
    phases = 2 * np.pi * np.outer(np.arange(size) / rate, frequencies)
    window = np.hanning(size + 2)[1:-1, None]
    waves = np.hstack([np.cos(phases), np.sin(phases)]) * window
    # White noise of unit power must give each band its share of 0..rate/2.
    waves *= np.sqrt(2 * _SPACING / rate / np.mean(np.sum(waves**2, axis=0)))
    band = np.searchsorted(_EDGES, np.tile(frequencies, 2), side="right") - 1
    sums = band[:, None] == np.arange(len(_EDGES) - 1)
    return waves.astype(np.float32), sums.astype(np.float32)
