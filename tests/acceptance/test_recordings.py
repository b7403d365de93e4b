"""Calls that are recorded, on real parts: what is in the file is what was said."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from ari_app.conversation.events import (
    RecordingEnded,
    RecordingErased,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
)
from ari_app.media.g711 import ulaw_decode
from ari_app.phone.caller import trimmed
from ari_app.policy.bundle import read_bundle
from tests.support.callers import Caller, Story, kinds, only
from tests.support.house import House, eventually
from tests.support.recorded import recorded

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.vosk]

Sound = NDArray[np.float64]
SETTINGS: dict[str, str] = {}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def bundle(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The house records calls of those who agree to it."""
    policy = tmp_path_factory.mktemp("policy") / "recorded.yaml"
    policy.write_text(recorded(), encoding="utf-8")
    SETTINGS.update(SEGUE_POLICY__BUNDLE=str(policy), SEGUE_RECORDING__LEAST_FREE="0")
    before, house.bundle = house.bundle, read_bundle(recorded())
    await house.restart(**SETTINGS)
    yield
    house.bundle = before
    await house.restart()


async def segue(house: House, *words: str) -> tuple[int, bytes, bytes]:
    """A command in a process of its own."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ari_app", *words, "--config", str(house.stage.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await program.communicate()
    assert program.returncode is not None
    return program.returncode, out, err


async def heard_from(house: House, recording: str, *, cut: bool = False) -> tuple[Sound, Sound]:
    """The caller and us, at 8 kHz."""
    status, out, err = await segue(house, "recording", "play", recording, *(["--cut"] * cut))
    assert status == 0, err.decode()
    with wave.open(io.BytesIO(out)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        both = np.frombuffer(file.readframes(len(out)), "<i2").reshape(-1, 2).astype(float)
    return both[:, 0], both[:, 1]


def likeness(sound: Sound, wanted: Sound) -> tuple[float, int]:
    """How much of it is there (1: all of it), and at which sample it begins."""
    size = len(sound) + len(wanted)
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(wanted, size))
    match = np.fft.irfft(product, size)[: max(len(sound) - len(wanted), 1)]
    at = int(np.argmax(match))
    here = sound[at : at + len(wanted)]
    strength = float(np.linalg.norm(here) * np.linalg.norm(wanted))
    return (float(match[at]) / strength if strength else 0.0), at


async def prompt(house: House, name: str) -> Sound:
    return ulaw_decode(await house.prompt(name)).astype(float)


def files(house: House) -> list[Path]:
    return sorted((house.stage.config.parent / "recordings").glob("*"))


async def agrees(story: Story) -> Caller:
    """A caller who has heard who is speaking, and lets the call be recorded."""
    caller = await story.caller_at("what")
    await caller.presses("7")
    await caller.hears("what")
    return caller


#: Samples of a last consonant that are too quiet to be waited for.
_SOFT_END = 1600


async def test_who_agrees_is_found_in_the_file_with_our_answers(story: Story) -> None:
    caller = await agrees(story)
    await caller.says("i would like to reschedule my appointment")
    await caller.hears("offer_reschedule")
    await caller.presses("2")
    await caller.is_hung_up()

    log = await story.log(caller)
    started, ended = only(log, RecordingStarted), only(log, RecordingEnded)
    assert (started.why, started.purpose, ended.why) == ("consent", "recording", "call_ended")
    assert kinds(log).index("DisclosurePlayed") < kinds(log).index("RecordingStarted")
    theirs, ours = await heard_from(story.house, started.recording)
    words = trimmed(await story.house.spoken("i would like to reschedule my appointment", "f4"))
    said, said_at = likeness(theirs, words.astype(float))
    answered, answered_at = likeness(ours, await prompt(story.house, "offer_reschedule"))
    assert said > 0.9
    assert answered > 0.99
    assert said_at + len(words) < answered_at + _SOFT_END
    # Each is on its own side only.
    assert likeness(ours, words.astype(float))[0] < 0.5
    assert likeness(theirs, await prompt(story.house, "offer_reschedule"))[0] < 0.5
    assert abs(ended.seconds - len(theirs) / 8000) < 0.5
    sealed = next(file for file in files(story.house) if started.recording in file.name)
    assert sealed.stat().st_mode & 0o077 == 0
    assert (await story.house.prompt("offer_reschedule"))[800:1600] not in sealed.read_bytes()


async def test_a_secret_leaves_a_gap(story: Story) -> None:
    caller = await agrees(story)
    await caller.presses("3")
    await caller.hears("secret")
    await caller.says("four two four two")
    await caller.hears("secret")  # whatever was understood, it was not the secret
    await caller.presses("1")
    await caller.hears("thanks", "what")
    await caller.presses("1")
    await caller.hears("offer_hours")
    await caller.presses("2")
    await caller.is_hung_up()

    log = await story.log(caller)
    assert only(log, RecordingPaused).why == "sensitive"
    only(log, RecordingResumed)
    recording = only(log, RecordingStarted).recording
    theirs, ours = await heard_from(story.house, recording)
    secret = (await story.house.spoken("four two four two", "f4")).astype(float)
    assert likeness(theirs, secret)[0] < 0.5
    assert likeness(ours, await prompt(story.house, "thanks"))[0] < 0.5
    assert likeness(ours, await prompt(story.house, "secret"))[0] < 0.5
    assert likeness(ours, await prompt(story.house, "offer_hours"))[0] > 0.99


async def test_who_was_not_asked_is_not_recorded(story: Story) -> None:
    before = files(story.house)
    caller = await story.caller_at("what")
    await caller.presses("0")
    await story.people_take_the_call("handoff")
    await caller.hangs_up()
    assert not {"RecordingStarted", "RecordingEnded"} & {*kinds(await story.log(caller))}
    assert files(story.house) == before


async def test_who_changes_their_mind_is_not_kept(story: Story) -> None:
    caller = await agrees(story)
    await caller.presses("8")
    await caller.hears("what")

    async def erased() -> bool:
        events = await story.house.conversation_of(caller.number)
        return any(isinstance(e.event, RecordingErased) for e in events)

    await eventually(erased, "the recording is erased")
    await caller.hangs_up()
    log = await story.log(caller)
    recording = only(log, RecordingStarted).recording
    assert only(log, RecordingEnded).why == "refused"
    assert not [file for file in files(story.house) if recording in file.name]
    status, _, err = await segue(story.house, "recording", "play", recording)
    assert (status, b"there is no recording" in err) == (1, True)


async def test_a_call_given_to_people_is_recorded_until_then(story: Story) -> None:
    caller = await agrees(story)
    await caller.presses("0")
    await story.people_take_the_call("handoff")
    await caller.hangs_up()
    log = await story.log(caller)
    assert only(log, RecordingEnded).why == "people"


async def test_the_list_names_conversation_and_state(story: Story) -> None:
    status, out, _ = await segue(story.house, "recording", "list", "--json")
    rows = json.loads(out)
    assert status == 0
    assert {row["state"] for row in rows} <= {"closed", "cut, or still written"}
    assert all(row["conversation"].startswith("conv_") for row in rows)


async def test_a_crash_leaves_what_was_said_before_it_and_another_file_goes_on(
    story: Story,
) -> None:
    caller = await agrees(story)
    await caller.says("tell me everything")
    await caller.begins_to_hear("everything")
    events = [e.event for e in await story.house.conversation_of(caller.number)]
    first = only(events, RecordingStarted).recording
    file = story.house.stage.config.parent / "recordings" / f"{first}.rec"

    async def on_disk() -> bool:
        return file.stat().st_size > 80_000

    await eventually(on_disk, "five seconds are on the disk")
    await story.house.kill()
    status, _, err = await segue(story.house, "recording", "play", first)
    assert (status, b"has no end" in err) == (1, True)
    theirs, _ = await heard_from(story.house, first, cut=True)
    words = (await story.house.spoken("tell me everything", "f4")).astype(float)
    assert likeness(theirs, words)[0] > 0.9

    await story.house.restart(**SETTINGS)
    await caller.hears("what")
    await caller.presses("1")
    await caller.hears("offer_hours")
    await caller.presses("2")
    await caller.is_hung_up()
    log = await story.log(caller)
    ends = {e.recording: e.why for e in log if isinstance(e, RecordingEnded)}
    second = next(id for id in ends if id != first)
    assert ends == {first: "worker_lost", second: "call_ended"}
    _, ours = await heard_from(story.house, second)
    assert likeness(ours, await prompt(story.house, "offer_hours"))[0] > 0.99
