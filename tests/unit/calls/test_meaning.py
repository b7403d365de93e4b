"""What a caller asks of us by voice, on a whole call: a moment, and to be believed by evidence."""

from __future__ import annotations

import pytest

from ari_app.conversation.events import CallerSilent, CallerSpoke, WaitGranted
from ari_app.ports import Signal, Utterance, Word
from tests.unit.calls.call_story import CallStory


async def test_who_asks_for_a_moment_is_not_asked_again_at_once(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("one moment please")
    await story.hears_out("command_wait")
    await story.logged("WaitGranted")
    story.is_silent()
    await story.a_tick_passes()
    assert not [e for e in await story.log() if isinstance(e, CallerSilent)]
    story.clock.advance(30.0)
    await story.logged("CallerSilent")
    await story.hears("still_there")


async def test_the_evidence_of_a_turn_is_in_the_log(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.speaks()
    ear = story.recognisers.opened[0]
    words = (Word("opening", 0.0, 0.5, 0.99), Word("hours", 0.5, 1.0, 0.97))
    ear.understood = Utterance("opening hours", words, signal=Signal(-22.0, 31.0))
    ear.on_partial("opening hours")
    story.pauses()
    await story.hears("offer_hours")
    (spoke,) = (e for e in await story.log() if isinstance(e, CallerSpoke))
    assert spoke.evidence["snr"] == 31.0
    assert spoke.evidence["level_db"] == -22.0
    assert spoke.evidence["lowest"] == 0.97
    assert spoke.evidence["pace"] == pytest.approx(2.0)
    assert 0.6 < spoke.confidence <= 1.0


async def test_a_moment_is_granted_in_seconds(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("hold on")
    await story.logged("WaitGranted")
    (granted,) = (e for e in await story.log() if isinstance(e, WaitGranted))
    assert granted.seconds == 30


async def test_what_never_came_of_a_turn_is_part_of_its_evidence(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.lines.opened[0].counts = {"lost": 10, "received": 90}
    story.speaks()
    ear = story.recognisers.opened[0]
    words = (Word("hours", 0.0, 0.5, 0.99),)
    ear.understood = Utterance("when are you open", words, signal=Signal(-22.0, 31.0))
    ear.on_partial("hours")
    story.pauses()
    await story.logged("CallerSpoke")
    (spoke,) = (e for e in await story.log() if isinstance(e, CallerSpoke))
    assert spoke.evidence["lost"] == pytest.approx(0.1)
