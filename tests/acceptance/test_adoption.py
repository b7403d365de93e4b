"""The service dies with calls up: its next start goes on with them, and the log says so once."""

from __future__ import annotations

import asyncio

import pytest

from ari_app.conversation.events import CallEnded, CallResumed, HandoffRecorded, TextPromised
from tests.support.callers import Story, kinds, only
from tests.support.faults import fault

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


@fault("kill -9 of the service", "callers who stay on the line go on talking")
async def test_a_caller_who_stays_on_the_line_goes_on_talking(story: Story) -> None:
    caller = await story.caller_at("what")
    stream = await story.stream(caller)
    await story.house.kill()
    await story.house.restart()
    await caller.hears("what")
    await caller.says("what are your opening hours")
    await caller.hears("offer_hours")
    await caller.presses("1")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert len(await story.texts(caller)) == 1

    log = await story.log(caller)
    assert await story.stream(caller) == stream
    assert await story.house.conversations_of(caller.number) == 1
    assert only(log, CallResumed).call == only(log, CallEnded).call
    assert only(log, CallEnded).cause == "done"
    only(log, HandoffRecorded)
    only(log, TextPromised)


@fault("kill -9 of the service", "callers who stay on the line go on talking")
async def test_each_caller_goes_on_with_the_question_that_was_open(story: Story) -> None:
    first, second = await asyncio.gather(story.caller_at("what"), story.caller_at("what"))
    await second.presses("2")
    await second.hears("offer_reschedule")
    await story.house.kill()
    await story.house.restart()
    await asyncio.gather(first.hears("what"), second.hears("offer_reschedule"))
    await second.presses("1")
    await asyncio.gather(second.hears("promised"), story.agrees_to_a_text(first))
    await second.is_hung_up()
    (text,) = await story.texts(second)
    assert "Reply 1 or 2" in text
    for caller in (first, second):
        assert kinds(await story.log(caller)).count("CallEnded") == 1


@fault("kill -9 of the service", "who had not heard who is speaking hears it from the beginning")
async def test_a_caller_who_had_not_heard_the_disclosure_hears_all_of_it(story: Story) -> None:
    caller = await story.caller()
    await caller.dials()
    await caller.begins_to_hear("disclosure")
    await story.house.kill()
    await story.house.restart()
    await caller.hears("disclosure", "what")
    await story.agrees_to_a_text(caller)
    log = kinds(await story.log(caller))
    assert log.count("DisclosurePlayed") == 1
    assert log.count("CallAnswered") == 1


@fault("kill -9 of the service", "a second death is survived like the first")
async def test_a_call_may_be_taken_over_twice(story: Story) -> None:
    caller = await story.caller_at("what")
    for _ in range(2):
        await story.house.kill()
        await story.house.restart()
        await caller.hears("what")
    await story.agrees_to_a_text(caller)
    log = kinds(await story.log(caller))
    assert log.count("CallResumed") == 2
    assert log.count("CallEnded") == 1


@fault("kill -9 of the service", "the record of a caller who hung up meanwhile is closed")
async def test_the_call_of_a_caller_who_did_not_wait_is_closed(story: Story) -> None:
    caller = await story.caller_at("what")
    await story.house.kill()
    await caller.hangs_up()
    await story.house.restart(SEGUE_CALLS__ADOPTION="3")
    log = await story.log(caller)
    assert only(log, CallEnded).cause == "lost"
    assert only(log, HandoffRecorded).record["outcome"] == "the call was lost"
    assert CallResumed not in map(type, log)
