"""A synthetic call against a real Asterisk without the application: each failure has its words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

from ari_app.agent.turn import Agent
from ari_app.phone.probe import Probe, Script
from ari_app.phone.verdict import Stage, Verdict
from ari_app.speech.espeak import Espeak
from ari_app.speech.prompts.espeak_voices import EspeakVoices
from ari_app.speech.voice import PromptVoice
from asterisk.private import PrivateAsterisk
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import NOON, FakeClock
from tests.support.meter import RecordingMeter
from tests.support.pbx import hang_up_everything
from tests.support.voices import a_voice

# Far ends that are not the application.
FAR_ENDS = {
    "7201": ["Answer", "Wait,60"],
    "7202": ["Answer", "Playback,sorry&pls-hold-while-try", "Echo"],
    "7203": ["Answer", "Wait,1", "Hangup"],
    "7204": ["Busy"],
    "7205": ["Wait,60"],
}


@pytest.fixture(scope="module")
def far_ends(pbx: PrivateAsterisk) -> Iterator[PrivateAsterisk]:
    for number, applications in FAR_ENDS.items():
        for priority, application in enumerate(applications, start=1):
            pbx.cli(f'dialplan add extension {number},{priority},"{application}" into from-carrier')
    yield pbx
    hang_up_everything(pbx)
    for number in FAR_ENDS:
        pbx.cli(f"dialplan remove extension {number}@from-carrier")


@pytest.fixture
async def voice() -> AsyncIterator[PromptVoice]:
    async with a_voice(EspeakVoices({}, rate=300)) as voice:
        yield voice


class Tried:
    """One probe of a number, and where its figures went."""

    def __init__(self, pbx: PrivateAsterisk, voice: PromptVoice) -> None:
        self._pbx = pbx
        self._voice = voice
        self.meter = RecordingMeter()

    async def number(self, number: str, limit: float = 30.0) -> Verdict:
        sip = f"127.0.0.1:{self._pbx.sip_port}"
        script = Script(sip, number, "+12025550190", ("operator",), limit=limit)
        agent = Agent(demo_bundle(), demo_intents(), FakeClock(), lambda: True)
        async with Espeak() as caller:
            probe = Probe(
                script, agent, self._voice, caller, None, "subj_x", FakeClock(), self.meter
            )
            return await probe.run_once()


@pytest.fixture
def tried(far_ends: PrivateAsterisk, voice: PromptVoice) -> Tried:
    return Tried(far_ends, voice)


async def test_a_line_that_stays_silent_points_to_the_rtp_path(tried: Tried) -> None:
    verdict = await tried.number("7201")
    assert verdict.failed is not None
    assert verdict.failed.stage is Stage.DISCLOSURE
    assert "no prompt came" in verdict.failed.said
    assert "[media]" in verdict.failed.look_at


async def test_the_voice_of_the_fallback_is_not_taken_for_the_disclosure(tried: Tried) -> None:
    verdict = await tried.number("7202")
    assert verdict.failed is not None
    assert verdict.failed.stage is Stage.DISCLOSURE
    assert "not the prompt disclosure in full" in verdict.failed.said
    assert "app-down.conf" in verdict.failed.look_at


async def test_a_far_end_that_hangs_up_says_so(tried: Tried) -> None:
    verdict = await tried.number("7203")
    assert verdict.failed is not None
    assert "the call ended" in verdict.failed.said


@pytest.mark.parametrize(
    ("number", "words", "look_at"),
    [("7204", "486", "pjsip.conf"), ("nonesuch", "404", "dialplan")],
)
async def test_a_refused_call_points_to_whoever_refused(
    tried: Tried, number: str, words: str, look_at: str
) -> None:
    verdict = await tried.number(number)
    assert [step.stage for step in verdict.steps] == [Stage.CALL]
    assert verdict.failed is not None
    assert words in verdict.failed.said
    assert look_at in verdict.failed.look_at


async def test_a_call_is_over_at_its_limit_and_leaves_no_task(tried: Tried) -> None:
    verdict = await tried.number("7205", limit=0.5)
    assert verdict.failed is not None
    assert verdict.failed.stage is Stage.CALL
    assert "not over after 0.5 s" in verdict.failed.said
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_failure_is_a_figure_and_an_alarm_without_a_number(
    tried: Tried, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="ari_app.phone.probe"):
        await tried.number("7204")
    assert tried.meter.gauges["segue_probe_ok",] == 0.0
    assert tried.meter.gauges["segue_probe_last_run_timestamp_seconds",] == NOON / 1e6
    assert tried.meter.counts["segue_probe_runs_total", "call"] == 1
    (alarm,) = [record.getMessage() for record in caplog.records]
    assert alarm.startswith("alarm: the synthetic call failed at call: ")
    assert "2025550190" not in alarm


async def test_a_right_greeting_is_heard_and_a_reply_that_never_comes_is_missed(
    far_ends: PrivateAsterisk, tried: Tried, voice: PromptVoice
) -> None:
    """The prompts as a recording: who speaks them is the same to a caller."""
    bundle = demo_bundle()
    texts = [bundle.prompt(bundle.disclosure), bundle.prompt("how_can_i_help")]
    folder = far_ends.home / "recordings"
    folder.mkdir(exist_ok=True)
    sounds = [await voice.speak(text, "en") for text in texts]
    (folder / "greeting.ulaw").write_bytes(b"\xff" * 800 + b"".join(sounds))
    for step, application in enumerate(
        ("Answer", f"Playback,{folder}/greeting", "Wait,30"), start=1
    ):
        far_ends.cli(f'dialplan add extension 7206,{step},"{application}" into from-carrier')
    try:
        verdict = await tried.number("7206")
    finally:
        hang_up_everything(far_ends)
        far_ends.cli("dialplan remove extension 7206@from-carrier")
    assert [(s.stage, s.ok) for s in verdict.steps] == [
        (Stage.CALL, True),
        (Stage.DISCLOSURE, True),
        (Stage.QUESTION, True),
        (Stage.REPLY, False),
    ]
    assert verdict.received > np.ceil(sum(map(len, sounds)) / 160)
    assert tried.meter.gauges["segue_probe_seconds", "call"] < 5.0
