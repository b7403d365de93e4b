"""Hearing that is lost and comes back, as often as there is hope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

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


# -- what is expected, and in which language --------------------------------------------------


class Listener(FakeRecogniser):
    """Can be told what the answer may be."""

    def __init__(self, *told: Any) -> None:
        super().__init__(*told)
        self.expected: list[tuple[str, ...]] = []

    def expect(self, phrases: Sequence[str]) -> bool:
        self.expected.append(tuple(phrases))
        return True


class ListeningRecognisers(FakeRecognisers):
    """Of one language, and perhaps of another."""

    def __init__(self, other: FakeRecognisers | None = None) -> None:
        super().__init__(Gates())
        self._other = other

    def in_language(self, language: str) -> FakeRecognisers | None:
        return self._other if language == "es" else None

    async def open(
        self, on_partial: Callable[[str], None], on_lost: Callable[[], None]
    ) -> FakeRecogniser:
        if self.none_alive:
            raise AsrLost("No ASR worker is alive.")
        self.opened.append(Listener(self._gates, on_partial, on_lost))
        return self.opened[-1]


@pytest.fixture
def polyglot(story: Story) -> tuple[Story, ListeningRecognisers]:
    spanish = ListeningRecognisers()
    story.recognisers = ListeningRecognisers(spanish)
    story.ear = Ear(
        "call_1",
        story.recognisers,
        on_words=story.words.append,
        on_lost=lambda: story.told.append("lost"),
        on_back=lambda: story.told.append("back"),
    )
    return story, spanish


def expected(recogniser: FakeRecogniser) -> list[tuple[str, ...]]:
    assert isinstance(recogniser, Listener)
    return recogniser.expected


async def test_a_recogniser_is_told_what_is_expected(
    polyglot: tuple[Story, ListeningRecognisers],
) -> None:
    story, _ = polyglot
    await story.ear.open()
    await story.ear.expect("en", ["yes", "no"])
    assert expected(story.opened[0])[-1] == ("yes", "no")
    await story.ear.expect("en", [])
    assert expected(story.opened[0])[-1] == ()
    assert len(story.opened) == 1


async def test_one_that_takes_the_place_of_another_is_told_too(
    polyglot: tuple[Story, ListeningRecognisers],
) -> None:
    story, _ = polyglot
    await story.ear.open()
    await story.ear.expect("en", ["yes"])
    story.opened[0].dies()
    await eventually(lambda: story.told == ["lost", "back"])
    assert expected(story.opened[1]) == [("yes",)]


async def test_another_language_takes_another_recogniser(
    polyglot: tuple[Story, ListeningRecognisers],
) -> None:
    story, spanish = polyglot
    await story.ear.open()
    await story.ear.expect("es", ["sí"])
    assert story.opened[0].closed
    assert expected(spanish.opened[0])[-1] == ("sí",)
    spanish.opened[0].on_partial("hola")
    assert (story.words, story.told) == (["hola"], [])
    await story.ear.expect("en", [])
    assert spanish.opened[0].closed
    assert len(story.opened) == 2


async def test_a_language_without_a_model_keeps_the_recogniser(story: Story) -> None:
    await story.ear.open()
    await story.ear.expect("es", ["sí"])
    assert story.ear.hears
    assert len(story.opened) == 1


async def test_a_language_whose_recognisers_are_all_gone_is_looked_for(
    polyglot: tuple[Story, ListeningRecognisers],
) -> None:
    story, spanish = polyglot
    await story.ear.open()
    spanish.none_alive = True
    await story.ear.expect("es", ["sí"])
    assert story.told == ["lost"]
    spanish.none_alive = False
    await eventually(lambda: story.told == ["lost", "back"])
    assert expected(spanish.opened[0])[-1] == ("sí",)
    await story.ear.aclose()
    assert spanish.opened[0].closed
