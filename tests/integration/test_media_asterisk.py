"""Audio through a real Asterisk: our line in a bridge with a caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from ari_app.ari import requests
from ari_app.media import g711
from ari_app.media.line import RtpLine, RtpLines
from ari_app.media.websocket import WebSocketLines
from ari_app.ports import Line, Lines
from asterisk.private import PrivateAsterisk
from tests.integration.test_ari_asterisk import PhoneStory, eventually
from tests.unit.ari.fake_ari import Counts
from tests.unit.media.line_story import Ear

pytestmark = pytest.mark.asterisk

HALF_SECOND = 25  # packets


class SystemClock:
    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


def tone(frequency: float, seconds: float = 10.0) -> bytes:
    t = np.arange(int(8000 * seconds)) / 8000
    return g711.ulaw_encode((8000 * np.sin(2 * np.pi * frequency * t)).astype(np.int16))


def pitch(frames: list[bytes], rate: int) -> float:
    """The loudest frequency, 0 if there is only silence."""
    samples: NDArray[np.float64] = np.frombuffer(b"".join(frames), "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate / len(samples)) if samples.std() > 50 else 0.0


class TwoEnds:
    """Given a caller with a line of his own, bridged with ours."""

    def __init__(self, pbx: PrivateAsterisk, transport: str) -> None:
        self.pbx = pbx
        self.transport = transport
        self.story = PhoneStory(pbx)
        self.meter = Counts()
        # The upper half: the lower ports are other tests'.
        half = len(pbx.app_ports) // 2
        ports = pbx.app_ports[half:]
        self.lines = RtpLines("127.0.0.1", "127.0.0.1", ports, self.meter, SystemClock())
        self.websockets = WebSocketLines(pbx.ari_url, self.meter, SystemClock())
        self.call = f"call_{self.story.app}"
        self.caller_ear, self.ear = Ear(), Ear()
        self.caller: RtpLine
        self.line: Line

    async def connect(self, media_format: str, *, rest_over_websocket: bool | None = None) -> None:
        self.telephone, client = await self.story.link(rest_over_websocket=rest_over_websocket)
        self.caller = await self.lines.open(self.caller_ear, "ulaw")
        self.channel = f"caller-{self.story.app}"
        answer = await client.request(
            requests.external_media(
                self.story.app,
                channel=self.channel,
                host=self.caller.host,
                port=self.caller.port,
                media_format="ulaw",
                data="inbound,+33100,+33612345678",
            )
        )
        variables = answer["channelvars"]
        await eventually(lambda: self.story.calls.entered)
        ours: Lines = self.lines
        if self.transport == "websocket":
            self.pbx.cli("module load chan_websocket.so")
            ours = self.websockets
        self.line = await ours.open(self.ear, media_format)
        await self.telephone.connect_media(
            self.channel,
            self.call,
            self.line.host,
            self.line.port,
            media_format,
            self.line.connect,
        )
        self.caller.connect(
            (variables["UNICASTRTP_LOCAL_ADDRESS"], int(variables["UNICASTRTP_LOCAL_PORT"]))
        )

    async def aclose(self) -> None:
        await self.line.aclose()
        await self.websockets.aclose()
        await self.caller.aclose()
        await self.telephone.release(self.call)
        await self.telephone.hang_up(self.channel)
        await self.story.aclose()


@pytest_asyncio.fixture(params=["rtp", "websocket"])
async def ends(pbx: PrivateAsterisk, request: pytest.FixtureRequest) -> AsyncIterator[TwoEnds]:
    ends = TwoEnds(pbx, request.param)
    yield ends
    await ends.aclose()


@pytest.mark.parametrize(("media_format", "rate"), [("ulaw", 8000), ("slin16", 16000)])
async def test_both_hear_each_other_at_the_same_time(
    ends: TwoEnds, media_format: str, rate: int
) -> None:
    await ends.connect(media_format)
    ends.caller.play(tone(440))
    ends.line.play(tone(1000))
    await eventually(lambda: len(ends.ear.frames) > 2 * HALF_SECOND)
    await eventually(lambda: len(ends.caller_ear.frames) > 2 * HALF_SECOND)
    assert pitch(ends.ear.frames[-HALF_SECOND:], rate) == pytest.approx(440, abs=4)
    assert pitch(ends.caller_ear.frames[-HALF_SECOND:], 8000) == pytest.approx(1000, abs=4)
    assert {len(pcm) for pcm in ends.ear.frames} == {rate // 50 * 2}
    statistics = ends.line.statistics()
    assert (statistics["lost"], statistics["refused"]) == (0, 0)


async def test_the_caller_is_heard_also_when_requests_go_over_http(ends: TwoEnds) -> None:
    await ends.connect("slin16", rest_over_websocket=False)
    ends.caller.play(tone(440))
    await eventually(lambda: len(ends.ear.frames) > 2 * HALF_SECOND)
    assert pitch(ends.ear.frames[-HALF_SECOND:], 16000) == pytest.approx(440, abs=4)


async def test_a_caller_who_is_spoken_to_can_be_silenced_at_once(ends: TwoEnds) -> None:
    await ends.connect("slin16")
    ends.line.play(tone(1000))
    await eventually(lambda: pitch(ends.caller_ear.frames[-10:] or [b"\0\0"], 8000) > 900)
    before = len(ends.caller_ear.frames)
    assert ends.line.stop() > 0
    packets = ends.caller.statistics()["received"]
    await eventually(lambda: ends.caller.statistics()["received"] > packets + HALF_SECOND)
    assert ends.ear.ended == []
    # What was on its way may still come; then nothing but comfort silence.
    assert pitch(ends.caller_ear.frames[before + 5 :], 8000) == 0.0


async def test_a_prompt_is_heard_whole(ends: TwoEnds) -> None:
    await ends.connect("ulaw")
    prompt = tone(700, seconds=0.5)
    await eventually(lambda: ends.caller_ear.frames)
    ends.line.play(prompt)
    await eventually(lambda: ends.ear.ended)
    before = len(ends.caller_ear.frames)
    await eventually(lambda: len(ends.caller_ear.frames) > before + 5)
    heard = b"".join(ends.caller_ear.frames)
    assert g711.ulaw_decode(prompt).tobytes() in heard


async def test_a_caller_to_whom_nobody_speaks_gets_packets_all_the_same(ends: TwoEnds) -> None:
    await ends.connect("slin16")
    # Frames that nobody sent are silence too: only packets show that the line is alive.
    await eventually(lambda: ends.caller.statistics()["received"] > 6 * HALF_SECOND)
    assert pitch(ends.caller_ear.frames, 8000) == 0.0
    # 3 s of packets: a busy machine may hold some up, but no silence of ours is left to the ear.
    assert ends.caller.statistics().get("silent_ms", 0) < 600


async def test_the_next_prompt_follows_the_one_before_it(ends: TwoEnds) -> None:
    await ends.connect("slin16")
    await eventually(lambda: ends.caller_ear.frames)
    ends.ear.on_end = lambda: ends.line.play(tone(1500)) if len(ends.ear.ended) == 1 else None
    ends.line.play(tone(700, seconds=0.4))
    await eventually(lambda: pitch(ends.caller_ear.frames[-10:], 8000) > 1400)
    assert len(ends.ear.ended) == 1


async def test_a_prompt_of_half_a_minute_is_not_too_much_for_asterisk(ends: TwoEnds) -> None:
    await ends.connect("ulaw")
    await eventually(lambda: ends.caller_ear.frames)
    ends.line.play(tone(700, seconds=30.0))
    await eventually(lambda: len(ends.caller_ear.frames) > 3 * HALF_SECOND)
    assert 500 < ends.line.stop() < 10_000


async def test_the_record_of_a_good_call_says_so(ends: TwoEnds) -> None:
    await ends.connect("slin16")
    await eventually(lambda: len(ends.ear.frames) > 2 * HALF_SECOND)
    statistics = ends.line.statistics()
    assert statistics["received"] > 2 * HALF_SECOND
    assert statistics["mos_x100"] > 430
    assert statistics["concealed_ms"] == 0


@pytest.mark.parametrize("ends", ["rtp"], indirect=True)
async def test_nobody_but_asterisk_is_heard(ends: TwoEnds) -> None:
    await ends.connect("ulaw")
    await eventually(lambda: ends.ear.frames)
    loop = asyncio.get_running_loop()
    stranger, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", ends.line.port)
    )
    stranger.sendto(b"\x80\x00" + bytes(170))
    await eventually(lambda: ends.meter.counters["segue_rtp_rejected_packets_total", "source"] == 1)
    stranger.close()
