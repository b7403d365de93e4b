"""What is recorded of a call follows what is asked, answered, agreed to and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.calls import recording as module
from ari_app.conversation.events import CallEnded, Event, RecordingEnded, RecordingStarted
from ari_app.conversation.identity import E164
from ari_app.conversation.state import fold
from ari_app.policy.bundle import read_bundle
from ari_app.understanding.intents import Intents
from tests.support.events import in_a_stream
from tests.support.recorded import recorded
from tests.unit.calls.call_story import CALLER, CallStory, FakeTape

ALWAYS = "{when: always, told: talking to a machine}"


async def told(folder: Path, recording: str) -> CallStory:
    bundle = read_bundle(recorded(recording))
    story = CallStory(folder, bundle, Intents(bundle.intents))
    await story.store.open()
    return story


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[CallStory]:
    """Calls are recorded once the caller agrees."""
    story = await told(tmp_path, "{when: consent}")
    yield story
    await ended(story)


@pytest.fixture
async def always(tmp_path: Path) -> AsyncIterator[CallStory]:
    """Every call is recorded."""
    story = await told(tmp_path, ALWAYS)
    yield story
    await ended(story)


async def ended(story: CallStory) -> None:
    for channel in story.rang:
        story.hangs_up(channel)
    await story.is_over()
    await story.store.aclose()


def about(log: list[Event]) -> list[str]:
    """The recording's events, and the prompts between them."""
    names = [type(event).__name__ for event in log]
    return [name for name in names if name.startswith("Recording")]


async def agrees(story: CallStory) -> FakeTape:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("7")
    await story.hears_out("what")
    await story.logged("RecordingStarted")
    return story.recordings.tapes[0]


def rolling(story: CallStory) -> bool:
    return story.lines.opened[0].tape is not None


async def test_without_consent_nothing_is_recorded(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.says("what are your opening hours")
    await story.hears_out("offer_hours")
    assert not rolling(story)
    assert story.recordings.tapes == []


async def test_with_consent_the_answer_is_recorded_from_its_beginning(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("7")
    await story.hears("what")
    assert rolling(story)
    await story.logged("RecordingStarted")
    (started,) = [e for e in await story.log() if isinstance(e, RecordingStarted)]
    assert (started.why, started.purpose) == ("consent", "recording")


async def test_a_recording_is_of_the_callers_own_key(story: CallStory) -> None:
    tape = await agrees(story)
    number = E164.read(CALLER, "US")
    assert number is not None
    assert tape.label.owner == number.subject(b"k" * 32)


async def test_an_anonymous_callers_recording_is_of_the_conversation(always: CallStory) -> None:
    always.rings(caller="")
    await always.hears_out("disclosure")
    await always.hears("what")
    await always.logged("RecordingStarted")
    (tape,) = always.recordings.tapes
    assert tape.label.owner == tape.label.conversation


async def test_nothing_is_recorded_before_the_disclosure_is_heard(always: CallStory) -> None:
    always.rings()
    await always.hears("disclosure")
    await always.a_tick_passes()
    assert not rolling(always)
    always.hears_the_end()
    await always.logged("RecordingStarted")
    assert rolling(always)
    (started,) = [e for e in await always.log() if isinstance(e, RecordingStarted)]
    assert started.why == "policy"


async def test_a_secret_and_our_answer_to_it_are_left_out(story: CallStory) -> None:
    await agrees(story)
    story.presses("3")
    await story.hears("secret")
    assert not rolling(story)
    story.hears_the_end()
    story.presses("1")
    await story.hears("thanks")
    assert not rolling(story)
    await story.hears_out("thanks")
    await story.hears("what")
    assert not rolling(story)
    story.hears_the_end()
    assert rolling(story)
    await story.logged("RecordingResumed")
    assert about(await story.log()) == ["RecordingStarted", "RecordingPaused", "RecordingResumed"]


async def test_consent_in_the_middle_of_a_secret_waits_for_its_end(story: CallStory) -> None:
    story.rings()
    await story.hears_out("disclosure", "what")
    story.presses("3")
    await story.hears_out("secret")
    story.presses("7")
    await story.hears("what")
    assert not rolling(story)
    story.hears_the_end()
    assert rolling(story)


async def test_the_end_of_the_call_is_the_end_of_the_recording(story: CallStory) -> None:
    await agrees(story)
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("2")
    await story.hears_out("goodbye")
    await story.is_over()
    log = await story.log()
    assert about(log) == ["RecordingStarted", "RecordingEnded"]
    (end,) = [e for e in log if isinstance(e, RecordingEnded)]
    assert (end.why, end.seconds, end.octets) == ("call_ended", 1.5, 100)
    names = [type(e).__name__ for e in log]
    assert names.index("RecordingEnded") < names.index("CallEnded")
    await story.no_task_is_left()


async def test_a_caller_who_hangs_up_ends_the_recording(story: CallStory) -> None:
    await agrees(story)
    story.hangs_up()
    await story.is_over()
    (end,) = [e for e in await story.log() if isinstance(e, RecordingEnded)]
    assert end.why == "call_ended"


async def test_people_are_not_recorded(story: CallStory) -> None:
    await agrees(story)
    story.presses("0")
    await story.hears_out("connecting")
    await story.is_over()
    (end,) = [e for e in await story.log() if isinstance(e, RecordingEnded)]
    assert end.why == "people"


async def test_who_refuses_is_not_recorded_any_more_and_what_was_is_to_be_erased(
    story: CallStory,
) -> None:
    tape = await agrees(story)
    story.presses("8")
    await story.hears("what")
    assert not rolling(story)
    await story.logged("RecordingEnded")
    (end,) = [e for e in await story.log() if isinstance(e, RecordingEnded)]
    assert end.why == "refused"
    (job,) = await story.store.claim("recording", story.clock.now(), 10)
    assert job.payload == {"recording": tape.id}


async def test_who_refuses_texts_goes_on_being_recorded(story: CallStory) -> None:
    await agrees(story)
    story.presses("1")
    await story.hears_out("offer_hours")
    story.presses("2")
    await story.hears("goodbye")
    assert rolling(story)
    assert await story.store.claim("recording", story.clock.now(), 10) == []


async def test_a_disk_that_fails_ends_the_recording_and_not_the_call(story: CallStory) -> None:
    tape = await agrees(story)
    tape.end("disk")
    await story.logged("RecordingEnded")
    assert not rolling(story)
    story.presses("1")
    await story.hears_out("offer_hours")
    assert len(story.recordings.tapes) == 1


async def test_a_disk_that_hangs_does_not_hold_up_the_end_of_the_call(
    story: CallStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    tape = await agrees(story)
    tape.jams = True
    story.hangs_up()
    await story.is_over()
    (end,) = [e for e in await story.log() if isinstance(e, RecordingEnded)]
    assert (end.why, end.octets) == ("slow_disk", 0)


async def test_the_state_knows_how_each_recording_stands(story: CallStory) -> None:
    tape = await agrees(story)
    assert fold(in_a_stream(await story.log())).recordings[tape.id].step == "on"
    story.presses("3")
    await story.hears("secret")
    await story.logged("RecordingPaused")
    assert fold(in_a_stream(await story.log())).recordings[tape.id].step == "paused"
    story.hangs_up()
    await story.is_over()
    assert fold(in_a_stream(await story.log())).recordings[tape.id].step == "over"


def test_what_nobody_was_left_to_end_is_over_with_its_call() -> None:
    started = RecordingStarted(
        call="call_1", recording="rec_1", why="consent", purpose="recording", wording="b"
    )
    of_another = replace(started, call="call_2", recording="rec_2")
    ended = CallEnded(call="call_1", cause="lost", statistics={})
    after = fold(in_a_stream([started, of_another, ended])).recordings
    assert {id: known.step for id, known in after.items()} == {"rec_1": "over", "rec_2": "on"}
