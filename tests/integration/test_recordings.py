"""Recordings of an installation: listed, heard, exported, kept for a time, and erased for good."""

from __future__ import annotations

import asyncio
import io
import json
import os
import wave
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ari_app.bootstrap.premises import Premises, recordings, subject_key
from ari_app.cli import app
from ari_app.cli.recordings import check_recordings
from ari_app.cli.subjects import _export_recordings
from ari_app.config import Settings, load
from ari_app.conversation.events import (
    ConversationOpened,
    RecordingEnded,
    RecordingStarted,
)
from ari_app.conversation.identity import E164
from ari_app.errors import SegueError
from ari_app.ports import RecordingLabel, TapeEnd
from ari_app.privacy.errors import Held
from ari_app.recordings.errors import RecordingDamaged, RecordingErased
from ari_app.recordings.sealed import Piece, read_label
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.clock import DAY, FakeClock

NUMBER, OTHER = E164("+12025550147"), E164("+12025550148")
#: A second of sound that no sealed file looks like.
SOUND = b"the quick brown heron laughs in the reeds of the lake. ".ljust(80, b".") * 200


class Site:
    """An installation in a folder, with one recorded call of each of two people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "segue.toml"
        self.config.write_text(
            f'[store]\npath = "{folder / "segue.db"}"\n[recording]\nleast_free = 0\n'
        )
        self.of: dict[E164, str] = {}

    @property
    def settings(self) -> Settings:
        return load(self.config)

    async def live(self) -> None:
        clock = SystemClock()
        premises = Premises(self.settings, clock, PrometheusMeter())
        await premises.open()
        folder = recordings(self.settings, premises.privacy.vault, clock, PrometheusMeter())
        for number in (NUMBER, OTHER):
            subject = number.subject(subject_key(self.settings))
            recording = self.of[number] = f"rec_{os.urandom(16).hex()}"
            stream = f"conv_{number.value[-4:]}"
            ended: asyncio.Future[TapeEnd] = asyncio.get_running_loop().create_future()
            label = RecordingLabel(recording, stream, "call_1", subject, clock.now())
            tape = folder.start(label, ended.set_result)
            tape.write(0, SOUND)
            tape.write(24_000, SOUND)
            tape.end("call_ended")
            end = await ended
            began = RecordingStarted(
                call="call_1", recording=recording, why="consent", purpose="recording", wording="b"
            )
            over = RecordingEnded(
                call="call_1",
                recording=recording,
                why=end.why,
                seconds=end.seconds,
                octets=end.octets,
            )
            opened = ConversationOpened(
                channel="voice", did="1", language="en", number=number.value
            )
            await premises.store.append(stream, [opened, began, over], subject=subject)
        await folder.aclose()
        await premises.aclose()

    def file(self, number: E164) -> Path:
        return self.folder / "recordings" / f"{self.of[number]}.rec"

    def traces(self, octets: bytes) -> list[str]:
        """The files in which these bytes stand, whatever they are."""
        files = (f for f in self.folder.rglob("*") if f.is_file())
        return [f.name for f in files if octets in f.read_bytes()]

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def log(self, number: E164) -> list[str]:
        shown = self.run("conversation", "show", f"conv_{number.value[-4:]}", "--json")
        return [event["name"] for event in json.loads(shown)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    asyncio.run(site.live())
    return site


def test_no_file_holds_a_sound_in_the_clear(site: Site) -> None:
    assert site.file(NUMBER).stat().st_size > 2 * len(SOUND)
    assert site.traces(SOUND[:40]) == []


def test_a_recording_is_found_in_the_record_of_its_call(site: Site) -> None:
    shown = site.run("conversation", "show", "conv_0147", "--json")
    (started,) = [e for e in json.loads(shown) if e["name"] == "recording.started"]
    rows = json.loads(site.run("recording", "list", "--conversation", "conv_0147", "--json"))
    assert [row["recording"] for row in rows] == [started["event"]["recording"]]
    assert [row["state"] for row in rows] == ["closed"]


def test_an_export_is_the_sound_with_its_gaps(site: Site) -> None:
    target = site.folder / "call.wav"
    assert "4.0 s" in site.run("recording", "export", site.of[NUMBER], str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    with wave.open(str(target)) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 32_000)
        sound = file.readframes(32_000)
    assert sound[: 4 * 8000] == sound[4 * 24_000 :]
    assert set(sound[4 * 8000 : 4 * 24_000]) == {0}


def test_no_file_is_exported_over_another(site: Site) -> None:
    target = site.folder / "call.wav"
    target.write_text("mine")
    with pytest.raises(SegueError, match="File exists"):
        site.run("recording", "export", "last", str(target))
    assert target.read_text() == "mine"


def test_a_changed_recording_is_refused_and_leaves_no_export(site: Site) -> None:
    written = bytearray(site.file(NUMBER).read_bytes())
    written[-100] ^= 1
    site.file(NUMBER).write_bytes(written)
    target = site.folder / "call.wav"
    with pytest.raises(RecordingDamaged):
        site.run("recording", "export", site.of[NUMBER], str(target))
    assert not target.exists()


def test_what_is_left_of_a_cut_recording_is_heard_if_asked_for(site: Site) -> None:
    file = site.file(NUMBER)
    file.write_bytes(file.read_bytes()[:-10])
    target = site.folder / "call.wav"
    with pytest.raises(RecordingDamaged, match="--cut"):
        site.run("recording", "export", site.of[NUMBER], str(target))
    assert not target.exists()
    assert "4.0 s" in site.run("recording", "export", site.of[NUMBER], str(target), "--cut")


def test_an_export_of_a_person_has_their_recordings_and_no_others(site: Site) -> None:
    into = site.folder / "theirs"
    site.run("subject", "export", NUMBER.value, "--recordings", str(into))
    assert [file.name for file in into.iterdir()] == [f"{site.of[NUMBER]}.wav"]


def test_an_erased_persons_recordings_are_gone_and_copies_of_them_are_noise(site: Site) -> None:
    copy = site.file(NUMBER).read_bytes()
    assert "1 recordings are removed" in " ".join(
        site.run("subject", "erase", NUMBER.value, "--yes").split()
    )
    assert not site.file(NUMBER).exists()
    assert site.file(OTHER).exists()
    site.file(NUMBER).write_bytes(copy)  # somebody had kept one
    with pytest.raises(RecordingErased):
        site.run("recording", "export", site.of[NUMBER], str(site.folder / "call.wav"))
    site.run("retention")
    assert not site.file(NUMBER).exists()
    assert site.file(OTHER).exists()
    sealed = copy[len(read_head(copy)) + 5 :][:64]
    assert site.traces(sealed) == []


def read_head(written: bytes) -> bytes:
    return read_label(io.BytesIO(written))[2]


def test_one_recording_is_erased_and_the_call_says_so(site: Site) -> None:
    site.run("recording", "erase", site.of[NUMBER], "--yes")
    assert not site.file(NUMBER).exists()
    assert site.log(NUMBER)[-1] == "recording.erased"
    with pytest.raises(SegueError, match="there is no recording"):
        site.run("recording", "erase", site.of[NUMBER], "--yes")


def test_what_is_held_is_not_erased(site: Site) -> None:
    site.run("subject", "hold", NUMBER.value)
    with pytest.raises(Held):
        site.run("recording", "erase", site.of[NUMBER], "--yes")
    assert site.file(NUMBER).exists()
    assert "recording.erased" not in site.log(NUMBER)


def test_retention_says_what_would_go_and_removes_only_that(site: Site) -> None:
    dry = json.loads(site.run("retention", "--dry-run", "--json"))
    assert dry["recordings"] == {"due": 0, "held": 0, "kept": 2}
    site.run("subject", "hold", OTHER.value)
    asyncio.run(much_later(site))
    assert not site.file(NUMBER).exists()
    assert site.file(OTHER).exists()


@pytest.mark.parametrize(
    ("mode", "least", "state", "what"),
    [
        (0o700, 0, "ok", "free for"),
        (0o755, 0, "fail", "others may look into"),
        (0o700, 10**12, "warn", "free for"),
    ],
)
def test_the_doctor_looks_at_the_folder(
    site: Site, mode: int, least: int, state: str, what: str
) -> None:
    (site.folder / "recordings").chmod(mode)
    config = site.config.read_text()
    site.config.write_text(config.replace("least_free = 0", f"least_free = {least}"))
    found = check_recordings(site.settings)
    assert (found.state.value, what in found.what) == (state, True)


async def much_later(site: Site) -> None:
    """As the service would do it, after the days of recordings and their period."""
    clock = FakeClock(SystemClock().now())
    clock.advance(61 * DAY)
    premises = Premises(site.settings, clock, PrometheusMeter())
    await premises.open()
    tally = premises.privacy.erasure.expire()
    assert (tally["recordings"].due, tally["recordings"].held) == (1, 1)
    folder = recordings(site.settings, premises.privacy.vault, clock, PrometheusMeter())
    assert folder.sweep() == 1
    (kept,) = folder.kept()
    assert isinstance(next(folder.play(kept.label.recording)), Piece)
    await premises.aclose()


def test_the_export_of_a_person_goes_on_behind_a_recording_that_was_erased(site: Site) -> None:
    """Its key is shredded; the file goes with the next sweep."""
    erased = site.file(NUMBER).read_bytes()
    label, _, _ = read_label(io.BytesIO(erased))
    site.run("subject", "erase", NUMBER.value, "--reason", "request", "--yes")
    site.file(NUMBER).write_bytes(erased)
    whole = site.file(OTHER)
    with whole.open("rb") as file:
        kept, _, _ = read_label(file)
    into = site.folder / "theirs"
    _export_recordings(site.settings, {label.conversation, kept.conversation}, into)
    assert [file.name for file in into.iterdir()] == [f"{site.of[OTHER]}.wav"]
