"""The link and the telephone on Debian's Asterisk 16, which knows requests by HTTP only."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ari_app.ari import requests
from ari_app.ari.client import AriClient
from ari_app.errors import AriRefused
from ari_app.ports import Exit
from asterisk.private import PrivateAsterisk
from tests.integration.test_ari_asterisk import PhoneStory, eventually
from tests.support.old_pbx import old_root_or_skip

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def old_pbx() -> Iterator[PrivateAsterisk]:
    with PrivateAsterisk(old_root_or_skip()) as pbx:
        yield pbx


class OldStory(PhoneStory):
    """Given callers who are dialled: external media brings no arguments there."""

    async def caller(self, client: AriClient, *args: str) -> str:
        channel = f"caller-{uuid.uuid4().hex[:8]}"
        await client.request(
            requests.originate(
                "Local/agent@fake-people/n",
                self.app,
                args or ("inbound", "+33100", "+33612345678"),
                channel=channel,
            )
        )
        await eventually(lambda: channel in [call.channel for call in self.calls.entered])
        return channel


@pytest_asyncio.fixture
async def story(old_pbx: PrivateAsterisk) -> AsyncIterator[PhoneStory]:
    story = OldStory(old_pbx)
    yield story
    await story.aclose()


async def test_this_asterisk_is_old_and_ignores_requests_on_the_websocket(
    story: PhoneStory,
) -> None:
    assert "Asterisk 16" in story.pbx.cli("core show version")
    _, client = await story.link()
    assert not client.rest_over_websocket


async def test_a_caller_enters_is_bridged_and_leaves(story: PhoneStory) -> None:
    telephone, client = await story.link(rest_over_websocket=False)
    channel = await story.caller(client)
    assert [call.did for call in story.calls.entered] == ["+33100"]
    await telephone.answer(channel)
    call = f"call_{story.app}"
    told: list[tuple[str, int]] = []
    ports = story.pbx.app_ports
    address = await telephone.connect_media(
        channel, call, "127.0.0.1", ports[0], "slin16", told.append
    )
    assert told == [address]
    assert address[1] in story.pbx.rtp_ports
    bridges = await client.request(requests.list_bridges())
    [ours] = [bridge for bridge in bridges if bridge["id"] == f"br-{call}"]
    assert set(ours["channels"]) == {channel, f"em-{call}"}
    await telephone.release(call)
    await telephone.leave(channel, Exit.DONE, {"SEGUE_BRIEF": "hours"})
    await eventually(lambda: story.calls.gone == [(channel, "left")])
    await story.gone(client, f"br-{call}", f"em-{call}")


async def test_a_new_process_finds_a_call_by_its_marks(story: PhoneStory) -> None:
    telephone, client = await story.link(rest_over_websocket=False)
    channel = await story.caller(client)
    await telephone.mark(channel, "conv_1", "call_1")
    async with asyncio.timeout(10):  # this one answers before it has done it
        while True:
            with contextlib.suppress(AriRefused):
                await client.request(requests.get_channel_variable(channel, "SEGUE_STATE"))
                break
    await client.aclose()
    again, _ = await story.link(rest_over_websocket=False)
    [found] = [call for call in story.calls.found if call.channel == channel]
    assert (found.conversation, found.call) == ("conv_1", "call_1")
    await again.hang_up(channel)


async def test_signs_of_life_come_as_events(story: PhoneStory) -> None:
    _, client = await story.link(rest_over_websocket=False)
    await eventually(lambda: "segue_ari_lag_seconds" in story.meter.gauges)
    assert client.up
