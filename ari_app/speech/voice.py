"""Segue's own voice: each text from its recording, the cache, or a synthesizer, in one shape."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ari_app.errors import VoiceUnavailable
from ari_app.ports import AS_USUAL, Delivery, Meter, Prompt
from ari_app.speech.prompts.cache import CorruptPrompt, PromptCache
from ari_app.speech.prompts.recordings import Recordings, Wording
from ari_app.speech.prompts.sound import PACE, RATE, Samples, delivered, gaps, quietest, shape
from ari_app.speech.prompts.synthesizer import Speech, Synthesizer
from ari_app.speech.prompts.wav import BadRecording, Decoders
from ari_app.understanding.saying.lexicon import Lexicon
from ari_app.understanding.saying.plain import read_aloud

logger = logging.getLogger(__name__)

_SHAPE = "3"  # change it when `shape` or `read_aloud` changes: prompts on disk are made anew
_REMEMBERED = 16 << 20  # octets of other prompts in memory: half an hour
_AT_ONCE = 4  # prompts that are prepared at the same time

_Key = tuple[str, str, Delivery]  # language, text, how


@dataclass(frozen=True, slots=True)
class Ready:
    """Where a wording's audio came from, or why there is none yet."""

    wording: Wording
    source: str  # recording, cache, a synthesizer's name; "" if it is not ready
    seconds: float = 0.0
    fault: str = ""  # one sentence, also if another source stood in


@dataclass(frozen=True, slots=True)
class _Found:
    prompt: Prompt
    source: str
    key: str = ""  # in the cache; "" if it does not belong there
    fault: str = ""


class PromptVoice:
    """The port `Voice`.

    Wordings that `prepare` was told of are kept, in memory and in the cache if there is one.
    Other texts may be about the caller: they are remembered in memory only, the most recent ones.
    """

    def __init__(
        self,
        encode: Callable[[Samples], bytes],
        decoders: Decoders,
        synthesizers: Sequence[Synthesizer],
        meter: Meter,
        *,
        recordings: Recordings | None = None,
        cache: PromptCache | None = None,
        lexicons: Mapping[str, Lexicon] | None = None,
    ) -> None:
        """`encode` makes mu-law of samples. The first synthesizer that can speaks."""
        self._encode = encode
        self._decoders = decoders
        self._synthesizers = synthesizers
        self._meter = meter
        self._recordings = recordings or Recordings(None, decoders)
        self._cache = cache
        self._lexicons = lexicons or {}
        self._prepared: dict[tuple[str, str], Prompt] = {}
        self._recent: OrderedDict[_Key, Prompt] = OrderedDict()
        self._recent_octets = 0

    def speaks(self, language: str) -> bool:
        """Whether any synthesizer says that it speaks this language."""
        return any(s.identity(language) is not None for s in self._synthesizers)

    async def speak(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> bytes:
        """See the port Voice."""
        return (await self.prompt(text, language, delivery)).audio

    async def prompt(self, text: str, language: str, delivery: Delivery = AS_USUAL) -> Prompt:
        """See the port Voice; speech at -20 dBFS unless the delivery says otherwise."""
        if delivery != AS_USUAL:
            return await self._delivered(text, language, delivery)
        if (language, text) in self._prepared:
            return self._prepared[language, text]
        key = language, text, delivery
        remembered = self._remembered(key)
        if remembered is None:
            remembered = (await self._find(Wording(text, language))).prompt
            self._remember(key, remembered)
        return remembered

    async def prepare(
        self,
        wordings: Sequence[Wording],
        step: Callable[[int, int], None] = lambda done, of: None,
    ) -> list[Ready]:
        """Have these ready, and forget those that an earlier call made ready.

        Only for texts that are the same for every caller: they are written to disk. What cannot
        be made now is made when it is wanted. `step` is told how many are done, of how many.
        """
        wanted = list(dict.fromkeys(wordings))
        at_once = asyncio.Semaphore(_AT_ONCE)
        prepared: dict[tuple[str, str], Prompt] = {}
        done = 0

        async def one(wording: Wording) -> Ready:
            nonlocal done
            try:
                async with at_once:
                    found = await self._find(wording)
                    if found.key and self._cache is not None:
                        await asyncio.to_thread(self._cache.save, found.key, found.prompt)
            except VoiceUnavailable as error:
                return Ready(wording, "", fault=str(error))
            finally:
                done += 1
                step(done, len(wanted))
            prepared[wording.language, wording.text] = found.prompt
            seconds = len(found.prompt.audio) / RATE
            return Ready(wording, found.source, seconds, found.fault)

        ready = await asyncio.gather(*map(one, wanted))
        self._prepared = prepared
        return ready

    async def aclose(self) -> None:
        """End the synthesizers."""
        for synthesizer in self._synthesizers:
            await synthesizer.aclose()

    # -- the sources ----------------------------------------------------------------------------

    async def _find(self, wording: Wording) -> _Found:
        """From the first source that has it; VoiceUnavailable if none has."""
        fault = ""
        try:
            samples = await asyncio.to_thread(self._recordings.read, wording)
        except BadRecording as error:
            path = self._recordings.path(wording)
            self._fault("recording", f"the recording {path} is not used: {error}")
            fault = f"{wording.file}: {error}"
        else:
            if samples is not None:
                self._meter.count("segue_prompts_total", source="recording")
                return _Found(await asyncio.to_thread(self._shaped, Speech(samples)), "recording")
        found = await self._synthesized(wording)
        return _Found(found.prompt, found.source, found.key, fault or found.fault)

    async def _synthesized(self, wording: Wording) -> _Found:
        text = self._as_said(wording.text, wording.language)
        if not text.strip() and self.speaks(wording.language):
            return _Found(Prompt(b""), "nothing to say")
        fault: VoiceUnavailable | None = None
        for synthesizer in self._synthesizers:
            identity = synthesizer.identity(wording.language)
            if identity is None:
                continue
            key = hashlib.sha256("\0".join((_SHAPE, identity, text)).encode()).hexdigest()
            kept = await self._kept(key)
            if kept is not None:
                self._meter.count("segue_prompts_total", source="cache")
                return _Found(kept, "cache")
            try:
                speech = await synthesizer.say(text, wording.language)
            except VoiceUnavailable as error:
                logger.warning("%s does not speak: %s", synthesizer.name, error)
                fault = fault or error
                continue
            self._meter.count("segue_prompts_total", source=synthesizer.name)
            prompt = await asyncio.to_thread(self._shaped, speech)
            return _Found(prompt, synthesizer.name, key, str(fault or ""))
        raise fault or VoiceUnavailable(
            f"There is no voice for the language {wording.language!r}: "
            "add an espeak-ng voice for it in [voice] voices."
        )

    async def _kept(self, key: str) -> Prompt | None:
        if self._cache is None:
            return None
        try:
            return await asyncio.to_thread(self._cache.load, key)
        except CorruptPrompt as error:
            self._fault("cache", f"a prepared prompt is made anew: {error}")
            return None

    def _as_said(self, text: str, language: str) -> str:
        tag = language.lower().replace("_", "-")
        lexicon = self._lexicons.get(tag) or self._lexicons.get(tag.split("-")[0])
        return read_aloud(lexicon.apply(text) if lexicon else text, language)

    def _shaped(self, speech: Speech) -> Prompt:
        samples, start = shape(speech.samples)
        if speech.words:
            cut = start * 1000 // RATE
            found = {quietest(samples, word - cut) for word in speech.words if word > cut}
            words = tuple(sorted(w for w in found if 0 < w < samples.size * 1000 // RATE))
        else:
            words = gaps(samples)
        return Prompt(self._encode(samples), words)

    def _fault(self, source: str, what: str) -> None:
        self._meter.count("segue_prompt_faults_total", source=source)
        logger.warning("%s", what)

    # -- slower, louder -------------------------------------------------------------------------

    async def _delivered(self, text: str, language: str, delivery: Delivery) -> Prompt:
        key = language, text, delivery
        remembered = self._remembered(key)
        if remembered is None:
            usual = await self.prompt(text, language)
            remembered = await asyncio.to_thread(self._redelivered, usual, delivery)
            self._remember(key, remembered)
        return remembered

    def _redelivered(self, usual: Prompt, delivery: Delivery) -> Prompt:
        samples = delivered(self._decoders.ulaw(usual.audio), delivery)
        pace = PACE[delivery.pace]
        words = tuple(round(word / pace) for word in usual.boundaries)
        return Prompt(self._encode(samples), words)

    # -- memory ---------------------------------------------------------------------------------

    def _remembered(self, key: _Key) -> Prompt | None:
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        return None

    def _remember(self, key: _Key, prompt: Prompt) -> None:
        before = self._recent.pop(key, None)
        self._recent_octets += len(prompt.audio) - (len(before.audio) if before else 0)
        self._recent[key] = prompt
        while self._recent_octets > _REMEMBERED:
            _, oldest = self._recent.popitem(last=False)
            self._recent_octets -= len(oldest.audio)
