"""Recordings on a disk that is there, slow, full, or not to be written to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.ports import RecordingLabel, TapeEnd
from ari_app.privacy.errors import Held
from ari_app.recordings.errors import RecordingUnknown
from ari_app.recordings.folder import FileTape, RecordingFolder
from ari_app.recordings.sealed import End, Piece
from tests.support.clock import FakeClock
from tests.support.meter import RecordingMeter
from tests.support.recordings import LABEL, Studio

SECOND = bytes(16000)
PATIENCE = 20.0


class Story:
    """A folder, and what its tapes have told."""

    def __init__(self, path: Path) -> None:
        self.studio = Studio()
        self.meter = RecordingMeter()
        self.clock = FakeClock()
        self.path = path
        self.told: asyncio.Queue[TapeEnd] = asyncio.Queue()
        self.folder = self.with_limits()

    def with_limits(
        self, *, behind: float = 10.0, longest: float = 7200.0, least_free: int = 0
    ) -> RecordingFolder:
        self.folder = RecordingFolder(
            self.path,
            self.studio.vault,
            self.clock,
            self.meter,
            behind=behind,
            longest=longest,
            least_free=least_free,
        )
        return self.folder

    def start(self, label: RecordingLabel = LABEL) -> FileTape:
        return self.folder.start(label, self.told.put_nowait)

    async def end(self) -> TapeEnd:
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()

    async def made(self, label: RecordingLabel = LABEL) -> Path:
        """A recording of one second."""
        tape = self.start(label)
        tape.write(0, SECOND)
        tape.end("call_ended")
        await self.end()
        return self.path / f"{label.recording}.rec"

    def busy(self) -> threading.Event:
        """Let the disk do nothing until this is set."""
        free = threading.Event()
        self.folder._thread.submit(free.wait)
        return free


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    story = Story(tmp_path / "recordings")
    yield story
    await story.folder.aclose()


async def test_what_was_written_can_be_played(story: Story) -> None:
    tape = story.start()
    tape.write(0, b"\1" * 16)
    tape.write(100, b"\2" * 16)
    tape.end("people")
    end = await story.end()
    file = story.path / f"{LABEL.recording}.rec"
    assert end == TapeEnd("people", 16 / 8000, file.stat().st_size)
    assert list(story.folder.play(LABEL.recording)) == [
        Piece(0, b"\1" * 16),
        Piece(100, b"\2" * 16),
        End("people", 16),
    ]
    assert story.meter.counts["segue_recordings_total", "people"] == 1


async def test_nobody_else_may_read_the_folder(story: Story) -> None:
    file = await story.made()
    assert file.stat().st_mode & 0o777 == 0o600
    assert story.path.stat().st_mode & 0o777 == 0o700


async def test_nothing_is_made_before_something_is_recorded(story: Story) -> None:
    assert list(story.folder.kept()) == []
    assert story.folder.sweep() == 0
    assert not story.path.exists()


async def test_each_piece_is_on_the_disk_before_the_end(story: Story) -> None:
    tape = story.start()
    tape.write(0, SECOND)
    await asyncio.to_thread(story.folder._thread.submit(bool).result)
    assert list(story.folder.play(LABEL.recording)) == [Piece(0, SECOND)]
    (kept,) = story.folder.kept()
    assert not kept.closed
    tape.end("call_ended")
    await story.end()
    (kept,) = story.folder.kept()
    assert kept.closed


async def test_a_slow_disk_ends_the_recording_and_holds_up_nobody(story: Story) -> None:
    story.with_limits(behind=3.0)
    free = story.busy()
    tape = story.start()
    for n in range(100):
        tape.write(n * 8000, SECOND)
    assert (await story.end()).why == "slow_disk"
    assert tape._waiting <= 4.0
    free.set()
    await story.folder.aclose()
    pieces = list(story.folder.play(LABEL.recording))
    assert [p.at for p in pieces if isinstance(p, Piece)] == [0, 8000, 16000, 24000]
    assert story.told.empty()


async def test_a_disk_with_too_little_room_ends_the_recording(story: Story) -> None:
    story.with_limits(least_free=1 << 60)
    tape = story.start()
    tape.write(0, SECOND)
    end = await story.end()
    assert (end.why, end.octets) == ("disk", 0)
    tape.end("call_ended")
    await story.folder.aclose()
    assert story.told.empty()


async def test_a_disk_that_fills_ends_the_recording_with_what_is_there(story: Story) -> None:
    tape = story.start()
    tape.write(0, SECOND)
    await asyncio.to_thread(story.folder._thread.submit(bool).result)
    story.folder._least_free = 1 << 60
    tape.write(8000, SECOND)
    end = await story.end()
    assert (end.why, end.seconds) == ("disk", 1.0)
    assert list(story.folder.play(LABEL.recording)) == [Piece(0, SECOND)]


async def test_a_folder_that_cannot_be_made_ends_the_recording(story: Story) -> None:
    story.path.write_text("no folder")
    tape = story.start()
    tape.end("call_ended")
    assert (await story.end()).why == "disk"


async def test_a_recording_that_is_too_long_ends_by_itself(story: Story) -> None:
    story.with_limits(longest=2.0)
    tape = story.start()
    for n in range(5):
        tape.write(n * 8000, SECOND)
    end = await story.end()
    assert (end.why, end.seconds) == ("longest", 3.0)


async def test_no_file_is_written_over(story: Story) -> None:
    file = await story.made()
    before = file.read_bytes()
    story.start().write(0, SECOND)
    assert (await story.end()).why == "disk"
    assert file.read_bytes() == before


async def test_what_nobody_can_open_any_more_is_swept_away(story: Story) -> None:
    file = await story.made()
    assert story.folder.sweep() == 0
    story.studio.keys.keys.clear()
    story.studio.keys.moved = 2
    assert story.folder.sweep() == 1
    assert not file.exists()


async def test_what_is_none_of_ours_is_passed_over(story: Story) -> None:
    await story.made()
    (story.path / f"rec_{'9' * 32}.rec").write_bytes(b"something else")
    assert [k.label for k in story.folder.kept()] == [LABEL]
    assert story.folder.sweep() == 0


async def test_one_is_erased_unless_its_owner_is_held(story: Story) -> None:
    file = await story.made()
    with pytest.raises(Held):
        story.folder.erase(LABEL.recording, {LABEL.owner})
    assert file.exists()
    assert story.folder.erase(LABEL.recording, set())
    assert not file.exists()
    assert not story.folder.erase(LABEL.recording, set())


async def test_what_waits_to_be_written_is_erased_too(story: Story) -> None:
    free = story.busy()
    tape = story.start()
    tape.write(0, SECOND)
    erased = asyncio.create_task(asyncio.to_thread(story.folder.erase, LABEL.recording, set()))
    await asyncio.sleep(0)
    free.set()
    assert await erased
    tape.write(8000, SECOND)
    tape.end("refused")
    await story.end()
    assert list(story.path.iterdir()) == []


@pytest.mark.parametrize("name", ["../segue", "rec_1", "", "rec_" + "1" * 32 + "/x"])
async def test_a_name_that_is_none_of_a_recording_is_refused(story: Story, name: str) -> None:
    with pytest.raises(RecordingUnknown):
        list(story.folder.play(name))


async def test_several_calls_are_recorded_at_once(story: Story) -> None:
    labels = [replace(LABEL, recording=f"rec_{n:032x}") for n in range(10)]
    tapes = [story.start(label) for label in labels]
    for n in range(3):
        for number, tape in enumerate(tapes):
            tape.write(n * 8000, bytes([number]) * 16)
    for tape in tapes:
        tape.end("call_ended")
    for _ in tapes:
        await story.end()
    for number, label in enumerate(labels):
        pieces = [p for p in story.folder.play(label.recording) if isinstance(p, Piece)]
        assert {p.audio for p in pieces} == {bytes([number]) * 16}
