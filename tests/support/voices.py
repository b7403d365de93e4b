"""The product's voice as tests need it: quick to make, with a meter that is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ari_app.media.g711 import alaw_decode, ulaw_decode, ulaw_encode
from ari_app.speech.prompts.cache import PromptCache
from ari_app.speech.prompts.espeak_voices import EspeakVoices
from ari_app.speech.prompts.recordings import Recordings
from ari_app.speech.prompts.synthesizer import Synthesizer
from ari_app.speech.prompts.wav import Decoders
from ari_app.speech.voice import PromptVoice
from ari_app.understanding.saying.lexicon import Lexicon
from tests.support.meter import RecordingMeter

DECODERS = Decoders(ulaw_decode, alaw_decode)


@asynccontextmanager
async def a_voice(
    *synthesizers: Synthesizer,
    folder: Path | None = None,
    most: int = 1 << 20,
    recordings: Path | None = None,
    lexicons: dict[str, Lexicon] | None = None,
    meter: RecordingMeter | None = None,
) -> AsyncIterator[PromptVoice]:
    """A voice that keeps prepared prompts in `folder`; without synthesizers, by espeak-ng."""
    speaking: Sequence[Synthesizer] = synthesizers or (EspeakVoices({}),)
    voice = PromptVoice(
        ulaw_encode,
        DECODERS,
        speaking,
        meter or RecordingMeter(),
        recordings=Recordings(recordings, DECODERS),
        cache=PromptCache(folder, most) if folder else None,
        lexicons=lexicons,
    )
    try:
        yield voice
    finally:
        await voice.aclose()
