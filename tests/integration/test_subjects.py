"""What is known of a person can be read out, and can be made unreadable for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ari_app.bootstrap.premises import Premises, subject_key
from ari_app.cli import app
from ari_app.config import Settings, load
from ari_app.conversation.events import (
    CallerSpoke,
    ConversationOpened,
    HandoffRecorded,
    TextPromised,
)
from ari_app.conversation.identity import E164
from ari_app.errors import SegueError
from ari_app.ports import Effect
from ari_app.store.snapshots import EVERY
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter
from tests.support.faults import fault

NUMBER = E164("+12025550147")
OTHER = E164("+12025550148")
WORDS = "the quick brown heron"
BODY = "Your table is under the willow."


class Site:
    """An installation in a folder, with one conversation of each of two people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "segue.toml"
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\n')

    @property
    def settings(self) -> Settings:
        return load(self.config)

    async def live(self) -> None:
        premises = Premises(self.settings, SystemClock(), PrometheusMeter())
        await premises.open()
        for number in (NUMBER, OTHER):
            await self._talk(premises.store, number)
        await premises.aclose()

    async def opened_once(self) -> None:
        """As a start of the service would."""
        premises = Premises(self.settings, SystemClock(), PrometheusMeter())
        await premises.open()
        await premises.aclose()

    async def live_again(self) -> None:
        """The first of the two calls once more."""
        premises = Premises(self.settings, SystemClock(), PrometheusMeter())
        await premises.open()
        await self._talk(premises.store, NUMBER, "again_")
        await premises.aclose()

    async def _talk(self, store: EventStore, number: E164, which: str = "") -> None:
        stream = f"conv_{which}{number.value[-4:]}"
        handoff = f"hand_{which}{number.value[-4:]}"
        words = ((WORDS, 0.0, 1.0, 1.0),)
        await store.append(
            stream,
            [
                ConversationOpened(channel="voice", did="1", language="en", number=number.value),
                CallerSpoke(call="c", text=WORDS, words=words, confidence=1.0, endpoint_ms=1),
                TextPromised(message=f"msg_{stream}", template="t", to=number.value, body=BODY),
                HandoffRecorded(handoff=handoff, route="first", record={"number": number.value}),
            ],
            effects=[Effect("sms", f"msg_{stream}", 0, {"to": number.value, "body": BODY})],
            subject=number.subject(subject_key(self.settings)),
        )
        (self.folder / "handoffs").mkdir(exist_ok=True)
        (self.folder / "handoffs" / f"{handoff}.json").write_text(number.value)

    def traces(self, text: str) -> list[str]:
        """The files in which these bytes stand, whatever they are."""
        files = (f for f in self.folder.rglob("*") if f.is_file())
        return [f.name for f in files if text.encode() in f.read_bytes()]

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def exported(self, number: E164) -> list[dict[str, object]]:
        lines = self.run("subject", "export", number.value).splitlines()
        return [json.loads(line)["event"] for line in lines]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    asyncio.run(site.live())
    return site


def test_no_file_of_ours_holds_a_number_or_a_word_in_the_clear(site: Site) -> None:
    assert site.traces(NUMBER.value) == ["hand_0147.json"]  # the receiver's copy
    assert site.traces(WORDS) == []
    assert site.traces(BODY) == []


def test_an_export_has_everything_of_one_person_and_nothing_of_another(site: Site) -> None:
    events = site.exported(NUMBER)
    assert [e.get("text") for e in events if "text" in e] == [WORDS]
    assert [e.get("body") for e in events if "body" in e] == [BODY]
    assert OTHER.value not in json.dumps(events)


def test_after_an_erasure_neither_number_nor_words_can_be_found_or_read(site: Site) -> None:
    site.run("subject", "erase", NUMBER.value, "--yes")
    for text in (NUMBER.value, WORDS, BODY):
        assert NUMBER.value not in "".join(site.traces(text))
        assert [name for name in site.traces(text) if "0147" in name] == []
    events = site.exported(NUMBER)
    assert len(events) == 4
    assert WORDS not in json.dumps(events)
    assert [e["number"] for e in events if "number" in e] == [None]
    assert [e["text"] for e in events if "text" in e] == ["[erased]"]
    assert [e["text"] for e in site.exported(OTHER) if "text" in e] == [WORDS]


@fault("yesterday's backup is restored after an erasure", "the erased stay erased", "sqlite")
def test_yesterdays_backup_does_not_bring_the_erased_back(site: Site) -> None:
    backup = site.folder.parent / f"{site.folder.name}-backup"
    shutil.copytree(site.folder, backup)
    site.run("subject", "erase", NUMBER.value, "--yes")
    for name in ("segue.db", "keys.db"):
        for old in site.folder.glob(f"{name}*"):
            old.unlink()
        shutil.copy(backup / name, site.folder / name)
    assert WORDS not in json.dumps(site.exported(NUMBER))
    assert [e["text"] for e in site.exported(OTHER) if "text" in e] == [WORDS]


def test_an_erased_conversation_can_still_be_shown(site: Site) -> None:
    site.run("subject", "erase", NUMBER.value, "--yes")
    shown = site.run("conversation", "show", "conv_0147")
    assert "[erased]" in shown
    assert "record: erased" in shown


def test_what_is_no_number_is_said_and_nothing_is_erased(site: Site) -> None:
    with pytest.raises(SegueError, match="not a phone number"):
        site.run("subject", "erase", "somebody", "--yes")
    assert site.exported(NUMBER)[0]["number"] == NUMBER.value


def test_retention_says_what_would_go_before_it_goes(site: Site) -> None:
    rows = json.loads(site.run("retention", "--dry-run", "--json"))
    assert rows["words"] == {"due": 0, "held": 0, "kept": 2}


def payloads(folder: Path) -> list[str]:
    """The sealed payloads of the erased person that are still there."""
    with contextlib.closing(sqlite3.connect(folder / "segue.db")) as raw:
        rows = raw.execute("SELECT payload FROM event WHERE stream = 'conv_0147'").fetchall()
    return [text for (text,) in rows if text is not None and "sealed" in text]


def test_a_tombstone_leaves_hashes_and_the_log_still_verifies(site: Site) -> None:
    sealed = [json.loads(text) for text in payloads(site.folder)]
    bodies = [p["body"]["sealed"] for p in sealed if "body" in p]
    assert len(bodies) == 1
    assert site.traces(bodies[0]) != []

    site.run("subject", "erase", NUMBER.value, "--yes", "--tombstone")
    assert payloads(site.folder) == []
    assert site.traces(bodies[0]) == []  # not in the gaps of the file either
    report = json.loads(site.run("audit", "verify", "--json"))
    assert (report["sound"], report["erased"], report["events"]) == (True, 4, 8)
    assert site.exported(NUMBER) == [{}] * 4  # that they happened is known, and nothing else
    assert "conversation.opened" in site.run("conversation", "show", "conv_0147")
    assert [e["text"] for e in site.exported(OTHER) if "text" in e] == [WORDS]


def test_yesterdays_backup_does_not_bring_back_what_a_tombstone_covers(site: Site) -> None:
    backup = site.folder.parent / f"{site.folder.name}-backup"
    shutil.copytree(site.folder, backup)
    site.run("subject", "erase", NUMBER.value, "--yes", "--tombstone")
    for old in site.folder.glob("segue.db*"):
        old.unlink()
    shutil.copy(backup / "segue.db", site.folder / "segue.db")
    assert payloads(site.folder) != []
    asyncio.run(site.opened_once())
    assert payloads(site.folder) == []


def test_what_a_person_says_after_an_erasure_is_kept_by_a_restart(site: Site) -> None:
    site.run("subject", "erase", NUMBER.value, "--yes", "--tombstone")
    asyncio.run(site.live_again())
    asyncio.run(site.opened_once())
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == [WORDS]


def test_a_held_person_is_not_erased_until_released(site: Site) -> None:
    site.run("subject", "hold", NUMBER.value)
    subject = NUMBER.subject(subject_key(site.settings))
    assert json.loads(site.run("subject", "holds", "--json")) == [subject]
    with pytest.raises(SegueError, match="under legal hold"):
        site.run("subject", "erase", NUMBER.value, "--yes", "--tombstone")
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == [WORDS]

    site.run("subject", "release", NUMBER.value)
    with pytest.raises(SegueError, match="is not held"):
        site.run("subject", "release", NUMBER.value)
    assert json.loads(site.run("subject", "holds", "--json")) == []
    site.run("subject", "erase", NUMBER.value, "--yes")
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == ["[erased]"]


def test_a_reason_is_one_of_a_list(site: Site) -> None:
    with pytest.raises(SegueError, match="--reason must be one of request, "):
        site.run("subject", "hold", NUMBER.value, "--reason", "because")


def test_another_tenant_that_tries_is_turned_away_and_reads_nothing(
    site: Site, tmp_path: Path
) -> None:
    """It names our database in its settings; its keys are its own."""
    theirs = tmp_path / "tenant"
    theirs.mkdir()
    key = theirs / "subject.key"
    key.write_text("k" * 64)
    key.chmod(0o400)
    config = theirs / "segue.toml"
    config.write_text(f'[store]\npath = "{site.folder / "segue.db"}"\nsubject_key_file = "{key}"\n')
    for command in (["conversation", "list"], ["subject", "export", NUMBER.value]):
        done = CliRunner().invoke(app, [*command, "--config", str(config)])
        assert "belongs to another installation or tenant" in str(done.exception)
        assert done.output == ""


def test_numbers_of_one_person_are_exported_and_erased_together(site: Site) -> None:
    said = site.run("subject", "join", NUMBER.value, OTHER.value)
    assert "of 2 subjects" in said
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == [WORDS, WORDS]
    site.run("subject", "erase", NUMBER.value, "--yes")
    assert [e["text"] for e in site.exported(OTHER) if "text" in e] == ["[erased]"] * 2


def test_a_join_can_be_undone_and_neither_shows_a_number(site: Site) -> None:
    with pytest.raises(SegueError, match="were not joined"):
        site.run("subject", "part", NUMBER.value, OTHER.value)
    site.run("subject", "join", NUMBER.value, OTHER.value)
    site.run("subject", "part", NUMBER.value, OTHER.value)
    assert len(site.exported(NUMBER)) == 4
    with pytest.raises(SegueError, match="two different subjects"):
        site.run("subject", "join", NUMBER.value, NUMBER.value)
    assert [name for name in site.traces(NUMBER.value) if "hand_" not in name] == []


async def remembered(site: Site) -> list[str]:
    """What the state of the long conversation has of the person."""
    premises = Premises(site.settings, SystemClock(), PrometheusMeter())
    await premises.open()
    state = await premises.store.state("conv_0147")
    await premises.aclose()
    return sorted({said.text for said in state.turns})


async def long(site: Site) -> None:
    """So much is said that a snapshot is kept."""
    premises = Premises(site.settings, SystemClock(), PrometheusMeter())
    await premises.open()
    heard = CallerSpoke(call="c", text=WORDS, words=(), confidence=1.0, endpoint_ms=1)
    await premises.store.append("conv_0147", [heard] * EVERY)
    await premises.aclose()


@pytest.mark.parametrize("how", [[], ["--tombstone"]])
def test_a_snapshot_shows_no_words_and_goes_with_its_person(site: Site, how: list[str]) -> None:
    asyncio.run(long(site))
    assert asyncio.run(remembered(site)) == [WORDS]  # and now there is a snapshot
    assert site.traces(WORDS) == []
    site.run("subject", "erase", NUMBER.value, "--yes", *how)
    assert WORDS not in asyncio.run(remembered(site))


def test_after_a_rotation_only_the_new_key_opens_what_is_there(site: Site, tmp_path: Path) -> None:
    new, old = tmp_path / "new.kek", site.folder / "kek"
    new.write_text("ab" * 32)
    new.chmod(0o400)
    before = old.read_text()
    assert before not in site.run("subject", "rotate", str(new))
    with pytest.raises(SegueError, match="does not open"):
        site.exported(NUMBER)
    old.chmod(0o600)
    old.write_text("ab" * 32)
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == [WORDS]


def test_what_is_no_key_rotates_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("abc")
    (tmp_path / "short").chmod(0o400)
    with pytest.raises(SegueError, match="64 hex digits"):
        site.run("subject", "rotate", str(tmp_path / "short"))
    assert [e["text"] for e in site.exported(NUMBER) if "text" in e] == [WORDS]


def test_what_a_person_prefers_is_noted_in_their_latest_conversation(site: Site) -> None:
    said = site.run("subject", "prefer", NUMBER.value, "hours", "mon-fri 09:00-17:00 Europe/Paris")
    assert "prefers hours: mon-fri 09:00-17:00 Europe/Paris" in " ".join(said.split())
    assert NUMBER.value not in said
    exported = site.run("subject", "export", NUMBER.value)
    assert '"value": "mon-fri 09:00-17:00 Europe/Paris"' in exported


@pytest.mark.parametrize(
    ("number", "what", "value", "sentence"),
    [
        (NUMBER.value, "hours", "nine to five", "hours are written like"),
        (NUMBER.value, "colour", "blue", "one can prefer language, channel, hours"),
        ("+12025559999", "channel", "sms", "has never turned to us"),
    ],
)
def test_what_cannot_be_noted_is_said(
    site: Site, number: str, what: str, value: str, sentence: str
) -> None:
    with pytest.raises(SegueError, match=sentence):
        site.run("subject", "prefer", number, what, value)
