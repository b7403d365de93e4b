"""The synthetic call through a whole house: well when all is well, and not otherwise."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from ari_app.conversation.events import CallAnswered, TextPromised
from tests.support.callers import Story
from tests.support.house import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

SENTENCE = "i would like to reschedule my appointment"
PROBE = "+12025550190"


async def probe(story: Story, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`segue probe --json`: its status and what it says."""
    stage = story.house.stage
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ari_app", "probe", *arguments, "--json"),
        *("--config", str(stage.config), "--to", "+15550100", "--from", PROBE),
        *("--sip", f"{stage.sip[0]}:{stage.sip[1]}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(output)


async def test_a_sentence_is_followed_from_the_phone_into_the_log(story: Story) -> None:
    status, said = await probe(story, SENTENCE)
    assert status == 0, said
    assert [step["step"] for step in said["steps"]] == [
        *("call", "disclosure", "question", "reply", "log"),
    ]
    assert all(step["seconds"] is not None for step in said["steps"])
    events = await story.house.read(said["conversation"])
    assert not any(isinstance(envelope.event, TextPromised) for envelope in events)
    assert await story.house.texts_to(PROBE) == []


async def test_keys_are_followed_too_and_the_next_probe_has_a_conversation_of_its_own(
    story: Story,
) -> None:
    first, one = await probe(story, "1")
    second, two = await probe(story, "1")
    assert (first, second) == (0, 0), (one, two)
    assert one["conversation"] != two["conversation"]


async def test_words_that_lead_to_a_text_are_refused_and_sent_only_if_allowed(
    story: Story,
) -> None:
    status, said = await probe(story, "1", "1")
    assert status == 2
    assert "lead to a text" in said["error"]
    assert await story.house.texts_to(PROBE) == []

    status, said = await probe(story, "1", "1", "--text")
    assert status == 0, said


async def test_a_service_that_is_down_is_noticed_by_its_silence(story: Story) -> None:
    await story.house.kill()
    try:
        status, said = await probe(story, SENTENCE)
    finally:
        await story.house.restart()
    assert status == 1
    assert said["failed"] == "disclosure"
    assert "segue run" in said["steps"][1]["look_at"]
    assert said["steps"][-1]["said"] == "the log has no conversation of this call"


async def test_a_recogniser_that_hangs_in_the_call_is_noticed(story: Story) -> None:
    before = await story.house.conversations_of(PROBE)
    trying = asyncio.create_task(probe(story, SENTENCE))

    async def on_the_line() -> bool:
        events = await story.house.conversation_of(PROBE)
        answered = any(isinstance(envelope.event, CallAnswered) for envelope in events)
        return answered and await story.house.conversations_of(PROBE) > before

    await eventually(on_the_line, "the synthetic call is answered")
    with story.house.frozen(story.house.asr_worker()):
        status, said = await trying
    # Whether the reply still comes, late, or the keys are explained instead: hearing was lost.
    assert status == 1, said
    assert "hearing.lost" in said["steps"][-1]["said"], said


async def test_without_the_log_only_what_is_heard_counts(story: Story) -> None:
    status, said = await probe(story, "1", "--no-log")
    assert status == 0, said
    assert said["conversation"] is None
    assert [step["step"] for step in said["steps"]][-1] == "reply"
