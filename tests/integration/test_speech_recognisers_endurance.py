"""Memory stays flat however much a worker hears, and results come soon after the end of a turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ari_app.speech.endurance import endure, final_latencies
from ari_app.speech.espeak import Espeak
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from tests.support.listeners import spoken
from tests.support.meter import RecordingMeter

pytestmark = pytest.mark.vosk

MEGABYTE = 1 << 20


@pytest.fixture
async def workers() -> AsyncIterator[AsrWorkers]:
    workers = AsrWorkers(load_model_facts(mini_model_path()), 1, RecordingMeter(), 20)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.aclose()


@pytest.fixture
async def utterances() -> list[tuple[str, bytes]]:
    texts = ("yes", "no", "yes please", "no thank you")
    async with Espeak() as espeak:
        # Without most of the silence: it is the words that cost.
        return [(text, (await spoken(espeak, text))[6000:-6000]) for text in texts]


async def test_five_hundred_utterances_leave_the_worker_as_large_as_it_was(
    workers: AsrWorkers, utterances: list[tuple[str, bytes]]
) -> None:
    endurance = await endure(workers, utterances, 500)
    assert endurance.utterances == 500
    assert endurance.understood >= 490
    assert endurance.rss_after - endurance.rss_before < 8 * MEGABYTE
    assert endurance.rss_before > 20 * MEGABYTE  # it was the worker that was measured
    assert 0 < endurance.cpu_seconds < endurance.audio_seconds
    assert workers.started == 1


async def test_each_turn_of_each_call_is_timed(
    workers: AsrWorkers, utterances: list[tuple[str, bytes]]
) -> None:
    found = await final_latencies(workers, utterances, calls=3, turns=2)
    assert len(found) == 6
    assert all(0 < seconds < 20 for seconds in found)
