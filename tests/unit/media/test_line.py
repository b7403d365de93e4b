"""A line on real loopback sockets, its time moved by hand."""

from __future__ import annotations

import contextlib
import select
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest
import pytest_asyncio

from ari_app.errors import Unavailable
from ari_app.media import g711
from ari_app.media.line import RtpLine, RtpLines
from ari_app.media.rtp import RtpPacket
from tests.unit.media.line_story import (
    Counts,
    Ear,
    FakeClock,
    LineStory,
    PaperTape,
    eventually,
    free_range,
)

SILENCE = g711.SILENCE * 160


@pytest_asyncio.fixture
async def story() -> AsyncIterator[LineStory]:
    story = LineStory()
    yield story
    await story.aclose()


def ulaw(sequence: int, octet: int = 0x80, *, ssrc: int = 7, size: int = 160) -> RtpPacket:
    return RtpPacket(0, sequence, sequence * 160, ssrc, bytes([octet]) * size)


def slin16(sequence: int, sample: int) -> RtpPacket:
    payload = np.full(320, sample, ">i2").tobytes()
    return RtpPacket(118, sequence, sequence * 320, 7, payload)


async def settled(line: RtpLine) -> None:
    """Return when the line has read all that was sent to it."""
    await eventually(lambda: not select.select([line._socket], [], [], 0)[0])


# -- in --------------------------------------------------------------------------------------


async def test_mu_law_from_asterisk_is_heard_as_pcm_at_8_khz(story: LineStory) -> None:
    line = await story.open("ulaw")
    story.peer.send(line, ulaw(1, 0x12))
    [pcm] = await story.heard(1)
    assert pcm == g711.ulaw_decode(b"\x12" * 160).astype("<i2").tobytes()
    assert story.ear.times == [story.clock.time]


async def test_slin16_from_asterisk_is_heard_as_pcm_at_16_khz(story: LineStory) -> None:
    line = await story.open("slin16")
    story.peer.send(line, slin16(1, -1234))
    [pcm] = await story.heard(1)
    assert pcm == np.full(320, -1234, "<i2").tobytes()


async def test_packets_of_60_ms_are_heard_20_ms_by_20_ms(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1, size=480))
    assert [len(pcm) for pcm in await story.heard(3)] == [320, 320, 320]


async def test_packets_of_30_ms_are_joined_into_frames_of_20_ms(story: LineStory) -> None:
    line = await story.open()
    for n in range(2):
        story.peer.send(line, RtpPacket(0, n, n * 240, 7, bytes([n]) * 240))
    assert [len(pcm) for pcm in await story.heard(3)] == [320, 320, 320]


async def test_a_lost_packet_is_heard_as_the_sound_before_it_going_on(story: LineStory) -> None:
    line = await story.open()
    sound = g711.ulaw_encode(
        (6000 * np.sin(2 * np.pi * 200 * np.arange(160 * 8) / 8000)).astype(np.int16)
    )
    for n in (0, 1, 2, 3, 5, 6):
        chunk = sound[n * 160 : (n + 1) * 160]
        story.peer.send(line, RtpPacket(0, n, n * 160, 7, chunk))
    await eventually(lambda: line.statistics()["received"] == 6)
    for _ in range(3):
        await story.beat()
    frames = await story.heard(7)
    heard = np.frombuffer(b"".join(frames[:7]), np.int16).astype(float)
    said = g711.ulaw_decode(sound[: 7 * 160]).astype(float)
    assert np.abs(heard - said).max() < 1500
    statistics = line.statistics()
    assert (statistics["lost"], statistics["concealed_ms"]) == (1, 20)


async def test_a_packet_that_waits_in_vain_for_its_predecessor_is_heard_soon(
    story: LineStory,
) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    story.peer.send(line, ulaw(3))
    await eventually(lambda: line.statistics()["received"] == 2)
    for _ in range(4):
        await story.beat()
    assert len(await story.heard(3)) == 3


async def test_only_the_peer_is_heard(story: LineStory) -> None:
    line = await story.open()
    story.stranger().send(line, ulaw(1, 0x01))
    story.peer.send(line, ulaw(1, 0x02))
    assert await story.heard(1) == [g711.ulaw_decode(b"\x02" * 160).tobytes()]
    assert story.meter.rejected("source") == 1
    assert line.statistics()["refused"] == 1


async def test_nobody_is_heard_before_the_peer_is_known(story: LineStory) -> None:
    line = await story.open(connected=False)
    story.peer.send(line, ulaw(1))
    await eventually(lambda: story.meter.rejected("source") == 1)
    assert story.ear.frames == []


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "malformed"),
        (b"\x80\x00\x00", "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (RtpPacket(118, 1, 1, 7, bytes(640)).serialize(), "payload_type"),
        (RtpPacket(101, 1, 1, 7, b"\x01\x0a\x00\xa0").serialize(), "payload_type"),
        (RtpPacket(13, 1, 1, 7, b"").serialize(), "size"),
        (RtpPacket(0, 1, 1, 7, b"").serialize(), "size"),
        (RtpPacket(0, 1, 1, 7, bytes(1400)).serialize(), "size"),
        (RtpPacket(0, 1, 1, 7, bytes(9000)).serialize(), "size"),
    ],
)
async def test_what_is_not_audio_is_counted_and_forgotten(
    story: LineStory, datagram: bytes, reason: str
) -> None:
    line = await story.open()
    story.peer.send(line, datagram)
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    assert story.meter.rejected(reason) == 1


async def test_half_a_sample_is_refused(story: LineStory) -> None:
    line = await story.open("slin16")
    story.peer.send(line, RtpPacket(118, 1, 1, 7, bytes(639)))
    await eventually(lambda: story.meter.rejected("size") == 1)


async def test_another_source_is_refused_while_the_first_still_speaks(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1, ssrc=7))
    story.peer.send(line, ulaw(900, ssrc=8))
    story.peer.send(line, ulaw(2, ssrc=7))
    await eventually(lambda: story.meter.rejected("ssrc") == 1)
    assert len(await story.heard(2)) == 2


async def test_after_a_transfer_the_first_words_of_the_new_source_are_not_lost(
    story: LineStory,
) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1, ssrc=7))
    await story.heard(1)
    for n in range(5):
        story.clock.advance(0.02)
        story.peer.send(line, ulaw(40000 + n, n, ssrc=8))
        await settled(line)
    frames = await story.heard(6)
    assert frames[1:] == [g711.ulaw_decode(bytes([n]) * 160).tobytes() for n in range(5)]
    assert line.statistics()["sources"] == 1
    assert "refused_ssrc" not in line.statistics()


async def test_another_source_is_believed_when_the_first_has_gone_silent(
    story: LineStory,
) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1, ssrc=7))
    await story.heard(1)
    story.clock.advance(0.08)
    story.peer.send(line, ulaw(40000, 0x01, ssrc=8))
    assert (await story.heard(2))[1] == g711.ulaw_decode(b"\x01" * 160).tobytes()


async def test_silence_that_nobody_sends_is_heard_as_it_passes(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    for _ in range(15):
        await story.beat()
    await eventually(lambda: len(story.ear.frames) >= 4)
    assert set(story.ear.frames[1:]) == {bytes(320)}


async def test_comfort_noise_is_heard_as_loud_as_the_other_side_says(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    story.peer.send(line, RtpPacket(13, 2, 320, 7, b"\x32"))  # -50 dBov
    story.peer.send(line, RtpPacket(0, 3, 320 + 1600, 7, b"\x80" * 160))
    frames = await story.heard(12)
    noise = np.frombuffer(b"".join(frames[1:11]), np.int16).astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32767) == pytest.approx(-50, abs=1)
    assert line.statistics()["concealed_ms"] == 0
    assert line.statistics()["silent_ms"] == 200


async def test_rtcp_on_the_same_port_is_counted_and_ignored(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, b"\x80\xc8\x00\x06" + bytes(24))
    story.peer.send(line, b"\x81\xc9")
    await eventually(lambda: line.statistics().get("rtcp") == 2)
    assert line.statistics()["refused"] == 0


# -- a line on which nothing comes -----------------------------------------------------------


async def test_a_line_on_which_nothing_comes_in_two_seconds_says_so_once(
    story: LineStory,
) -> None:
    await story.open()
    for _ in range(99):
        await story.beat()
    assert story.ear.nothing == []
    for _ in range(3):
        await story.beat()
    assert len(story.ear.nothing) == 1
    for _ in range(200):
        await story.beat()
    assert len(story.ear.nothing) == 1


async def test_a_line_that_was_heard_is_not_missed_when_it_falls_silent(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    for _ in range(110):
        await story.beat()
    assert story.ear.nothing == []


async def test_strangers_are_no_audio(story: LineStory) -> None:
    line = await story.open()
    story.stranger().send(line, ulaw(1))
    await eventually(lambda: story.meter.rejected("source") == 1)
    story.clock.advance(2.0)
    await eventually(lambda: story.ear.nothing)


async def test_a_new_leg_is_waited_for_anew(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    line.connect(story.stranger().address)
    story.clock.advance(2.02)
    await eventually(lambda: story.ear.nothing)


# -- another address -------------------------------------------------------------------------


async def test_another_port_is_believed_once_the_old_one_was_silent_and_it_has_proved_itself(
    story: LineStory,
) -> None:
    line = await story.open()
    moved = story.stranger()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    story.clock.advance(2.0)
    for n in range(5):
        moved.send(line, ulaw(700 + n, 0x01, ssrc=9))
    assert (await story.heard(2))[1] == g711.ulaw_decode(b"\x01" * 160).tobytes()
    story.clock.advance(0.02)
    assert (await moved.receive()).payload == SILENCE
    statistics = line.statistics()
    assert (statistics["relearned"], statistics["refused_source"]) == (1, 4)


@pytest.mark.parametrize(("sources", "relearned"), [((), 0), (("127.0.0.0/8",), 1)])
async def test_another_host_is_believed_only_in_a_network_that_may_speak(
    sources: tuple[str, ...], relearned: int
) -> None:
    story = LineStory(sources=sources)
    line = await story.open()
    story.clock.advance(3.0)
    other = story.stranger("127.0.0.2")
    for n in range(5):
        other.socket.sendto(ulaw(n).serialize(), ("127.0.0.1", line.port))
    await eventually(lambda: line.statistics()["refused"] + len(story.ear.frames) > 4)
    assert line.statistics().get("relearned", 0) == relearned
    await story.aclose()


# -- a flood ---------------------------------------------------------------------------------


async def test_a_flood_by_strangers_is_left_to_the_kernel_and_looked_at_each_second(
    story: LineStory,
) -> None:
    line = await story.open()
    stranger = story.stranger()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    for _ in range(100):
        stranger.send(line, b"\xff")
        await settled(line)
    assert line.statistics()["shielded"] == 1
    stranger.send(line, b"\xff")
    story.peer.send(line, ulaw(2))
    await story.heard(2)
    assert story.meter.rejected("source") == 100
    for n in range(52):
        await story.beat()
        story.peer.send(line, ulaw(3 + n))
        await settled(line)
    stranger.send(line, b"\xff")
    await eventually(lambda: story.meter.rejected("source") == 101)


# -- IPv6 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_both_ways_over_ipv6(host: str) -> None:
    story = LineStory(host)
    line = await story.open()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    assert (await story.beat()).payload == SILENCE
    await story.aclose()


async def test_a_peer_of_ipv4_on_a_line_that_listens_on_everything() -> None:
    story = LineStory("::")
    peer = story.stranger()
    line = await story.open(connected=False)
    line.connect(peer.address)
    peer.send(line, ulaw(1))
    await story.heard(1)
    story.clock.advance(0.02)
    assert (await peer.receive()).payload == SILENCE
    await story.aclose()


# -- out -------------------------------------------------------------------------------------


async def test_silence_is_sent_from_the_beginning(story: LineStory) -> None:
    await story.open()
    first, second = await story.beat(), await story.beat()
    assert (first.payload_type, first.payload, first.marker) == (0, SILENCE, True)
    assert (second.payload, second.marker) == (SILENCE, False)


async def test_nothing_is_sent_before_the_peer_is_known(story: LineStory) -> None:
    line = await story.open(connected=False)
    story.clock.advance(1.0)
    line.play(bytes(160))
    line.connect(story.peer.address)
    assert (await story.beat()).payload == bytes(160)
    assert line.statistics()["sent"] == 1


async def test_sequence_and_timestamp_go_on_without_a_step(story: LineStory) -> None:
    line = await story.open()
    packets = [await story.beat() for _ in range(3)]
    line.play(b"\x01" * 320)
    packets += [await story.beat() for _ in range(4)]
    first = packets[0]
    assert [(p.sequence - first.sequence) & 0xFFFF for p in packets] == list(range(7))
    assert [(p.timestamp - first.timestamp) & 0xFFFFFFFF for p in packets] == list(
        range(0, 7 * 160, 160)
    )
    assert len({p.ssrc for p in packets}) == 1


async def test_a_prompt_begins_at_the_next_beat_with_a_marker(story: LineStory) -> None:
    line = await story.open()
    await story.beat()
    line.play(b"\x01" * 160 + b"\x02" * 80)
    first, second, third = [await story.beat() for _ in range(3)]
    assert (first.payload, first.marker) == (b"\x01" * 160, True)
    assert (second.payload, second.marker) == (b"\x02" * 80 + g711.SILENCE * 80, False)
    assert (third.payload, third.marker) == (SILENCE, False)


async def test_the_end_of_a_prompt_is_told_with_its_last_packet(story: LineStory) -> None:
    line = await story.open()
    line.play(bytes(320))
    await story.beat()
    assert story.ear.ended == []
    await story.beat()
    assert story.ear.ended == [story.clock.time]


async def test_the_next_prompt_may_begin_where_one_ends(story: LineStory) -> None:
    line = await story.open()
    story.ear.on_end = lambda: line.play(b"\x02" * 160)
    line.play(b"\x01" * 160)
    assert [(await story.beat()).payload[0] for _ in range(2)] == [1, 2]


async def test_an_empty_prompt_ends_at_the_next_beat(story: LineStory) -> None:
    line = await story.open()
    line.play(b"")
    assert (await story.beat()).payload == SILENCE
    assert len(story.ear.ended) == 1


async def test_a_stopped_prompt_is_silent_at_once_and_says_how_far_it_came(
    story: LineStory,
) -> None:
    line = await story.open()
    line.play(bytes(1600))
    for _ in range(3):
        await story.beat()
    assert line.stop() == 60
    fades = (await story.beat()).payload
    assert fades[40:] == SILENCE[40:]  # after 5 ms
    assert (await story.beat()).payload == SILENCE
    assert story.ear.ended == []
    assert line.stop() == 0


async def test_a_paused_prompt_goes_on_and_ends(story: LineStory) -> None:
    line = await story.open()
    line.play(bytes(480))
    await story.beat()
    assert line.pause() == 20
    for _ in range(5):
        await story.beat()
    assert story.ear.ended == []
    line.resume()
    for _ in range(4):
        await story.beat()
    assert len(story.ear.ended) == 1
    assert (await story.beat()).payload == SILENCE


async def test_what_the_caller_hears_is_told_every_20_ms(story: LineStory) -> None:
    line = await story.open()
    await story.beat()
    line.play(b"\x01" * 160 + b"\x02" * 160)
    for _ in range(3):
        await story.beat()
    loud = [g711.ulaw_decode(octet * 160).tobytes() for octet in (b"\x01", b"\x02")]
    assert story.ear.echoes[-4:] == [b"", *loud, b""]


async def test_a_prompt_replaces_the_running_one(story: LineStory) -> None:
    line = await story.open()
    line.play(b"\x01" * 1600)
    await story.beat()
    line.play(b"\x02" * 160)
    assert (await story.beat()).payload == b"\x02" * 160
    assert (await story.beat()).payload == SILENCE
    assert len(story.ear.ended) == 1


async def test_after_a_short_delay_the_missed_packets_follow(story: LineStory) -> None:
    line = await story.open()
    await story.beat()
    story.clock.advance(0.06)
    packets = [await story.peer.receive() for _ in range(3)]
    assert [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)] == [
        160,
        160,
    ]
    assert line.statistics()["sent"] == 4


async def test_after_a_long_delay_there_is_no_burst_and_the_time_is_kept(
    story: LineStory,
) -> None:
    line = await story.open()
    before = await story.beat()
    line.play(b"\x01" * 1600)
    story.clock.advance(2.0)
    packets = [await story.peer.receive() for _ in range(3)]
    after = await story.beat()
    assert line.statistics()["sent"] == 5
    assert packets[0].marker
    assert (packets[0].sequence - before.sequence) & 0xFFFF == 1
    assert (after.timestamp - before.timestamp) & 0xFFFFFFFF == 101 * 160
    assert line.stop() == 80


async def test_one_line_that_fails_does_not_silence_the_others(story: LineStory) -> None:
    def fail() -> None:
        raise RuntimeError("a fault in the sink")

    line = await story.open()
    broken = await story.lines.open(Ear(), "ulaw")
    peer = story.stranger()
    broken.connect(peer.address)
    story.ear.on_end = fail
    line.play(b"")
    await story.beat()
    await peer.receive()
    await story.beat()
    await peer.receive()
    await broken.aclose()


# -- ports -----------------------------------------------------------------------------------


async def test_each_line_has_an_even_port_of_its_own(story: LineStory) -> None:
    line = await story.open()
    other = await story.lines.open(Ear(), "ulaw")
    assert line.port % 2 == other.port % 2 == 0
    assert line.port != other.port
    await other.aclose()


async def test_asterisk_is_told_the_advertised_host() -> None:
    lines = RtpLines("127.0.0.1", "192.0.2.7", free_range(), Counts(), FakeClock())
    line = await lines.open(Ear(), "ulaw")
    assert line.host == "192.0.2.7"
    await line.aclose()


async def test_an_address_that_nobody_can_send_to_is_refused() -> None:
    with pytest.raises(ValueError, match="set advertise"):
        RtpLines("0.0.0.0", "0.0.0.0", free_range(), Counts(), FakeClock())
    with pytest.raises(ValueError, match="does not appear to be"):
        RtpLines("127.0.0.1", "127.0.0.1", free_range(), Counts(), FakeClock(), ["asterisk"])
    RtpLines("0.0.0.0", "media.example", free_range(), Counts(), FakeClock())


async def test_when_every_port_is_taken_the_error_says_so_and_a_freed_one_is_found() -> None:
    lines = RtpLines("127.0.0.1", "127.0.0.1", free_range(3), Counts(), FakeClock())
    taken = []
    with contextlib.suppress(Unavailable):
        while True:
            taken.append(await lines.open(Ear(), "ulaw"))
    assert len(taken) <= 2
    with pytest.raises(Unavailable, match="no free RTP port on 127.0.0.1"):
        await lines.open(Ear(), "ulaw")
    for line in taken:
        await line.aclose()
        await line.aclose()
    again = await lines.open(Ear(), "ulaw")
    await again.aclose()


async def test_an_unknown_format_is_refused() -> None:
    lines = RtpLines("127.0.0.1", "127.0.0.1", free_range(), Counts(), FakeClock())
    with pytest.raises(ValueError, match="media format is 'opus'"):
        await lines.open(Ear(), "opus")


def test_a_range_without_an_even_port_is_refused() -> None:
    with pytest.raises(ValueError, match="no even port"):
        RtpLines("127.0.0.1", "127.0.0.1", range(5001, 5002), Counts(), FakeClock())


async def test_figures_are_told_when_the_line_closes(story: LineStory) -> None:
    line = await story.open()
    story.peer.send(line, ulaw(1))
    await story.heard(1)
    await story.beat()
    await line.aclose()
    assert story.meter.counters["segue_rtp_packets_total", "received"] == 1
    assert story.meter.counters["segue_rtp_packets_total", "sent"] == 1


# -- recording -------------------------------------------------------------------------------


async def test_a_tape_has_the_caller_and_what_we_have_sent(story: LineStory) -> None:
    line = await story.open("ulaw")
    tape = PaperTape(story.clock.time)
    line.record(tape)
    line.play(b"\x21" * 320)
    for sequence in range(1, 4):
        story.peer.send(line, ulaw(sequence, 0x12))
        await story.heard(sequence)
        await story.beat()
    line.record(None)
    ours = tape.channel(1)
    assert ours == b"\x21" * 320 + SILENCE
    assert tape.channel(0).count(0x12) == 480


async def test_nothing_is_copied_before_or_after(story: LineStory) -> None:
    line = await story.open("ulaw")
    tape = PaperTape(story.clock.time)
    line.play(b"\x21" * 160)
    await story.beat()
    line.record(tape)
    line.record(None)
    line.play(b"\x22" * 160)
    await story.beat()
    await line.aclose()
    assert tape.written == []


async def test_a_second_stretch_stands_where_it_was(story: LineStory) -> None:
    line = await story.open("ulaw")
    tape = PaperTape(story.clock.time)
    for octet in (0x21, 0x22):
        line.record(tape)
        line.play(bytes([octet]) * 160)
        await story.beat()
        line.record(None)
        for _ in range(10):
            await story.beat()
    assert [(at, audio[1::2]) for at, audio in tape.written] == [
        (0, b"\x21" * 160),
        (11 * 160, b"\x22" * 160),
    ]


async def test_a_line_that_is_closed_writes_what_is_left(story: LineStory) -> None:
    line = await story.open("ulaw")
    tape = PaperTape(story.clock.time)
    line.record(tape)
    line.play(b"\x21" * 160)
    await story.beat()
    await line.aclose()
    assert tape.channel(1) == b"\x21" * 160
