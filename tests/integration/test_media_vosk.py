"""What concealment is worth to the recogniser: real Vosk, and packets that do not come."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from ari_app.media.concealment import Concealer
from ari_app.speech.espeak import Espeak
from tests.integration.test_speech_recognisers import running
from tests.support.listeners import FRAME, Call, spoken

pytestmark = pytest.mark.vosk

# Sentences and voices that the mini model was neither trained nor tuned on.
SENTENCES = (
    "hi i would like to reschedule my appointment",
    "can i change my appointment from monday to thursday",
    "where are you located please",
    "my account number is five two nine four",
)
VOICES = ("f4", "m4", "robert")


def over_a_bad_line(pcm: bytes, share: float, seed: int, *, concealed: bool) -> bytes:
    """The sound with so many of its packets missing, by chance."""
    random, concealer, heard = Random(seed), Concealer(8000), b""
    for at in range(0, len(pcm), FRAME):
        frame = pcm[at : at + FRAME]
        if random.random() >= share:
            heard += concealer.heard(frame) if concealed else frame
        else:
            heard += concealer.lost(len(frame) // 2) if concealed else bytes(len(frame))
    return heard


def errors(said: str, heard: str) -> int:
    """Words that were put in, left out or changed."""
    row = list(range(len(heard.split()) + 1))
    for i, word in enumerate(said.split(), 1):
        before, row[0] = row[:], i
        for j, other in enumerate(heard.split(), 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other))
    return row[-1]


async def test_with_a_fifth_of_the_packets_lost_concealment_saves_most_of_the_words() -> None:
    wrong = {True: 0, False: 0}
    async with Espeak() as espeak, running(2) as workers:
        lines = [(s, await spoken(espeak, s, v)) for s in SENTENCES for v in VOICES]
        calls = {concealed: await Call().begin(workers) for concealed in wrong}

        async def listen(concealed: bool) -> None:
            for seed, (said, pcm) in enumerate(lines):
                sound = over_a_bad_line(pcm, 0.2, seed, concealed=concealed)
                heard = await calls[concealed].ask(sound)
                wrong[concealed] += errors(said, heard.text)

        await asyncio.gather(*(listen(concealed) for concealed in wrong))
    assert wrong[False] > 2
    assert wrong[True] * 2 < wrong[False]
