"""Where a prompt comes from: recording, cache, the first synthesizer that can, the next one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from ari_app.errors import VoiceUnavailable
from ari_app.ports import Delivery
from ari_app.speech.prompts.recordings import Wording
from ari_app.speech.prompts.sound import RATE
from ari_app.speech.prompts.synthesizer import Guarded, Speech
from ari_app.speech.prompts.wav import write_wav
from ari_app.understanding.saying.lexicon import Lexicon
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.voices import a_voice

HELLO = Wording("Hello.", "en", "greeting")


class FakeSynthesizer:
    """Says a tone for each text; its languages and its health are set by the test."""

    def __init__(self, name: str = "first", *languages: str) -> None:
        self.name = name
        self.languages = languages or ("en",)
        self.broken = False
        self.said: list[str] = []
        self.most_at_once = self._now = 0

    def identity(self, language: str) -> str | None:
        return self.name if language in self.languages else None

    async def say(self, text: str, language: str) -> Speech:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if self.broken:
            raise VoiceUnavailable(f"{self.name} is dead")
        self.said.append(text)
        samples = np.round(5000 * np.sin(np.arange(RATE) / 5)).astype(np.int16)
        return Speech(samples, (0, 250, 600))

    async def aclose(self) -> None:
        pass


def record(folder: Path, name: str = "en/greeting.wav") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(write_wav(np.full(4000, 9000, np.int16)))
    return path


def damage(folder: Path) -> bytes:
    """What the only file was before."""
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\0")
    return whole


async def test_a_recording_is_played_and_nobody_asked(tmp_path: Path) -> None:
    record(tmp_path)
    first, meter = FakeSynthesizer(), RecordingMeter()
    async with a_voice(first, recordings=tmp_path, meter=meter) as voice:
        (ready,) = await voice.prepare([HELLO])
        assert (ready.source, ready.seconds, ready.fault) == ("recording", 0.5, "")
        assert len(await voice.speak("Hello.", "en")) == 4000
    assert first.said == []
    assert meter.counts["segue_prompts_total", "recording"] == 1


async def test_the_second_wording_has_a_recording_of_its_own(tmp_path: Path) -> None:
    record(tmp_path, "en/greeting.2.wav")
    async with a_voice(FakeSynthesizer(), recordings=tmp_path) as voice:
        ready = await voice.prepare([HELLO, Wording("Hi!", "en", "greeting", 2)])
    assert [r.source for r in ready] == ["first", "recording"]


async def test_a_damaged_recording_gives_way_is_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = record(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    meter = RecordingMeter()
    async with a_voice(FakeSynthesizer(), recordings=tmp_path, meter=meter) as voice:
        (ready,) = await voice.prepare([HELLO])
    assert ready.source == "first"
    assert "shorter than it says" in ready.fault
    assert f"the recording {path} is not used" in caplog.text
    assert meter.counts["segue_prompt_faults_total", "recording"] == 1


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "."])
async def test_a_prompt_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    async with a_voice(FakeSynthesizer(), recordings=tmp_path) as voice:
        (ready,) = await voice.prepare([Wording("Hello.", "en", name)])
    assert ready.source == "first"
    assert Wording("Hello.", "en", name).file == ""


async def test_the_next_synthesizer_stands_in_for_one_that_fails() -> None:
    first, second = FakeSynthesizer("first"), FakeSynthesizer("second")
    first.broken = True
    async with a_voice(first, second) as voice:
        (ready,) = await voice.prepare([HELLO])
    assert (ready.source, ready.fault) == ("second", "first is dead")


async def test_one_that_does_not_speak_the_language_is_not_asked() -> None:
    first, second = FakeSynthesizer("first", "de"), FakeSynthesizer("second", "en")
    async with a_voice(first, second) as voice:
        assert (await voice.prepare([HELLO]))[0].source == "second"


async def test_what_cannot_be_prepared_is_made_when_it_is_wanted() -> None:
    first = FakeSynthesizer()
    first.broken = True
    async with a_voice(first) as voice:
        (ready,) = await voice.prepare([HELLO])
        assert (ready.source, ready.fault) == ("", "first is dead")
        with pytest.raises(VoiceUnavailable, match="first is dead"):
            await voice.speak("Hello.", "en")
        first.broken = False
        assert await voice.speak("Hello.", "en")


async def test_a_damaged_cache_entry_is_made_anew(tmp_path: Path) -> None:
    first, meter = FakeSynthesizer(), RecordingMeter()
    async with a_voice(first, folder=tmp_path, meter=meter) as voice:
        await voice.prepare([HELLO])
        whole = damage(tmp_path)
        (ready,) = await voice.prepare([HELLO])
        assert ready.source == "first"
    assert meter.counts["segue_prompt_faults_total", "cache"] == 1
    assert damage(tmp_path) == whole


async def test_what_a_stand_in_said_is_not_kept_as_if_the_first_had(tmp_path: Path) -> None:
    first, second = FakeSynthesizer("first"), FakeSynthesizer("second")
    first.broken = True
    async with a_voice(first, second, folder=tmp_path) as voice:
        await voice.prepare([HELLO])
        assert (await voice.prepare([HELLO]))[0].source == "cache"
        first.broken = False
        assert (await voice.prepare([HELLO]))[0].source == "first"


async def test_only_a_few_are_prepared_at_the_same_time_and_progress_is_told() -> None:
    first = FakeSynthesizer()
    steps: list[tuple[int, int]] = []
    wordings = [Wording(f"Number {i}.", "en") for i in range(20)]
    async with a_voice(first) as voice:
        await voice.prepare([*wordings, *wordings], lambda done, of: steps.append((done, of)))
    assert len(first.said) == 20
    assert 1 < first.most_at_once <= 4
    assert steps == [(done, 20) for done in range(1, 21)]


async def test_a_new_bundle_forgets_the_prompts_of_the_old_one() -> None:
    first = FakeSynthesizer()
    async with a_voice(first) as voice:
        await voice.prepare([HELLO])
        await voice.prepare([Wording("Goodbye.", "en")])
        await voice.speak("Goodbye.", "en")
        await voice.speak("Hello.", "en")
    assert first.said == ["Hello.", "Goodbye.", "Hello."]


async def test_the_words_of_a_prompt_are_kept_beside_it(tmp_path: Path) -> None:
    async with a_voice(FakeSynthesizer(), folder=tmp_path) as voice:
        await voice.prepare([HELLO])
        made = await voice.prompt("Hello.", "en")
    assert len(made.boundaries) == 2
    assert made.boundaries[0] == pytest.approx(250, abs=45)
    async with a_voice(FakeSynthesizer(), folder=tmp_path) as voice:
        await voice.prepare([HELLO])
        assert await voice.prompt("Hello.", "en") == made


async def test_a_word_begins_where_a_cut_is_heard_least_and_never_in_cut_off_silence() -> None:
    class Late(FakeSynthesizer):
        async def say(self, text: str, language: str) -> Speech:
            tone = (await super().say(text, language)).samples[: RATE // 4]
            silence = np.zeros(RATE // 2, np.int16)
            return Speech(np.concatenate([silence, tone, silence[:240], tone]), (0, 120, 495, 730))

    async with a_voice(Late()) as voice:
        (word,) = (await voice.prompt("Hello.", "en")).boundaries
    assert 250 <= word <= 280  # after the cut of 495 ms; espeak-ng said 235


async def test_slower_is_made_of_the_same_audio_while_the_synthesizer_is_dead() -> None:
    first = FakeSynthesizer()
    async with a_voice(first) as voice:
        usual = await voice.prompt("Hello.", "en")
        first.broken = True
        slower = await voice.prompt("Hello.", "en", Delivery(pace=-1))
        assert len(slower.audio) == pytest.approx(1.25 * len(usual.audio), rel=0.1)
        assert slower.boundaries == tuple(round(b * 1.25) for b in usual.boundaries)
        assert await voice.prompt("Hello.", "en", Delivery(pace=-1)) is slower
        louder = await voice.speak("Hello.", "en", Delivery(gain=1))
        assert len(louder) == len(usual.audio)
        assert louder != usual.audio


async def test_numbers_and_hard_words_are_written_for_the_voice() -> None:
    first = FakeSynthesizer()
    async with a_voice(first, lexicons={"en": Lexicon({"Siobhan": "Shivawn"})}) as voice:
        await voice.speak("Siobhan owes $5.", "en")
    assert first.said == ["Shivawn owes five dollars."]


async def test_a_language_that_nobody_speaks_is_said_so() -> None:
    async with a_voice(FakeSynthesizer()) as voice:
        assert voice.speaks("en")
        assert not voice.speaks("tlh")
        with pytest.raises(VoiceUnavailable, match="no voice for the language 'tlh'"):
            await voice.speak("nuqneH", "tlh")


async def test_a_synthesizer_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    first, clock, meter = FakeSynthesizer(), FakeClock(), RecordingMeter()
    guarded = Guarded(first, clock, meter)
    first.broken = True
    for _ in range(3):
        with pytest.raises(VoiceUnavailable, match="is dead"):
            await guarded.say("x", "en")
    with pytest.raises(VoiceUnavailable, match="left alone"):
        await guarded.say("x", "en")
    assert meter.counts["segue_prompt_faults_total", "first"] == 3
    clock.advance(1.1)
    with pytest.raises(VoiceUnavailable, match="is dead"):  # the probe
        await guarded.say("x", "en")
    clock.advance(1.1)
    with pytest.raises(VoiceUnavailable, match="left alone"):  # twice as long
        await guarded.say("x", "en")
    clock.advance(1.1)
    first.broken = False
    await guarded.say("x", "en")
    await guarded.say("x", "en")
    assert len(meter.observed["segue_synthesis_seconds"]) == 2


async def test_a_probe_that_is_cancelled_lets_another_one_go_later() -> None:
    first, clock = FakeSynthesizer(), FakeClock()
    guarded = Guarded(first, clock, RecordingMeter())
    first.broken = True
    for _ in range(3):
        with pytest.raises(VoiceUnavailable):
            await guarded.say("x", "en")
    clock.advance(1.1)
    probe = asyncio.create_task(guarded.say("x", "en"))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait([probe])
    first.broken = False
    clock.advance(2.1)
    assert (await guarded.say("x", "en")).words
