"""A voice without words over a prompt, on the real line."""

from __future__ import annotations

import numpy as np
import pytest

from ari_app.conversation.events import CallerSpoke, PromptInterrupted
from tests.support.callers import Story, kinds, only
from tests.support.house import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

RATE = 8000


async def test_a_hum_pauses_a_prompt_that_goes_on_at_a_word(story: Story) -> None:
    caller = await story.caller()
    await caller.dials()
    await caller.begins_to_hear("what")
    await caller.phone.say(hum(0.16))
    ending = (await story.house.prompt("what"))[-RATE // 4 :]

    async def all_was_said() -> bool:
        return ending in caller.sound()

    await eventually(all_was_said, lambda: "the prompt did not go on")
    assert not await caller.has_heard_all_of("what")  # in one piece
    await caller.says("when are you open")
    await caller.hears("offer_hours")
    await caller.hangs_up()
    log = await story.log(caller)
    assert PromptInterrupted not in map(type, log[: kinds(log).index("CallerSpoke")])
    assert only(log, CallerSpoke).text == "when are you open"


def hum(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """No word, but a voice: its pitch moves."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 150 + 30 * np.sin(2 * np.pi * 3 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 12))
    edges = np.minimum(1, 20 * time) * np.minimum(1, 20 * time[::-1])
    return np.asarray(3500 * buzz * edges, np.int16)
