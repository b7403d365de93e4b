"""What an operator may do about who wants no texts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner, Result

from ari_app.bootstrap.premises import Premises, subject_key
from ari_app.cli.optout_app import optout_app
from ari_app.config import Settings, load
from ari_app.conversation.events import ConversationOpened, Event, OptedIn, OptedOut
from ari_app.conversation.identity import E164
from ari_app.errors import SettingsError
from ari_app.store.store import EventStore
from ari_app.telemetry.clock import SystemClock
from ari_app.telemetry.meter import PrometheusMeter

_T = TypeVar("_T")

NUMBER = E164("+12025550147")
OTHER = E164("+12025550148")


class Site:
    """An installation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.config = folder / "segue.toml"
        self.config.write_text(f'[store]\npath = "{folder / "segue.db"}"\n')
        self.inside(lambda store: asyncio.sleep(0))

    @property
    def settings(self) -> Settings:
        return load(self.config)

    def subject(self, number: E164 = NUMBER) -> str:
        return number.subject(subject_key(self.settings))

    def inside(self, do: Callable[[EventStore], Awaitable[_T]]) -> _T:
        async def run() -> _T:
            premises = Premises(self.settings, SystemClock(), PrometheusMeter())
            await premises.open()
            try:
                return await do(premises.store)
            finally:
                await premises.aclose()

        return asyncio.run(run())

    def called(self, number: E164 = NUMBER, stream: str = "conv_1") -> None:
        call = ConversationOpened(channel="voice", did="1", language="en", number=number.value)
        self.inside(lambda store: store.append(stream, [call], subject=self.subject(number)))

    def events(self, stream: str) -> list[Event]:
        async def read(store: EventStore) -> list[Event]:
            return [e.event for e in await store.read(stream)]

        return self.inside(read)

    def is_out(self, number: E164 = NUMBER, sender: str = "15550199") -> bool:
        return self.inside(lambda store: store.suppressions().holds(self.subject(number), sender))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(optout_app, [*words, "--config", str(self.config)])

    def said(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output or result.exception
        return result.output

    def complaint(self, *words: str) -> str:
        error = self.run(*words).exception
        assert isinstance(error, SettingsError), error
        assert "\n" not in str(error)
        return str(error)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "here")


WHY = ("--reason", "a letter")


def test_a_number_that_is_added_is_out_and_said_without_its_digits(site: Site) -> None:
    site.called()
    said = site.said("add", NUMBER.value, *WHY)
    assert said == "+120******47 gets no more texts.\n"
    assert site.is_out()
    (opted_out,) = [e for e in site.events("conv_1") if isinstance(e, OptedOut)]
    assert (opted_out.how, opted_out.body) == ("operator", "a letter")
    assert opted_out.word.startswith("operator:")
    state = site.inside(lambda store: store.state("conv_1"))
    assert state.consent == {"texts": False}


def test_a_number_that_nobody_has_called_from_can_be_added(site: Site) -> None:
    site.said("add", NUMBER.value, *WHY)
    assert site.is_out()
    # And the person's next text opens a conversation of its own.
    assert site.inside(lambda store: store.latest(site.subject())) is None


def test_adding_twice_is_said_and_changes_nothing(site: Site) -> None:
    site.said("add", NUMBER.value, *WHY)
    assert json.loads(site.said("add", NUMBER.value, *WHY, "--json"))["added"] is False
    assert len(site.events(site.subject())) == 1


def test_one_sender_can_be_named(site: Site) -> None:
    site.said("add", NUMBER.value, *WHY, "--sender", "+15550199")
    assert site.is_out(sender="15550199")
    assert not site.is_out(sender="36111")


def test_a_number_that_is_removed_may_be_texted_again(site: Site) -> None:
    site.called()
    site.said("add", NUMBER.value, *WHY)
    site.said("add", NUMBER.value, *WHY, "--sender", "36111")
    assert site.said("remove", NUMBER.value, *WHY) == "+120******47 may get texts again.\n"
    assert not site.is_out()
    assert any(isinstance(e, OptedIn) for e in site.events("conv_1"))
    state = site.inside(lambda store: store.state("conv_1"))
    assert state.consent == {"texts": True}


def test_who_is_not_out_cannot_be_removed(site: Site) -> None:
    assert site.complaint("remove", NUMBER.value, *WHY) == "+120******47 has not opted out"


def test_a_reason_is_asked_for(site: Site) -> None:
    assert site.run("add", NUMBER.value).exit_code == 2
    assert site.run("remove", NUMBER.value).exit_code == 2


def test_the_list_shows_pseudonyms_and_never_a_number(site: Site) -> None:
    site.said("add", NUMBER.value, *WHY)
    site.said("add", OTHER.value, *WHY)
    listed = json.loads(site.said("list", "--json"))
    assert {one["subject"] for one in listed} == {site.subject(NUMBER), site.subject(OTHER)}
    assert {one["how"] for one in listed} == {"operator"}
    (one,) = json.loads(site.said("list", "--json", "--number", NUMBER.value))
    assert one["subject"] == site.subject()
    assert len(json.loads(site.said("list", "--json", "--limit", "1"))) == 1
    assert NUMBER.value[1:] not in site.said("list")


def test_what_is_no_number_is_one_sentence(site: Site) -> None:
    for words in (("add", "12", *WHY), ("remove", "x", *WHY), ("list", "--number", "?")):
        assert site.complaint(*words) == ("that is not a phone number: write it as +12025550123")


# -- files --------------------------------------------------------------------------------------


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_export_comes_back_into_its_own_installation(site: Site, tmp_path: Path) -> None:
    site.said("add", NUMBER.value, *WHY)
    site.said("add", OTHER.value, *WHY, "--sender", "36111")
    file = tmp_path / "out.jsonl"
    site.said("export", str(file))
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert NUMBER.value[1:] not in file.read_text()
    head, *rows = lines(file)
    assert head["segue_optouts"] == 1
    assert len(rows) == 2

    site.said("remove", NUMBER.value, *WHY)
    site.said("remove", OTHER.value, *WHY)
    assert json.loads(site.said("import", str(file), "--json")) == {"added": 2, "known": 0}
    assert site.is_out()
    assert site.is_out(OTHER, "36111")
    assert not site.is_out(OTHER, "15550199")
    assert json.loads(site.said("import", str(file), "--json")) == {"added": 0, "known": 2}


def test_another_installation_needs_the_numbers(site: Site, tmp_path: Path) -> None:
    site.called()
    site.said("add", NUMBER.value, *WHY)
    other, plain, full = Site(tmp_path / "there"), tmp_path / "plain", tmp_path / "full"
    site.said("export", str(plain))
    assert "export it there with --numbers" in other.complaint("import", str(plain))
    site.said("export", str(full), "--numbers")
    assert lines(full)[1]["number"] == NUMBER.value
    assert json.loads(other.said("import", str(full), "--json")) == {"added": 1, "known": 0}
    assert other.is_out()


def test_a_list_of_numbers_is_imported(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"# from the old program\n\n{NUMBER.value}\n(202) 555-0148\n{NUMBER.value}\n")
    assert json.loads(site.said("import", str(file), "--json")) == {"added": 2, "known": 0}
    assert site.is_out()
    assert site.is_out(OTHER)
    (opted_out,) = site.events(site.subject())
    assert isinstance(opted_out, OptedOut)
    assert (opted_out.how, opted_out.word) == ("import", "list.txt")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("call me", "line 2 of {file} is not a phone number"),
        ("{", "line 2 of {file} is not JSON"),
        ('{"subject": "subj_x"}', "line 2 of {file} names neither a number nor a subject"),
        ('{"number": 7}', "line 2 of {file} names neither a number nor a subject"),
        ("[" * 20_000, "line 2 of {file} is not a phone number"),
        ("{" + '"a":[' * 3000, "line 2 of {file} is not JSON"),
    ],
)
def test_a_line_that_cannot_be_read_adds_nothing_at_all(
    site: Site, tmp_path: Path, line: str, sentence: str
) -> None:
    file = tmp_path / "list"
    file.write_text(f"{NUMBER.value}\n{line}\n")
    complaint = site.complaint("import", str(file))
    assert complaint.startswith(sentence.format(file=file))
    assert not site.is_out()


def test_a_bad_line_at_the_end_of_a_long_file_adds_nothing_either(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "list"
    file.write_text("".join(f"+1202555{n:04}\n" for n in range(1001)) + "call me\n")
    assert site.complaint("import", str(file)).startswith("line 1002 of")
    assert json.loads(site.said("list", "--json")) == []


def test_a_file_that_is_not_there_or_no_text_is_one_sentence(site: Site, tmp_path: Path) -> None:
    assert "cannot read" in site.complaint("import", str(tmp_path / "none"))
    (tmp_path / "odd").write_bytes(b"\xff\xfe\x00")
    assert "is not a text file" in site.complaint("import", str(tmp_path / "odd"))


def test_an_export_replaces_no_file_unless_told(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine")
    assert "is there already" in site.complaint("export", str(file))
    assert file.read_text() == "mine"
    site.said("export", str(file), "--force")
    assert lines(file)[0]["segue_optouts"] == 1
    assert "cannot write" in site.complaint("export", str(tmp_path / "no" / "folder"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out"]


def test_an_export_can_go_to_the_screen(site: Site) -> None:
    site.said("add", NUMBER.value, *WHY)
    assert site.subject() in site.said("export", "-")
