"""What goes wrong while a phone rings for a caller, or theirs for us: nobody is left in silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.conversation.events import PeopleMissed
from ari_app.policy.bundle import Bundle
from ari_app.understanding.intents import Intents
from tests.unit.calls.call_story import CHANNEL, CallStory
from tests.unit.calls.test_callbacks import STREAM, Promise
from tests.unit.calls.test_people import (
    HOLD,
    REACH,
    asks_for_a_person,
    is_asked,
    rings,
    takes_the_call,
)


@pytest.fixture
async def reaching(tmp_path: Path, bundle: Bundle, intents: Intents) -> AsyncIterator[CallStory]:
    story = CallStory(tmp_path, replace(bundle, reach=REACH), intents)
    await story.store.open()
    yield story
    for channel in story.rang:
        story.hangs_up(channel)
    await story.is_over()
    await story.store.aclose()


async def test_who_hangs_up_as_they_pick_up_is_not_on_the_line_for_ever(story: CallStory) -> None:
    promised = Promise(story)
    await promised.made()
    await promised.comes_due()
    channel = await promised.rings()
    story.telephone.gone.add(channel)
    story.calls.leg_answered(channel)
    await story.is_over()
    assert (await story.store.state(STREAM)).on_the_line is None
    await promised.comes_due(24 * 60)
    story.calls.leg_gone(await promised.rings(2), 17, 486)
    await story.is_over()


async def test_whoever_picks_up_when_they_cannot_be_served_is_given_back(story: CallStory) -> None:
    promised = Promise(story)
    await promised.made()
    await promised.comes_due()
    channel = await promised.rings()
    story.telephone.refuses.add("mark")
    story.calls.leg_answered(channel)
    await story.is_over()
    assert (await story.store.state(STREAM)).on_the_line is None
    assert channel in story.telephone.left


async def test_a_caller_who_cannot_be_joined_hears_the_tone_while_the_next_phone_rings(
    reaching: CallStory,
) -> None:
    story = reaching
    await asks_for_a_person(story)
    phone = await rings(story)
    story.calls.leg_answered(phone)
    await is_asked(story)
    story.telephone.refuses.add("join")
    story.calls.key_pressed(phone, "1")
    await rings(story, 2)
    await story.eventually(lambda: story.lines.opened[0].playing == HOLD)


async def test_a_caller_who_waits_gets_another_media_leg(reaching: CallStory) -> None:
    story = reaching
    await asks_for_a_person(story)
    await rings(story)
    (call,) = [id for id in story.calls.live if id.startswith("call_")]
    legs = story.telephone.requests.count(("connect_media", CHANNEL))
    story.calls.media_gone(call)
    await story.eventually(
        lambda: story.telephone.requests.count(("connect_media", CHANNEL)) == legs + 1
    )


async def test_what_the_phone_before_does_late_is_not_the_next_ones(reaching: CallStory) -> None:
    story = reaching
    await asks_for_a_person(story)
    first = await rings(story)
    story.gates.close()
    story.presses("5")  # the call is busy with writing this down
    story.clock.advance(25)
    await story.a_tick_passes()
    story.calls.leg_gone(first, 16, 0)
    story.gates.open()
    second = await rings(story, 2)
    story.calls.leg_answered(second)
    await is_asked(story)
    missed = [(e.who, e.outcome) for e in await story.log() if isinstance(e, PeopleMissed)]
    assert missed == [("desk", "no_answer")]


async def test_who_talks_with_a_person_is_not_taken_back_to_our_leg(reaching: CallStory) -> None:
    story = reaching
    await asks_for_a_person(story)
    phone = await takes_the_call(story)
    (call,) = [id for id in story.calls.live if id.startswith("call_")]
    legs = story.telephone.requests.count(("connect_media", CHANNEL))
    story.calls.media_gone(call)
    story.calls.leg_gone(phone, 16, 0)
    await story.is_over()
    assert story.telephone.requests.count(("connect_media", CHANNEL)) == legs
