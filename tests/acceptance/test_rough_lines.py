"""Calls over bad lines, and beside floods."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest

from ari_app.conversation.events import CallEnded, CallerSpoke
from tests.support.callers import Story, only
from tests.support.faults import fault
from tests.support.rough import roughen

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


async def a_call_by_words_and_keys(story: Story, *, loss: float, jitter: float) -> dict[str, int]:
    """Over such a line from the first question on; what the call's record says of its audio."""
    caller = await story.caller_at("what")
    line = roughen(caller.phone, loss=loss, jitter=jitter)
    await caller.says("what are your opening hours")
    await caller.hears("offer_hours")
    await caller.presses("1")
    await caller.hears("promised")
    await caller.is_hung_up()
    assert len(await story.texts(caller)) == 1
    assert bool(line.lost) == bool(loss)
    log = await story.log(caller)
    assert "hours" in only(log, CallerSpoke).text
    return dict(only(log, CallEnded).statistics)


@fault("a fifth of the caller's packets is lost", "words and keys are understood")
async def test_a_caller_is_understood_when_a_fifth_of_the_packets_is_lost(story: Story) -> None:
    statistics = await a_call_by_words_and_keys(story, loss=0.2, jitter=0.0)
    assert statistics["concealed_ms"] > 0


@fault("the caller's packets come up to 200 ms late, in any order", "words and keys are understood")
async def test_a_caller_is_understood_over_200_ms_of_jitter(story: Story) -> None:
    statistics = await a_call_by_words_and_keys(story, loss=0.0, jitter=0.2)
    assert statistics["jitter_us"] > 10_000


@fault("a flood of SIP OPTIONS at the trunk", "calls that are up notice nothing")
async def test_a_call_goes_on_beside_a_flood_of_sip_options(story: Story) -> None:
    caller = await story.caller_at("what")
    flood = asyncio.create_task(_flood(story.house.stage.sip))
    try:
        await caller.says("what are your opening hours")
        await caller.hears("offer_hours")
        following = await story.caller()
        await following.dials()
        await following.hears("disclosure", "what")
        await caller.presses("1")
        await caller.hears("promised")
        await caller.is_hung_up()
    finally:
        flood.cancel()
    assert len(await story.texts(caller)) == 1


async def _flood(at: tuple[str, int]) -> None:
    """A thousand a second, until cancelled."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.setblocking(False)
        port = stranger.getsockname()[1]
        for number in itertools.count():
            options = (
                f"OPTIONS sip:{at[0]}:{at[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number};rport\r\n"
                f"From: <sip:stranger@127.0.0.1>;tag={number}\r\nTo: <sip:{at[0]}>\r\n"
                f"Call-ID: {number}@stranger\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            stranger.sendto(options.encode(), at)
            if number % 20 == 0:
                await asyncio.sleep(0.02)
