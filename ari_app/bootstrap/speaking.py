"""What speaks to the callers: recordings, prepared prompts, piper, espeak-ng."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from pathlib import Path

from ari_app.calls.comfort import Comfort, one_moment
from ari_app.config import Settings
from ari_app.errors import BundleError, SettingsError, VoiceUnavailable
from ari_app.media.g711 import alaw_decode, ulaw_decode, ulaw_encode
from ari_app.policy.bundle import Bundle
from ari_app.ports import Clock, Meter
from ari_app.speech.prompts.cache import PromptCache
from ari_app.speech.prompts.espeak_voices import EspeakVoices
from ari_app.speech.prompts.piper import Piper
from ari_app.speech.prompts.recordings import Recordings, Wording
from ari_app.speech.prompts.sound import soft_tone
from ari_app.speech.prompts.synthesizer import Guarded, Synthesizer
from ari_app.speech.prompts.wav import Decoders
from ari_app.speech.voice import PromptVoice, Ready
from ari_app.understanding.saying.lexicon import Lexicon, read_lexicons

logger = logging.getLogger(__name__)

DECODERS = Decoders(ulaw_decode, alaw_decode)
_LARGEST_LEXICON = 1 << 20


def voice(
    settings: Settings, bundle: Bundle, clock: Clock, meter: Meter, *, folder: Path | None
) -> PromptVoice:
    """The voice of an installation; SettingsError, or BundleError if nobody speaks its language.

    `folder` is where prepared prompts are kept; None: nowhere.
    """
    chosen = settings.voice
    own = {bundle.language: chosen.voice} if chosen.voice else {}
    synthesizers: list[Synthesizer] = [
        EspeakVoices(chosen.voices | own, chosen.rate, deadline=chosen.deadline)
    ]
    if chosen.piper_models:
        models = chosen.piper_models
        for language, model in models.items():
            if not model.is_file():
                raise SettingsError(
                    f"[voice] piper_models.{language}: there is no model {model}: correct the path"
                )
        # Who installs a model wants to hear it: espeak-ng stands in.
        synthesizers.insert(0, Piper(chosen.piper, models, DECODERS, chosen.deadline))
    speaking = PromptVoice(
        ulaw_encode,
        DECODERS,
        [Guarded(s, clock, meter) for s in synthesizers],
        meter,
        recordings=recordings(settings),
        cache=PromptCache(folder, chosen.cache_size << 20) if folder else None,
        lexicons=_lexicons(settings),
    )
    for each in (bundle, *bundle.translations.values()):
        if not speaking.speaks(each.language):
            raise BundleError(
                f"the bundle's language is {each.language!r}, which no voice speaks: correct "
                "`language`, or name an espeak-ng voice in [voice] voice"
            )
    return speaking


def prompts_folder(settings: Settings) -> Path:
    """Where prepared prompts are kept."""
    return settings.voice.cache or settings.store.path.parent / "prompts"


def recordings(settings: Settings) -> Recordings:
    """The recorded prompts; SettingsError if their folder is none."""
    folder = settings.voice.recordings
    if folder is not None and not folder.is_dir():
        raise SettingsError(
            f"[voice] recordings: there is no folder {folder}: make it, or unset it"
        )
    return Recordings(folder, DECODERS)


def wordings(bundle: Bundle) -> list[Wording]:
    """Everything that is said to all callers alike."""
    found: list[Wording] = []
    for each in (bundle, *bundle.translations.values()):
        said = [*each.wordings(), ("one_moment", 1, one_moment(each))]
        found += [Wording(text, each.language, name, n) for name, n, text in said if text]
    return list(dict.fromkeys(found))


async def prepared(voice: PromptVoice, bundle: Bundle) -> list[Ready]:
    """Have all prompts of the bundle ready; VoiceUnavailable if there is not a single one."""

    def step(done: int, of: int) -> None:
        if done % 25 == 0 and done < of:
            logger.info("%d of %d prompts are ready", done, of)

    ready = await voice.prepare(wordings(bundle), step)
    missing = [r for r in ready if not r.source]
    if ready and len(missing) == len(ready):
        raise VoiceUnavailable(missing[0].fault)
    for late in missing:
        logger.error("prompt %s is not ready: %s", late.wording.prompt, late.fault)
    sources = Counter(r.source for r in ready if r.source)
    said = ", ".join(f"{n} from {source}" for source, n in sorted(sources.items()))
    logger.info("prompts of %s are ready: %s", bundle.name, said)
    return ready


async def comfort(voice: PromptVoice, bundle: Bundle, after: float) -> Comfort:
    """What callers hear who wait; without a voice for its words, the tone."""
    words = {}
    for each in (bundle, *bundle.translations.values()):
        with contextlib.suppress(VoiceUnavailable):  # then the tone
            words[each.language] = await voice.speak(one_moment(each), each.language)
    return Comfort(after, ulaw_encode(soft_tone()), words)


def _lexicons(settings: Settings) -> dict[str, Lexicon]:
    path = settings.voice.lexicon
    if path is None:
        return {}
    try:
        if path.stat().st_size > _LARGEST_LEXICON:
            raise ValueError("it is larger than 1 MiB")
        return read_lexicons(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"[voice] lexicon: {path} cannot be used: {error}") from None
