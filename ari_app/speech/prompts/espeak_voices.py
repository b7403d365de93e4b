"""espeak-ng as a synthesizer of prompts: which of its voices speaks which language."""

from __future__ import annotations

from collections.abc import Mapping

from ari_app.errors import VoiceUnavailable
from ari_app.speech.espeak import LONGEST_TEXT, Espeak
from ari_app.speech.prompts.synthesizer import Speech

# espeak-ng finds voices by file, not by every language tag.
VOICES: Mapping[str, str] = {
    "de": "gmw/de",
    "en": "gmw/en-US",
    "en-gb": "gmw/en",
    "es": "roa/es",
    "es-419": "roa/es-419",
    "es-mx": "roa/es-419",
    "fr": "roa/fr",
    "it": "roa/it",
    "nl": "gmw/nl",
    "pl": "zlw/pl",
    "pt": "roa/pt",
}


class EspeakVoices:
    """The port Synthesizer. `rate` is in words a minute, `pitch` 0-100."""

    name = "espeak-ng"

    def __init__(
        self,
        voices: Mapping[str, str],
        rate: int = 160,
        pitch: int = 50,
        deadline: float = 10.0,
    ) -> None:
        """`voices` are espeak-ng's files by language, before the usual ones."""
        own = {tag.lower(): voice for tag, voice in voices.items()}
        self._voices = {**VOICES, **own}
        self._rate = rate
        self._pitch = pitch
        self.espeak = Espeak(deadline)

    def identity(self, language: str) -> str | None:
        """Voice, rate and pitch."""
        voice = self._voice(language)
        return None if voice is None else f"espeak-ng {voice} {self._rate} {self._pitch}"

    async def say(self, text: str, language: str) -> Speech:
        """See Synthesizer."""
        voice = self._voice(language)
        if voice is None:
            raise VoiceUnavailable(f"espeak-ng has no voice for the language {language!r}")
        if len(text) > LONGEST_TEXT:
            raise VoiceUnavailable(f"a text of {len(text)} characters is longer than a prompt")
        return await self.espeak.speech(text, voice, rate=self._rate, pitch=self._pitch)

    async def aclose(self) -> None:
        """End the process."""
        await self.espeak.aclose()

    def _voice(self, language: str) -> str | None:
        tag = language.lower().replace("_", "-")
        return self._voices.get(tag) or self._voices.get(tag.split("-")[0])
