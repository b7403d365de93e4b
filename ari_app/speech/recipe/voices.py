"""A voice that tells when it says which phoneme: libespeak-ng's synchronous interface.

espeak-ng is GPL-3 and keeps global state: load this only in a process that does nothing else.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_app.speech.espeak_process import Unloadable, Unspeakable, candidates

# speak_lib.h
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_CHARS_UTF8, _PHONEMES_IN_BRACKETS = 0x1, 0x100
_LIST_ENDS, _WORD, _PHONEME = 0, 1, 7
_NOISE_SEED = 1
_RATE, _VOLUME, _PITCH, _RANGE, _GAP = 1, 2, 3, 4, 7


class _Name(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One sound as espeak-ng began it."""

    mnemonic: str
    sample: int
    position: int  # of the word in the text, in characters from 1


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sentence is said: words a minute, pitch and its range in 0-100, gaps in 10 ms."""

    voice: str
    rate: int = 160
    pitch: int = 50
    range: int = 50
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as it was spoken."""

    samples: NDArray[np.int16]
    phonemes: tuple[Phoneme, ...]
    words: frozenset[int]  # positions of the words spoken as units of their own


class PhonemeVoice:
    """libespeak-ng with the times of its phonemes; Unloadable if there is none. One a process."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._phonemes: list[Phoneme] = []
        self._words: set[int] = set()
        self._callback = _CALLBACK(self._heard)  # kept: C holds only the address
        self.rate = 0
        for path, voices in candidates():
            try:
                self._library = ctypes.CDLL(path)
            except OSError:
                continue
            self.rate = self._library.espeak_Initialize(
                _SYNCHRONOUS, 0, voices, _PHONEME_EVENTS | _DONT_EXIT
            )
            if self.rate > 0:
                break
        if self.rate <= 0:
            raise Unloadable("There is no espeak-ng: install the extra `voice`.")
        self._library.espeak_SetSynthCallback(self._callback)
        # From 1.52 on its noise is seeded with the time; before, it was the same in each process.
        seed = getattr(self._library, "espeak_ng_SetRandSeed", None)
        if seed is not None:
            seed(ctypes.c_long(_NOISE_SEED))
        self._voice = ""

    def say(self, text: str, manner: Manner) -> Said:
        """Speak a text; [[...]] in it are espeak-ng's phonemes; Unspeakable if it refuses."""
        self._become(manner)
        self._chunks, self._phonemes, self._words = [], [], set()
        octets = text.encode()
        flags = _CHARS_UTF8 | _PHONEMES_IN_BRACKETS
        if self._library.espeak_Synth(octets, len(octets) + 1, 0, 1, 0, flags, None, None):
            raise Unspeakable(f"espeak-ng refused a text of {len(text)} characters")
        self._library.espeak_Synchronize()
        samples = np.frombuffer(b"".join(self._chunks), np.int16)
        return Said(samples, tuple(self._phonemes), frozenset(self._words))

    def _become(self, manner: Manner) -> None:
        # A voice is set once: setting it again would begin its noise anew.
        if manner.voice != self._voice:
            if self._library.espeak_SetVoiceByName(manner.voice.encode()):
                raise Unspeakable(f"espeak-ng has no voice {manner.voice!r}")
            self._voice = manner.voice
        for parameter, value in (
            (_RATE, manner.rate),
            (_PITCH, manner.pitch),
            (_RANGE, manner.range),
            (_GAP, manner.gap),
            (_VOLUME, 100),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        at = 0
        while (event := events[at]).type != _LIST_ENDS:
            if event.type == _PHONEME:
                mnemonic = event.id.string.decode("utf-8", "replace")
                self._phonemes.append(Phoneme(mnemonic, event.sample, event.text_position))
            elif event.type == _WORD:
                self._words.add(event.text_position)
            at += 1
        return 0
