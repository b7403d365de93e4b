"""Hearing that is lost and comes back, as often as there is hope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ari_app.calls import ear as room
from ari_app.calls.ear import Ear
from ari_app.errors import AsrLost
from tests.unit.calls.call_story import CallStory, FakeRecogniser, FakeRecognisers, Gates


class Story:
    """Given a call with an ear, and recognisers that die when told to."""

    def __init__(self) -> None:
        self.recognisers = FakeRecognisers(Gates())
        self.words: list[str] = []
        self.told: list[str] = []
        self.ear = Ear(
            "call_1",
            self.recognisers,
            on_words=self.words.append,
            on_lost=lambda: self.told.append("lost"),
            on_back=lambda: self.told.append("back"),
        )

    @property
    def opened(self) -> list[FakeRecogniser]:
        return self.recognisers.opened


@pytest.fixture
async def story(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    monkeypatch.setattr(room, "_PAUSES", (0.001,))
    story = Story()
    yield story
    await story.ear.aclose()
    assert all(recogniser.closed for recogniser in story.opened)


async def eventually(condition: Callable[[], object]) -> None:
    await CallStory.eventually(condition)


async def test_an_ear_hears_from_the_beginning(story: Story) -> None:
    assert await story.ear.open()
    assert story.ear.hears
    story.opened[0].on_partial("hours")
    assert (story.words, story.told) == (["hours"], [])


async def test_a_lost_recogniser_is_replaced_and_freed(story: Story) -> None:
    await story.ear.open()
    story.opened[0].dies()
    assert not story.ear.hears
    with pytest.raises(AsrLost):
        await story.ear.finish()
    await eventually(lambda: story.told == ["lost", "back"])
    assert story.ear.hears
    assert story.opened[0].closed


async def test_the_words_and_the_death_of_one_that_is_lost_count_no_more(story: Story) -> None:
    await story.ear.open()
    story.opened[0].dies()
    story.opened[0].on_partial("late")
    await eventually(lambda: story.told == ["lost", "back"])
    story.opened[0].on_partial("later")
    story.opened[0].on_lost()
    assert story.ear.hears
    assert story.words == []


async def test_one_is_looked_for_until_it_is_found(story: Story) -> None:
    story.recognisers.none_alive = True
    assert not await story.ear.open()
    await asyncio.sleep(0.02)
    assert story.told == []
    story.recognisers.none_alive = False
    await eventually(lambda: story.told == ["back"])
    assert story.ear.hears


async def test_what_kills_recognisers_again_and_again_kills_no_more_than_three(
    story: Story,
) -> None:
    await story.ear.open()
    for n in range(3):
        await eventually(lambda: story.ear.hears)
        story.opened[n].dies()
    await asyncio.sleep(0.02)
    assert len(story.opened) == 3
    assert story.told == ["lost", "back", "lost", "back", "lost"]


async def test_a_recogniser_that_dies_while_it_is_opened_is_none(story: Story) -> None:
    class DiesAtOnce(FakeRecognisers):
        async def open(
            self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
        ) -> FakeRecogniser:
            born = await super().open(on_partial, on_lost)
            if len(self.opened) == 1:
                born.dies()
            return born

    story.recognisers = DiesAtOnce(Gates())
    story.ear._recognisers = story.recognisers
    assert not await story.ear.open()
    await eventually(lambda: story.told == ["back"])
    assert len(story.opened) == 2


async def test_a_closed_ear_looks_for_nothing(story: Story) -> None:
    story.recognisers.none_alive = True
    await story.ear.open()
    await story.ear.aclose()
    story.recognisers.none_alive = False
    await asyncio.sleep(0.02)
    assert story.opened == []
