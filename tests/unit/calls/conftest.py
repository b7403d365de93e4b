"""A story for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.policy.bundle import Bundle, read_bundle
from ari_app.understanding.intents import Intents
from tests.unit.calls.call_story import CallStory

_SHORT = Path(__file__).parents[2] / "fixtures" / "short.yaml"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return read_bundle(_SHORT.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def intents(bundle: Bundle) -> Intents:
    return Intents(bundle.intents)


@pytest.fixture
async def story(tmp_path: Path, bundle: Bundle, intents: Intents) -> AsyncIterator[CallStory]:
    story = CallStory(tmp_path, bundle, intents)
    await story.store.open()
    yield story
    story.gates.open()
    for channel in story.rang:
        story.hangs_up(channel)
    await story.is_over()
    await story.store.aclose()
