"""Prompts in real calls: recorded ones are played, and a synthesizer that dies silences nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from ari_app.conversation.events import AgentSpoke, CallLeft
from ari_app.media.g711 import ulaw_decode
from ari_app.speech.prompts.wav import write_wav
from tests.support.callers import Caller, Story, kinds, only
from tests.support.faults import fault
from tests.support.house import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

_SHORT = Path(__file__).parents[1] / "fixtures" / "short.yaml"
# What depends on the call cannot be prepared: espeak-ng is asked while the caller waits.
_ON_DEMAND = "{% if choice %}Never.{% endif %} "


@asynccontextmanager
async def speaking_on_demand(story: Story, folder: Path) -> AsyncIterator[None]:
    """The long story and the way to people are synthesized in the call."""
    text = _SHORT.read_text()
    before, everything, after = text.partition("  everything: >-\n")
    assert everything
    rest = after[after.index("  goodbye:") :]
    text = f'{before}  everything: "{_ON_DEMAND}A story."\n{rest}'
    connecting = "connecting: One moment, please."
    assert connecting in text
    text = text.replace(connecting, f'connecting: "{_ON_DEMAND}Just a moment."')
    bundle = folder / "bundle.yaml"
    bundle.write_text(text)
    await story.house.restart(
        SEGUE_POLICY__BUNDLE=str(bundle), SEGUE_VOICE__DEADLINE="2.0", SEGUE_CALLS__COMFORT="0.6"
    )
    try:
        yield
    finally:
        await story.house.restart()


@pytest.mark.parametrize("fate", [signal.SIGKILL, signal.SIGSTOP])
@fault("kill -9 or SIGSTOP of espeak-ng in a call", "the caller is served, and never in silence")
async def test_a_caller_is_served_when_the_synthesizer_dies_or_hangs(
    story: Story, tmp_path: Path, fate: signal.Signals
) -> None:
    house = story.house
    async with speaking_on_demand(story, tmp_path):
        caller = await story.caller_at("what")
        await caller.presses("9")
        await caller.hears("what")
        first = house.espeak()

        os.kill(first, fate)
        await caller.presses("0")
        if fate is signal.SIGSTOP:
            await caller.hears("one_moment")
        await story.people_take_the_call("handoff", Conversation=await story.stream(caller))
        assert house.espeak() != first
        await caller.hangs_up()

        log = await story.log(caller)
        said = [event.prompt for event in log if isinstance(event, AgentSpoke)]
        assert said == ["everything", "what", "connecting"], kinds(log)
        assert only(log, CallLeft).exit == "handoff"
        await story.logged("starting it again")


async def test_a_recording_is_heard_and_a_damaged_one_gives_way(
    story: Story, tmp_path: Path
) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    hertz = 440
    tone = np.round(9000 * np.sin(np.arange(8000) * 2 * np.pi * hertz / 8000)).astype(np.int16)
    (folder / "what.wav").write_bytes(write_wav(tone))
    (folder / "disclosure.wav").write_bytes(b"RIFF but cut off")
    await story.house.restart(SEGUE_VOICE__RECORDINGS=str(tmp_path))
    try:
        await story.logged("disclosure.wav is not used: it is no WAV file")
        caller = await story.caller()
        await caller.dials()
        await caller.hears("disclosure")
        await eventually(lambda: _sounds(caller, hertz), "the recording is heard")
        await caller.presses("1")
        await caller.hears("offer_hours")
        await caller.hangs_up()
    finally:
        await story.house.restart()


async def _sounds(caller: Caller, hertz: int) -> bool:
    """Whether the last half second was a tone of this pitch."""
    last = ulaw_decode(caller.sound()[-4000:]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(last))
    return bool(spectrum.max() > 1e6 and abs(np.argmax(spectrum) * 2 - hertz) <= 4)
