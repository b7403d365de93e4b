"""Segue's own voice: espeak-ng's speech trimmed, levelled, encoded and remembered."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ari_app.errors import VoiceUnavailable
from ari_app.speech.espeak import RATE, Espeak, Samples

logger = logging.getLogger(__name__)

# espeak-ng finds voices by file, not by every language tag.
VOICES: Mapping[str, str] = {
    "de": "gmw/de",
    "en": "gmw/en-US",
    "en-gb": "gmw/en",
    "es": "roa/es",
    "fr": "roa/fr",
    "it": "roa/it",
    "nl": "gmw/nl",
    "pl": "zlw/pl",
    "pt": "roa/pt",
}

_SHAPE = "2"  # change it when `shape` changes: prompts on disk are made anew
_LEVEL = 32768 * 10 ** (-20 / 20)  # root mean square of speech at -20 dBFS
_PEAK = 32000.0
_INAUDIBLE = 32.0  # -60 dBFS: espeak-ng's rest for a text without a sound
_SILENT = 10 ** (-45 / 20)  # of the loudest sample
_ACTIVE = 10 ** (-30 / 20)  # of the loudest frame: what counts as speech for the level
_FRAME = RATE // 50
_FADE = RATE // 200  # 5 ms
_REMEMBERED = 16 << 20  # octets of other prompts in memory: half an hour


class EspeakVoice:
    """The port `Voice`.

    `encode` makes mu-law of samples. Texts that `prepare` was told of are kept, in memory and in
    the folder `cache` if there is one. Other texts may be about the caller: they are remembered
    in memory only, the most recent ones.
    """

    def __init__(
        self,
        encode: Callable[[Samples], bytes],
        cache: Path | None,
        *,
        voices: Mapping[str, str] = VOICES,
        rate: int = 160,
        pitch: int = 50,
        deadline: float = 10.0,
    ) -> None:
        self._encode = encode
        self._cache = cache
        self._voices = {language.lower(): voice for language, voice in voices.items()}
        self._rate = rate
        self._pitch = pitch
        self._espeak = Espeak(deadline)
        self._prepared: dict[str, bytes] = {}
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._recent_octets = 0

    @property
    def espeak(self) -> Espeak:
        """The process behind it, for whoever wants plain samples."""
        return self._espeak

    async def speak(self, text: str, language: str) -> bytes:
        """8 kHz mu-law, no silence at either end, speech at -20 dBFS; b"" if nothing is to say.

        VoiceUnavailable if espeak-ng is not there or has no such language.
        """
        key = self._key(text, language)
        if key in self._prepared:
            return self._prepared[key]
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        ulaw = await self._synthesize(text, language)
        self._remember(key, ulaw)
        return ulaw

    async def prepare(self, texts: Iterable[tuple[str, str]]) -> None:
        """Have these (text, language) ready, from disk if they are there; they never expire.

        Only for texts that are the same for every caller: they are written to disk.
        """
        for text, language in texts:
            key = self._key(text, language)
            if key in self._prepared:
                continue
            ulaw = await asyncio.to_thread(self._load, key)
            if ulaw is None:
                ulaw = await self._synthesize(text, language)
                await asyncio.to_thread(self._save, key, ulaw)
            self._prepared[key] = ulaw

    async def aclose(self) -> None:
        """End espeak-ng."""
        await self._espeak.aclose()

    async def _synthesize(self, text: str, language: str) -> bytes:
        voice = self._voice(language)
        samples = await self._espeak.synthesize(text, voice, rate=self._rate, pitch=self._pitch)
        return await asyncio.to_thread(lambda: self._encode(shape(samples)))

    def _voice(self, language: str) -> str:
        tag = language.lower().replace("_", "-")
        voice = self._voices.get(tag) or self._voices.get(tag.split("-")[0])
        if voice is None:
            raise VoiceUnavailable(
                f"There is no voice for the language {language!r}: add an espeak-ng voice for it."
            )
        return voice

    def _key(self, text: str, language: str) -> str:
        settings = (_SHAPE, self._voice(language), str(self._rate), str(self._pitch), text)
        return hashlib.sha256("\0".join(settings).encode()).hexdigest()

    # -- memory and disk --

    def _remember(self, key: str, ulaw: bytes) -> None:
        self._recent_octets += len(ulaw) - len(self._recent.pop(key, b""))
        self._recent[key] = ulaw
        while self._recent_octets > _REMEMBERED:
            _, oldest = self._recent.popitem(last=False)
            self._recent_octets -= len(oldest)

    def _load(self, key: str) -> bytes | None:
        if self._cache is None:
            return None
        try:
            return (self._cache / f"{key}.ulaw").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("a prepared prompt cannot be read: %s", error)
            return None

    def _save(self, key: str, ulaw: bytes) -> None:
        """Whole or not at all; without it the prompt is only made anew at the next start."""
        if self._cache is None:
            return
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._cache, delete=False) as file:
                file.write(ulaw)
            os.replace(file.name, self._cache / f"{key}.ulaw")
        except OSError as error:
            logger.warning("a prepared prompt cannot be written: %s", error)


def shape(samples: Samples) -> Samples:
    """The same speech without silence at its ends, at -20 dBFS, faded in and out over 5 ms.

    Quieter than that if its peaks would clip. Empty if there is nothing but silence.
    """
    loud = np.abs(samples.astype(np.float32))
    peak = float(loud.max(initial=0.0))
    if peak < _INAUDIBLE:
        return np.zeros(0, np.int16)
    (audible,) = np.nonzero(loud >= peak * _SILENT)
    speech = samples[max(audible[0] - _FADE, 0) : audible[-1] + 1 + _FADE].astype(np.float32)
    speech *= min(_LEVEL / _speech_level(speech), _PEAK / peak)
    ramp = np.linspace(0.0, 1.0, min(_FADE, speech.size // 2), dtype=np.float32)
    speech[: ramp.size] *= ramp
    speech[speech.size - ramp.size :] *= ramp[::-1]
    return np.round(speech).astype(np.int16)


def _speech_level(speech: NDArray[np.float32]) -> float:
    """Root mean square over the frames that hold speech: pauses must not make it louder."""
    padded = np.pad(speech, (0, -speech.size % _FRAME))
    power = np.mean(padded.reshape(-1, _FRAME) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * _ACTIVE**2])))
