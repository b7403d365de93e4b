"""A line over a websocket, against a server that speaks as Asterisk's chan_websocket does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web

from ari_app.media import formats, g711
from ari_app.media.websocket import WebSocketLine, WebSocketLines
from tests.unit.media.line_story import Counts, Ear, FakeClock, PaperTape, eventually


class Pbx:
    """Asterisk's end: one websocket at /ari's neighbour, what came on it, in order."""

    def __init__(self) -> None:
        self.came: list[str | bytes] = []
        self.protocols: list[str | None] = []
        self.paths: list[str] = []
        self.websocket: web.WebSocketResponse | None = None
        self._over = asyncio.Event()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/pbx/media/{id:.*}", self._media)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}/pbx/ari"
        finally:
            self._over.set()
            await runner.cleanup()

    async def _media(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(protocols=("media",), max_msg_size=65_500)
        await websocket.prepare(request)
        self.paths.append(request.raw_path)
        self.protocols.append(websocket.ws_protocol)
        self.websocket = websocket
        async for message in websocket:
            self.came.append(message.data)
        return websocket

    async def send(self, data: bytes | str) -> None:
        assert self.websocket is not None
        if isinstance(data, bytes):
            await self.websocket.send_bytes(data)
        else:
            await self.websocket.send_str(data)

    async def tell(self, event: str, **more: str) -> None:
        await self.send(json.dumps({"event": event, **more}))

    async def hang_up(self) -> None:
        assert self.websocket is not None
        await self.websocket.close()

    @property
    def commands(self) -> list[dict[str, str]]:
        return [json.loads(each) for each in self.came if isinstance(each, str)]

    @property
    def names(self) -> list[str]:
        return [command["command"] for command in self.commands]

    def audio(self) -> bytes:
        """What came behind the last command that begins a prompt."""
        begins = [n for n, each in enumerate(self.came) if "START_MEDIA" in str(each)]
        behind = self.came[begins[-1] :] if begins else []
        return b"".join(each for each in behind if isinstance(each, bytes))


class Story:
    """Given a line that is connected."""

    def __init__(self, url: str, pbx: Pbx) -> None:
        self.pbx = pbx
        self.clock, self.meter, self.ear = FakeClock(), Counts(), Ear()
        self.lines = WebSocketLines(url, self.meter, self.clock)
        self.line: WebSocketLine

    async def open(self, media_format: str = "ulaw", *, connected: bool = True) -> WebSocketLine:
        self.line = await self.lines.open(self.ear, media_format)
        if connected:
            self.line.connect(("a/b c", 0))
            await eventually(lambda: self.pbx.came)
        return self.line

    async def pass_time(self, seconds: float) -> None:
        """Beat by beat."""
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            self.line.beat(self.clock.monotonic())
            await asyncio.sleep(0)


@pytest_asyncio.fixture
async def story() -> AsyncIterator[Story]:
    pbx = Pbx()
    async with pbx.served() as url:
        story = Story(url, pbx)
        yield story
        await story.line.aclose()
        await story.lines.aclose()


async def test_it_is_we_who_connect_beside_ari_with_the_channels_own_id(story: Story) -> None:
    line = await story.open()
    assert (line.host, line.port) == ("INCOMING", 0)
    assert story.pbx.paths == ["/pbx/media/a%2Fb%20c"]
    assert story.pbx.protocols == ["media"]


@pytest.mark.parametrize("media_format", ["ulaw", "slin16"])
async def test_the_caller_is_heard_20_ms_by_20_ms(story: Story, media_format: str) -> None:
    await story.open(media_format)
    wire = formats.named(media_format)
    sound = bytes(range(1, 161)) * (len(wire.silence) // 160) * 3
    await story.pbx.send(sound[:500])
    await story.pbx.send(sound[500:])
    await eventually(lambda: len(story.ear.frames) == 3)
    expected = g711.ulaw_decode(sound).tobytes() if media_format == "ulaw" else sound
    assert b"".join(story.ear.frames) == expected
    assert story.line.statistics()["received"] == 2


async def test_silence_is_sent_from_the_beginning_and_goes_on(story: Story) -> None:
    await story.open()
    assert story.pbx.came == [g711.SILENCE * 160 * 100]
    await story.pass_time(1.8)
    assert len(story.pbx.came) == 1
    await story.pass_time(0.2)
    await eventually(lambda: len(story.pbx.came) == 2)
    await story.pass_time(2.0)
    await eventually(lambda: len(story.pbx.came) == 3)
    await story.pass_time(1.8)
    assert len(story.pbx.came) == 3


async def test_a_prompt_takes_the_place_of_the_silence(story: Story) -> None:
    line = await story.open()
    line.play(bytes(range(200)))
    await eventually(lambda: len(story.pbx.commands) == 3)
    assert story.pbx.names == ["FLUSH_MEDIA", "START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING"]
    assert story.pbx.audio() == bytes(range(200))


async def test_on_a_wide_line_the_prompt_is_wide(story: Story) -> None:
    line = await story.open("slin16")
    prompt = g711.ulaw_encode((8000 * np.sin(np.arange(1600) / 3)).astype(np.int16))
    line.play(prompt)
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    assert story.pbx.audio() == formats.widen(prompt)


async def test_a_prompt_that_is_set_before_the_line_is_connected_is_sent_then(
    story: Story,
) -> None:
    line = await story.open(connected=False)
    line.play(b"\x01" * 160)
    line.connect(("1", 0))
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    assert story.pbx.audio() == b"\x01" * 160


async def test_the_end_of_a_prompt_is_told_when_asterisk_says_so(story: Story) -> None:
    line = await story.open()
    line.play(bytes(160))
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED", correlation_id="some other")
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED")
    await story.pbx.send(bytes(160))
    await eventually(lambda: story.ear.frames)
    assert story.ear.ended == []
    number = story.pbx.commands[-1]["correlation_id"]
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED", correlation_id=number)
    await eventually(lambda: story.ear.ended == [story.clock.time])
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED", correlation_id=number)
    # Silence follows at once, and nothing has to be flushed for it.
    await eventually(lambda: story.pbx.came[-1] == g711.SILENCE * 160 * 100)
    assert len(story.ear.ended) == 1


async def test_an_empty_prompt_is_20_ms_of_silence_so_that_it_ends(story: Story) -> None:
    line = await story.open()
    line.play(b"")
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    assert story.pbx.audio() == g711.SILENCE * 160


async def test_a_stopped_prompt_is_flushed_and_says_how_far_it_came(story: Story) -> None:
    line = await story.open()
    line.play(bytes(16000))
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    story.clock.advance(0.5)
    assert line.stop() == 500
    await eventually(lambda: story.pbx.names[-1] == "FLUSH_MEDIA")
    await eventually(lambda: story.pbx.came[-1] == g711.SILENCE * 160 * 100)
    assert line.stop() == 0
    assert story.ear.ended == []


@pytest.mark.parametrize("media_format", ["ulaw", "slin16"])
async def test_a_paused_prompt_is_flushed_and_its_rest_is_sent_later(
    story: Story, media_format: str
) -> None:
    line = await story.open(media_format)
    wire = formats.named(media_format)
    line.play(b"\x01" * 8000 + g711.SILENCE * 400 + b"\x02" * 7600)
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    first = story.pbx.commands[-1]["correlation_id"]
    story.clock.advance(1.2)
    assert line.pause() == line.pause() == 1200
    await eventually(lambda: story.pbx.came[-1] == wire.silence * 100)
    # What Asterisk had in store is over, but not the prompt.
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED", correlation_id=first)
    await story.pass_time(1.0)
    assert story.ear.ended == []
    line.resume()
    await eventually(lambda: story.pbx.names[-1] == "STOP_MEDIA_BUFFERING")
    rest = len(story.pbx.audio()) * 8000 // (wire.rate * wire.sample_size)
    assert 7600 < rest <= 8000  # from the quiet before the word that was cut
    story.clock.advance(0.1)
    assert 1100 <= line.stop() <= 1200
    assert line.stop() == 0


async def test_what_the_caller_hears_is_told_as_it_is_played(story: Story) -> None:
    line = await story.open()
    line.play(b"\x01" * 400)
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    told = len(story.ear.echoes)
    await story.pass_time(0.1)
    heard = b"".join(story.ear.echoes[told:])
    assert heard == g711.ulaw_decode(b"\x01" * 400).tobytes()
    told = len(story.ear.echoes)
    await story.pass_time(0.1)
    assert not any(story.ear.echoes[told:])
    assert len(story.ear.echoes) > told


async def test_a_prompt_goes_on_from_where_it_is_told_to(story: Story) -> None:
    line = await story.open()
    line.play(b"\x01" * 8000)
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    story.clock.advance(0.5)
    line.pause()
    line.resume(300)
    await eventually(lambda: story.pbx.names.count("STOP_MEDIA_BUFFERING") == 2)
    story.clock.advance(0.1)
    assert line.stop() == 400


async def test_the_end_of_a_prompt_that_was_paused_is_told_once(story: Story) -> None:
    line = await story.open()
    line.play(bytes(8000))
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    story.clock.advance(0.5)
    line.pause()
    line.resume()
    line.resume()
    await eventually(lambda: story.pbx.names.count("STOP_MEDIA_BUFFERING") == 2)
    number = story.pbx.commands[-1]["correlation_id"]
    await story.pbx.tell("MEDIA_BUFFERING_COMPLETED", correlation_id=number)
    await eventually(lambda: story.ear.ended)
    assert len(story.ear.ended) == 1
    assert line.pause() == 0


async def test_no_more_than_ten_seconds_are_given_to_asterisk_in_advance(story: Story) -> None:
    line = await story.open()
    line.play(bytes(8000 * 60))
    await eventually(lambda: len(story.pbx.audio()) >= 8000 * 10)
    await story.pass_time(0.5)
    assert len(story.pbx.audio()) <= 8000 * 11
    await story.pass_time(5.0)
    await eventually(lambda: len(story.pbx.audio()) >= 8000 * 15)
    assert len(story.pbx.audio()) <= 8000 * 17


async def test_a_pause_in_which_nothing_comes_is_heard_as_silence_once(story: Story) -> None:
    await story.open()
    await story.pbx.send(b"\x01" * 160)
    await eventually(lambda: story.ear.frames)
    await story.pass_time(1.0)
    assert 38 <= len(story.ear.frames) <= 42
    await story.pbx.send(b"\x01" * 160)
    await eventually(lambda: story.ear.frames[-1] != bytes(320))
    assert 49 <= len(story.ear.frames) <= 52


async def test_a_line_on_which_nothing_comes_in_two_seconds_says_so_once(story: Story) -> None:
    await story.open()
    await story.pass_time(1.9)
    assert story.ear.nothing == []
    await story.pass_time(3.0)
    assert len(story.ear.nothing) == 1


async def test_a_line_that_is_cut_says_so_and_its_prompts_end_when_they_would_have(
    story: Story,
) -> None:
    line = await story.open()
    line.play(bytes(8000))
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    await story.pbx.hang_up()
    await eventually(lambda: story.ear.nothing)
    await story.pass_time(0.9)
    assert story.ear.ended == []
    await story.pass_time(0.2)
    assert len(story.ear.ended) == 1
    line.play(bytes(1600))
    await story.pass_time(0.3)
    assert len(story.ear.ended) == 2


async def test_nobody_there_is_said_too(story: Story) -> None:
    await story.open(connected=False)
    story.line = await WebSocketLines("http://127.0.0.1:1/ari", story.meter, story.clock).open(
        story.ear, "ulaw"
    )
    story.line.connect(("1", 0))
    await eventually(lambda: story.ear.nothing)
    await story.line._session.close()


@pytest.mark.parametrize(
    "text", ["", "MEDIA_START channel:x", "[]", "1", "null", "{}", '{"event": []}', "[" * 20000]
)
async def test_what_is_no_event_is_counted_and_forgotten(story: Story, text: str) -> None:
    await story.open()
    await story.pbx.send(text)
    await story.pbx.tell("MEDIA_XOFF")
    await story.pbx.send(bytes(160))
    await eventually(lambda: story.ear.frames)
    assert story.line.statistics()["refused"] == (0 if "event" in text else 1)


async def test_half_a_sample_is_refused(story: Story) -> None:
    await story.open("slin16")
    await story.pbx.send(bytes(641))
    await eventually(lambda: story.line.statistics().get("refused_malformed") == 1)
    assert story.ear.frames == []


async def test_a_line_can_be_closed_twice_and_tells_its_figures_once(story: Story) -> None:
    line = await story.open()
    await line.aclose()
    await line.aclose()
    assert story.meter.counters["segue_rtp_packets_total", "sent"] == 100


# -- recording -------------------------------------------------------------------------------


async def test_a_tape_has_of_a_prompt_what_was_played_of_it(story: Story) -> None:
    line = await story.open()
    tape = PaperTape(story.clock.monotonic())
    line.record(tape)
    await story.pass_time(1.0)
    line.play(bytes([0x21]) * 8000)
    await eventually(lambda: "STOP_MEDIA_BUFFERING" in story.pbx.names)
    await story.pass_time(0.4)
    story.clock.advance(0.1)  # and no beat
    line.stop()
    await story.pass_time(1.0)
    line.record(None)
    ours = tape.channel(1)
    assert abs(ours.count(0x21) - 4000) <= 160
    assert abs(ours.index(0x21) - 8000) <= 800
    assert 0x21 not in ours[13600:]


async def test_a_tape_has_the_caller_of_a_wide_line(story: Story) -> None:
    line = await story.open("slin16")
    tape = PaperTape(story.clock.monotonic())
    line.record(tape)
    sound = (8000 * np.sin(np.arange(3200) / 10)).astype("<i2")
    story.clock.advance(0.2)
    await story.pbx.send(sound.tobytes())
    await eventually(lambda: len(story.ear.frames) == 10)
    line.record(None)
    heard = g711.ulaw_decode(tape.channel(0))
    assert len(heard) == 1600
    assert np.sqrt(np.mean(heard[100:].astype(float) ** 2)) > 5000
