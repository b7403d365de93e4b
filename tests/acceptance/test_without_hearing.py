"""Speech recognition that does not come back: keys, then people, then a call-back or a message."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ari_app.conversation.events import (
    CallBackRequested,
    CallEnded,
    CallLeft,
    DecisionMade,
    Event,
    HearingBack,
    PeopleMissed,
)
from ari_app.speech.model import mini_model_path
from tests.support.callers import Caller, Story, kinds, only
from tests.support.desk import Desk
from tests.support.faults import fault
from tests.support.house import House

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def model(
    house: House, reached: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """A model of these tests' own, which can be taken away."""
    model = tmp_path_factory.mktemp("model") / "of-this-test"
    shutil.copytree(mini_model_path(), model)
    await house.restart(SEGUE_SPEECH__MODEL_PATH=str(model))
    yield model


@pytest_asyncio.fixture(loop_scope="session")
async def deaf(house: House, model: Path, story: Story) -> AsyncIterator[Caller]:
    """A caller in the middle of a call, from when on there is no hearing any more."""
    caller = await story.caller_at("what")
    away = model.with_name("away")
    os.rename(model, away)
    os.kill(house.asr_worker(), signal.SIGKILL)
    await caller.hears("by_keys", "what")
    yield caller
    os.rename(away, model)
    await house.restart(SEGUE_SPEECH__MODEL_PATH=str(model))


def decisions(log: list[Event]) -> list[str]:
    return [e.rule for e in log if isinstance(e, DecisionMade)]


@fault("speech recognition dies and stays away", "keys, people, then a promise to call back")
async def test_who_cannot_be_heard_and_whom_nobody_takes_is_promised_a_call(
    story: Story, deaf: Caller, desks: tuple[Desk, Desk]
) -> None:
    await deaf.presses("0")
    await deaf.hears("connecting")
    for desk in desks:
        await desk.refuses()
    await deaf.hears("offer_callback")
    await deaf.presses("1")
    await deaf.hears("will_call")
    await deaf.is_hung_up()

    log = await story.log(deaf)
    assert decisions(log) == ["greeting", "hearing_lost", "person_wanted", "reach_callback"]
    last = [e for e in log if isinstance(e, DecisionMade)][-1]
    assert last.inputs["hearing"] is False
    assert last.inputs["people"] == {"moved": "unreachable", "first": "busy", "second": "busy"}
    assert only(log, CallBackRequested).number == deaf.number
    assert only(log, CallLeft).exit == "done"
    assert HearingBack not in map(type, log)


@fault("speech recognition dies and stays away", "keys, people, then the mailbox")
async def test_who_cannot_be_heard_and_does_not_wait_for_a_person_leaves_a_message(
    story: Story, deaf: Caller, desks: tuple[Desk, Desk]
) -> None:
    stream = await story.stream(deaf)
    await deaf.presses("0")
    await deaf.hears("connecting")
    await desks[0].rings()
    await deaf.presses("2")
    await story.house.user_event("SegueVoicemail", Conversation=stream)
    assert deaf.phone.up
    await deaf.hangs_up()

    log = await story.log(deaf)
    assert decisions(log) == ["greeting", "hearing_lost", "person_wanted", "reach_voicemail"]
    outcomes = [e.outcome for e in log if isinstance(e, PeopleMissed)]
    assert outcomes == ["unreachable", "caller_gone"]
    assert only(log, CallLeft).exit == "voicemail"
    assert kinds(log).index("CallLeft") < kinds(log).index("CallEnded")
    only(log, CallEnded)
