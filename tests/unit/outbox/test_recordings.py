"""A recording that was taken back goes, sooner or later."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from ari_app.conversation.events import RecordingErased
from ari_app.errors import StoreUnavailable
from ari_app.outbox.recordings import RecordingEraser
from ari_app.ports import Job
from ari_app.privacy.errors import Held


class Folder:
    def __init__(self) -> None:
        self.there = {"rec_1"}
        self.fails: Exception | None = None

    def erase(self, recording: str, held: Collection[str]) -> bool:
        if self.fails:
            raise self.fails
        if "subj_1" in held:
            raise Held("subj_1")
        was = recording in self.there
        self.there.discard(recording)
        return was


@pytest.fixture
def folder() -> Folder:
    return Folder()


def job(payload: dict[str, object]) -> Job:
    return Job(
        id="wipe_1", kind="recording", stream="conv_1", payload=payload, attempts=1, state="due"
    )


async def test_it_is_erased_and_said_so(folder: Folder) -> None:
    settled = await RecordingEraser(folder, set).perform(job({"recording": "rec_1"}))
    assert settled.events == [RecordingErased(recording="rec_1", why="consent_withdrawn")]
    assert settled.retry_in is None
    assert folder.there == set()


async def test_a_legal_hold_goes_before_the_wish(folder: Folder) -> None:
    settled = await RecordingEraser(folder, lambda: {"subj_1"}).perform(job({"recording": "rec_1"}))
    assert (settled.events, settled.retry_in) == ([], 24 * 3600)
    assert folder.there == {"rec_1"}


async def test_while_nobody_can_say_who_is_under_hold_it_is_asked_again_soon(
    folder: Folder,
) -> None:
    def holds() -> Collection[str]:
        raise StoreUnavailable("the ledger of erasures cannot be read")

    settled = await RecordingEraser(folder, holds).perform(job({"recording": "rec_1"}))
    assert (settled.events, settled.retry_in) == ([], 60)
    assert folder.there == {"rec_1"}


async def test_a_disk_that_does_not_let_go_is_asked_again(folder: Folder) -> None:
    folder.fails = OSError("read-only file system")
    settled = await RecordingEraser(folder, set).perform(job({"recording": "rec_1"}))
    assert (settled.events, settled.retry_in) == ([], 60)


async def test_of_an_erased_person_nothing_is_left_to_erase(folder: Folder) -> None:
    settled = await RecordingEraser(folder, set).perform(job({}))
    assert (settled.events, settled.retry_in) == ([], None)
