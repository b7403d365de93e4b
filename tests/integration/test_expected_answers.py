"""Real Vosk hears an expected answer beside all words, in voices it was not trained on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.agent.hearing import Heard, expected_phrases, weigh
from ari_app.conversation.state import Conversation
from ari_app.policy.bundle import read_bundle
from ari_app.ports import Utterance
from ari_app.speech.espeak import Espeak
from ari_app.speech.hearing import Hearing
from ari_app.speech.model import load_model_facts, mini_model_path
from ari_app.speech.recognisers import AsrWorkers
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.clock import NOON
from tests.support.listeners import Call, spoken

pytestmark = pytest.mark.vosk

BUNDLE = read_bundle(
    (Path(__file__).parents[1] / "fixtures/answers.yaml").read_text(encoding="utf-8")
)


@pytest.fixture
async def hearing() -> AsyncIterator[Hearing]:
    facts = load_model_facts(mini_model_path())
    workers = AsrWorkers(facts, 1, PrometheusMeter(strict=True), deadline=20.0, hang=20.0)
    hearing = Hearing(workers, facts.dynamic, workers.knows)
    await hearing.start()
    yield hearing
    await hearing.aclose()


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    async with Espeak() as espeak:
        yield espeak


async def answer(
    hearing: Hearing, espeak: Espeak, question: str, text: str, variant: str = "f4"
) -> tuple[Utterance, Heard]:
    """What a caller is heard to say at a question."""
    state = replace(Conversation(), question=question)
    call = await Call().begin(hearing)
    assert hasattr(call.ear, "expect")
    assert call.ear.expect(expected_phrases(BUNDLE, state))
    utterance = await until_guided(call, await spoken(espeak, text, variant))
    await call.ear.aclose()
    return utterance, weigh(BUNDLE, state, utterance, NOON)


async def until_guided(call: Call, pcm: bytes) -> Utterance:
    """The second recogniser is there before the caller speaks: a question takes its time."""
    while True:
        said = await call.ask(pcm)
        if said.guided is not None:
            return said


@pytest.mark.parametrize(
    ("question", "said", "heard"),
    [
        ("account", "four seven one one", "four seven one one"),
        ("account", "nine oh two six", "nine oh two six"),
        ("account_right", "yes please", "yes please"),
        ("account_right", "no", "no"),
        ("day", "the third of march", "the third of march"),
        ("part", "in the afternoon", "in the afternoon"),
    ],
)
@pytest.mark.parametrize("variant", ["m4", "linda"])
async def test_an_expected_answer_is_heard_as_one(
    hearing: Hearing, espeak: Espeak, question: str, said: str, heard: str, variant: str
) -> None:
    _, believed = await answer(hearing, espeak, question, said, variant)
    assert believed.text == heard
    assert believed.evidence["guided"] == 1.0
    assert believed.confidence > 0.6


@pytest.mark.parametrize(
    "said", ["i would like to speak to somebody", "can you tell me your opening hours"]
)
@pytest.mark.parametrize("question", ["account", "account_right", "part"])
async def test_something_else_is_heard_in_its_own_words(
    hearing: Hearing, espeak: Espeak, question: str, said: str
) -> None:
    _, believed = await answer(hearing, espeak, question, said)
    assert believed.text == said
    assert believed.evidence["guided"] == 0.0
