"""What is known of a person can be read out, and can be made unreadable for ever."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ari_app.bootstrap import Privacy, subject_key
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
from ari_app.store.sqlite import SqliteStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

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
        clock = SystemClock()
        privacy = Privacy(self.settings, clock)
        privacy.open()
        path = self.settings.store.path
        store = SqliteStore(path, clock, PrometheusMeter(), vault=privacy.vault)
        await store.open()
        for number in (NUMBER, OTHER):
            await self._talk(store, number)
        await store.aclose()
        privacy.close()

    async def _talk(self, store: SqliteStore, number: E164) -> None:
        stream = f"conv_{number.value[-4:]}"
        handoff = f"hand_{number.value[-4:]}"
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
