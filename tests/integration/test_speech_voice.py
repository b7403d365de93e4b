"""Real espeak-ng in its own process: what it says, and what happens when it is not there."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from ari_app.errors import VoiceUnavailable
from ari_app.media.g711 import ulaw_decode
from ari_app.speech import espeak as espeak_module
from ari_app.speech.endpointing import FRAME
from ari_app.speech.espeak import Espeak, Samples
from ari_app.speech.prompts.espeak_voices import EspeakVoices
from ari_app.speech.prompts.recordings import Wording
from ari_app.speech.prompts.sound import shape
from ari_app.speech.spawn import Spawned, spawn
from ari_app.speech.vad import VoiceActivity
from tests.support.voices import a_voice

GREETING = "Hello, this is the clinic. How can I help you?"


def pid_of(espeak: Espeak) -> int:
    assert espeak._process is not None
    return espeak._process.pid


async def test_a_prompt_has_no_silence_at_its_ends_and_the_level_of_speech() -> None:
    async with a_voice() as voice:
        samples = ulaw_decode(await voice.speak(GREETING, "en")).astype(np.float64)
    assert 1.5 < samples.size / 8000 < 5
    assert np.abs(samples[:320]).max() > 100
    assert np.abs(samples[-320:]).max() > 100
    assert abs(samples[0]) < 200  # faded in
    assert abs(samples[-1]) < 200
    assert np.abs(samples).max() < 32000
    frames = samples[: samples.size // 160 * 160].reshape(-1, 160)
    power = np.mean(frames**2, axis=1)
    active = power[power > power.max() / 1000]
    assert 10 * np.log10(np.mean(active) / 32768**2) == pytest.approx(-20, abs=1)


async def test_our_own_voice_is_speech_to_our_own_meter() -> None:
    async with a_voice() as voice:
        samples = ulaw_decode(await voice.speak(GREETING, "en"))
    meter = VoiceActivity(8000)
    line = np.concatenate([np.zeros(1600, np.int16), samples])
    heard = [meter.is_speech(line[i : i + 160].tobytes()) for i in range(0, line.size - 159, 160)]
    assert sum(heard) * FRAME > 0.6 * samples.size / 8000


async def test_a_second_time_costs_nothing() -> None:
    voices = EspeakVoices({})
    async with a_voice(voices) as voice:
        first = await voice.speak(GREETING, "en")
        os.kill(pid_of(voices.espeak), signal.SIGKILL)
        assert await voice.speak(GREETING, "en") is first
        assert voices.espeak.started == 1


async def test_prepared_prompts_need_no_espeak_after_the_first_start(tmp_path: Path) -> None:
    wordings = [Wording(GREETING, "en"), Wording("Goodbye.", "en")]
    async with a_voice(folder=tmp_path / "prompts") as voice:
        assert {r.source for r in await voice.prepare(wordings)} == {"espeak-ng"}
        made = await voice.prompt(GREETING, "en")
    voices = EspeakVoices({})
    async with a_voice(voices, folder=tmp_path / "prompts") as voice:
        assert {r.source for r in await voice.prepare(wordings)} == {"cache"}
        assert await voice.prompt(GREETING, "en") == made
        assert voices.espeak.started == 0


async def test_what_is_said_to_one_caller_never_reaches_the_disk(tmp_path: Path) -> None:
    async with a_voice(folder=tmp_path) as voice:
        await voice.prepare([Wording("Goodbye.", "en")])
        await voice.speak("Your number ends with four seven one.", "en")
    assert len(os.listdir(tmp_path)) == 1


async def test_a_folder_that_cannot_be_written_is_no_reason_to_be_silent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with a_voice(folder=tmp_path / "file" / "prompts") as voice:
        await voice.prepare([Wording("Goodbye.", "en")])
        assert await voice.speak("Goodbye.", "en")


async def test_words_begin_where_espeak_says_so() -> None:
    async with a_voice() as voice:
        prompt = await voice.prompt("Monday. Tuesday. Wednesday. Thursday.", "en")
    assert len(prompt.boundaries) == 3
    assert prompt.word_before(prompt.boundaries[1] + 50) == prompt.boundaries[1]
    samples = np.abs(ulaw_decode(prompt.audio).astype(np.int32))
    for boundary in prompt.boundaries:  # between two sentences nothing is said
        assert samples[boundary * 8 : boundary * 8 + 80].max() < samples.max() / 10


async def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ari_app.speech.voice._REMEMBERED", 12_000)
    async with a_voice() as voice:
        one = await voice.speak("One.", "en")
        assert await voice.speak("One.", "en") is one
        for text in ("Two.", "Three.", "Four.", "Five."):
            await voice.speak(text, "en")
        assert await voice.speak("One.", "en") is not one


async def test_the_settings_and_the_language_are_part_of_what_is_remembered() -> None:
    async with a_voice() as voice:
        english, british, french = [await voice.speak("Oui.", t) for t in ("en", "en_GB", "fr")]
        assert len({english, british, french}) == 3


async def test_a_language_without_a_voice_is_said_so() -> None:
    async with a_voice() as voice:
        assert not voice.speaks("tlh")
        with pytest.raises(VoiceUnavailable, match="language 'tlh'"):
            await voice.speak("nuqneH", "tlh")


async def test_nothing_to_say_is_no_audio() -> None:
    async with a_voice() as voice:
        assert await voice.speak("", "en") == b""
        assert await voice.speak(" \n\0 ", "en") == b""


async def test_a_killed_espeak_speaks_the_next_text() -> None:
    async with Espeak() as espeak:
        await espeak.synthesize("one")
        os.kill(pid_of(espeak), signal.SIGKILL)
        assert (await espeak.synthesize("two")).size
        assert espeak.started == 2


async def test_a_stopped_espeak_is_replaced_at_the_deadline_and_the_text_is_said() -> None:
    async with Espeak(deadline=2.0) as espeak:
        await espeak.synthesize("one")
        os.kill(pid_of(espeak), signal.SIGSTOP)
        assert (await espeak.synthesize("two")).size
        assert espeak.started == 2


async def test_an_espeak_that_hangs_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spawn_something_silent(_module: str, *_arguments: str, pipes: bool) -> Spawned:
        return await spawn("asyncio", pipes=pipes)

    monkeypatch.setattr(espeak_module, "spawn", spawn_something_silent)
    async with Espeak(deadline=0.2, start=0.2) as espeak:
        with pytest.raises(VoiceUnavailable, match="within 0.2 s"):
            await espeak.synthesize("two")
        assert espeak.started == 2


async def test_the_last_of_many_callers_does_not_wait_for_an_espeak_that_hangs_for_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def spawn_something_silent(_module: str, *_arguments: str, pipes: bool) -> Spawned:
        return await spawn("asyncio", pipes=pipes)

    monkeypatch.setattr(espeak_module, "spawn", spawn_something_silent)
    async with Espeak(deadline=0.2, start=0.2) as espeak:
        texts = (espeak.synthesize(f"text {n}") for n in range(8))
        said = await asyncio.gather(*texts, return_exceptions=True)
        assert all(isinstance(fault, VoiceUnavailable) for fault in said)
        assert "busy with other texts" in str(said[-1])
        assert espeak.started <= 4


async def test_many_texts_at_once_each_get_their_own_speech() -> None:
    texts = ["yes", "no thank you", "i would like to make an appointment for next monday"]
    async with Espeak() as espeak:
        alone = [await espeak.synthesize(text) for text in texts]
        together = await asyncio.gather(*(espeak.synthesize(text) for text in texts))
        assert espeak.started == 1
    assert [s.size for s in together] == pytest.approx([s.size for s in alone], rel=0.02)


async def test_a_text_that_is_cancelled_does_not_answer_the_next_one() -> None:
    async with Espeak() as espeak:
        short = await espeak.synthesize("no")
        long = asyncio.create_task(espeak.synthesize("a very long text " * 200))
        await asyncio.sleep(0)
        long.cancel()
        await asyncio.wait([long])
        assert (await espeak.synthesize("no")).size == pytest.approx(short.size, rel=0.05)


async def test_closing_while_it_speaks_fails_the_text_and_starts_nothing() -> None:
    espeak = Espeak()
    await espeak.synthesize("one")
    speaking = asyncio.create_task(espeak.synthesize("a very long text " * 200))
    await asyncio.sleep(0)
    await espeak.aclose()
    with pytest.raises(VoiceUnavailable, match="closed"):
        await speaking
    assert espeak.started == 1


async def test_an_unknown_voice_is_refused_and_the_process_goes_on() -> None:
    async with Espeak() as espeak:
        with pytest.raises(VoiceUnavailable, match="no voice 'xx/nobody'"):
            await espeak.synthesize("hello", voice="xx/nobody")
        assert (await espeak.synthesize("hello", variant="f4")).size
        assert espeak.started == 1


async def test_a_text_without_end_is_refused() -> None:
    async with Espeak() as espeak:
        with pytest.raises(ValueError, match="longer than"):
            await espeak.synthesize("no " * 5000)


async def test_without_espeak_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child finds a loader of espeak-ng that has no library, and no system library either."""
    (tmp_path / "espeakng_loader.py").write_text("raise ImportError\n")
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes.util\nctypes.util.find_library = lambda name: 'libnot-there.so.0'\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    async with Espeak() as espeak:
        with pytest.raises(VoiceUnavailable, match=r"pip install segue\[voice\].*apt install"):
            await espeak.synthesize("hello")


async def test_a_process_that_dies_at_every_start_is_tried_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def spawn_nothing(_module: str, *_arguments: str, pipes: bool) -> Spawned:
        return await spawn("this", pipes=pipes)

    monkeypatch.setattr(espeak_module, "spawn", spawn_nothing)
    async with Espeak() as espeak:
        with pytest.raises(VoiceUnavailable, match="twice"):
            await espeak.synthesize("hello")
        assert espeak.started == 2


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.full(9000, 20, np.int16)])
def test_silence_is_shaped_to_nothing(samples: Samples) -> None:
    assert shape(samples)[0].size == 0


@pytest.mark.parametrize("amplitude", [100, 3000, 32767])
def test_any_level_is_brought_to_the_same_without_clipping(amplitude: int) -> None:
    tone = amplitude * np.sin(np.arange(8000) / 5)
    shaped = shape(np.concatenate([np.zeros(4000), tone, np.zeros(4000)]).astype(np.int16))[0]
    assert 7900 < shaped.size <= 8080
    assert np.abs(shaped).max() <= 32000
    middle = shaped[1000:7000].astype(np.float64)
    assert 20 * np.log10(np.sqrt(np.mean(middle**2)) / 32768) == pytest.approx(-20, abs=0.5)


def test_a_single_click_is_kept_below_clipping() -> None:
    click = np.zeros(8000, np.int16)
    click[4000] = -32768
    assert shape(click)[0].min() == pytest.approx(-32000, abs=10)  # it would wrap to a plus
