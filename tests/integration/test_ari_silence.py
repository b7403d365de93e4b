"""A link that dies without a word, on a real Asterisk: noticed, made anew, never blind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ari_app.ari import events, requests
from ari_app.ari.client import AriClient
from ari_app.ari.telephone import AriTelephone
from ari_app.errors import PbxUnavailable
from asterisk.private import PrivateAsterisk
from tests.integration.test_ari_asterisk import PhoneStory, eventually
from tests.support.faults import fault
from tests.support.tcp_wire import TcpWire
from tests.unit.ari.fake_ari import RealClock

pytestmark = pytest.mark.asterisk

SEEN = 10.0  # seconds after which the failure is known at the latest
RECOVERED = 3.0  # and the link is back, once Asterisk can be reached again


class WiredStory(PhoneStory):
    """Given a link whose cable is in our hands."""

    def __init__(self, pbx: PrivateAsterisk, wire: TcpWire) -> None:
        super().__init__(pbx)
        self.wire = wire

    async def wired(self) -> tuple[AriTelephone, AriClient]:
        """As the service makes it, but for the way that the cable takes."""
        telephone = AriTelephone(self.app, self.calls, self.live.__contains__, self.replaced.set)
        client = AriClient(
            self.wire.url,
            self.pbx.ari_user,
            self.pbx.ari_password,
            self.app,
            telephone,
            self.meter,
            RealClock(),
        )
        telephone.use(client)
        self.clients.append(client)
        await client.start()
        return telephone, client


@pytest_asyncio.fixture
async def story(pbx: PrivateAsterisk) -> AsyncIterator[WiredStory]:
    async with TcpWire("127.0.0.1", pbx.ari_port) as wire:
        story = WiredStory(pbx, wire)
        yield story
        await story.aclose()


async def within(seconds: float, story: PhoneStory, link: list[str]) -> None:
    """The link's story is this, in time."""
    async with asyncio.timeout(seconds):
        await eventually(lambda: story.calls.link == link)


@fault("the cable to Asterisk swallows everything", "seen within 10 s, back 3 s after it heals")
async def test_a_black_hole_is_seen_and_the_link_comes_back(story: WiredStory) -> None:
    telephone, client = await story.wired()
    channel = await story.caller(client)
    story.wire.swallow()
    await within(SEEN, story, ["back", "lost"])
    assert not client.up
    story.wire.heal()
    await within(RECOVERED, story, ["back", "lost", "back"])
    assert story.calls.back == {channel}
    await telephone.hang_up(channel)
    await eventually(lambda: (channel, "hangup") in story.calls.gone)
    assert not story.replaced.is_set()


@fault("Asterisk is frozen", "seen within 10 s, back 3 s after it thaws")
async def test_a_frozen_asterisk_is_seen_and_the_link_comes_back(asterisk_root: Path) -> None:
    with PrivateAsterisk(asterisk_root) as pbx:
        async with TcpWire("127.0.0.1", pbx.ari_port) as wire:
            story = WiredStory(pbx, wire)
            telephone, client = await story.wired()
            channel = await story.caller(client)
            os.kill(pbx.pid, signal.SIGSTOP)
            try:
                await within(SEEN, story, ["back", "lost"])
                await asyncio.sleep(4.0)  # so that several attempts wait in its backlog
            finally:
                os.kill(pbx.pid, signal.SIGCONT)
            await within(RECOVERED, story, ["back", "lost", "back"])
            assert story.calls.back == {channel}
            await client.request(requests.user_event(story.app, "proof"))
            await asyncio.sleep(2.0)  # none of the attempts that were given up takes the link
            assert client.up
            assert not story.replaced.is_set()
            assert story.calls.link == ["back", "lost", "back"]
            await telephone.hang_up(channel)
            await eventually(lambda: (channel, "hangup") in story.calls.gone)
            await story.aclose()


@fault("Asterisk sends its events nowhere, while it answers", "seen, and put right, within 10 s")
async def test_events_that_stop_while_the_socket_lives_are_seen(story: WiredStory) -> None:
    _, client = await story.wired()
    # Somebody else asks for nothing but what nobody tells.
    await client.request(requests.event_filter(story.app, ["RESTResponse", "NeverTold"]))
    async with asyncio.timeout(SEEN):
        while True:
            found = await client.request(requests.application(story.app))
            allowed = {entry["type"] for entry in found["events_allowed"]}
            if set(events.RECOGNISED) <= allowed:
                break
            await asyncio.sleep(0.1)
    await story.caller(client)


@fault("another program takes the ARI application", "known within 5 s, and never taken back")
async def test_an_application_that_is_stolen_is_known_at_once(story: WiredStory) -> None:
    await story.wired()
    await story.link()  # straight to Asterisk, past the wire
    async with asyncio.timeout(5.0):
        await story.replaced.wait()


@fault("another program takes the ARI application", "known within 5 s, and never taken back")
async def test_an_application_that_is_stolen_in_a_black_hole_is_not_taken_back(
    story: WiredStory,
) -> None:
    _, ours = await story.wired()
    story.wire.swallow()
    await eventually(lambda: not ours.up)
    _, thief = await story.link()
    story.wire.heal()
    async with asyncio.timeout(5.0):
        await story.replaced.wait()
    assert thief.up
    assert not ours.up
    with pytest.raises(PbxUnavailable, match="another process has taken our calls"):
        await ours.request(requests.ping())


@fault("the websocket is cut", "the link is back within 3 s, and knows who is there")
async def test_a_cut_is_mended_at_once(story: WiredStory) -> None:
    _, client = await story.wired()
    channel = await story.caller(client)
    for cuts in range(1, 4):
        story.wire.cut()
        await within(RECOVERED, story, ["back", *["lost", "back"] * cuts])
        assert story.calls.back == {channel}
    await client.request(requests.hang_up(channel))


@fault("we read events too slowly", "how late they are read is a figure")
async def test_a_slow_reader_is_measured_and_stays_linked(story: WiredStory) -> None:
    _, client = await story.wired()
    await eventually(lambda: "segue_ari_lag_seconds" in story.meter.gauges)
    assert story.meter.gauges["segue_ari_lag_seconds"] < 1.0
    channel = await story.caller(client)
    asyncio.get_running_loop().call_soon(_block, 6.0)
    await asyncio.sleep(0.1)
    await client.request(requests.hang_up(channel))
    await eventually(lambda: (channel, "hangup") in story.calls.gone)
    assert client.up
    assert story.calls.link == ["back"]


def _block(seconds: float) -> None:
    """What no program should do in its event loop."""
    time.sleep(seconds)
