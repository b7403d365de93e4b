"""The link and the telephone against a real Asterisk."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from ari_app.ari import requests
from ari_app.ari.client import AriClient, Backoff
from ari_app.ari.requests import Request
from ari_app.ari.telephone import AriTelephone
from ari_app.errors import AriRefused, PbxUnavailable
from ari_app.ports import Exit, FoundCall, IncomingCall
from asterisk.private import PrivateAsterisk
from tests.unit.ari.fake_ari import Counts, RealClock

pytestmark = pytest.mark.asterisk

PATIENCE = 20.0  # seconds; only a failing test ever waits so long


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no Event
            await asyncio.sleep(0.005)


class Calls:
    """Remembers what the telephone told."""

    def __init__(self) -> None:
        self.entered: list[IncomingCall] = []
        self.keys: list[tuple[str, str]] = []
        self.gone: list[tuple[str, str]] = []
        self.link: list[str] = []
        self.back: frozenset[str] = frozenset()
        self.served: set[str] = set()
        self.deaf: list[str] = []
        self.found: list[FoundCall] = []

    def call_entered(self, call: IncomingCall) -> None:
        self.entered.append(call)

    def key_pressed(self, channel: str, key: str) -> None:
        self.keys.append((channel, key))

    def caller_gone(self, channel: str, cause: str) -> None:
        self.gone.append((channel, cause))

    def pbx_lost(self) -> None:
        self.link.append("lost")

    def serves(self, channel: str) -> bool:
        return channel in self.served

    def leg_answered(self, channel: str) -> None:
        pass

    def leg_gone(self, channel: str, cause: int, status: int) -> None:
        pass

    def media_gone(self, call: str) -> None:
        self.deaf.append(call)

    def pbx_back(self, channels: frozenset[str], found: Sequence[FoundCall]) -> None:
        self.found = list(found)
        self.link.append("back")
        self.back = channels


class PhoneStory:
    """Given an application of its own on the Asterisk of this worker."""

    def __init__(self, pbx: PrivateAsterisk) -> None:
        self.pbx = pbx
        self.app = f"app-{uuid.uuid4().hex[:8]}"
        self.calls = Calls()
        self.live: set[str] = set()
        self.replaced = asyncio.Event()
        self.meter = Counts()
        self.clients: list[AriClient] = []

    async def link(
        self, *, password: str | None = None, rest_over_websocket: bool | None = None
    ) -> tuple[AriTelephone, AriClient]:
        telephone = AriTelephone(
            self.app, self.calls, self.live.__contains__, self.replaced.set, deadline=PATIENCE
        )
        client = AriClient(
            self.pbx.ari_url,
            self.pbx.ari_user,
            password or self.pbx.ari_password,
            self.app,
            telephone,
            self.meter,
            RealClock(),
            deadline=PATIENCE,
            rest_over_websocket=rest_over_websocket,
            backoff=Backoff(first=0.05, longest=0.2),
        )
        telephone.use(client)
        self.clients.append(client)
        await client.start()
        return telephone, client

    async def caller(self, client: AriClient, *args: str) -> str:
        """A channel in our application, as the dialplan would send it: a leg to nowhere."""
        channel = f"caller-{uuid.uuid4().hex[:8]}"
        before = len(self.calls.entered)
        await client.request(
            requests.external_media(
                self.app,
                channel=channel,
                host="127.0.0.1",
                port=self.pbx.app_ports[-1],
                media_format="ulaw",
                data=",".join(args or ("inbound", "+33100", "+33612345678")),
            )
        )
        if not args or args[0] == "inbound":
            await eventually(lambda: len(self.calls.entered) > before)
        return channel

    async def gone(self, client: AriClient, *ids: str) -> None:
        """Return when none of these channels and bridges is left: deleting takes a moment."""
        async with asyncio.timeout(PATIENCE):
            while True:
                things = await client.request(requests.list_channels())
                things += await client.request(requests.list_bridges())
                if not {thing["id"] for thing in things} & set(ids):
                    return

    async def aclose(self) -> None:
        for client in self.clients:
            await client.aclose()


@pytest_asyncio.fixture
async def story(pbx: PrivateAsterisk) -> AsyncIterator[PhoneStory]:
    story = PhoneStory(pbx)
    yield story
    await story.aclose()


@pytest.fixture(params=[True, False], ids=["websocket", "http"])
def over_websocket(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_this_asterisk_answers_requests_on_the_websocket(story: PhoneStory) -> None:
    _, client = await story.link()
    assert client.rest_over_websocket
    assert (await client.request(requests.ping()))["ping"] == "pong"


async def test_a_caller_enters_is_bridged_and_released(
    story: PhoneStory, over_websocket: bool
) -> None:
    telephone, client = await story.link(rest_over_websocket=over_websocket)
    channel = await story.caller(client)
    trunk = f"UnicastRTP/127.0.0.1:{story.pbx.app_ports[-1]}"
    assert story.calls.entered == [IncomingCall(channel, "+33100", "+33612345678", trunk)]
    await telephone.answer(channel)
    call = f"call_{story.app}"
    host, port = await telephone.connect_media(
        channel, call, "127.0.0.1", story.pbx.app_ports[0], "slin16"
    )
    assert host == "127.0.0.1"
    assert port in story.pbx.rtp_ports
    bridges = await client.request(requests.list_bridges())
    [ours] = [bridge for bridge in bridges if bridge["id"] == f"br-{call}"]
    assert set(ours["channels"]) == {channel, f"em-{call}"}

    await telephone.release(call)
    await telephone.release(call)
    await telephone.hang_up(channel)
    await eventually(lambda: story.calls.gone == [(channel, "hangup")])
    await story.gone(client, f"br-{call}", f"em-{call}", channel)


async def test_connecting_again_makes_a_new_leg(story: PhoneStory, over_websocket: bool) -> None:
    telephone, client = await story.link(rest_over_websocket=over_websocket)
    channel = await story.caller(client)
    call = f"call_{story.app}"
    ports = story.pbx.app_ports
    await telephone.connect_media(channel, call, "127.0.0.1", ports[0], "slin16")
    await telephone.connect_media(channel, call, "127.0.0.1", ports[2], "ulaw")
    channels = await client.request(requests.list_channels())
    [leg] = [c["name"] for c in channels if c["id"] == f"em-{call}"]
    assert leg.startswith(f"UnicastRTP/127.0.0.1:{ports[2]}")
    await telephone.release(call)
    await telephone.hang_up(channel)


async def test_a_format_that_asterisk_does_not_know_is_refused(
    story: PhoneStory, over_websocket: bool
) -> None:
    telephone, client = await story.link(rest_over_websocket=over_websocket)
    channel = await story.caller(client)
    with pytest.raises(AriRefused) as refused:
        await telephone.connect_media(channel, story.app, "127.0.0.1", 20000, "nonsense")
    assert refused.value.status == 500
    await telephone.release(story.app)
    await telephone.hang_up(channel)


async def test_variables_arrive_unchanged(story: PhoneStory, over_websocket: bool) -> None:
    _, client = await story.link(rest_over_websocket=over_websocket)
    channel = await story.caller(client)
    strange = "+33 1%41&x=y é ${EXTEN},\"'"
    await client.request(requests.set_variables(channel, {"MANY": strange, "OTHER": "1"}))
    await client.request(requests.set_variable(channel, "ONE", strange))
    for name in ("MANY", "ONE"):
        answer = await client.request(requests.get_channel_variable(channel, name))
        assert answer == {"value": strange}
    many = await client.request(requests.get_channel_variables(channel, ["ONE", "OTHER"]))
    assert "1" in str(many)
    await client.request(requests.hang_up(channel))


async def test_a_caller_who_leaves_is_given_to_the_dialplan_once(
    story: PhoneStory, over_websocket: bool
) -> None:
    telephone, client = await story.link(rest_over_websocket=over_websocket)
    channel = await story.caller(client)
    await telephone.leave(channel, Exit.HANDOFF, {"SEGUE_REASON": "asked"})
    await eventually(lambda: story.calls.gone)
    assert story.calls.gone == [(channel, "left")]
    with pytest.raises(AriRefused):
        await telephone.leave(channel, Exit.HANDOFF, {})


async def test_nobody_to_answer_is_refused_with_404(
    story: PhoneStory, over_websocket: bool
) -> None:
    telephone, _ = await story.link(rest_over_websocket=over_websocket)
    with pytest.raises(AriRefused) as refused:
        await telephone.answer("nobody/../here?")
    assert refused.value.status == 404
    await telephone.hang_up("nobody")
    await telephone.release("nobody")


async def test_a_wrong_password_is_refused_in_one_sentence(story: PhoneStory) -> None:
    with pytest.raises(PbxUnavailable, match="refuses the ARI user"):
        await story.link(password="not the password")


async def test_a_second_process_takes_the_application(story: PhoneStory) -> None:
    _, first = await story.link()
    await story.link()
    async with asyncio.timeout(PATIENCE):
        await story.replaced.wait()
    await eventually(lambda: not first.up)


async def test_a_new_process_finds_the_callers_and_sweeps_the_legs_of_the_old(
    story: PhoneStory,
) -> None:
    telephone, client = await story.link()
    channel = await story.caller(client)
    call = f"call_{story.app}"
    await telephone.connect_media(channel, call, "127.0.0.1", story.pbx.app_ports[0], "ulaw")
    empty = f"br-empty_{story.app}"
    await client.request(requests.create_bridge(empty, story.app))
    await client.aclose()

    again, client = await story.link()
    assert story.calls.back == {channel}
    await story.gone(client, f"br-{call}", f"em-{call}", empty)
    await again.hang_up(channel)
    await eventually(lambda: (channel, "hangup") in story.calls.gone)


async def test_what_still_plays_in_what_is_swept_ends_with_it(story: PhoneStory) -> None:
    # We play by our own leg, but a bridge may have been given a playback; ARI lists none.
    _, client = await story.link()
    bridge, playback = f"br-call_{story.app}", f"pb-{story.app}"
    await client.request(requests.create_bridge(bridge, story.app))
    query = (("media", "tone:ring"), ("playbackId", playback))
    await client.request(Request("play", "POST", f"/bridges/{bridge}/play", query))
    shown = Request("playback", "GET", f"/playbacks/{playback}")
    assert (await client.request(shown))["state"] in ("queued", "playing")
    await client.aclose()

    _, client = await story.link()
    await story.gone(client, bridge)

    async def is_over() -> None:
        while True:
            await client.request(shown)

    with pytest.raises(AriRefused, match="404"):
        await asyncio.wait_for(is_over(), PATIENCE)


async def test_the_link_comes_back_after_asterisk_restarts(asterisk_root: Path) -> None:
    # An Asterisk of its own: the worker's is not ours to stop.
    with PrivateAsterisk(asterisk_root) as pbx:
        story = PhoneStory(pbx)
        telephone, client = await story.link()
        channel = await story.caller(client)
        pbx.kill()
        await eventually(lambda: story.calls.link == ["back", "lost"])
        with pytest.raises(PbxUnavailable):
            await telephone.answer(channel)
        pbx.start()
        await eventually(lambda: story.calls.link == ["back", "lost", "back"])
        assert story.calls.gone == [(channel, "lost")]
        assert story.calls.back == frozenset()
        another = await story.caller(client)
        await telephone.answer(another)
        await telephone.hang_up(another)
        await story.aclose()
