"""Pure. What is heard where packets are missing: the last sound again, then the room's noise.

The idea is that of G.711 appendix I: the last pitch period is repeated, quieter with every
10 ms, and joined smoothly to what comes after. No delay is added, so the joint is made in the
first packet after the gap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

_HOLD = 0.010  # seconds at full loudness
_FADED = 0.060  # from here on there is only noise
_JOINT = 0.005
_HIGHEST, _LOWEST = 400, 66  # Hz: pitch of voices
_WINDOW = 0.020  # of the last sound, in which the pitch is looked for

# Between voices: the loudness of a quiet room at most, or speech would be taken for noise.
_LOUDEST_ROOM = 100.0
_LOOK_EVERY = 16  # packets

_FULL_SCALE = 32767.0
_COUNT = np.arange(1, 1001, dtype=np.float32)


class Concealer:
    """One caller's sound, gaps filled; told of all audio in order. PCM is 16-bit, native order."""

    def __init__(self, rate: int) -> None:
        self._fade = _fade(rate)
        self._rise = _rise(rate)
        self._noise = _noise(rate)
        self._rate = rate
        self._last = b""
        self._before = b""
        self._gap = 0  # samples made up since the last that were heard
        self._cycle: Wave | None = None
        self._room: float | None = None  # root mean square of the noise between voices
        self._told: float | None = None  # the same, as the other side has it
        self._looked = 0
        self._at = 0  # in the noise
        self.concealed = 0  # samples that were lost
        self.silent = 0  # samples that nobody sent

    def heard(self, pcm: bytes) -> bytes:
        """What came, joined to what was made up before it."""
        self._looked += 1
        if self._looked % _LOOK_EVERY == 1:
            self._listen_to_the_room(pcm)
        joined = self._join(pcm) if self._gap else pcm
        self._before, self._last = self._last, pcm
        self._told = None
        return joined

    def lost(self, samples: int) -> bytes:
        """What may have been said in packets that did not come."""
        self.concealed += samples
        if not self._gap:
            self._cycle = self._last_cycle()
        made = self._more(samples)
        self._gap += samples
        return made.astype(np.int16).tobytes()

    def silence(self, samples: int) -> bytes:
        """Silence that nobody sent: digital, or as loud as the other side said."""
        self.silent += samples
        self._last = self._before = b""
        self._gap, self._cycle = 0, None
        level = self._told
        if not level:
            return bytes(samples * 2)
        return self._hiss(samples, level).astype(np.int16).tobytes()

    def noise(self, level: int) -> None:
        """The other side says how loud its silence is, in -dBov (RFC 3389, section 3.1)."""
        self._told = self._room = min(_FULL_SCALE * 10 ** (-(level & 0x7F) / 20), _LOUDEST_ROOM)

    # -- the gap ----------------------------------------------------------------------------

    def _more(self, samples: int) -> Wave:
        """The next so many samples of the gap."""
        level = self._room or 0.0
        if self._cycle is None or self._gap >= len(self._fade):
            return self._hiss(samples, level)
        end = self._gap + samples
        voice = self._cycle[np.arange(self._gap, end) % len(self._cycle)]
        gain = self._fade[self._gap : end]
        if len(gain) < samples:
            gain = np.concatenate((gain, np.zeros(samples - len(gain), np.float32)))
        if level < 1:
            return voice * gain
        return voice * gain + self._hiss(samples, level) * (1 - gain)

    def _join(self, pcm: bytes) -> bytes:
        """The first milliseconds go over from what was made up to what came."""
        came = np.frombuffer(pcm, np.int16).astype(np.float32)
        joint = min(len(self._rise), len(came))
        rise = self._rise[:joint]
        came[:joint] = came[:joint] * rise + self._more(joint) * (1 - rise)
        self._gap, self._cycle = 0, None
        return came.astype(np.int16).tobytes()

    def _last_cycle(self) -> Wave | None:
        """The last pitch period, made to follow itself without a step; None without a sound."""
        past = np.frombuffer(self._before + self._last, np.int16).astype(np.float32)
        shortest, longest = self._rate // _HIGHEST, self._rate // _LOWEST
        window = int(self._rate * _WINDOW)
        if len(past) < window + longest + 1:
            return None
        lag = _pitch(past[-window - longest :], window, shortest, longest)
        cycle = past[-lag:].copy()
        # Its last quarter goes over to what was before its beginning, which leads into it.
        quarter = max(lag // 4, 1)
        rise = _COUNT[:quarter] / np.float32(quarter)
        cycle[-quarter:] *= 1 - rise
        cycle[-quarter:] += past[-lag - quarter : -lag] * rise
        return cycle

    # -- noise ------------------------------------------------------------------------------

    def _hiss(self, samples: int, level: float) -> Wave:
        if level < 1:
            return np.zeros(samples, np.float32)
        where = np.arange(self._at, self._at + samples) % len(self._noise)
        self._at = (self._at + samples) % len(self._noise)
        return self._noise[where] * np.float32(level)

    def _listen_to_the_room(self, pcm: bytes) -> None:
        sound = np.frombuffer(pcm, np.int16).astype(np.float32)
        level = float(np.sqrt(sound @ sound / max(len(sound), 1)))
        # At once down to the quietest packet, slowly up: voices are louder than the room.
        if self._room is None or level < self._room:
            self._room = min(level, _LOUDEST_ROOM)
        else:
            self._room = min(self._room * 1.05 + 0.2, level, _LOUDEST_ROOM)


def _pitch(past: Wave, window: int, shortest: int, longest: int) -> int:
    """The period, in samples, after which the end of `past` is most like itself."""
    # Every other sample is enough to find it, and cheaper by four.
    step = 2 if window >= 320 else 1
    past = past[::-step][::-1]
    window, shortest, longest = window // step, shortest // step, longest // step
    last = past[-window:]
    earlier = past[-window - longest : -shortest]
    likeness = np.correlate(earlier, last, "valid")  # by falling lag, from the longest
    squares = np.concatenate((np.zeros(1), np.cumsum(earlier * earlier)))
    energy = squares[window:] - squares[:-window]
    best = int(np.argmax(likeness / np.sqrt(energy + 1e3)))
    return (longest - best) * step


def _fade(rate: int) -> Wave:
    loud, faded = int(rate * _HOLD), int(rate * _FADED)
    return np.concatenate((np.ones(loud), np.linspace(1, 0, faded - loud, endpoint=False))).astype(
        np.float32
    )


def _rise(rate: int) -> Wave:
    return np.linspace(0, 1, int(rate * _JOINT), dtype=np.float32)


def _noise(rate: int) -> Wave:
    """A second of noise with a root mean square of 1; the same in every call."""
    cached = _NOISES.get(rate)
    if cached is None:
        generator = np.random.default_rng(3389)
        cached = _NOISES[rate] = generator.standard_normal(rate, dtype=np.float32)
    return cached


_NOISES: dict[int, Wave] = {}
