"""A vosk-server behind the same port: real Vosk over a real websocket, well and unwell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ari_app.errors import AsrLost
from ari_app.speech.espeak import Espeak
from ari_app.speech.remote import RemoteRecognisers
from ari_app.speech.remote_ear import RemoteEar
from tests.support.listeners import MOMENT, Call, spoken
from tests.support.meter import RecordingMeter
from tests.support.vosk_server import Mood, VoskServer
from tests.support.wait import until

pytestmark = pytest.mark.vosk


@pytest.fixture
async def server() -> AsyncIterator[VoskServer]:
    async with VoskServer() as server:
        yield server


@pytest.fixture
async def yes_please() -> AsyncIterator[bytes]:
    async with Espeak() as espeak:
        yield await spoken(espeak, "yes please")


@asynccontextmanager
async def remote(
    url: str,
    *,
    rate: int = 8000,
    deadline: float = 2.0,
    behind: float = 5.0,
    meter: RecordingMeter | None = None,
) -> AsyncIterator[RemoteRecognisers]:
    recognisers = RemoteRecognisers(url, rate, meter or RecordingMeter(), deadline, behind=behind)
    await recognisers.start()
    try:
        yield recognisers
    finally:
        await recognisers.aclose()


# -- hearing ----------------------------------------------------------------------------------


async def test_words_partials_times_and_confidences_come_as_from_a_worker(
    server: VoskServer, yes_please: bytes
) -> None:
    meter = RecordingMeter()
    async with remote(server.url, meter=meter) as recognisers:
        assert (recognisers.rate, recognisers.alive, recognisers.takes_phrases) == (8000, 1, False)
        call = await Call().begin(recognisers)
        call.say(yes_please)
        await until(lambda: "yes please" in call.partials)
        heard = await call.ear.finish()
    assert heard.text == "yes please"
    assert heard.words[0].start == pytest.approx(0.5, abs=0.1)
    assert heard.confidence > 0.8
    assert len(meter.observed["segue_asr_final_latency_seconds"]) == 1
    assert call.losses == 1  # the service has ended


async def test_the_times_of_words_count_on_from_turn_to_turn(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        turns = [await call.ask(yes_please) for _ in range(3)]
        await call.ear.aclose()
    assert [turn.text for turn in turns] == ["yes please"] * 3
    starts = [turn.words[0].start for turn in turns]
    length = len(yes_please) / 16000
    assert starts == pytest.approx([0.5, 0.5 + length, 0.5 + 2 * length], abs=0.1)


async def test_what_kaldi_ends_by_itself_is_one_turn_for_us(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url, behind=20) as recognisers:
        call = await Call().begin(recognisers)
        heard = await call.ask(yes_please + bytes(32000) + yes_please)
        assert heard.text == "yes please yes please"
        assert heard.words[2].start > heard.words[1].end + 2.0
        await call.ear.aclose()


async def test_a_turn_in_which_nobody_speaks_is_empty(server: VoskServer) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        assert (await call.ear.finish()).text == ""
        assert (await call.ask(MOMENT)).text == ""
        await call.ear.aclose()


async def test_the_server_is_told_the_rate_and_never_to_change_its_model(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        await call.ask(yes_please)
        await call.ear.aclose()
    assert all(config["sample_rate"] == 8000 for config in server.configs)
    assert not any("model" in config for config in server.configs)


async def test_sixteen_calls_at_once_are_all_understood(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url, deadline=20) as recognisers:
        calls = await asyncio.gather(*(Call().begin(recognisers) for _ in range(16)))
        heard = await asyncio.gather(*(call.ask(yes_please) for call in calls))
        assert {utterance.text for utterance in heard} == {"yes please"}
        await asyncio.gather(*(call.ear.aclose() for call in calls))
        await until(lambda: server.open == 0)


async def test_two_turns_that_are_finished_at_once_get_one_each(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        call.say(yes_please)
        first, second = await asyncio.gather(call.ear.finish(), call.ear.finish())
        assert (first.text, second.text) == ("yes please", "")
        await call.ear.aclose()


async def test_a_call_that_has_closed_its_recogniser_is_told_nothing_more(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        await call.ear.aclose()
        await call.ear.aclose()
        call.say(yes_please)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        await until(lambda: server.open == 0)
    assert (call.partials, call.losses) == ([], 0)


async def test_a_server_that_closes_idle_connections_costs_no_call_its_hearing(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        server.mood = Mood.HASTY
        call = await Call().begin(recognisers)
        await until(lambda: server.open == 0)
        server.mood = Mood.WELL
        assert (await call.ask(yes_please)).text == "yes please"
        assert call.losses == 0
        await call.ear.aclose()


async def test_a_server_that_left_just_before_the_first_audio_is_asked_again(
    server: VoskServer, yes_please: bytes
) -> None:
    async with remote(server.url) as recognisers:
        call = await Call().begin(recognisers)
        server.mood = Mood.LEFT
        assert (await call.ask(yes_please)).text == "yes please"
        assert server.connections == 3  # the probe's, the one that was closed, and the next
        assert call.losses == 0
        await call.ear.aclose()


# -- misbehaviour -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        (Mood.SILENT, "stuck"),
        (Mood.CLOSES, "died"),
        (Mood.GARBAGE, "failed"),
        (Mood.WORDLESS, "failed"),
        (Mood.TALKATIVE, "failed"),
        (Mood.BINARY, "failed"),
        (Mood.HUGE, "failed"),
        (Mood.EOF_SILENT, "late"),
    ],
)
async def test_a_server_that_misbehaves_costs_the_call_its_hearing_once(
    server: VoskServer, yes_please: bytes, mood: Mood, reason: str
) -> None:
    meter = RecordingMeter()
    deadline = 0.7 if reason in ("stuck", "late") else 10.0
    async with remote(server.url, meter=meter, deadline=deadline) as recognisers:
        call = await Call().begin(recognisers)
        server.mood = mood
        call.say(yes_please)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        await until(lambda: call.losses == 1)
        call.say(yes_please)
        with pytest.raises(AsrLost):
            await call.ear.finish()
        server.mood = Mood.WELL
        again = await asyncio.wait_for(Call().begin_again(recognisers), 10)
        assert (await again.ask(yes_please)).text == "yes please"
        assert call.losses == 1
    lost = {labels[1]: n for labels, n in meter.counts.items() if "lost" in labels[0]}
    del lost["stopped"]
    assert sum(lost.values()) == 1
    assert set(lost) <= ({"stuck", "late"} if deadline < 1 else {reason})


async def test_a_server_that_speaks_without_being_asked_is_not_believed(
    server: VoskServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with remote(server.url, deadline=10) as recognisers:
        call = await Call().begin(recognisers)
        server.mood = Mood.TALKATIVE
        call.say(bytes(320))
        await asyncio.wait_for(call.lost.wait(), 5)
    assert "spoke without being asked" in caplog.text


async def test_audio_for_a_slow_server_is_dropped_oldest_first_and_counted(
    server: VoskServer, yes_please: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of real time: what was said last is heard."""
    async with remote(server.url, deadline=20, behind=2.5) as recognisers:
        call = await Call().begin(recognisers)
        server.mood = Mood.SLOW
        call.say(bytes(16000 * 30))
        call.say(yes_please)
        assert isinstance(call.ear, RemoteEar)
        assert call.ear.dropped == pytest.approx(30 + len(yes_please) / 16000 - 2.5, abs=0.2)
        assert (await call.ear.finish()).text == "yes please"
        await call.ear.aclose()
    assert caplog.text.count("does not keep up") == 1


# -- a server that comes and goes -------------------------------------------------------------


async def test_a_server_that_is_killed_in_a_turn_is_found_again_by_itself(
    server: VoskServer, yes_please: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with remote(server.url) as recognisers:
        calls = [await Call().begin(recognisers) for _ in range(5)]
        for call in calls:
            call.say(yes_please[: len(yes_please) // 2])
        await until(lambda: server.open == 5)
        await server.stop()
        await asyncio.gather(*(asyncio.wait_for(call.lost.wait(), 5) for call in calls))
        assert recognisers.alive == 0  # five failures in a row
        with pytest.raises(AsrLost):
            await Call().begin(recognisers)
        await server.start()
        again = await asyncio.wait_for(Call().begin_again(recognisers), 10)
        assert (await again.ask(yes_please)).text == "yes please"
        assert [call.losses for call in calls] == [1] * 5
    assert "no call is given to it now" in caplog.text
    assert "is back" in caplog.text


async def test_while_the_server_fails_only_probes_are_sent_and_calls_are_told_at_once(
    server: VoskServer,
) -> None:
    meter = RecordingMeter()
    async with remote(server.url, meter=meter) as recognisers:
        server.mood = Mood.REFUSES
        for _ in range(3):
            with pytest.raises(AsrLost):
                await Call().begin(recognisers)
        assert meter.gauges["segue_asr_workers_alive",] == 0
        connections, probes = server.connections, recognisers.probes
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(100):
            with pytest.raises(AsrLost):
                await Call().begin(recognisers)
        assert loop.time() - began < 0.4
        await until(lambda: recognisers.probes == probes + 1)
        await until(lambda: server.connections == connections + 1)
        server.mood = Mood.WELL
        await asyncio.wait_for(recognisers.returned(), 10)
        assert meter.gauges["segue_asr_workers_alive",] == 1


async def test_a_server_that_is_not_there_at_the_start_is_used_when_it_comes(
    yes_please: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = VoskServer()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server.port = free.getsockname()[1]
    async with remote(server.url) as recognisers:
        assert recognisers.alive == 0
        with pytest.raises(AsrLost):
            await Call().begin(recognisers)
        await server.start()
        call = await asyncio.wait_for(Call().begin_again(recognisers), 10)
        assert (await call.ask(yes_please)).text == "yes please"
        await call.ear.aclose()
    await server.stop()
    assert "is not there" in caplog.text


async def test_a_server_whose_model_needs_a_higher_rate_is_never_given_a_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with VoskServer(rate=16000) as server, remote(server.url, rate=8000) as recognisers:
        assert recognisers.alive == 0
    assert "remote_rate" in caplog.text


async def test_a_black_hole_costs_a_call_no_more_than_the_deadline() -> None:
    """It takes the connection and says nothing, not even to the handshake."""
    hole = socket.create_server(("127.0.0.1", 0))
    with hole:
        url = f"ws://127.0.0.1:{hole.getsockname()[1]}"
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with remote(url, deadline=0.3) as recognisers:
            assert recognisers.alive == 0
        assert loop.time() - began < 2


@pytest.mark.parametrize(
    ("rate", "deadline", "behind"), [(0, 1.0, 1.0), (8000, 0.0, 1.0), (8000, 1.0, -1.0)]
)
def test_figures_that_make_no_sense_are_refused(rate: int, deadline: float, behind: float) -> None:
    with pytest.raises(ValueError, match="Hz"):
        RemoteRecognisers("ws://x", rate, RecordingMeter(), deadline, behind=behind)
