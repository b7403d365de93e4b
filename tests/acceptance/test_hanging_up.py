"""A caller may hang up at any moment: nothing is left of the call, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ari_app.cli.stage import DID
from ari_app.conversation.events import CallEnded, TextPromised
from ari_app.phone.errors import NoAnswer
from tests.support.callers import Caller, Story, only

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


async def during_the_disclosure(story: Story) -> Caller:
    caller = await story.caller()
    await caller.dials()
    await caller.begins_to_hear("disclosure")
    await caller.hangs_up()
    return caller


async def when_it_is_their_turn(story: Story) -> Caller:
    caller = await story.caller_at("what")
    await caller.hangs_up()
    return caller


async def while_speaking(story: Story) -> Caller:
    caller = await story.caller_at("what")
    speaking = asyncio.create_task(caller.says("what are your opening hours"))
    await asyncio.wait([speaking], timeout=0.8)
    await caller.hangs_up()
    await asyncio.gather(speaking, return_exceptions=True)
    return caller


async def while_the_agent_thinks(story: Story) -> Caller:
    caller = await story.caller_at("what")
    with story.house.frozen(story.house.asr_worker()):
        await caller.says("what are your opening hours")
        # The pause that ends a turn, and less than the worker has for its answer.
        await asyncio.sleep(1.0)
        await caller.hangs_up()
        await story.house.nobody_is_on_the_line()
    return caller


async def during_an_offer(story: Story) -> Caller:
    caller = await story.caller_at("what")
    await caller.presses("1")
    await caller.begins_to_hear("offer_hours")
    await caller.hangs_up()
    return caller


@pytest.mark.parametrize(
    "hang_up",
    [
        during_the_disclosure,
        when_it_is_their_turn,
        while_speaking,
        while_the_agent_thinks,
        during_an_offer,
    ],
    ids=lambda moment: moment.__name__,
)
async def test_nothing_is_left_of_a_caller_who_hangs_up(
    story: Story, hang_up: Callable[[Story], Awaitable[Caller]]
) -> None:
    caller = await hang_up(story)
    await story.is_quiet()
    log = await story.log(caller)
    assert only(log, CallEnded).cause == "hangup"
    assert TextPromised not in map(type, log)
    (record,) = story.records(log)
    assert record["outcome"] == "ended without a text"

    following = await story.caller_at("what")
    assert following.phone.up


async def test_a_caller_who_gives_up_while_it_rings_leaves_nothing(story: Story) -> None:
    caller = await story.caller()
    # A service that does nothing for a second does not answer either.
    with story.house.frozen(story.house.service.pid), pytest.raises(NoAnswer):
        await caller.phone.call(*story.house.stage.sip, DID, caller.number, deadline=1.0)
    await story.is_quiet()
    log = await story.log(caller)
    assert only(log, CallEnded).cause == "hangup"

    following = await story.caller_at("what")
    assert following.phone.up


async def test_a_text_that_was_promised_comes_also_to_who_does_not_wait_for_the_goodbye(
    story: Story,
) -> None:
    caller = await story.caller_at("what")
    await caller.presses("1")
    await caller.hears("offer_hours")
    await caller.presses("1")
    await caller.begins_to_hear("promised")
    await caller.hangs_up()
    assert len(await story.texts(caller)) == 1
    (record,) = story.records(await story.log(caller))
    assert record["outcome"] == "text promised"
