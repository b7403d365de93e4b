"""A caller proves who they are by the keys of a texted code, and not again in the next call."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.conversation.events import (
    DecisionMade,
    IdentityProved,
    KeyPressed,
    PreferenceStated,
)
from ari_app.conversation.identity import E164
from tests.support.bundle import demo_bundle, demo_intents
from tests.support.clock import SECOND
from tests.unit.calls.call_story import CALLER, CallStory

NEXT_CHANNEL = "PJSIP/next"
SUBJECT = E164(CALLER).subject(b"k" * 32)


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[CallStory]:
    story = CallStory(tmp_path, demo_bundle(), demo_intents())
    await story.store.open()
    yield story
    story.gates.open()
    for channel in story.rang:
        story.hangs_up(channel)
    await story.is_over()
    await story.store.aclose()


async def texted_code(story: CallStory) -> str:
    """Ask for the balance, and read the code that is texted."""
    story.rings()
    await story.hears_out("disclosure", "how_can_i_help")
    story.says("what is my balance")
    await story.hears_out("code_sent")
    await story.hears("enter_code")
    (job,) = await story.store.claim("sms", story.clock.now())
    found = re.search("[0-9]{6}", str(job.payload["body"]))
    assert found is not None
    return found[0]


async def rules(story: CallStory) -> list[str]:
    return [e.rule for e in await story.log() if isinstance(e, DecisionMade)]


async def test_six_keys_are_one_answer(story: CallStory) -> None:
    for key in await texted_code(story):
        story.presses(key)
    await story.hears("how_balance")
    assert await rules(story) == ["greeting", "balance_by_code", "code_right"]


async def test_the_keys_of_a_code_stand_in_no_log(story: CallStory) -> None:
    code = await texted_code(story)
    for key in code:
        story.presses(key)
    await story.hears("how_balance")
    keys = [e.key for e in await story.log() if isinstance(e, KeyPressed)]
    assert keys == ["•"] * 6
    assert code not in repr(await story.log())


async def test_fewer_keys_are_the_answer_when_the_caller_waits(story: CallStory) -> None:
    await texted_code(story)
    story.presses("0")
    await story.logged("KeyPressed")
    await story.a_tick_passes()
    story.is_silent()
    await story.hears("connecting")
    assert (await rules(story))[-1] == "person_wanted"


async def test_a_hash_ends_the_answer_and_a_star_is_a_key_of_its_own(story: CallStory) -> None:
    await texted_code(story)
    for key in "12#":
        story.presses(key)
    await story.hears("not_understood")
    story.presses("*")
    await story.hears_out("not_understood", again=1)
    assert (await rules(story))[-2:] == ["not_understood", "not_understood"]


async def test_words_take_the_place_of_keys_that_were_begun(story: CallStory) -> None:
    code = await texted_code(story)
    story.presses("7")
    await story.logged("KeyPressed")
    story.says(" ".join(code))
    await story.hears("how_balance")


async def test_the_next_call_need_not_prove_it_again(story: CallStory) -> None:
    for key in await texted_code(story):
        story.presses(key)
    await story.hears("how_balance")
    story.hangs_up()
    await story.is_over()
    story.clock.advance(600)
    story.rings(NEXT_CHANNEL)
    await story.hears_out("disclosure", "how_can_i_help", line=1)
    story.says("what is my balance", line=1)
    await story.hears("how_balance", line=1)
    assert (await rules(story))[-1] == "balance"
    (proved,) = [e for e in await story.log() if isinstance(e, IdentityProved)]
    assert proved.origin is not None
    assert proved.how == "texted_code"


async def test_another_caller_is_not_who_the_last_one_was(story: CallStory) -> None:
    for key in await texted_code(story):
        story.presses(key)
    await story.hears("how_balance")
    story.hangs_up()
    await story.is_over()
    story.rings(NEXT_CHANNEL, caller="+12025550199")
    await story.hears_out("disclosure", "how_can_i_help", line=1)
    story.says("what is my balance", line=1)
    await story.hears("code_sent", line=1)


async def test_what_a_person_prefers_is_known_in_the_next_call(story: CallStory) -> None:
    at = story.clock.now() - SECOND
    stated = PreferenceStated(what="channel", value="sms", at=at, by="person")
    await story.store.append("conv_0", [stated], subject=SUBJECT)
    story.clock.advance(1)
    story.rings()
    await story.hears_out("disclosure", "how_can_i_help")
    story.says("when are you open")
    await story.hears("how_hours")
    decision = [e for e in await story.log() if isinstance(e, DecisionMade)][-1]
    assert decision.inputs["prefers"] == "sms"
    (carried,) = [e for e in await story.log() if isinstance(e, PreferenceStated)]
    assert (carried.origin, carried.by, carried.at) == ("conv_0", "carried", at)
